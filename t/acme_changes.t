#!/usr/bin/perl

# Tests for changed settings: names added and removed, another key type, a
# certificate shared by servers. The old certificate serves until the new one
# is there.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca,
    sites => [ { names => 'one.test two.test' } ])->start;
my $first = $server->issued('one.test');
is($first->{names}, 'one.test two.test', 'a certificate for two names');

# A name more, and the CA is slow.
$t->dns_slow('three.test');
$server->reload(sites => [ { names => 'one.test two.test three.test' } ]);
ok($server->says(qr/ one\.test: .*validation of three\.test failed/),
    'a name that cannot be validated is added');
my $line = $server->says(qr/ one\.test: .*attempt 1 failed/);
like($line, qr/the present certificate stays in service/,
    'the log says what is served');
is($server->shows($_)->{fingerprint}, $first->{fingerprint},
    "$_: the old certificate is served meanwhile") for qw(one.test three.test);
is($ca->orders, 3, 'two orders for it, one by each challenge');

$t->dns_address('three.test', '127.0.0.1');
$server->reload;
my $second = $server->served('three.test',
    names => 'one.test three.test two.test');
ok($second, 'mended: all three are in it');
is($ca->orders, 4, 'one more order');
is($server->lives, 1, 'in the same folder');

# A name less.
$server->reload(sites => [ { names => 'one.test two.test' } ]);
ok($server->idle, 'a name removed');
is($ca->orders, 4, 'a name removed: no order');
is($server->shows('two.test')->{fingerprint}, $second->{fingerprint},
    'the certificate stays');

# Other keys.
my $shown;
for my $type (qw(rsa:2048 ecdsa:384)) {
    my $before = $ca->orders;
    $server->reload(global => "acme_key $type;");
    $shown = $server->served('one.test', key => $type);
    ok($shown, "acme_key $type: a certificate with such a key");
    is($ca->orders, $before + 1, 'by one order');
    like($shown->{issuer}, qr/Pebble/, 'of the CA');
}

# A second server with the same names shares it.
my $orders = $ca->orders;
$server->reload(sites => [ { names => 'one.test two.test' },
    { names => 'other.test', domain => 'one.test two.test', plain => [],
        tls => ['second'] } ]);
is(wait_for(sub { $server->shows('one.test', $t->port('second'))
    ->{fingerprint} }), $shown->{fingerprint}, 'a second server shares it');
sleep 2;
is($ca->orders, $orders, 'and orders nothing');

$t->done;
