#!/usr/bin/perl

# Tests for CAs of one address family: an IPv6 address in acme_ca, and a name
# that has addresses of both kinds, of which only one answers.

use strict;
use warnings;

use FindBin;
use IO::Socket::IP;
use lib "$FindBin::Bin/lib";
use ACME::Test;

plan(skip_all => 'this machine has no ::1') if !IO::Socket::IP->new(
    Listen => 1, LocalAddr => '::1');

my $t = ACME::Test->new;
my %cas = (
    'an IPv6 address' => $t->pebble(at => '[::1]'),
    'one that is written at length' =>
        $t->pebble(at => '[::1]', host => '[0:0:0:0:0:0:0:1]'),
    'a name, and only IPv6 answers' =>
        $t->pebble(at => '[::1]', host => 'localhost'),
    'a name, and only IPv4 answers' => $t->pebble(host => 'localhost'),
);
my %names;
@names{ sort keys %cas } = map { "s$_.test" } 1 .. keys %cas;

my $server = $t->server(ca => (values %cas)[0], sites => [
    map { { names => $names{$_}, acme => "acme_ca @{[ $cas{$_}->url ]};"
        . "acme_ca_certificate @{[ $cas{$_}->trust ]};" } } sort keys %cas ]);
$server->start;
for my $kind (sort keys %cas) {
    is($server->issued($names{$kind})->{names}, $names{$kind}, $kind);
    $cas{$kind}->judge(1);
}
ok($server->says(qr/ \Q$names{'an IPv6 address'}\E: \[::1\]:\d+: certificate obtained/),
    'the log names the CA by its address');
my @folders = glob $t->path('state/accounts/*/default/account.json');
is(@folders, 4, 'each has an account in the store');

# They are found again.
$server->reload(global => 'acme_contact admin@example.com;');
ok($server->idle, 'other settings');
$_->judge(1) for values %cas;

$t->done;
