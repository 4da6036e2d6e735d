#!/usr/bin/perl

# Tests for another account key (RFC 8555 7.3.5): the CA takes it, orders go
# on with it, and whatever is interrupted loses nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Account;

use File::Copy qw(copy);

my $t = ACME::Test->new;
my $ca = $t->pebble;
my @names = 'a.test';
my $server = $t->server(ca => $ca, sites => [ { names => 'a.test' } ])
    ->start;
my $account = ACME::Test::Account->new($t, $server, $ca);
my $name = $ca->url =~ s{^https://([^/]+)/.*$}{$1}r;

sub order {
    push @names, 'n' . @names . '.test';
    $server->configure(sites => [ map { { names => $_ } } @names ]);
    $server->reload;
    return wait_for(sub { $server->lives == @names });
}

sub ctl { return $t->run($server->{helper}, 'ctl', $server->state_path, @_) }

ok($server->issued('a.test'), 'a certificate');
my $first = $account->key;
my $url = $account->saved->{url};

# ---- a change

my ($status, $said) = ctl('rollover', $name);
is($status, 0, 'the key is changed') or diag($said);
is($said, "ok\n", 'and so it says');
my $second = $account->key;
isnt($second, $first, 'there is another key');
ok(!-e $account->file('account.key.new'), 'in its place');
is((stat $account->file('account.key'))[2] & 07777, 0600, 'for us alone');
is($account->saved->{url}, $url, 'of the same account');
ok(order(), 'orders go on');
like($server->log, qr/the account has a new key/, 'the log tells of it');

$server->stop_all;
$server->start;
ok(order(), 'after a restart too');

# ---- what cannot be done

($status, $said) = ctl('rollover', 'other.test');
isnt($status, 0, 'another CA: an error');
like($said, qr/^error: no server has acme_ca "other\.test"$/, 'in words');
($status, $said) = ctl('dance');
isnt($status, 0, 'no such command: an error');
($status, $said) = $t->run($server->{helper}, 'ctl', $t->path('nowhere'),
    'rollover', $name);
isnt($status, 0, 'no such store: an error');
like($said, qr/no helper of ours runs for/, 'in words');

# ---- a crash after the CA has taken it

$second = $account->key;
my $saved = slurp($account->file('account.json'));
ctl('rollover', $name);
my $third = $account->key;
isnt($third, $second, 'a third key');
$server->stop_all;
rename $account->file('account.key'), $account->file('account.key.new');
spew($account->file('account.key'), $second);
spew($account->file('account.json'), $saved);
chmod 0600, $account->file('account.key');
$server->start;
ok(order(), 'a crash before the new key was put in place: orders go on');
is($account->key, $third, 'the CA was asked, and the new one is in place');
ok(!-e $account->file('account.key.new'), 'alone');
is($account->saved->{url}, $url, 'of the same account');

# ---- a crash before the CA has heard of it

$server->stop_all;
spew($account->file('account.key.new'), $first);   # no more an account's
chmod 0600, $account->file('account.key.new');
$server->start;
ok(order(), 'a crash before the CA heard of it: orders go on');
is($account->key, $third, 'the old one stays');
ok(!-e $account->file('account.key.new'), 'alone');

# ---- and with account.json lost between the two

unlink $account->file('account.json');
$server->stop_all;
rename $account->file('account.key'), $account->file('account.key.new');
spew($account->file('account.key'), $second);
chmod 0600, $account->file('account.key');
$server->start;
ok(order(), 'with account.json lost: orders go on');
is($account->key, $third, 'with the key that the CA knows');
is($account->saved->{url}, $url, 'and its account');
is($ca->accounts, 1, 'all of it is one account');
$ca->judge(scalar @names);

$t->done;
