#!/usr/bin/perl

# Tests for a CA whose own HTTPS certificate is not trusted: nothing is sent
# to it, the hint names acme_ca_certificate, and following it helps.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $proxy = $t->proxy(ca => $ca);
$t->certificate('stranger');
my $acme = <<'END';
    acme_accept_terms on;
    acme_ca %CA%;
    acme_port_map 80:%HTTP% 443:%HTTPS%;
    acme_reload graceful delay=1s;
END

# The system's roots do not know it.
my $server = $t->server(ca => $proxy, acme => $acme,
    sites => [ { names => 'example.test' } ])->start;
my $line = $server->says(qr/example\.test: .*attempt 1 failed/);
like($line, qr/\[error\] .*directory: the CA could not be reached: SSL certificate problem/,
    'the error says that the certificate is the problem');
like($line, qr/hint: the CA's own HTTPS certificate is not trusted: .*name its root in acme_ca_certificate/,
    'the hint says what to do');
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'a placeholder is served');

# A file with other roots is no better; none but its roots count.
$server->stop_all;
unlink $t->path('state/plan/example.test.json');
$server->configure(acme => "$acme acme_ca_certificate %TMP%/stranger.pem;");
$server->start;
ok(wait_for(sub { 2 == (() = $server->acme_log =~ /SSL certificate problem/g) }),
    'roots of others do not help');
unlike($proxy->log, qr/^(?:GET|HEAD|POST) /m, 'no request was ever sent');

# The operator follows the hint, and reloads.
$server->reload(acme => "$acme acme_ca_certificate @{[ $ca->trust ]};");
ok($server->issued('example.test'), 'with its root a certificate is obtained');
$ca->judge(1);

$t->done;
