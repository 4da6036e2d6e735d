#!/usr/bin/perl

# Tests for the order of names: a certificate is its set of names. A name put
# first, taken from the front or moved never takes a certificate out of
# service, and orders something only when a name is new.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, global => 'acme_challenge http-01;',
    sites => sites('one.test two.test', 'other.test'));
$server->start;
my $first = $server->issued('one.test');
my $other = $server->issued('other.test');
$ca->judge(2);

# Moved.
$server->reload(sites => sites('other.test', 'two.test one.test'));
ok($server->idle, 'names and servers in another order');
is($ca->orders, 2, 'no order');
serves($first, qw(one.test two.test));
serves($other, 'other.test');

# A name in front that cannot be validated.
$t->dns_slow('new.test');
$server->reload(sites => sites('new.test two.test one.test',
    'other.test'));
my $line = $server->says(qr/validation of new\.test failed/);
like($line, qr/the present certificate stays in service/,
    'a new name in front fails: the log says what is served');
serves($first, qw(one.test two.test));
is($ca->orders, 3, 'one order');

# Mended.
$t->dns_address('new.test', '127.0.0.1');
$server->reload;
my $second = $server->served('new.test',
    names => 'new.test one.test two.test');
ok($second, 'mended: the certificate has it');
is($ca->orders, 4, 'one more order');
is($server->lives, 2, 'it is the same entry of the store');

# The first one goes.
$server->reload(sites => sites('two.test one.test', 'other.test'));
ok($server->idle, 'the first name taken away');
is($ca->orders, 4, 'no order');
serves($second, qw(one.test two.test));

# The server is started anew.
$server->stop_all;
$server->start;
serves($second, qw(one.test two.test));
serves($other, 'other.test');
ok($server->idle, 'started anew');
is($ca->orders, 4, 'still no order');

$t->done;

sub serves {
    my ($wanted, @names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($server->shows($_)->{fingerprint}, $wanted->{fingerprint},
        "$_: its certificate stays in service") for @names;
}

sub sites {
    return [ map { { names => $_ } } @_ ];
}
