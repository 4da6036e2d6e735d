#!/usr/bin/perl

# Tests for certificates that are proved by tls-alpn-01, on a port 443 that
# serves ordinary traffic all the time: for one name, for many at once, and for
# one whose connections another server gets.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $closed = $t->port('closed');
my $ca = $t->pebble(http => $closed, sleep => 1);
my @names = map { "site$_.test" } 1 .. 8;
$t->certificate('static', 'rsa:2048');

my $server = $t->server(ca => $ca, global => 'acme_challenge tls-alpn-01;',
    workers => 2, sites => [
    { names => 'static.test', domain => undef, cert => 'static',
        default => 1, status => 204 },
    { names => 'www.example.test example.test', http2 => 1, status => 204 },
    map { { names => $_, plain => [] } } @names,
])->start;

for my $name ('example.test', @names) {
    my $shown = $server->issued($name);
    ok($shown, "$name is issued");
}
like($server->shows('static.test')->{issuer}, qr/CN=static$/,
    'a certificate of the administrator is served as ever');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 204 /,
    'and ordinary requests are answered');
$ca->judge(1 + @names);
is($ca->accounts, 1, 'one account');
like($server->acme_log, qr/challenge: putting up the tls-alpn-01 proof for site3\.test/,
    'the log says which challenge it was');
unlike($server->acme_log, qr/\[(error|alert|emerg)\]|in place of/,
    'and has no error');

$t->done;
