#!/usr/bin/perl

# Tests for certificates of IP addresses (RFC 8738), which clients ask for
# without SNI: IPv4, IPv6, and both beside a host name.

use strict;
use warnings;

use FindBin;
use IO::Socket::IP;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my @both = ('127.0.0.1', '[::1]');
plan(skip_all => 'this machine has no ::1') if !IO::Socket::IP->new(
    Listen => 1, LocalAddr => '::1');

my $t = ACME::Test->new;
my $ca = $t->pebble;
$t->certificate('static');
my $server = $t->server(ca => $ca, sites => [
    { names => '127.0.0.1 [::1]', at => \@both, default => 1 },
    { names => 'mixed.test', domain => 'mixed.test 127.0.0.1 ::1',
        at => \@both, redirect => 1 },
    { names => 'six.test', domain => '0:0:0:0:0:0:0:1', at => \@both },
]);
my ($status, $text) = $server->check;
is($status, 0, 'the check passes');
unlike($text, qr/leaves out/, 'and leaves nothing out: it is a private CA');

$server->start;
for my $at (@both) {
    my $shown = issued_at($at, '');
    is($shown->{names}, '127.0.0.1 ::1',
        "a client of $at, without SNI: the certificate of the default server");
}
is(issued_at($_, 'mixed.test')->{names}, '127.0.0.1 ::1 mixed.test',
    "addresses and a name in one certificate, at $_") for @both;
is(issued_at('127.0.0.1', 'six.test')->{names}, '::1',
    'an IPv6 address alone');

# A client that verifies it.
for my $url ('https://127.0.0.1', 'https://[::1]') {
    spew($t->path('root.pem'), root());
    like(curl('-i', '--cacert', $t->path('root.pem'), "$url:"
        . $t->port('https') . '/'), qr/^HTTP\S+ (?:200|403|404)/,
        "$url is trusted");
}

ok(-l $server->state_path . "/live/$_", "$_ is a folder of the store")
    for '127.0.0.1', 'mixed.test', '::1';
ok($server->says(qr/acme: ::1: .*certificate obtained: 1 name/),
    'the log has the address');
$ca->judge(3);
my @kinds = sort $ca->log =~ /acme\.Identifier\{Type:"(\w+)"/g;
is("@kinds", 'dns ip ip ip ip ip', 'the CA was asked for addresses as such');

# Nothing is ordered again by a reload or a start.
$server->reload;
ok($server->idle, 'after a reload');
$server->stop_all;
$server->start;
ok($server->idle, 'and a start');
is($ca->orders, 3, 'nothing is ordered');
is(issued_at('[::1]', '')->{names}, '127.0.0.1 ::1', 'it is served');

# By tls-alpn-01 a CA asks for the reverse name of the address (RFC 8738 6), and
# may be received by the default server, which knows nothing of it.
$server->reload(global => 'acme_challenge tls-alpn-01;', sites => [
    { names => 'other.test', domain => undef, cert => 'static',
        at => \@both, default => 1, status => 204 },
    { names => 'alpn.test', domain => '127.0.0.1 alpn.test',
        at => \@both, plain => [] },
    { names => 'alpn6.test', domain => '::1 alpn6.test', at => \@both,
        plain => [] },
]);
for my $wanted ([ '127.0.0.1', 'alpn.test' ], [ '::1', 'alpn6.test' ]) {
    my ($address, $name) = @$wanted;
    my $at = $address =~ /:/ ? "[$address]" : $address;
    ok(wait_for(sub {
        return (issued_at($at, $name)->{names} || '') eq "$address $name";
    }), "tls-alpn-01: a certificate for $address");
}
$ca->judge(5);

# A public CA would refuse the order for an address of a private network.
$server->configure(sites => [ { names => 'a.test [fd00::1] 10.0.0.1',
    acme => 'acme_ca letsencrypt;' } ]);
($status, $text) = $server->check;
is($status, 0, 'private addresses and a public CA');
my @left_out = $text =~ /leaves out a name of the server: "(\S+)" cannot be in a certificate of letsencrypt/g;
is("@left_out", 'fd00::1 10.0.0.1', 'they are left out');
$server->configure(sites => [ { names => 'a.test',
    domain => 'a.test 10.0.0.1', acme => 'acme_ca letsencrypt;' } ]);
($status, $text) = $server->check;
isnt($status, 0, 'as an argument that is an error');
like($text, qr/"10\.0\.0\.1" cannot be in a certificate of letsencrypt: .* in \S+server\.conf:\d+/,
    'which says why and where');
$server->configure(sites => []);

$t->done;

sub issued_at {
    my ($address, $name) = @_;
    my $port = $t->port('https');

    return wait_for(sub {
        my $shown = handshake($port, $name, PeerAddr => "$address:$port");
        return ($shown->{issuer} || '') =~ /Pebble/ && $shown;
    }) || {};
}

sub root {
    return curl('-k', "https://127.0.0.1:$ca->{management}/roots/0");
}
