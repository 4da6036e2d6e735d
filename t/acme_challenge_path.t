#!/usr/bin/perl

# Tests for answering http-01: methods, keep-alive, HTTP/2, any server,
# and tokens that are not ours.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;

# The CA takes its time before it validates: the challenge stays pending, and
# the proxy tells its token.
my $ca = $t->pebble(sleep => 600);
my $proxy = $t->proxy(ca => $ca);
$t->certificate('static');
my $server = $t->server(ca => $proxy, sites => [
    { names => 'unrelated.test', default => 1, domain => undef,
        cert => 'static', nginx => 'return 444;', httpd => 'Redirect 403 /' },
    { names => 'example.test', http2 => 1, redirect => 1 },
    { names => 'guarded.test', tls => [], domain => undef,
        nginx => <<'END', httpd => <<'END' },
        auth_basic "keep out";
        auth_basic_user_file %TMP%/nobody;
        deny all;
        location ^~ /.well-known/ { return 418; }
END
        <Location />
            AuthType Basic
            AuthName "keep out"
            AuthUserFile %TMP%/nobody
            Require all denied
        </Location>
        Redirect 403 /.well-known/
END
    { names => 'site.test', tls => [], domain => undef, root => 'site' },
])->start;

my $token = wait_for(sub { $proxy->log =~ /^token (\S+)/m && $1 });
my $path = "/.well-known/acme-challenge/$token";
my $answer = wait_for(sub {
    my $text = $server->get($path, 'example.test');
    return $text =~ /^HTTP\S+ 200/ && $text;
});
my ($body) = $answer =~ /\r\n\r\n(.*)/s;

like($body, qr/^\Q$token\E\.[A-Za-z0-9_-]{43}$/, 'the key authorization');
like($answer, qr/^Content-Length: @{[ length $body ]}\r$/mi, 'its length');

for my $name (qw(unrelated.test guarded.test site.test unknown.test)) {
    my $text = $server->get($path, $name);
    like($text, qr/^HTTP\S+ 200 .*\Q$body\E$/s, "answered for $name");
}

my $head = $server->get($path, 'example.test', '--head');
like($head, qr/^HTTP\S+ 200/, 'HEAD is answered');
unlike($head, qr/\Q$body\E/, 'without a body');

# httpd ends the connection after an answer that comes before all others'.
my $ends = ACME::Test::kind() eq 'httpd' ? 1 : 0;
my $twice = curl('-H', 'Host: example.test', '-w', '%{num_connects}.',
    map { 'http://127.0.0.1:' . $t->port('http') . $path } 1, 2);
is($twice, "${body}1.${body}$ends.",
    'two answers, on one connection where the server keeps it');
is($answer =~ /^Connection: close\r$/mi ? 1 : 0, $ends,
    'and a client is told when it is not kept');

my $h2 = curl('-k', '--http2', '-w', ' %{http_version}', '--resolve',
    'example.test:' . $t->port('https') . ':127.0.0.1',
    'https://example.test:' . $t->port('https') . $path);
is($h2, "$body 2", 'over HTTP/2');

like($server->get("$path?a=b", 'example.test'), qr/^HTTP\S+ 200/,
    'a query string does not matter');
like($server->get($path, 'example.test', '-d', 'x'), qr/^HTTP\S+ 301/,
    'POST is the site\'s');

mkdir $t->path($_) for qw(site site/.well-known
    site/.well-known/acme-challenge);
spew($t->path('site/.well-known/acme-challenge/foreign'), 'webroot');
like($server->get('/.well-known/acme-challenge/foreign', 'site.test'),
    qr/^HTTP\S+ 200 .*webroot$/s, 'an unknown token is the site\'s');
like($server->get('/.well-known/acme-challenge/foreign', 'example.test'),
    qr/^HTTP\S+ 301/, 'and its redirect stays');
like($server->get($path . 'x', 'guarded.test'), qr/^HTTP\S+ 4(01|03|18)/,
    'a longer token too');
like($server->get("/.well-known/acme-challenge/", 'guarded.test'),
    qr/^HTTP\S+ 4/, 'and none at all');

$t->done;
