#!/usr/bin/perl

# Tests for reloads in the midst of orders: equal settings leave the helper
# alone, changed ones replace it, and no order is lost or made twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(sleep => 4);
my $server = $t->server(ca => $ca,
    sites => [ map { { names => "r$_.test www.r$_.test" } } 1 .. 5 ])->start;

wait_for(sub { $ca->orders >= 1 });
my @before = map { $server->helper($_) } qw(supervisor keeper agent);
$server->reload for 1 .. 10;
my @after = map { $server->helper($_) } qw(supervisor keeper agent);
is_deeply(\@after, \@before, 'ten reloads with equal settings: same helper');

# A changed setting needs a new keeper, which goes on with the orders.
$server->reload(global => "acme_contact n$_\@example.test;") for 1 .. 10;
ok($server->issued("r$_.test"), "r$_.test is issued") for 1 .. 5;
my ($supervisor) = $server->helper('supervisor', $before[0]);
ok($supervisor, 'changed settings: another helper');
ok(wait_for(sub { 1 == (() = $server->helpers('supervisor')) }),
    'and only one');

$ca->judge(5);

my $master = $server->running;
my @memfds = grep { /acme-page/ } map { readlink } glob "/proc/$master/fd/*";
is(@memfds, 1, 'the master keeps one page');

# A configuration that does not pass -t when a reload is due.
$server->configure(global => 'no_such_directive;');
$server->signal('reload');
is($server->running, $master, 'a broken configuration: the master stays');
ok($server->issued('r1.test'), 'and serves');
is($server->helper('supervisor'), $supervisor, 'the helper stays too');

# acme_domain taken out: the helper ends.
$server->reload(global => '', sites => [ { tls => [], domain => undef } ]);
ok(wait_for(sub { !$server->helpers }), 'without acme_domain no helper');
is($server->running, $master, 'and the server runs');

$t->done;
