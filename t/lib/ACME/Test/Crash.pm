package ACME::Test::Crash;

# A helper that dies before a call that makes a file durable or tells another
# process something, by tests/crash/crash.c: see ACME::Test::Shim.
#
# A walk is over all steps of a role. By default a part of it is walked;
# ACME_CRASH_WALK=full is for all of it (minutes), =keeper:17 for one step, and
# ACME_CRASH_PART=2/4 for each fourth one, so that four can be at it together.

use strict;
use warnings;

use parent 'ACME::Test::Shim';

sub new {
    my ($class, $t) = @_;
    return $class->SUPER::new($t, 'crash');
}

# plan_for(role, step) has a process of this role die at its call of this number
# (0: at none), counted from the start of the helper that comes.

# The same for the helper that runs, counted from now on; returns how many calls
# there were before.
sub aim {
    my ($self, $step) = @_;
    my $count = $self->state->{count};

    $self->put(pack 'L2', $step, 0);
    return $count;
}

# How often the order had been written when it died.
sub orders_at_death { return $_[0]->state->{own}[1] }

# ---- the walk

sub is_whole { return ($ENV{ACME_CRASH_WALK} || '') ne '' }

# Which steps of a role to take: all; one; or some of each kind of call, spread
# evenly, and those that once went wrong.
sub steps {
    my ($self, $role, $wish, @calls) = @_;
    my $walk = $ENV{ACME_CRASH_WALK} || '';
    my ($wanted, $step) = $walk =~ /^(\w+):(\d+)$/;
    my ($part, $parts) = ($ENV{ACME_CRASH_PART} || '') =~ m{^(\d+)/(\d+)$};

    return $wanted eq $role ? $step : () if $wanted;
    my @all = (1 .. @calls);
    return grep { !$parts || $_ % $parts == $part % $parts } @all if $walk;

    @all = grep { !_is_slow($_, @calls) } @all;
    my (%kinds, %chosen);
    $chosen{$_} = 1 for grep {
        $calls[$_ - 1] =~ /^unlinkat (?:order\.json|privkey\.pem)/ } @all;
    push @{ $kinds{ $calls[$_ - 1] } }, $_ for @all;
    my @some = map { $_->[ @$_ / 3 ] } values %kinds;
    $wish = @calls if $wish > @calls;
    $chosen{$_} = 1 for _evenly($wish / 2, sort { $a <=> $b } @some);
    $chosen{$_} = 1 for _evenly($wish / 2, @all);
    my @order = sort { $a <=> $b } keys %chosen;
    return @order;
}

# A death just before the CA hears that a proof is ready costs more than a
# minute: it is not told twice sooner. The keeper notes that it is told in the
# order, for the last time, and then lets the agent do so.
sub _is_slow {
    my ($step, @calls) = @_;
    my ($noted) = grep { $calls[$_] =~ /^renameat order\.json/ }
        reverse 0 .. $#calls or return 0;
    my ($told) = grep { $calls[$_] =~ /^send/ } $noted .. $#calls;
    return $step > $noted + 1 && $step <= ($told || $noted) + 1;
}

sub _evenly {
    my ($number, @list) = @_;

    $number = @list if $number > @list;
    return map { $list[ ($_ + 0.5) * @list / $number ] } 0 .. $number - 1;
}

# ---- what is left in the store

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

1;
