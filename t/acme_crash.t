#!/usr/bin/perl

# Tests for a helper that is killed at any moment: before each call that makes a
# file durable or tells another process something. Whatever is on disk then,
# the order goes on, nothing is ordered twice but in the one window where that
# cannot be known, and the live pair is never torn.
#
# The walk is over one issuance for each role; see ACME::Test::Crash.
# ACME_CRASH_KEYS="ecdsa:256 rsa:2048" is for certificates of these types.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Crash;

my %steps = (supervisor => 3, keeper => 14, agent => 5);
my $budget = 50;   # seconds, after which no further step is begun
my $keys = $ENV{ACME_CRASH_KEYS} || 'ecdsa:256';
my $wanted = split ' ', $keys;   # orders

my $t = ACME::Test->new;
my $crash = ACME::Test::Crash->new($t);
my $ca = $t->pebble(reject => 0);
my $begin = seconds();

for my $role (qw(supervisor keeper agent)) {
    my @calls = issue($role, 0);
    cmp_ok(scalar @calls, '>', 0, "$role: " . @calls . ' calls are counted');
    for my $step ($crash->steps($role, $steps{$role}, @calls)) {
        last if !$crash->is_whole && seconds() - $begin > $budget;
        issue($role, $step);
    }
}

$t->done;

# One issuance from an empty store; the process of this role dies at a step.
# Returns the calls that it made.
sub issue {
    my ($role, $step) = @_;
    my $name = "$role-$step";
    my %before = map { $_ => $ca->$_ } qw(orders accounts failed_validations);
    my (%pairs, $served);

    $crash->plan_for($role, $step);
    my $server = $t->server(ca => $ca, helper => $crash->{file},
        state => "state-$name", global => "acme_key $keys;",
        sites => [ { names => 'example.test' } ])->start;
    wait_for(sub {
        $pairs{ $server->live_pair('example.test') } = 1;
        $server->signal('reload') if !$server->helpers('supervisor');
        my $issuer = $server->shows('example.test')->{issuer} || '';
        $served ||= seconds() if $issuer =~ /Pebble/
            && ACME::Test::Crash::obtained($server) == $wanted;
        return 0 if !$served;
        return seconds() - $served > 3 if !died($step);
        # who died with the last stroke may leave that to its successor
        my @left = ACME::Test::Crash::leftovers($server);
        return !@left || seconds() - $served > 30;
    }, 150);
    ok($served, "$name: the certificate is served");
    is($server->live_pair('example.test'), 'whole', 'the live pair is whole');
    is_deeply([ grep { $_ && $_ ne 'whole' } keys %pairs ], [],
        'and was never torn');

    my $state = $crash->state;
    if ($step) {
        my $call = $state->{calls}[$step - 1] || 'never reached';
        note(sprintf '%s: %s, %.1f s', $name, $call, seconds() - $begin);
    }
    my $orders = $ca->orders - $before{orders};
    my $unknown = $step && $crash->orders_at_death == 1;
    ok($orders == $wanted || $unknown && $orders == $wanted + 1,
        $unknown ? 'at most one order too many' : 'one order for each')
        or diag("$orders orders");
    is($ca->accounts - $before{accounts}, 1, 'one account');
    is($ca->failed_validations, $before{failed_validations},
        'no validation failed');

    $server->stop;
    ok($server->helpless, 'the helper ends with the server');
    is_deeply([ ACME::Test::Crash::leftovers($server) ], [], 'nothing is left over');
    return @{ $state->{calls} };
}

# Has the process reached its last step?
sub died {
    my ($step) = @_;
    return $crash->state->{count} >= $step;
}
