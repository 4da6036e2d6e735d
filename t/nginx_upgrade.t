#!/usr/bin/perl

# Tests for a binary upgrade (USR2) in the midst of an order: one keeper at a time
# works on the store, the workers of both masters answer, and a certificate that
# lands meanwhile is served by the new master.

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
