#!/usr/bin/perl

# Tests for names that fail the one validation there is, among good ones: the
# good ones are issued, the bad ones are explained, and the wait for the next
# attempt outlives the server.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use POSIX qw(strftime);

my $t = ACME::Test->new;
my $ca = $t->pebble;

# Nothing listens on the one address, nobody answers on the other.
$t->dns_address('bad.test', '127.0.0.9');
$t->dns_slow('two.trio.test');
my $server = $t->server(ca => $ca, global => 'acme_challenge http-01;',
    sites => [
    { names => 'good.test', redirect => 1 },
    { names => 'bad.test', redirect => 1 },
    { names => 'one.trio.test two.trio.test three.trio.test', redirect => 1 },
])->start;

ok($server->issued('good.test'), 'the good name is issued');

my %line = map { $_ => $server->says(qr/ \Q$_\E: .*attempt 1 failed/) }
    qw(bad.test one.trio.test);
like($line{'bad.test'}, qr/\[error\] .*acme: bad\.test: 127\.0\.0\.1:\d+: \S+: validation of bad\.test failed: /,
    'the bad name: certificate, CA, step and name');
like($line{'bad.test'}, qr{failed: http-01: connection: Get "http://[^"\\]+": .*connection refused}i,
    'the CA\'s own words, quotes and all');
like($line{'bad.test'}, qr/hint: nothing listens on port 80 of the address that the CA tried/,
    'a hint');
like($line{'bad.test'}, qr/; a placeholder certificate is served; attempt 1 failed, the next is at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'what is served, and when the next attempt is');
like($line{'one.trio.test'}, qr/validation of two\.trio\.test failed: http-01: connection: /,
    'one of three names: that one is named');
unlike($line{'one.trio.test'}, qr/(?:one|three)\.trio\.test failed/,
    'and the good two are not');
for my $name (qw(bad.test one.trio.test two.trio.test)) {
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: a placeholder is served");
}
is($ca->orders, 3, 'three orders');
is($ca->issued, 1, 'one certificate');

# The wait outlives the server.
my $tomorrow = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + 86400);
my %plan = map { $_ => $server->plan($_) } qw(bad.test one.trio.test);
is($plan{$_}{failures}, 1, "$_: the failure is on disk") for keys %plan;
$server->stop_all;
for my $name (keys %plan) {
    $server->plan($name, next_attempt => $tomorrow);
}
$server->start;
ok($server->idle, 'the server starts again');
is($ca->orders, 3, 'and orders nothing, good or bad');

# The operator mends one name and reloads: both are tried, now.
$t->dns_address('bad.test', '127.0.0.1');
$server->reload;
ok($server->issued('bad.test'), 'the mended name is issued after a reload');
ok($server->says(qr/ one\.trio\.test: .*attempt 2 failed/),
    'the other one is tried and fails again');
is($ca->orders, 5, 'an order each');
is($ca->issued, 2, 'two certificates now');
is($server->plan('bad.test')->{failures}, 0, 'its failure is forgotten');

# Reloads in a hurry are not one attempt each.
$server->reload for 1 .. 2;
sleep 3;
is($ca->orders, 5, 'more reloads within ten minutes order nothing');

$t->done;
