#!/usr/bin/perl

# Tests for the whole path with Apache httpd: two lines in the configuration,
# a placeholder at once, the CA's certificate soon after, by http-01 ahead of
# all that may stand in the way of a request; with each MPM.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my @obstacles = (
    [ 'redirect.test' => 'Redirect permanent / https://elsewhere.test/' ],
    [ 'rewrite.test' => "RewriteEngine on\nRewriteRule ^ - [F]" ],
    [ 'proxy.test' => 'ProxyPass / http://127.0.0.1:9/' ],
    [ 'denied.test' => "<Location />\nRequire all denied\n</Location>" ],
    [ 'alias.test' => 'Alias /.well-known/acme-challenge/ %TMP%/htdocs/' ],
);
for my $mpm (qw(event worker prefork)) {
    subtest "mpm_$mpm" => sub { whole_path($mpm) };
}
done_testing();

sub whole_path {
    my ($mpm) = @_;
    my $t = ACME::Test->new(only => 'httpd');
    my $ca = $t->pebble(sleep => 2);
    my $server = $t->server(ca => $ca, mpm => $mpm, delay => '3s',
        modules => [qw(proxy proxy_http)], sites => [
            { names => 'unrelated.test', tls => [], domain => undef },
            { names => 'example.test www.example.test api.example.test',
                plain => [] },
            map { { names => $_->[0], httpd => $_->[1] } } @obstacles,
        ])->start;

    my $first = $server->shows('redirect.test');
    like($first->{issuer}, qr/ACME placeholder/, 'a placeholder at once');
    is($first->{names}, 'redirect.test', 'for the name');

    my $shown = $server->issued('www.example.test');
    ok($shown, 'then a certificate of the CA');
    is($shown->{names}, 'api.example.test example.test www.example.test',
        'ServerName and ServerAlias in one certificate');
    is($shown->{key}, 'ecdsa:256', 'with an ECDSA key');
    for my $obstacle (@obstacles) {
        my ($name) = @$obstacle;
        ok($server->issued($name), "and one for $name");
    }
    my $path = '/.well-known/acme-challenge/unknown';
    like($server->get($path, 'redirect.test'), qr/^HTTP\S+ 301 /,
        'a token that is not ours is the site\'s');
    like($server->get($path, 'denied.test'), qr/^HTTP\S+ 403 /,
        'and refused where the site refuses');

    $ca->judge(1 + @obstacles);
    is($ca->accounts, 1, 'one account');
    cmp_ok($server->reloads, '<=', 3, 'few restarts');
    like($server->acme_log,
        qr/acme: redirect\.test: 127\.0\.0\.1:\d+: certificate obtained/,
        'the log says what was obtained, with name and CA');
    like($server->log, qr/\[acme:info\].* acme: http-01 challenge answered/,
        'and that the CA has asked');

    my ($worker) = $server->workers;
    my @fds = map { readlink } glob "/proc/$worker/fd/*";
    is_deeply([ grep { /acme/ } grep { !/error\.log/ } @fds ], [],
        'a child has nothing of ours open');
    like(slurp("/proc/$worker/maps"), qr/ r--s .*acme-page/,
        'and the shared page only for reading');
    $t->done;
}
