#!/usr/bin/perl

# Tests for an order that stays in processing: it is polled when the CA says,
# outlives the agent and the server, and holds no other order up.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $name = 'long.test';
my $ca = $t->fake_ca(plans => {
    $name => { processing => -1, retry => 2 },
    'never.test' => { processing => -1, retry => 7200 },
});
my $server = $t->server(ca => $ca, sites => [ map { { names => $_ } }
    $name, 'never.test', 'quick.test' ])->start;

ok($server->issued('quick.test'), 'another name is issued');
ok(wait_for(sub { $ca->requests('order', $name) >= 3 }), "$name is polled");
like($server->shows($name)->{issuer}, qr/ACME placeholder/,
    'a placeholder meanwhile');

# Polls are asked for one after another, no earlier than the CA wants. How
# many there are is a matter of time; that each waits is one of order: quick
# orders go from beginning to end between two of them.
my $polls = $ca->requests('order', $name);
$server->reload(sites => [ @{ $server->{sites} }, { names => 'more.test' } ]);
ok($server->issued('more.test'), 'a name that is added is issued');
cmp_ok($ca->requests('order', $name) - $polls, '<=', 10,
    'a handful of polls meanwhile');

# The agent dies, and the server is started again.
kill 'KILL', $server->helper('agent');
ok(wait_for(sub { $server->resumed >= 1 }), 'a new agent resumes it');
$server->stop_all;
my $before = $ca->requests('order', $name);
$server->start;
ok(wait_for(sub { $ca->requests('order', $name) > $before }),
    'so does a server that starts');
is($ca->requests('finalize', $name), 1, 'it was finalized once');

$ca->plan($name, processing => 0);
ok($server->issued($name), 'when the CA is done, it is issued');
is($server->live_pair($name), 'whole', 'with its key');
cmp_ok($ca->requests('order', 'never.test'), '<=', 8,
    'a long Retry-After makes few polls');
is($ca->requests('newOrder', $_), 1, "$_: one newOrder")
    for $name, 'never.test';
is($ca->orders, 4, 'one order for each certificate');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');

$t->done;
