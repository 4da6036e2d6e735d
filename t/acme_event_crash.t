#!/usr/bin/perl

# Tests that acme_event is told at least once, whenever the helper is killed:
# before each call that makes an event durable or forgets it, or that starts
# the program or hears how it ended.
#
# Here some of these steps are walked; ACME_CRASH_WALK=full is for all of them,
# =keeper:17 for one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Crash;

my %steps = (keeper => 3, event => 1);
my $budget = 40;   # seconds, after which no further step is begun
my $walk = $ENV{ACME_CRASH_WALK} || '';

my $t = ACME::Test->new;
my $crash = ACME::Test::Crash->new($t);
my $ca = $t->pebble(reject => 0);
my $told = $t->path('told');
my $program = $t->path('told.sh');
my $begin = seconds();

mkdir $told;
chmod 0777, $told;
spew($program, "#!/bin/sh\necho \"\$1\" >>$told/log\n");
chmod 0755, $program;

for my $role (qw(keeper event)) {
    my @calls = issue($role, 0);
    my @mine = grep { $role eq 'event' || is_about_events(\@calls, $_) }
        1 .. @calls;
    cmp_ok(scalar @mine, '>', 0, "$role: " . @mine . ' calls are about events');
    for my $step (choose($role, @mine)) {
        last if !$walk && seconds() - $begin > $budget;
        issue($role, $step);
    }
}

$t->done;

# What is written or removed, or what tells of it: the plan behind it, too.
sub is_about_events {
    my ($calls, $step) = @_;
    my ($call, $before) = map { $calls->[$_] || '' } $step - 1, $step - 2;
    return $call =~ /\b\d+\.json|events|^send.* e$/
        || $before =~ /\b\d+\.json|events/;
}

sub choose {
    my ($role, @mine) = @_;
    my ($wanted, $step) = $walk =~ /^(\w+):(\d+)$/;

    return $wanted eq $role ? $step : () if $wanted;
    return @mine if $walk;
    my $number = $steps{$role} < @mine ? $steps{$role} : @mine;
    return map { $mine[ ($_ + 0.5) * @mine / $number ] } 0 .. $number - 1;
}

# One issuance from an empty store; the process of this role dies at a step.
# Returns the calls that it made.
sub issue {
    my ($role, $step) = @_;
    my $name = "$role-$step";

    $crash->plan_for($role, $step);
    unlink "$told/log";
    my $server = $t->server(ca => $ca, helper => $crash->{file},
        state => "state-$name", global => "acme_event $program;",
        sites => [ { names => 'example.test' } ])->start;
    # a process that runs the program dies without a word: a reload repeats it
    my $hurry = seconds() + 10;
    wait_for(sub {
        if (seconds() > $hurry && $server->issued('example.test')) {
            $server->signal('reload');
            $hurry = seconds() + 10;
        }
        return times_told('installed') && $crash->state->{count} >= $step
            && !left($server);
    });
    cmp_ok(times_told($_), '>=', 1, "$name: the program is told of $_")
        for qw(obtained installed);
    cmp_ok(times_told($_), '<=', 2, 'but not for ever')
        for qw(obtained installed);
    like(slurp("$told/log"), qr/^(?:obtained\n)+(?:installed\n)+$/,
        'in the order in which it happened');
    is_deeply([ left($server) ], [], 'nothing is left over');
    note(sprintf '%s: %s, %.1f s', $name, $crash->state->{calls}[$step - 1],
        seconds() - $begin) if $step;
    $server->stop;
    ok($server->helpless, 'the helper ends with the server');
    return @{ $crash->state->{calls} };
}

sub left {
    my ($server) = @_;
    return grep { -e } glob $server->state_path . '/events/{*,.tmp*}';
}

sub times_told {
    my ($event) = @_;
    my $count = () = slurp("$told/log") =~ /^$event$/mg;
    return $count;
}
