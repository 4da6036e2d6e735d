#!/usr/bin/perl

# Tests for the life of an account: found by its key, lost by the CA, closed
# for good.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Account;


my $t = ACME::Test->new;
my $ca = $t->pebble(eab => 1);
my $secret = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
my $file = $t->path('eab.key');
spew($file, $secret);
chmod 0600, $file;
my $server = $t->server(ca => $ca, sites => [ { names => 'a.test' } ],
    global => "acme_eab %CA% kid-1 $file;")->start;
my $account = ACME::Test::Account->new($t, $server, $ca);

ok($server->issued('a.test'), 'a certificate');

# Wait until so many are live: a worker of before would show the first site's.
sub has {
    my ($count) = @_;
    return wait_for(sub { $server->lives == $count });
}

my $url = $account->saved->{url};

# ---- account.json is lost: the key finds the account, without the binding

unlink $file, $account->file('account.json');
$server->configure(sites => [ map { { names => "$_.test" } } 'a', 'b' ]);
$server->stop_all;
$server->start;
ok(has(2), 'with account.json and binding lost');
is($account->saved->{url}, $url, 'it is the same account');
is($ca->accounts, 1, 'the only one');
like($server->log, qr/account found: \Q$url\E/, 'and the log says so');

# ---- the CA has lost it: a new one, which needs the binding

$server->stop_all;
$ca->stop;
$ca->start;
spew($file, $secret);
chmod 0600, $file;
$server->configure(sites => [ map { { names => "$_.test" } } 'a' .. 'c' ]);
$server->start;
ok(has(3), 'with the account unknown to the CA');
is($ca->accounts, 2, 'it is registered once more');

# ---- it is deactivated: a clear stop

like($account->deactivate, qr/"status": *"deactivated"/, 'deactivated');
$server->configure(sites => [ map { { names => "$_.test" } } 'a' .. 'd' ]);
$server->reload;
my $line = $server->says(qr/d\.test: .*attempt 1 failed/);
like($line, qr/deactivated/, 'the CA says what it is');
like($line, qr/hint: this account is deactivated or revoked: move its folder/,
    'the hint says what to do');
my $folder = $account->folder;
like($line, qr/its folder is \Q$folder\E/, 'with which folder');
my $plan = $server->plan('d.test');
ok($plan->{misconfigured}, 'nobody but the operator can mend it');
my $orders = $ca->orders;
my $next = $plan->{next_attempt};
my $tomorrow = time_text(time + 20 * 3600);
cmp_ok($next, 'gt', $tomorrow, 'so that it is not tried again before a day');

rename $folder, "$folder.closed" or die $!;
$server->reload;
ok(has(4), 'moved away: a new account');
is($ca->accounts, 3, 'is registered');
cmp_ok($ca->orders, '<=', $orders + 1, 'with one order more');

$t->done;
