#!/usr/bin/perl

# Tests for kill -9 of the keeper: it comes back by itself and goes on with the
# same order; the tokens are answered all the time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

ok(wait_for(sub { $proxy->held >= 2 }), 'an order waits for validation');
my @tokens = $proxy->tokens;

my $supervisor = $server->helper('supervisor');

for my $n (1 .. 3) {
    my $resumed = $server->resumed;
    my ($keeper, $agent) = map { $server->helper($_) } qw(keeper agent);
    kill 'KILL', $keeper;
    is_deeply([ unanswered() ], [], "in mid-order, $n: tokens are answered");
    ok($server->helper('keeper', $keeper), 'the keeper comes back');
    ok($server->helper('agent', $agent), 'with an agent of its own');
    ok(wait_for(sub { !alive($agent) }), 'the old agent is gone');
    ok(wait_for(sub { $server->resumed > $resumed }),
        'the order is taken up again');
    is_deeply([ unanswered() ], [], 'with the same tokens');
    is($ca->orders, 1, 'the same order');
}
is($server->helper('supervisor'), $supervisor, 'the supervisor stays');
is($server->resumed, 3, 'the log says so');

$proxy->release;
ok($server->issued('example.test'), 'and it is finished');
ok(wait_for(sub { $server->reloads == 1 }), 'by one reload');
$ca->judge(1);

# Idle.
my $connections = $proxy->connections;
my $keeper = $server->helper('keeper');
kill 'KILL', $keeper;
my $next = $server->helper('keeper', $keeper);
ok($next, 'idle: the keeper comes back');
ok(wait_for(sub { join(' ', $server->lock_holders) eq $next }),
    'and has the store');
$server->reload;
ok($server->issued('example.test'), 'the certificate is served');
is($server->helper('keeper'), $next, 'the new keeper stays');
is($proxy->connections, $connections, 'the CA is not called');
# What landed in the second of the last reload may not have been seen by it.
cmp_ok($server->reloads, '<=', 3, 'and one reload too many is asked for at most');
$ca->judge(1);
my $killed = () = $server->acme_log
    =~ /\[warn\] .*acme: the keeper was ended by signal 9 \(Killed\); a new one goes on/g;
is($killed, 4, 'each death is in the log');
unlike($server->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');

$t->done;

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
