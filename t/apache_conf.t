#!/usr/bin/perl

# Tests for the configuration of Apache httpd: what -t refuses, with file and
# line, what it warns of, and where directives may stand.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
my $ca = $t->pebble(start => 0);
my $httpd = $t->server(ca => $ca, ports => [qw(http https)]);
my $conf = $httpd->file('conf');

$t->certificate('own');

sub vhost {
    my (@lines) = @_;
    return join "\n", '<VirtualHost 127.0.0.1:%HTTPS%>',
        (map { "    $_" } @lines), '</VirtualHost>', '';
}

sub check {
    my ($servers, %options) = @_;
    $httpd->configure(servers => $servers, httpd => '', acme => undef,
        %options);
    my ($status, $text) = $t->run($httpd->command('-t'));
    return ($status == 0, $text);
}

sub accepted {
    my ($what, $servers, %options) = @_;
    my ($passed, $text) = check($servers, %options);
    ok($passed, $what) or diag($text);
    return $text;
}

sub refused {
    my ($what, $pattern, $servers, %options) = @_;
    my ($passed, $text) = check($servers, %options);
    ok(!$passed, "refused: $what");
    like($text, $pattern, 'with the reason');
}

# The number of the line that matches.
sub line {
    my ($pattern) = @_;
    my @lines = split /\n/, slurp($conf);
    my ($found) = grep { $lines[$_ - 1] =~ $pattern } 1 .. @lines;
    return $found || 0;
}

my @good = ('ServerName example.test', 'SSLEngine on', 'AcmeDomain');

# ---- nothing wrong

my $text = accepted('two lines', vhost(@good));
unlike($text, qr/acme/, 'and nothing to say');
accepted('without AcmeDomain', vhost(@good[0, 1], 'SSLCertificateFile own.pem',
    'SSLCertificateKeyFile own.key'), acme => '');
accepted('a name as argument', vhost(@good[0, 1], 'AcmeDomain a.test B.test'));
accepted('key and CA of a server', vhost(@good, 'AcmeKey rsa:2048',
    'AcmeCA https://127.0.0.1:1/dir'));
accepted('AcmeDomain of the main server', '', httpd =>
    "ServerName main.test\nSSLEngine on\nAcmeDomain");
accepted('a server with the name of the main one',
    "<VirtualHost *:%HTTPS%>\nSSLEngine on\nAcmeDomain\n</VirtualHost>\n",
    httpd => 'ServerName main.test');
accepted('relative paths', vhost(@good), acme => <<'END');
acme_accept_terms on;
acme_ca %CA%;
acme_ca_certificate trust1.pem;
END
accepted('more words than httpd\'s own lists hold',
    vhost(@good[0, 1], join ' ', 'AcmeDomain', map { "n$_.test" } 1 .. 100));

# ---- values

refused('an unknown key type', qr/on line (\d+) of \Q$conf\E:\s+.*ecdsa:256/s,
    vhost(@good, 'AcmeKey ecdsa:255'));
refused('a duplicate', qr/AcmeDomain.* duplicate/,
    vhost(@good, 'AcmeDomain'));
refused('a global directive in a virtual host',
    qr/AcmeAcceptTerms cannot occur within <VirtualHost>/,
    vhost(@good, 'AcmeAcceptTerms on'));
refused('in a directory', qr/AcmeDomain not allowed in <Location>/,
    vhost(@good[0, 1], '<Location />', 'AcmeDomain', '</Location>'));
refused('one name too many', qr/AcmeDomain/, vhost(@good[0, 1],
    join ' ', 'AcmeDomain', map { "n$_.test" } 1 .. 101));
refused('a name that no CA certifies', qr/on line \d+ of \Q$conf\E:\s+AcmeDomain: "localhost"/s,
    vhost(@good[0, 1], 'AcmeDomain localhost'));
refused('terms not accepted',
    qr/"AcmeAcceptTerms on".*AcmeDomain is in \Q$conf\E:\d+/s,
    vhost(@good), acme => '');
refused('no helper', qr/AcmeHelper.*nowhere/s, vhost(@good),
    helper => '/nowhere/acme-helper');
$httpd->configure(helper => $ENV{ACME_HELPER}
    || "$ACME::Test::root/build/acme-helper");

# ---- names

refused('no name', qr/AcmeDomain finds no name/,
    vhost('SSLEngine on', 'AcmeDomain'));
$text = accepted('a wildcard beside a name',
    vhost(@good, 'ServerAlias *.example.test'));
like($text, qr/\[acme:warn\].*leaves out.*wildcard/,
    'is left out with a warning');
like($text, qr/in \Q$conf\E:@{[ line(qr{AcmeDomain}) ]}/,
    'that says where');

# ---- certificates of the administrator

refused('SSLCertificateFile beside AcmeDomain',
    qr/SSLCertificateFile in \Q$conf\E:\d+ and AcmeDomain in .*drop the/,
    vhost(@good, 'SSLCertificateFile own.pem'));
refused('the same inside of a condition',
    qr/SSLCertificateKeyFile in \Q$conf\E:\d+/,
    vhost(@good, '<IfModule ssl_module>', 'SSLCertificateKeyFile own.key',
        '</IfModule>'));
$text = accepted('those of the main server', vhost(@good), httpd =>
    "SSLCertificateFile own.pem\nSSLCertificateKeyFile own.key\n"
    . 'SSLCertificateChainFile own.pem', level => 'notice');
like($text, qr/SSLCertificateFile of the main server.*is not used/,
    'with a notice');
$httpd->start;
like($httpd->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'and the placeholder is served in their place');
$httpd->stop_all;

# ---- TLS

$text = accepted('without TLS', vhost(@good[0, 2]));
like($text, qr/\[acme:warn\].*obtained but not served here, in \Q$conf\E:\d+/,
    'with a warning');
$text = accepted('TLS switched off', vhost($good[0], 'SSLEngine off',
    'AcmeDomain'), httpd => 'SSLEngine on');
like($text, qr/obtained but not served here/, 'with a warning');
$text = accepted('TLS of the main server', vhost(@good[0, 2]),
    httpd => 'SSLEngine on');
unlike($text, qr/obtained but not served here/, 'without');

$t->done;
