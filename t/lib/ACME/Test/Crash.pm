package ACME::Test::Crash;

# A helper that dies before a call that makes a file durable or tells another
# process something: with tests/crash/shim.c preloaded, by a plan that test and
# shim share. Without the shim the test is skipped.
#
#   file      the program for a server's helper
#   helper    the helper itself

use strict;
use warnings;

use ACME::Test;

sub new {
    my ($class, $t) = @_;
    my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
    my $shim = "$build/crash-shim.so";
    my $self = bless { file => $t->path('helper'), plan => $t->path('plan'),
        helper => $ENV{ACME_HELPER} || "$build/acme-helper" }, $class;

    plan(skip_all => "$shim is missing: make crash-shim") if !-e $shim;

    # as acme_helper would start it, with the shim inside
    spew($self->{file}, <<"END");
#!/bin/bash
export ACME_CRASH=$self->{plan} LD_PRELOAD=$shim
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
exec -a 'acme-helper: supervisor' $self->{helper} "\$@"
END
    chmod 0755, $self->{file};
    return $self;
}

# A process of this role is to die at its call of this number (0: at none),
# counted from the start of the helper that comes.
sub plan_for {
    my ($self, $role, $step) = @_;
    spew($self->{plan}, pack 'L4a64a64000', $step, 0, 0, 0, $role, '');
}

# The same for the helper that runs, counted from now on; returns how many calls
# there were before.
sub aim {
    my ($self, $step) = @_;

    open my $file, '+<', $self->{plan} or die "$self->{plan}: $!";
    read $file, my $now, 8;
    seek $file, 0, 0;
    print $file pack 'L2', $step, 0;
    close $file or die "$self->{plan}: $!";
    return (unpack 'L2', $now)[1];
}

# What has become of the plan: count, calls, orders_at_death.
sub state {
    my ($self) = @_;
    my ($step, $count, $orders, $orders_at_death, $role, @calls) =
        unpack 'L4Z64(Z64)1000', slurp($self->{plan});
    splice @calls, $count if $count < @calls;
    s/ $|\.tmp-\K.*//g for @calls;
    return { count => $count, calls => \@calls,
        orders_at_death => $orders_at_death };
}

1;
