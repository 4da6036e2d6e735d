#!/usr/bin/perl

# Tests for a hundred servers with a name each: one start, one reload or few,
# a handful of connections to the CA.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $count = 100;
my $t = ACME::Test->new;
my $ca = $t->pebble;
my $proxy = $t->proxy(to => $ca);
my $server = $t->server(ca => $proxy, delay => '10s',
    sites => [ map { { names => "s$_.test", redirect => 1 } } 1 .. $count ]);

my $begin = seconds();
$server->start;
wait_for(sub { $server->reloads && $server->lives == $count });
note(sprintf '%d certificates in %.1f s', $count, seconds() - $begin);

my @wrong = grep {
    my $shown = $server->issued("s$_.test");
    !$shown || $shown->{names} ne "s$_.test";
} 1 .. $count;
is_deeply(\@wrong, [], 'every server shows its own certificate');

$ca->judge($count);
is($ca->accounts, 1, 'one account');
cmp_ok($server->reloads, '<=', 3, 'one reload or few');
cmp_ok($proxy->connections, '<', 5, 'fewer than 5 connections to the CA');

# Nothing is pending any more, and a reload orders nothing.
is_deeply([ glob $t->path('state/pending/*') ], [], 'no order is left over');
my $before = $proxy->connections;
$server->reload;
ok($server->issued("s$count.test"), 'still served after a reload');
is($ca->orders, $count, 'which orders nothing');
is($proxy->connections, $before, 'and does not talk to the CA');

$t->done;
