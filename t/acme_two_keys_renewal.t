#!/usr/bin/perl

# Tests for the renewal of certificates with two key types: both are renewed
# by one decision and go live by one reload, each with a new key or, by
# acme_key_policy, its old one; one that is refused leaves the other alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

# The object identifier of an RSA key.
my $rsa_key = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
my $refusal = '{"type":"urn:ietf:params:acme:error:badCSR",'
    . '"detail":"no RSA today","status":400}';

my %suites = (
    ecdsa => 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
    rsa => 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384',
);
my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, answer => \&answer);
my $server = $t->server(ca => $proxy, delay => '10s',
    global => 'acme_key ecdsa:256 rsa:2048;',
    sites => [ { names => 'rotate.test' },
        { names => 'reuse.test', acme => 'acme_key_policy reuse;' },
        { names => 'refused.test' } ]);

# At first one half is refused.
spew($t->path('refuse'), '');
$server->start;
my $line = $server->says(qr/ refused\.test: rsa:2048: .*attempt 1 failed/);
like($line, qr/no RSA today.*the present certificate stays in service/,
    'an RSA certificate is refused: the log says what is served');
ok($server->issued('refused.test'), 'the ECDSA one goes live');
is_deeply(sees('rsa', 'refused.test'), {}, 'alone');
unlink $t->path('refuse');
$server->reload;
ok(wait_for(sub { sees('rsa', 'refused.test')->{key} }),
    'the RSA one joins it');
my %first = both(qw(rotate.test reuse.test refused.test));
is($first{"$_ rsa"}{key}, 'rsa:2048', "$_: RSA")
    for qw(rotate.test reuse.test refused.test);
is($first{"$_ ecdsa"}{key}, 'ecdsa:256', "$_: ECDSA")
    for qw(rotate.test reuse.test refused.test);
is($ca->orders, 7, 'an order for each, and for the refused one two');

# One half of each is due; one of the others is refused again.
$server->stop_all;
spew($t->path('refuse'), '');
make_due($_) for 'rotate.test', 'reuse.test+rsa', 'refused.test';
my $reloads = $server->reloads;
$server->start;
ok(wait_for(sub { refusals() == 2 }), 'a renewal is refused');
ok(wait_for(sub {
    my %now = both(qw(rotate.test reuse.test));
    return !grep { ($now{$_}{fingerprint} || '') eq $first{$_}{fingerprint} }
        keys %now;
}), 'the others are renewed');
is($server->reloads, $reloads + 1, 'by one reload');
is($ca->orders, 13, 'an order for each');
my %second = both(qw(rotate.test reuse.test refused.test));
for my $kind (sort keys %suites) {
    isnt($second{"rotate.test $kind"}{public}, $first{"rotate.test $kind"}{public},
        "rotate: another key ($kind)");
    is($second{"reuse.test $kind"}{public}, $first{"reuse.test $kind"}{public},
        "reuse: the same key ($kind)");
}
isnt($second{'refused.test ecdsa'}{serial}, $first{'refused.test ecdsa'}{serial},
    'refused: its ECDSA certificate is renewed');
is($second{'refused.test rsa'}{serial}, $first{'refused.test rsa'}{serial},
    'refused: its RSA certificate stays in service');
is($ca->failed_validations, 0, 'no validation failed');

$t->done;

# ---- the CA's moods

sub answer {
    my ($method, $path, $head, $body) = @_;
    require MIME::Base64;

    # renewals come at half of life, not when the CA would have them
    return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        if $path =~ /renewalInfo/;
    return undef if $path !~ /finalize/ || !-e $t->path('refuse');
    my ($payload) = $body =~ /"payload"\s*:\s*"([^"]*)"/ or return undef;
    my ($csr) = MIME::Base64::decode_base64url($payload)
        =~ /"csr"\s*:\s*"([^"]*)"/ or return undef;
    $csr = MIME::Base64::decode_base64url($csr);
    return undef if $csr !~ /refused\.test/ || index($csr, $rsa_key) < 0;
    syswrite STDOUT, "refused\n";
    return join "\r\n", 'HTTP/1.1 400 Bad Request',
        'Content-Type: application/problem+json',
        'Content-Length: ' . length $refusal, '', $refusal;
}

sub refusals {
    my $count = () = $proxy->log =~ /^refused$/mg;
    return $count;
}

# ---- the time

# As if the CA had asked for this renewal a while ago, but after the last one.
sub make_due {
    my ($folder) = @_;
    my $ari = $server->plan($folder)->{ari};
    my ($start, $chosen, $end) = map { time_text(time + $_) } -3600, 0, 3600;

    $server->plan($folder, ari => { %$ari, start => $start, end => $end,
        chosen => $chosen });
}

# ---- what a client sees that can verify this kind only

sub sees {
    my ($kind, $name) = @_;
    return handshake($t->port('https'), $name, SSL_version => 'TLSv1_2',
        SSL_cipher_list => $suites{$kind});
}

sub both {
    my (@names) = @_;
    my %shown;

    for my $name (@names) {
        $shown{"$name $_"} = sees($_, $name) for keys %suites;
    }
    return %shown;
}
