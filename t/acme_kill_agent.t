#!/usr/bin/perl

# Tests for kill -9 of the agent: the keeper gets a new one, which goes on with
# the same orders. With nothing to do none is needed.

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

my ($supervisor, $keeper) = map { $server->helper($_) } qw(supervisor keeper);

for my $n (1 .. 3) {
    my $resumed = $server->resumed;
    my $agent = $server->helper('agent');
    kill 'KILL', $agent;
    ok($server->helper('agent', $agent), "in mid-order, $n: a new agent comes");
    is_deeply([ unanswered() ], [], 'the tokens are answered meanwhile');
    ok(wait_for(sub { $server->resumed > $resumed }),
        'the order is taken up again');
    is($ca->orders, 1, 'the same order');
}
is($server->helper('supervisor'), $supervisor, 'the supervisor stays');
is($server->helper('keeper'), $keeper, 'the keeper stays');
like($server->acme_log,
    qr/\[error\] .*the agent is gone \(.+\); a new one goes on with its orders/,
    'the log says what happened');

$proxy->release;
ok($server->issued('example.test'), 'the order is finished');
ok(wait_for(sub { $server->reloads == 1 }), 'by one reload');
$ca->judge(1);

# The agent is no more needed: it goes, and nothing is to be asked again.
my $connections = $proxy->connections;
ok(wait_for(sub { !$server->helpers('agent') }), 'idle: the agent goes');
$server->reload;
is($server->reloads, 2, 'a reload');
ok($server->issued('example.test'), 'the certificate is served');
is($server->helper('keeper'), $keeper, 'the keeper stays');
is($proxy->connections, $connections, 'the CA is not called');
$ca->judge(1);

# A new name: there is an agent again.
$server->reload(sites => [ @{ $server->{sites} }, { names => 'new.test' } ]);
ok(wait_for(sub { $server->issued('new.test')->{names} eq 'new.test' }),
    'a certificate for a new name is obtained');
$ca->judge(2);

$t->done;

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
