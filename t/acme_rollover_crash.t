#!/usr/bin/perl

# Tests for a keeper that is killed at any moment of a change of the account's
# key: before each call that makes a file durable or tells another process
# something. Whatever is on disk then, the account is the same, and orders go
# on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Account;

my $budget = 60;   # seconds, after which no further step is begun; 12 do
my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
my $shim = "$build/crash-shim.so";
if (!-e $shim) {
    plan(skip_all => "$shim is missing: make crash-shim");
}

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $helper = $ENV{ACME_HELPER} || "$build/acme-helper";
my $plan = $t->path('plan');
my $begin = seconds();

# The helper as acme_helper would start it, with the shim inside.
spew($t->path('helper'), <<"END");
#!/bin/bash
export ACME_CRASH=$plan LD_PRELOAD=$shim
export ASAN_OPTIONS="\$ASAN_OPTIONS:verify_asan_link_order=0"
exec -a 'acme-helper: supervisor' $helper "\$@"
END
chmod 0755, $t->path('helper');
spew($plan, pack 'L4a64a64000', 0, 0, 0, 0, 'keeper', '');

my @names = 'a.test';
my $server = $t->server(ca => $ca, helper => $t->path('helper'),
    sites => [ { names => 'a.test' } ])->start;
my $account = ACME::Test::Account->new($t, $server, $ca);
my $name = $ca->url =~ s{^https://([^/]+)/.*$}{$1}r;
ok($server->issued('a.test'), 'a certificate');
ok(wait_for(sub { $server->reloads == 1 }), 'is loaded');
my $url = $account->saved->{url};

my $steps = roll_over(0);
cmp_ok($steps, '>', 5, "a change makes $steps calls");
for my $step (1 .. $steps) {
    last if seconds() - $begin > $budget;
    roll_over($step);
}
is($ca->accounts, 1, 'all of it is one account');
is($ca->failed_validations, 0, 'and no validation failed');

$t->done;

# A change of the key during which the keeper dies at this step (0: does not),
# and an order after it. Returns how many calls were made.
sub roll_over {
    my ($step) = @_;
    my $before = $account->key;

    aim($step);
    my ($status) = $t->run($helper, 'ctl', $server->state_path, 'rollover',
        $name);
    my $count = aim(0);
    if ($step == 0) {
        is($status, 0, 'a change without an accident');
        isnt($account->key, $before, 'there is another key');
    }
    ok(wait_for(sub { $server->helpers('keeper') }),
        "step $step: there is a keeper");
    push @names, 'n' . @names . '.test';
    $server->reload(sites => [ map { { names => $_ } } @names ]);
    ok(wait_for(sub { $server->lives == @names }),
        "step $step: orders go on, " . ($account->key eq $before
        ? 'with the old key' : 'with a new key'));
    ok(wait_for(sub { !-e $account->file('account.key.new') }),
        "step $step: there is one key");
    is($account->saved->{url}, $url, "step $step: of the same account");
    return $count;
}

# The keeper is to die at this call from now on; returns how many there were.
sub aim {
    my ($step) = @_;

    open my $file, '+<', $plan or die "$plan: $!";
    read $file, my $now, 8;
    seek $file, 0, 0;
    print $file pack 'L2', $step, 0;
    close $file or die "$plan: $!";
    return (unpack 'L2', $now)[1];
}
