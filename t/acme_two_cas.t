#!/usr/bin/perl

# Tests for two CAs in one configuration, one for each server, with accounts,
# roots and failures of their own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my @cas = map { $t->pebble } 1, 2;
my $slow = $t->proxy(to => 1, start => 0);   # nobody is there
my $server = $t->server(ca => $cas[0], sites => [
    { names => 'first.test' },
    { names => 'second.test', acme => "acme_ca @{[ $cas[1]->url ]};"
        . "acme_ca_certificate @{[ $cas[1]->trust ]};" },
    { names => 'third.test', acme => "acme_ca @{[ $slow->url ]};" },
])->start;

my %shown = map { $_ => $server->issued($_) } qw(first.test second.test);
for my $name (keys %shown) {
    is($shown{$name}{names}, $name, "$name is issued");
}
isnt($shown{'first.test'}{issuer}, $shown{'second.test'}{issuer},
    'by different CAs');
$_->judge(1) for @cas;
is($cas[$_]->accounts, 1, "an account at CA $_") for 0, 1;
my @folders = glob $t->path('state/accounts/*/default/account.key');
is(@folders, 3, 'each CA has its account key');
my %keys = map { slurp($_) => 1 } @folders;
is(keys %keys, 3, 'and no two are the same');

ok($server->says(qr/ third\.test: 127\.0\.0\.1:@{[ $slow->port ]}: .*could not be reached/),
    'a third CA that is down fails for itself');
my $port = $cas[1]{port};
like($server->acme_log, qr/ second\.test: 127\.0\.0\.1:$port: certificate obtained/,
    'the log names the CA');

# The server moves to the other CA.
$server->reload(
    sites => [ map { { names => $_ } } qw(first.test second.test) ]);
ok($server->served('second.test', issuer => $shown{'first.test'}{issuer}),
    'acme_ca changed: a certificate of the new CA');
is($cas[0]->orders, 2, 'by one order there');
is($cas[0]->accounts, 1, 'with the account that it has');
is($server->shows('first.test')->{fingerprint},
    $shown{'first.test'}{fingerprint}, 'the other certificate stays');

$t->done;
