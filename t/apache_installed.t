#!/usr/bin/perl

# Tests for where httpd's certificates are looked at: Listen and the addresses
# of virtual hosts together say which of them answers. By default "Listen 443"
# is for all addresses of both families.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
my $ca = $t->pebble;
$t->certificate('static');
my $server = $t->server(ca => $ca, sites => [ { names => 'site.test' } ],
    httpd => <<'LISTENS', servers => <<'SERVERS')->start;
Listen %ALL%
Listen 0.0.0.0:%FOUR%
Listen [::1]:%SIX%
Listen %ANY%
LISTENS
<VirtualHost *:%ALL%>
    SSLEngine on
    ServerName all.test
    AcmeDomain
</VirtualHost>
# one of them is for this address only
<VirtualHost 127.0.0.2:%ALL%>
    SSLEngine on
    ServerName address.test
    AcmeDomain
</VirtualHost>
<VirtualHost _default_:%SIX%>
    SSLEngine on
    ServerName six.test
    ServerAlias *.pattern.test
    AcmeDomain foreign.test x.pattern.test
</VirtualHost>
# where no other one names the port
<VirtualHost *:*>
    SSLEngine on
    ServerName any.test
    AcmeDomain
</VirtualHost>
# whoever connects from here comes to the second one
<VirtualHost *:%FOUR%>
    SSLEngine on
    ServerName hidden.test
    AcmeDomain
</VirtualHost>
<VirtualHost 127.0.0.1:%FOUR%>
    SSLEngine on
    ServerName hidden.test
    SSLCertificateFile %TMP%/static.pem
    SSLCertificateKeyFile %TMP%/static.key
</VirtualHost>
SERVERS

for my $name (qw(site.test all.test address.test foreign.test any.test)) {
    ok(wait_for(sub { ($server->plan($name)->{installed} || 0) == 1 }),
        "$name is installed");
}
ok($server->says(qr/\[info\] .*hidden\.test: not checked whether the server shows the certificate: no listener with TLS/),
    'what is hidden from here is not checked');
unlike($server->acme_log, qr/\[error\]/, 'there is no error');
$ca->judge(6);

$t->done;
