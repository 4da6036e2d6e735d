#!/usr/bin/perl

# Tests for "master_process off": there is nobody who could reload, so no
# helper is started, the log says so, and the server runs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $proxy = $t->proxy(to => $ca);
my $nginx = $t->nginx(ca => $proxy, main => 'master_process off;',
    daemon => 'off', servers => <<'END')->start;
    server {
        listen 127.0.0.1:%HTTP%;
        listen 127.0.0.1:%HTTPS% ssl;
        server_name example.test;
        acme_domain;
        return 204;
    }
END
my $words = qr/\[warn\] .*acme: "master_process off": no helper is started, certificates are neither obtained nor renewed/;

ok(wait_for(sub { $nginx->shows('example.test')->{issuer} }),
    'the server runs');
like($nginx->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'with a placeholder certificate');
like($nginx->get('/', 'example.test'), qr/^HTTP\S+ 204/, 'and answers');
like($nginx->get('/.well-known/acme-challenge/x', 'example.test'),
    qr/^HTTP\S+ 204/, 'also where challenges would be');
like($nginx->acme_log, $words, 'the log says what that means');
is_deeply([ $nginx->helpers ], [], 'no helper is started');
ok(!-e $nginx->state_path, 'nothing is written');

# The certificate of an earlier life is served, as long as it lasts.
$nginx->stop('quit');
$nginx->configure(main => '', daemon => 'on')->start;
my $issued = $nginx->issued('example.test');
ok($issued, 'with a master a certificate is obtained');
$nginx->stop;
ok($nginx->helpless, 'and the helper ends');
$nginx->configure(main => 'master_process off;', daemon => 'off')->start;
my $shown = $nginx->issued('example.test');
is($shown->{fingerprint}, $issued->{fingerprint}, 'served without a master');
is_deeply([ $nginx->helpers ], [], 'and without a helper');
$ca->judge(1);

$t->done;
