#!/usr/bin/perl

# Tests for the habits of httpd's users: directives and flags in any case,
# the ways to name a virtual host, and virtual hosts made by a macro.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
my $ca = $t->pebble;
my $httpd = $t->server(ca => $ca, acme => '', ports => [qw(http https)],
    modules => ['macro'], httpd => <<"END", servers => <<'END');
acmeacceptterms On
ACMECA %CA%
AcmeCaCertificate @{[ $ca->trust ]}
aCMEpORTmAP 80:%HTTP% 443:%HTTPS%
acmereload Graceful delay=3s
END
<VirtualHost 127.0.0.1:%HTTPS%>
    ServerName https://Example.test:443
    ServerAlias www.example.test WWW.example.test example.test
    serveralias api.example.test *.wild.test
    SSLEngine on
    acmedomain
</VirtualHost>
<VirtualHost 127.0.0.1:%HTTPS%>
    ServerName other.test
    ServerAlias www.other.test
    SSLEngine on
    ACMEDOMAIN Given.test
</VirtualHost>
<Macro TLSHost $name>
    <VirtualHost 127.0.0.1:%HTTPS%>
        ServerName $name
        ServerAlias www.$name
        SSLEngine on
        AcmeDomain
    </VirtualHost>
</Macro>
Use TLSHost one.test
Use TLSHost two.test
END

my ($status, $text) = $httpd->check;
is($status, 0, 'directives and flags in any case') or diag($text);
like($text, qr/\[warn\].*leaves out .*"\*\.wild\.test"/,
    'a wildcard is left out');
unlike($text, qr/leaves out .*(?<!wild\.test)" cannot/, 'and nothing else');

# what is asked for, and the names it shows
my %shows = (
    'example.test' => 'api.example.test example.test www.example.test',
    'other.test' => 'given.test',
    'one.test' => 'one.test www.one.test',
    'www.two.test' => 'two.test www.two.test',
);
$httpd->start;
for my $name (sort keys %shows) {
    my $shown = $httpd->issued($name);
    is($shown && $shown->{names}, $shows{$name}, "the names of $name");
}
$ca->judge(scalar keys %shows);

# Off means off.
my $lines = $httpd->{httpd};
$httpd->configure(httpd => $lines =~ s/Terms On/Terms OFF/ir);
($status, $text) = $httpd->check;
isnt($status, 0, 'terms that are OFF are refused');
like($text, qr/acme_accept_terms on"/, 'with the line to write');
$httpd->configure(httpd => $lines);

$t->done;
