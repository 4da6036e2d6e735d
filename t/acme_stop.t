#!/usr/bin/perl

# Tests for -s stop and -s quit in the midst of an order: the helper ends with
# the server, and the next start finishes the same order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

ok(wait_for(sub { $proxy->held >= 2 }), 'an order waits for validation');
my @tokens = $proxy->tokens;

for my $how (qw(stop quit stop quit)) {
    my @helpers = $server->helpers;
    my $resumed = $server->resumed;

    $server->stop($how);
    ok($server->helpless, "$how: the helper ends");
    ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of it');
    is_deeply([ $server->lock_holders ], [], 'nobody holds the store');
    $server->start;
    ok(wait_for(sub { $server->resumed > $resumed }),
        'the next start takes the order up again');
    is($ca->orders, 1, 'the same one');
    my @wrong = grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
    is_deeply(\@wrong, [], 'with the same tokens');
}
is(scalar(() = $server->acme_log =~ /order resumed/g), 4,
    'the log says so each time');

$proxy->release;
my $issued = $server->issued('example.test');
ok($issued, 'and it is finished');
$ca->judge(1);
is($ca->accounts, 1, 'one account');

# With nothing to do.
for my $how (qw(stop quit)) {
    my $connections = $proxy->connections;
    $server->stop($how);
    ok($server->helpless, "idle, $how: the helper ends");
    $server->start;
    is($server->shows('example.test')->{fingerprint}, $issued->{fingerprint},
        'the next start serves the certificate at once');
    ok(wait_for(sub { $server->lock_holders }), 'the store has its keeper');
    is($proxy->connections, $connections, 'the CA is not called');
}
unlike($server->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');
$ca->judge(1);

$t->done;
