#!/usr/bin/perl

# Tests for acme_contact: a change is sent to the account once, and what the
# CA will not take stops nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Account;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, sites => [ { names => 'a.test' } ],
    global => 'acme_contact one@a.test;')->start;
my $account = ACME::Test::Account->new($t, $server, $ca);
my $sent = qr/account update sent/;
my @names = 'a.test';

# One more name, and so one more order, with these lines.
sub order_with {
    my ($lines) = @_;
    my $name = 'n' . @names . '.test';

    push @names, $name;
    $server->configure(global => $lines,
        sites => [ map { { names => $_ } } @names ]);
    $server->reload;
    # a worker of before would show the first site's certificate
    return wait_for(sub { $server->lives == @names });
}

ok($server->issued('a.test'), 'a certificate');
is_deeply($account->contacts, [ 'mailto:one@a.test' ],
    'the contact goes along with newAccount');
is_deeply($account->saved->{contacts}, [ 'mailto:one@a.test' ],
    'and is remembered');
unlike($server->log, $sent, 'no update');

ok(order_with('acme_contact two@a.test three@a.test;'), 'other contacts');
is_deeply($account->contacts, [ 'mailto:two@a.test', 'mailto:three@a.test' ],
    'they are sent');
is_deeply($account->saved->{contacts},
    [ 'mailto:two@a.test', 'mailto:three@a.test' ], 'and remembered');
ok(order_with('acme_contact two@a.test three@a.test;'), 'the same ones');
is(scalar(() = $server->log =~ /$sent/g), 1, 'are not sent again');

ok(order_with('acme_contact a..b@a.test;'), 'one that the CA does not take');
my $line = $server->says(qr/the CA does not take/);
like($line, qr/\[warn\] .*(?:acme_contact|AcmeContact): (?:invalid|unsupported)Contact: /,
    'is a warning in its words');
is_deeply($account->contacts, [ 'mailto:two@a.test', 'mailto:three@a.test' ],
    'it keeps what it has');
ok(order_with('acme_contact a..b@a.test;'), 'once more');
is(scalar(() = $server->log =~ /$sent/g), 2, 'is not sent again');
is(scalar(() = $server->log =~ /the CA does not take/g), 1, 'one warning');

ok(order_with(''), 'none at all');
is_deeply($account->contacts, [], 'they are taken back');
is_deeply($account->saved->{contacts}, [], 'and that is remembered');
is($ca->accounts, 1, 'all of it is one account');
$ca->judge(scalar @names);

$t->done;
