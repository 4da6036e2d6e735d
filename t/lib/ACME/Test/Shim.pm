package ACME::Test::Shim;

# A helper with a part of tests/crash preloaded, by a plan that both share and
# the test can change while it runs. Without that part the test is skipped.
#
#   my $disk = ACME::Test::Shim->fault($t);   a disk that can be full
#   my $clock = ACME::Test::Shim->clock($t);  a clock that can be wrong
#   $t->server(helper => $disk->{file}, ...)
#
#   file      the program for a server's helper
#   helper    the helper itself

use strict;
use warnings;

use ACME::Test;
use Errno qw(ENOSPC EROFS);

my %errors = (full => ENOSPC, 'read-only' => EROFS);

sub new {
    my ($class, $t, $kind) = @_;
    my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
    my $self = bless { file => $t->path("helper-$kind"),
        plan => $t->path("plan-$kind"), variable => 'ACME_' . uc $kind,
        shim => "$build/$kind-shim.so",
        helper => $ENV{ACME_HELPER} || "$build/acme-helper" }, $class;

    plan(skip_all => "$self->{shim} is missing: make crash-shim")
        if !-e $self->{shim};

    # as acme_helper would start it, with the shim inside
    spew($self->{file}, <<"END");
#!/bin/bash
export $self->{variable}=$self->{plan} LD_PRELOAD=$self->{shim}
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
exec -a 'acme-helper: supervisor' $self->{helper} "\$@"
END
    chmod 0755, $self->{file};
    return $self;
}

# Overwrite the beginning of the plan, which is mapped by others: it is not made
# anew.
sub put {
    my ($self, $bytes) = @_;

    open my $file, '+<', $self->{plan} or die "$self->{plan}: $!";
    print $file $bytes;
    close $file or die "$self->{plan}: $!";
}

# ---- a plan of calls: struct plan

# Of a role, from the next helper on: who still runs has the old file.
sub plan_for {
    my ($self, $role, $at) = @_;

    spew("$self->{plan}.new", pack 'L4a64a64000', $at, 0, 0, 0, $role, '');
    rename "$self->{plan}.new", $self->{plan} or die "$self->{plan}: $!";
}

# What has become of it: count, calls, own.
sub state {
    my ($self) = @_;
    my (undef, $count, @more) = unpack 'L4Z64(Z64)1000', slurp($self->{plan});
    my @own = splice @more, 0, 2;
    my (undef, @calls) = @more;

    splice @calls, $count if $count < @calls;
    s/ $|\.tmp-\K.*//g for @calls;
    return { count => $count, calls => \@calls, own => \@own };
}

sub calls { return @{ $_[0]->state->{calls} } }

# ---- the disk

sub fault {
    my ($class, $t) = @_;
    my $self = $class->new($t, 'fault');

    $self->plan_for('keeper', 0);
    return $self;
}

# From the keeper's call of this number on, counted from now, it is 'full' or
# 'read-only'; 0: it is neither. Returns the calls that there were before.
sub fails_from {
    my ($self, $number, $how) = @_;
    my @calls = $self->calls;

    $self->put(pack 'L4', $number, 0, $errors{ $how || 'full' }, 0);
    return @calls;
}

# How many calls have failed since then.
sub failed { return $_[0]->state->{own}[1] }

# ---- the clock

sub clock {
    my ($class, $t) = @_;
    my $self = $class->new($t, 'clock');

    spew($self->{plan}, pack 'q', 0);
    return $self;
}

# It is so many seconds ahead from now on.
sub ahead {
    my ($self, $seconds) = @_;
    $self->put(pack 'q', $seconds);
}

# Run a program at that time: with this in its environment.
sub environment {
    my ($self) = @_;
    return ($self->{variable} => $self->{plan}, LD_PRELOAD => $self->{shim});
}

1;
