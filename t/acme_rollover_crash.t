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
use ACME::Test::Crash;

my $budget = 60;   # seconds, after which no further step is begun; 12 do
my $t = ACME::Test->new;
my $crash = ACME::Test::Crash->new($t);
my $ca = $t->pebble(reject => 0);
my $begin = seconds();
$crash->plan_for('keeper', 0);

my @names = 'a.test';
my $server = $t->server(ca => $ca, helper => $crash->{file},
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

    $crash->aim($step);
    my ($status) = $t->run($crash->{helper}, 'ctl', $server->state_path, 'rollover',
        $name);
    my $count = $crash->aim(0);
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
