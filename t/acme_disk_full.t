#!/usr/bin/perl

# Tests for a disk that is full at any moment of a renewal: from each call on
# that needs room, until there is room again. The old certificate is served
# meanwhile, the log says what is missing, and then the same order goes on.
#
# Here only a part of the calls is tried; ACME_DISK_WALK=full is for all of them
# (minutes), =17 for one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Shim;

my $budget = 30;    # seconds, after which no further step is begun
my $walk = $ENV{ACME_DISK_WALK} || '';
my $begin = seconds();

my $t = ACME::Test->new;
my $disk = ACME::Test::Shim->fault($t);
my $ca = $t->pebble(reject => 0);
my $server = $t->server(ca => $ca, helper => $disk->{file},
    sites => [ { names => 'example.test', status => 204 } ])->start;
my @types = qw(ecdsa:256 ecdsa:384);
my $orders = 1;
my $reached = 0;

ok($server->issued('example.test'), 'a certificate');
seen_in_service();
$disk->fails_from(0);
renew(0);
my @calls = $disk->fails_from(0);
cmp_ok(scalar @calls, '>', 20, @calls . ' calls of a renewal need room');
for my $step (choose(@calls)) {
    last if $walk ne 'full' && seconds() - $begin > $budget;
    renew($step);
}
# Those behind the flip are written in any order, and not all of them each time.
cmp_ok($reached, '>', 0, "the disk was full at $reached of them");
restart_full() if !$walk || $walk eq 'full';
is($ca->failed_validations, 0, 'no validation failed');

$t->done;

# All of them, one, or some of each third, other ones each time.
sub choose {
    my (@calls) = @_;
    my @all = (1 .. @calls);

    return @all if $walk eq 'full';
    return $walk if $walk;
    my @some = map { 1 + int(($_ + rand) * @all / 12) } 0 .. 11;
    return @some;
}

# Another key is wanted, and the disk is full from this step on.
sub renew {
    my ($step) = @_;
    my $old = $server->shows('example.test');
    my $from = length $server->log;
    my $what = $step ? "full from $step, $calls[$step - 1]" : 'with room';
    my (%pairs, %shown);

    push @types, shift @types;
    $disk->fails_from($step);
    $server->reload(global => "acme_key $types[0];");
    my $look = sub {
        my $shown = $server->shows('example.test');
        $pairs{ $server->live_pair('example.test') } = 1;
        $shown{ $shown->{key} || 'none' } = 1;
        return ($shown->{key} || '') eq $types[0];
    };
    my $said = sub { substr($server->log, $from) =~ /($_[0])/ && $1 };

    # it fails, or only what may: then it is served in spite of that
    wait_for(sub { $look->() || $said->(qr/attempt 1 failed/) });
    if ($step && $disk->failed) {
        $reached++;
        like(substr($server->log, $from), qr/No space left on device.*; hint: make room/,
            "$what: the log says so, and what to do");
    }
    my $refused = $said->(qr/attempt 1 failed.*/);
    if ($refused) {
        like($said->(qr/.*attempt 1 failed/),
            qr/the present certificate stays in service/,
            "$what: and what is served");
        $look->() for 1 .. 3;
    }
    $disk->fails_from(0) if $step;
    $server->reload if $refused;
    ok(wait_for($look), "$what: room again: the certificate is served");
    is_deeply([ keys %pairs ], ['whole'], "$what: a whole pair all the time");
    is_deeply([ sort keys %shown ], [ sort keys %{ { map { $_ => 1 }
        $old->{key}, $types[0] } } ], "$what: the old certificate, then the new");
    ok(wait_for(sub { !glob $server->state_path . '/pending/*' }),
        "$what: nothing of the order is left");
    is($ca->orders, ++$orders, "$what: one order");
    wait_for(sub { $server->settled });
    seen_in_service();
}

# That the newest one was seen in service is written, too: before the next is
# begun, or the calls of a renewal are not always the same. Not when the disk was
# full for just that.
sub seen_in_service {
    my ($newest) = (readlink $server->state_path . '/live/example.test')
        =~ /(\d+)$/;

    wait_for(sub {
        ($server->plan('example.test')->{installed} || 0) == $newest;
    }, 3);
}

# The place of an order at the CA cannot be kept, and then the helper ends: that
# order is lost, but no other one is made before there is room.
sub restart_full {
    my @kept = grep { $calls[$_] eq 'renameat order.json' } 0 .. $#calls;
    my $from = length $server->log;

    push @types, shift @types;
    $disk->fails_from($kept[1] + 1);
    $server->reload(global => "acme_key $types[0];");
    ok(wait_for(sub { substr($server->log, $from)
        =~ /newOrder: .*order\.json: No space left.*attempt 1 failed/ }),
        'an order cannot be kept');
    for (1 .. 2) {
        $server->stop_all;
        $server->start;
        ok($server->idle, 'the server starts with a full disk');
        is($server->live_pair('example.test'), 'whole', 'with a whole pair');
        is($server->shows('example.test')->{key}, $types[1], 'the old one');
    }
    is($ca->orders, $orders + 1, 'no more orders are made');
    $disk->fails_from(0);
    $server->reload;
    ok($server->served('example.test', key => $types[0]),
        'room again: the new one is served');
    is($ca->orders, $orders + 2, 'by one order');
}
