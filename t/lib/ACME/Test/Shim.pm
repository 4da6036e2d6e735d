package ACME::Test::Shim;

# A helper with something of tests/crash preloaded, which the test can change
# while it runs. Without that the test is skipped.
#
#   my $disk = ACME::Test::Shim->fault($t);   a disk that can be full
#   my $clock = ACME::Test::Shim->clock($t);  a clock that can be wrong
#   $t->server(helper => $disk->{file}, ...)
#
#   file      the program for a server's helper

use strict;
use warnings;

use ACME::Test;
use Errno qw(ENOSPC EROFS);

my %errors = (full => ENOSPC, 'read-only' => EROFS);
my $head = 'L4a64';

sub _new {
    my ($class, $t, $kind) = @_;
    my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
    my $shim = "$build/$kind-shim.so";
    my $helper = $ENV{ACME_HELPER} || "$build/acme-helper";
    my $self = bless { file => $t->path("helper-$kind"), shim => $shim,
        plan => $t->path("plan-$kind"), variable => 'ACME_' . uc $kind },
        $class;

    plan(skip_all => "$shim is missing: make crash-shim") if !-e $shim;

    # as acme_helper would start it, with the shim inside
    spew($self->{file}, <<"END");
#!/bin/bash
export $self->{variable}=$self->{plan} LD_PRELOAD=$shim
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
exec -a 'acme-helper: supervisor' $helper "\$@"
END
    chmod 0755, $self->{file};
    return $self;
}

# Overwrite a part of the plan, which is mapped by others: it is not made anew.
sub _put {
    my ($self, $at, $bytes) = @_;

    open my $file, '+<', $self->{plan} or die "$self->{plan}: $!";
    seek $file, $at, 0;
    print $file $bytes;
    close $file or die "$self->{plan}: $!";
}

# ---- the disk

sub fault {
    my ($class, $t) = @_;
    my $self = $class->_new($t, 'fault');

    spew($self->{plan}, pack "${head}a64000", 0, 0, 0, 0, 'keeper', '');
    return $self;
}

# From the keeper's call of this number on, counted from now, it is 'full' or
# 'read-only'; 0: it is neither. Returns the calls that there were before.
sub fails_from {
    my ($self, $number, $how) = @_;
    my @calls = $self->calls;

    $self->_put(0, pack 'L4', $number, $errors{ $how || 'full' }, 0, 0);
    return @calls;
}

# How many calls have failed since then.
sub failed { return (unpack 'L4', slurp($_[0]->{plan}))[3] }

sub calls {
    my ($self) = @_;
    my (undef, undef, $count, undef, undef, @calls) =
        unpack 'L4Z64(Z64)1000', slurp($self->{plan});
    splice @calls, $count if $count < @calls;
    s/ $|\.tmp-\K.*//g for @calls;
    return @calls;
}

# ---- the clock

sub clock {
    my ($class, $t) = @_;
    my $self = $class->_new($t, 'clock');

    spew($self->{plan}, pack 'q', 0);
    return $self;
}

# It is so many seconds ahead from now on.
sub ahead {
    my ($self, $seconds) = @_;
    $self->_put(0, pack 'q', $seconds);
}

# Run a program at that time: with this in its environment.
sub environment {
    my ($self) = @_;
    return ($self->{variable} => $self->{plan}, LD_PRELOAD => $self->{shim});
}

1;
