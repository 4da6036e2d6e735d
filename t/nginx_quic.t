#!/usr/bin/perl

# Tests for tls-alpn-01 beside HTTP/3: the challenge is for TCP (RFC 8737), and
# who asks for it by QUIC is shown nothing of it. This needs an nginx with
# HTTP/3, and an openssl with QUIC (3.2).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'nginx');
my ($nginx) = map { "$_/nginx" } ACME::Test::tool('nginx');

plan(skip_all => 'this nginx has no HTTP/3')
    if ($t->run($nginx, '-V'))[1] !~ /http_v3_module/;
plan(skip_all => 'this openssl has no QUIC')
    if ($t->run('openssl', 's_client', '-help'))[1] !~ /^ -quic\b/m;

my $probe = $t->probe('alpn_entry');

$t->certificate('static', 'rsa:2048');
my $server = $t->server(
    acme => 'acme_accept_terms on; acme_ca https://127.0.0.1:1/dir;',
    sites => [
    { names => 'static.test', default => 1, domain => undef, cert => 'static',
        nginx => 'listen 127.0.0.1:%HTTPS% quic;' },
    { names => 'example.test' },
])->start;
ok(wait_for(sub { -S $server->state_path . '/control.sock' }),
    'there is a keeper');
my ($failed, $words) = $t->run($probe, $server->state_path, 'publish',
    'example.test', 'token', 'token.print');
is($failed, 0, 'a challenge is pending') or diag($words);

like(shown('-quic', 'h3', 'static.test'), qr/subject=.*static/,
    'HTTP/3 is spoken');
like(shown('-tls1_3', 'acme-tls/1', 'example.test'),
    qr/subject=.*ACME challenge/, 'by TCP the challenge is answered');
unlike(shown('-quic', 'acme-tls/1', 'example.test'), qr/ACME challenge/,
    'but not by QUIC');
is(scalar(() = $server->log =~ /tls-alpn-01 challenge answered/g), 1,
    'and the log agrees');

$t->done;

# What openssl says of a connection.
sub shown {
    my ($how, $protocol, $name) = @_;
    my ($status, $text) = $t->run('timeout', 10, 'openssl', 's_client', $how,
        '-alpn', $protocol, '-servername', $name, '-connect',
        '127.0.0.1:' . $t->port('https'));
    return $text;
}
