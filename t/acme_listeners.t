#!/usr/bin/perl

# Tests for which challenge is tried first: one by a port on which this server
# does not listen is the last choice, as no CA could see its answer here.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;

# ---- TLS only: http-01 is preferred, and could not work

my $ca = $t->pebble;
my $server = $t->server(ca => $ca, sites => [
    { names => 'tls.test', plain => [] } ])->start;
ok($server->issued('tls.test'), 'without port 80: it is issued');
like($server->acme_log, qr/putting up the tls-alpn-01 proof for tls\.test/,
    'by tls-alpn-01');
unlike($server->acme_log, qr/http-01 proof/, 'http-01 is not tried');
unlike($server->acme_log, qr/no server listens/, 'there is no warning');
$ca->judge(1);
$server->stop_all;

# ---- without TLS: tls-alpn-01 is preferred, and could not work

$ca = $t->pebble;
$server = $t->server(ca => $ca, name => 'plain', state => 'plain.state',
    global => 'acme_challenge tls-alpn-01 http-01;',
    sites => [ { names => 'plain.test', tls => [] } ])->start;
ok($server->says(qr/plain\.test: .*certificate obtained/),
    'without TLS: it is obtained');
like($server->acme_log, qr/putting up the http-01 proof for plain\.test/,
    'by http-01');
unlike($server->acme_log, qr/tls-alpn-01 proof/, 'tls-alpn-01 is not tried');
$ca->judge(1);
$server->stop_all;

# ---- the kind of listener counts, not the port alone

is(warned(plain => ['https'], tls => ['http']), 1,
    'TLS where none is expected, and none where it is');
is(warned(plain => ['elsewhere'], tls => ['other']), 1, 'on other ports');
is(warned(plain => [], tls => ['https']), 0, 'TLS only is no reason');
is(warned(plain => ['http'], tls => []), 0, 'nor is no TLS');

$t->done;

# Does the check warn of it, and pass?
sub warned {
    my (%listens) = @_;
    my $site = { names => 'check.test', %listens };
    my ($status, $text) = $t->server(ca => $ca, name => 'check',
        sites => [ $site ])->check;
    my $port = $t->port('http');

    is($status, 0, 'the check passes') or diag($text);
    return scalar(() = $text =~ /\[warn\] .*no server listens on port $port, or on \d+ with TLS .*acme_port_map.* in .*:\d+$/gm);
}
