#!/usr/bin/perl

# Tests for a helper that is killed at any moment: before each call that makes a
# file durable or tells another process something. Whatever is on disk then,
# the order goes on, nothing is ordered twice but in the one window where that
# cannot be known, and the live pair is never torn.
#
# The walk is over one issuance for each role. Here only a part of it is walked;
# ACME_CRASH_WALK=full is for all of it (minutes), =keeper:17 for one step.
# ACME_CRASH_KEYS="ecdsa:256 rsa:2048" is for certificates of these types.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Crash;

my %steps = (supervisor => 3, keeper => 14, agent => 5);
my $budget = 50;   # seconds, after which no further step is begun
my $walk = $ENV{ACME_CRASH_WALK} || '';
my $keys = $ENV{ACME_CRASH_KEYS} || 'ecdsa:256';
my $wanted = split ' ', $keys;   # orders

my $t = ACME::Test->new;
my $crash = ACME::Test::Crash->new($t);
my $ca = $t->pebble(reject => 0);
my $begin = seconds();

for my $role (qw(supervisor keeper agent)) {
    my @calls = issue($role, 0);
    cmp_ok(scalar @calls, '>', 0, "$role: " . @calls . ' calls are counted');
    for my $step (choose($role, @calls)) {
        last if !$walk && seconds() - $begin > $budget;
        issue($role, $step);
    }
}

$t->done;

# Which steps to take: all; one; or some of each kind, spread evenly.
sub choose {
    my ($role, @calls) = @_;
    my ($wanted, $step) = $walk =~ /^(\w+):(\d+)$/;

    return $wanted eq $role ? $step : () if $wanted;
    my @all = (1 .. @calls);
    return @all if $walk;

    # What once went wrong; some kinds of calls; the rest spread over all.
    my (%kinds, %chosen);
    $chosen{$_} = 1 for grep {
        $calls[$_ - 1] =~ /^unlinkat (?:order\.json|privkey\.pem)/ } @all;
    push @{ $kinds{ $calls[$_ - 1] } }, $_ for @all;
    my @middle = map { $_->[ @$_ / 2 ] } values %kinds;
    my $wish = $steps{$role} < @calls ? $steps{$role} : @calls;
    $chosen{$_} = 1 for evenly($wish / 2, sort { $a <=> $b } @middle);
    $chosen{$_} = 1 for evenly($wish / 2, @all);
    my @order = sort { $a <=> $b } keys %chosen;
    return @order;
}

sub evenly {
    my ($number, @list) = @_;

    $number = @list if $number > @list;
    return map { $list[ ($_ + 0.5) * @list / $number ] } 0 .. $number - 1;
}

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
            && obtained($server) == $wanted;
        return 0 if !$served;
        return seconds() - $served > 3 if !died($step);
        # who died with the last stroke may leave that to its successor
        my @left = leftovers($server);
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
    my $unknown = $step && $state->{orders_at_death} == 1;
    ok($orders == $wanted || $unknown && $orders == $wanted + 1,
        $unknown ? 'at most one order too many' : 'one order for each')
        or diag("$orders orders");
    is($ca->accounts - $before{accounts}, 1, 'one account');
    is($ca->failed_validations, $before{failed_validations},
        'no validation failed');

    $server->stop;
    ok($server->helpless, 'the helper ends with the server');
    is_deeply([ leftovers($server) ], [], 'nothing is left over');
    return @{ $state->{calls} };
}

# How many pairs there are in service, when no order is under way.
sub obtained {
    my ($server) = @_;
    my $state = $server->state_path;
    my @pairs = glob "$state/live/example.test/privkey*.pem";
    my @pending = glob "$state/pending/*";
    return @pending ? 0 : scalar @pairs;
}

# Files of a write that was not finished, orders that are finished.
sub leftovers {
    my ($server) = @_;
    my %all = %{ $server->state_snapshot };
    return sort grep { m{/\.tmp-|/\.new$|/pending/.} } keys %all;
}

# Has the process reached its last step?
sub died {
    my ($step) = @_;
    return $crash->state->{count} >= $step;
}
