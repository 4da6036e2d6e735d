#!/usr/bin/perl

# Tests for a binary upgrade (USR2) in the midst of an order that is rolled back:
# the new master is sent home, the old one and its keeper go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Upgrade;

my $t = ACME::Test->new(only => 'nginx');
my $upgrade = ACME::Test::Upgrade->begin($t);
my ($ca, $proxy, $server) = @$upgrade{qw(ca proxy server)};
my ($old, $new, $keeper, $follower) = @$upgrade{qw(old new keeper follower)};
my @new_workers = @{ $upgrade->{new_workers} };

# Back: the old workers are called again, the new master ends.
my ($helpers) = scalar(my @before = $server->helpers('supervisor'));
is($helpers, 2, 'two helpers, one of them waiting');
kill 'HUP', $old;
ok(wait_for(sub { grep { my $pid = $_; !grep { $_ == $pid } @new_workers }
    $upgrade->later_workers }), 'the old master has workers again');
kill 'QUIT', $new;
ok(wait_for(sub { !alive($new) }), 'the new master ends');
ok(wait_for(sub { !alive($follower) }), 'its keeper too');
ok(wait_for(sub { $server->running == $old }), 'the old master is the server');
is_deeply([ $upgrade->unanswered ], [], 'its workers answer the tokens');
is_deeply([ $server->lock_holders ], [ $keeper ], 'its keeper has the store');

$proxy->release;
ok($server->issued('example.test'), 'the order is finished and served');
$ca->judge(1);
is($server->helper('keeper'), $keeper, 'by the same keeper');
is_deeply([ $server->helpers('supervisor') ], [ $before[0] ],
    'one helper is left');

$t->done;
