#!/usr/bin/perl

# Tests for a binary upgrade (USR2) in the midst of an order: one keeper at a time
# works on the store, the workers of both masters answer, and a certificate that
# lands meanwhile is served by the new master.

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

# The certificate lands while both masters are there.
$proxy->release;
ok(wait_for(sub { $server->lives }), 'the certificate lands');
my $shown = wait_for(sub {
    my $shown = $server->shows('example.test');
    return ($shown->{issuer} || '') =~ /Pebble/ && $shown;
});
ok($shown, 'and is served by the new master');
is_deeply([ grep { alive($_) && parent($_) == $old } $server->workers ], [],
    'the old master has not been asked for workers again');
is_deeply([ $server->lock_holders ], [ $keeper ],
    'the old keeper has the store until its master ends');

kill 'QUIT', $old;
ok(wait_for(sub { !alive($old) }), 'the old master ends');
ok(wait_for(sub { !alive($keeper) }), 'its keeper too');
ok(wait_for(sub { join(' ', $server->lock_holders) eq $follower }),
    'the new keeper takes the store');
is($server->running, $new, 'the new master stays');
is($server->issued('example.test')->{fingerprint}, $shown->{fingerprint},
    'and serves the certificate');
$ca->judge(1);
is($ca->accounts, 1, 'one account');
is(scalar(my @all = $server->helpers('supervisor')), 1, 'one helper is left');

# What comes later is the new helper's business.
$server->reload(sites => [ @{ $server->{sites} }, { names => 'new.test' } ]);
ok(wait_for(sub {
    my $shown = $server->shows('new.test');
    return ($shown->{names} || '') eq 'new.test'
        && $shown->{issuer} =~ /Pebble/;
}), 'a new name is obtained by the new master');
$ca->judge(2);

$t->done;

sub parent {
    my ($pid) = @_;
    return slurp("/proc/$pid/status") =~ /^PPid:\s+(\d+)/m ? $1 : 0;
}

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}

sub new_workers {
    my %is_old = map { $_ => 1 } @old_workers;
    return grep { !$is_old{$_} } $server->workers;
}
