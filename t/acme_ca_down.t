#!/usr/bin/perl

# Tests for a CA that is down when the server starts and comes back later:
# what is served and said meanwhile, and what an operator's reload does.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use POSIX qw(strftime);

my $t = ACME::Test->new;
my $ca = $t->pebble(start => 0);
my $server = $t->server(ca => $ca, sites => [
    { names => 'example.test', redirect => 1 },
])->start;

like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'a placeholder is served');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 301/,
    'and the site works');

my $line = $server->says(qr/attempt 1 failed/);
like($line, qr/\[error\] .*acme: example\.test: 127\.0\.0\.1:\d+: directory: the CA could not be reached: .*; hint: check that this machine may open HTTPS connections/,
    'the log names certificate, CA and step, and has a hint');
like($line, qr/a placeholder certificate is served/, 'and what is served');
like($line, qr/the next is at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'and when the next attempt is');

my $plan = $server->plan('example.test');
is($plan->{failures}, 1, 'the failure is on disk');
like($line, qr/\Q$plan->{next_attempt}\E$/, 'with the time of the next one');

# The CA has been down for long: the next attempt is tomorrow. That the server
# is started again changes nothing.
$server->stop_all;
$server->plan('example.test', failures => 5,
    next_attempt => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime time + 86400));
$ca->start;
$server->start;
ok($server->idle, 'the server starts again');
is($ca->accounts + $ca->orders, 0, 'a restart does not shorten the wait');

# The operator reloads: now is a good time.
$server->reload;
my $shown = $server->issued('example.test');
ok($shown, 'an operator\'s reload is worth an attempt');
$ca->judge(1);
is($server->plan('example.test')->{failures}, 0, 'the failures are forgotten');

$t->done;
