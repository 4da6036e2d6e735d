#!/usr/bin/perl

# Tests for answering tls-alpn-01 (RFC 8737, RFC 8738): on any listener with
# TLS, whatever its server is for, and for nobody but a CA. There is no CA
# here: a probe puts the challenges on the page, as the keeper does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use Digest::SHA qw(sha256);
use MIME::Base64 qw(decode_base64);

my $t = ACME::Test->new;
my $probe = $t->probe('alpn_entry');

$t->certificate('static');
$t->certificate('rsa', 'rsa:2048');
my $server = $t->server(
    acme => 'acme_accept_terms on; acme_ca https://127.0.0.1:1/dir;',
    sites => [
    { names => 'unrelated.test', default => 1, domain => undef,
        cert => 'static', nginx => 'ssl_reject_handshake on;',
        httpd => 'SSLStrictSNIVHostCheck on' },
    { names => 'example.test', http2 => 1, status => 204 },
    { names => 'rsa.test', domain => undef, cert => 'rsa', status => 204 },
    { names => 'guarded.test', domain => undef, cert => 'static',
        nginx => 'ssl_verify_client on;'
            . ' ssl_client_certificate %TMP%/static.pem;',
        httpd => "SSLVerifyClient require\n"
            . 'SSLCACertificateFile %TMP%/static.pem' },
    { names => 'alone.test', domain => undef, cert => 'rsa',
        plain => [], tls => [ 'alone' ], default => 1,
        nginx => 'ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;'
            . ' ssl_verify_client on;'
            . ' ssl_client_certificate %TMP%/static.pem;',
        httpd => "SSLCipherSuite ECDHE-RSA-AES128-GCM-SHA256\n"
            . "SSLVerifyClient require\n"
            . 'SSLCACertificateFile %TMP%/static.pem' },
])->start;
ok($server->helper('keeper'), 'there is a keeper');
ok(wait_for(sub { -S $server->state_path . '/control.sock' }),
    'which hands out its page');

my @acme = ('acme-tls/1');
my %names = (
    'example.test' => 'example.test', 'rsa.test' => 'rsa.test',
    'guarded.test' => 'guarded.test', 'elsewhere.test' => 'elsewhere.test',
    '192.0.2.1' => '1.2.0.192.in-addr.arpa',
    '2001:db8::1' => '1.' . '0.' x 23 . '8.b.d.0.1.0.0.2.ip6.arpa',
);
my %versions = (1.2 => 'TLSv1_2', 1.3 => 'TLSv1_3');

# ---- nothing is pending

for my $name (sort values %names) {
    ok(!shown($name, 'https', @acme)->{digest}, "$name: no challenge");
}
my %before = map { $_ => shown($_, 'https', 'h2', 'http/1.1')->{shown} }
    qw(example.test rsa.test);
is(http_version('example.test'), 2, 'HTTP/2 before');

# ---- challenges are pending

entry('publish', $_, "token-of-$names{$_}" =~ tr/.:/__/r, "$_.print")
    for sort keys %names;

for my $identifier (sort keys %names) {
    my $name = $names{$identifier};
    for my $port (qw(https alone)) {
        for my $version (sort keys %versions) {
            my $seen = shown($name, $port, @acme, $versions{$version});
            my $what = "$name, $port, TLS $version";

            is($seen->{alpn}, 'acme-tls/1', "$what: the protocol");
            is($seen->{names}, $identifier, "$what: the identifier");
            is($seen->{digest}, unpack('H*', sha256("$identifier.print")),
                "$what: the digest, in a critical extension");
            is($seen->{answer}, '', "$what: nothing is served after it");
        }
    }
}
like($server->says(qr/tls-alpn-01/), qr/tls-alpn-01 challenge answered/,
    'it is logged');
is(shown('EXAMPLE.test', 'https', @acme)->{names}, 'example.test',
    'upper case is the same name');

# ---- for nobody else

my $ordinary = shown('example.test', 'https', @acme, 'http/1.1');
is($ordinary->{shown}, $before{'example.test'},
    'who offers http/1.1 too is an ordinary client');
is($ordinary->{alpn}, 'http/1.1', 'and speaks that');
like($ordinary->{answer}, qr/^HTTP\S+ 204/, 'and is answered');
for my $name (sort keys %before) {
    my $seen = shown($name, 'https', 'http/1.1');
    is($seen->{shown}, $before{$name}, "$name: the site's certificate");
    like($seen->{answer}, qr/^HTTP\S+ 204/, "$name: and the site's answer");
    is(shown($name, 'https')->{shown}, $before{$name},
        "$name: without any protocol too");
}
is(http_version('example.test'), 2, 'HTTP/2 is as before');
is(curl('-k', '--http1.1', '-w', '%{http_code} %{num_connects},',
    '--resolve', 'example.test:' . $t->port('https') . ':127.0.0.1',
    map { 'https://example.test:' . $t->port('https') . '/' } 1, 2),
    '204 1,204 0,', 'and so are connections that go on');
like(curl('-i', 'http://127.0.0.1:' . $t->port('https') . '/'),
    qr/^HTTP\S+ 400/, 'and a request without TLS');
ok(!shown('foreign.test', 'https', @acme)->{digest},
    'a name without a challenge shows none');
ok(!shown('', 'https', @acme)->{digest}, 'nor does no name');
ok(!shown('example.test', 'https', 'acme-tls/2')->{digest},
    'nor another protocol');

# ---- it outlives a reload, and ends when it is withdrawn

$server->reload;
is(shown('example.test', 'https', @acme)->{names}, 'example.test',
    'after a reload it is still there');
entry('publish', 'example.test', 'later', 'later.print');
entry('withdraw', 'example.test', 'token-of-example_test');
is(shown('example.test', 'https', @acme)->{digest},
    unpack('H*', sha256('later.print')),
    'the end of an earlier challenge is not that of a later one');
entry('withdraw', 'example.test', 'later');
ok(!shown('example.test', 'https', @acme)->{digest}, 'until its own end');
is(shown('192.0.2.1', 'https', @acme)->{digest}, undef,
    'an address is no server name');
is(shown('1.2.0.192.in-addr.arpa', 'https', @acme)->{names}, '192.0.2.1',
    'and its challenge is still there');

$t->done;

sub entry {
    my (@arguments) = @_;
    my $how = shift @arguments;
    my ($status, $text) = $t->run($probe, $server->state_path, $how,
        @arguments);

    is($status, 0, "$how $arguments[0]") or diag($text);
}

# What a client sees that offers these protocols: the certificate, and what
# comes when it asks for a page.
sub shown {
    my ($name, $port, @offer) = @_;
    my $version = @offer && $offer[-1] =~ /^TLSv/ ? pop @offer : undef;
    require IO::Socket::SSL;
    my $socket = IO::Socket::SSL->new(
        PeerAddr => '127.0.0.1:' . $t->port($port), Timeout => 10,
        SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(),
        SSL_hostname => $name,
        @offer ? (SSL_alpn_protocols => [@offer]) : (),
        $version ? (SSL_version => $version) : ()) or return {};
    my $certificate = $socket->peer_certificate;
    my @found = Net::SSLeay::X509_get_subjectAltNames($certificate);
    my $pem = Net::SSLeay::PEM_get_string_X509($certificate);
    my ($base64) = $pem =~ /-\n(.*?)-/s;
    # 1.3.6.1.5.5.7.1.31, critical, an OCTET STRING in an OCTET STRING
    my ($digest) = unpack('H*', decode_base64($base64))
        =~ /303106082b0601050507011f0101ff04220420([0-9a-f]{64})/;
    my %seen = (alpn => $socket->alpn_selected, digest => $digest,
        names => join(' ', map { text_of(@found[2 * $_, 2 * $_ + 1]) }
            0 .. $#found / 2),
        shown => $socket->get_fingerprint('sha256'),
        answer => asked($socket, $name));
    close $socket;
    return \%seen;
}

# The type and value of a name.
sub text_of {
    my ($type, $value) = @_;
    require Socket;
    return $type != 7 ? $value : Socket::inet_ntop(length $value == 4
        ? Socket::AF_INET() : Socket::AF_INET6(), $value);
}

sub asked {
    my ($socket, $name) = @_;
    my $answer = '';
    local $SIG{PIPE} = 'IGNORE';

    print $socket "GET / HTTP/1.1\r\nHost: $name\r\n"
        . "Connection: close\r\n\r\n";
    1 while sysread $socket, $answer, 4096, length $answer;
    return $answer;
}

sub http_version {
    my ($name) = @_;
    return curl('-k', '--http2', '-w', '%{http_version}', '--resolve',
        "$name:" . $t->port('https') . ':127.0.0.1',
        "https://$name:" . $t->port('https') . '/');
}
