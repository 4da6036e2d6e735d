#!/usr/bin/perl

# Tests for a binary upgrade (USR2) in the midst of an order that is rolled back:
# the new master is sent home, the old one and its keeper go on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'nginx');
my $ca = $t->pebble(reject => 0);

# The order waits until the upgrade has begun, then for its validation.
my $gate = $t->path('gate');
my $proxy = $t->proxy(ca => $ca, hold => 1, answer => sub {
    my ($method, $path) = @_;
    wait_for(sub { -e $gate }) if $path =~ m{^/order-plz};
    return;
});
my $server = $t->server(ca => $proxy, sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

my $old = $server->running;
my ($keeper) = $server->helper('keeper');
my @old_workers = $server->workers;
ok(wait_for(sub { $server->acme_log =~ /ordering a certificate/ }),
    'an order begins');

kill 'USR2', $old;
my $new = wait_for(sub { $server->running != $old && $server->running });
ok($new, 'a binary upgrade: a new master');
my @new_workers = wait_for(sub { new_workers() }) ? new_workers() : ();
ok(@new_workers, 'with workers of its own');
my ($follower) = $server->helper('keeper', $keeper);
ok($follower, 'and a keeper of its own');
ok(wait_for(sub { $server->acme_log =~ /waiting: another helper has the store/ }),
    'which waits, and says so');
is_deeply([ $server->lock_holders ], [ $keeper ],
    'the old keeper alone has the store');

# Tokens made now are answered by the workers of both.
spew($gate, '');
ok(wait_for(sub { $proxy->held >= 2 }), 'the order waits for validation');
my @tokens = $proxy->tokens;
is_deeply([ map { unanswered() } 1 .. 10 ], [],
    'tokens are answered by whichever worker');
kill 'WINCH', $old;
ok(wait_for(sub { !grep { alive($_) } @old_workers }),
    'the old workers are sent home');
is_deeply([ map { unanswered() } 1 .. 5 ], [],
    'the new ones alone answer them too');
is($ca->orders, 1, 'there is one order');

# Back: the old workers are called again, the new master ends.
my ($helpers) = scalar(my @before = $server->helpers('supervisor'));
is($helpers, 2, 'two helpers, one of them waiting');
kill 'HUP', $old;
ok(wait_for(sub { grep { my $pid = $_; !grep { $_ == $pid } @new_workers }
    new_workers() }), 'the old master has workers again');
kill 'QUIT', $new;
ok(wait_for(sub { !alive($new) }), 'the new master ends');
ok(wait_for(sub { !alive($follower) }), 'its keeper too');
ok(wait_for(sub { $server->running == $old }), 'the old master is the server');
is_deeply([ unanswered() ], [], 'its workers answer the tokens');
is_deeply([ $server->lock_holders ], [ $keeper ], 'its keeper has the store');

$proxy->release;
ok($server->issued('example.test'), 'the order is finished and served');
$ca->judge(1);
is($server->helper('keeper'), $keeper, 'by the same keeper');
is_deeply([ $server->helpers('supervisor') ], [ $before[0] ],
    'one helper is left');

$t->done;

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}

sub new_workers {
    my %is_old = map { $_ => 1 } @old_workers;
    return grep { !$is_old{$_} } $server->workers;
}
