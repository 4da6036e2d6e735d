#!/usr/bin/perl

# Tests for what an operator sees who mends a failed validation at Let's
# Encrypt and reloads: it is tried on its staging directory and then for good,
# all by that one reload.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $le = $t->preset;
my ($production, $staging) = ($le->production, $le->staging);

# Nothing listens on this address.
$t->dns_address('bad.test', '127.0.0.9');
my $server = $t->server(ca => $le, sites => [ { names => 'bad.test',
    acme => 'acme_key ecdsa:256 rsa:2048;' } ])->start;
my $line = $server->says(qr/ bad\.test: .*attempt 1 failed/);
like($line, qr/ letsencrypt: .*validation of bad\.test failed: /,
    'the validation fails');
my $failed = $production->failed_validations;
my $orders = $production->orders;
is($staging->orders, 0, 'staging is not asked');

$t->dns_address('bad.test', '127.0.0.1');
$server->reload;
like($server->says(qr/ bad\.test: .*has passed on the CA's staging directory/),
    qr/ letsencrypt-staging: .*: ordering at letsencrypt now$/,
    'what was mended passes on staging');
my $shown = $server->served('bad.test', key => 'ecdsa:256');
ok($shown, 'and is issued for good');
ok(wait_for(sub { $production->issued == 2 }), 'in both key types');
is($production->failed_validations, $failed, 'no further one has failed');
is($production->orders, $orders + 2, 'by an order each');
is($staging->failed_validations, 0, 'none has on staging');
cmp_ok($staging->issued, '>=', 1, 'where something was issued');
my $file = $server->state_path . '/live/bad.test/fullchain.pem';
my (undef, $issuer) = $t->run(qw(openssl x509 -noout -issuer -in), $file);
my ($root) = $production->log =~ /Generated new intermediate issuer CN=(.*?) with/;
like($issuer, qr/\Q$root\E/, 'but not what is served');

$t->done;
