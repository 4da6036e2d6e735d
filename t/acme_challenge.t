#!/usr/bin/perl

# Tests for acme_challenge: when a challenge fails for a reason of its type,
# the next type proves the name at once, in a new order, and is tried first
# from then on. Where nothing is left the words are those of the last one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;

# The CA comes by a port 80 that is closed.
my $ca = $t->pebble(http => $t->port('closed'));
my $server = $t->server(ca => $ca, sites => [
    { names => 'a.test', status => 204 },
    { names => 'only.test', acme => 'acme_challenge http-01;' },
])->start;

ok($server->issued('a.test'), 'http-01 cannot work: it is issued all the same');
like($server->acme_log, qr/\[warn\] .*acme: a\.test: 127\.0\.0\.1:\d+: validation of a\.test failed: http-01: connection: .*; hint: nothing listens on port 80 .*; trying tls-alpn-01 in place of http-01/,
    'the log says why, and what comes next');
unlike($server->acme_log, qr/ a\.test: .*attempt \d+ failed/,
    'that was no failed attempt');
ok($server->says(qr/ only\.test: .*hint: nothing listens on port 80 .*attempt 1 failed/),
    'with http-01 alone the attempt has failed');
is($ca->issued, 1, 'one certificate');
is($ca->orders, 3, 'for one order more');
is($ca->failed_validations, 2, 'http-01 has failed for each');

# From now on tls-alpn-01 goes first: no validation fails in vain.
$server->reload(sites => [ { names => 'a.test b.test', status => 204 } ]);
ok(wait_for(sub { ($server->shows('b.test')->{names} || '')
    eq 'a.test b.test' }), 'a name is added');
is($ca->orders, 4, 'by one order');
is($ca->failed_validations, 2, 'and no validation has failed');
$server->stop_all;

# And the other way round.
my $second = $t->pebble(tls => $t->port('closed'));
$server = $t->server(ca => $second, name => 'second', state => 'second.state',
    global => 'acme_challenge tls-alpn-01 http-01;', sites => [
    { names => 'c.test', redirect => 1 } ])->start;
ok($server->issued('c.test'), 'tls-alpn-01 cannot work: http-01 does');
like($server->acme_log, qr/validation of c\.test failed: tls-alpn-01: .*; hint: .*port 443.*; trying http-01 in place of tls-alpn-01/,
    'and the log says so, and which port to look at');
is($second->orders, 2, 'two orders');
is($second->issued, 1, 'one certificate');

my ($status, $text) = $t->server(ca => $second, name => 'third',
    global => 'acme_challenge dns-01;', sites => [ { names => 'd.test' } ])
    ->check;
isnt($status, 0, 'dns-01 is refused');
like($text, qr/acme_challenge: invalid value "dns-01", allowed is http-01, tls-alpn-01/,
    'with what is allowed');

$t->done;
