#!/usr/bin/perl

# Tests for "master_process off": there is nobody who could reload, so no
# helper is started, the log says so, and the server runs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'nginx');
my $ca = $t->pebble;
my $proxy = $t->proxy(to => $ca);
my $server = $t->server(ca => $proxy, main => 'master_process off;',
    daemon => 'off', sites => [ { names => 'example.test', status => 204 } ]);
$server->start;
my $words = qr/\[warn\] .*acme: "master_process off": no helper is started, certificates are neither obtained nor renewed/;

ok(wait_for(sub { $server->shows('example.test')->{issuer} }),
    'the server runs');
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'with a placeholder certificate');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/, 'and answers');
like($server->get('/.well-known/acme-challenge/x', 'example.test'),
    qr/^HTTP\S+ 204/, 'also where challenges would be');
like($server->acme_log, $words, 'the log says what that means');
is_deeply([ $server->helpers ], [], 'no helper is started');
ok(!-e $server->state_path, 'nothing is written');

# The certificate of an earlier life is served, as long as it lasts.
$server->stop('quit');
$server->configure(main => '', daemon => 'on')->start;
my $issued = $server->issued('example.test');
ok($issued, 'with a master a certificate is obtained');
$server->stop;
ok($server->helpless, 'and the helper ends');
$server->configure(main => 'master_process off;', daemon => 'off')->start;
my $shown = $server->issued('example.test');
is($shown->{fingerprint}, $issued->{fingerprint}, 'served without a master');
is_deeply([ $server->helpers ], [], 'and without a helper');
$ca->judge(1);

$t->done;
