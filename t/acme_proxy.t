#!/usr/bin/perl

# Tests for acme_proxy: the CA is reached through it and in no other way, what
# it says is not taken for the CA's word, and its password is never told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

# The environment has no say, with acme_proxy or without.
$ENV{$_} = 'http://127.0.0.1:1' for qw(http_proxy https_proxy ALL_PROXY);
$ENV{no_proxy} = '*';

my $t = ACME::Test->new;
# Only a proxy knows where ca.test is.
my $ca = $t->pebble(host => 'ca.test');
my $proxy = $t->proxy(connect => 'http', user => 'name:pass/word',
    start => 0);
my $place = "127.0.0.1:@{[ $proxy->port ]}";
my $lines = "acme_proxy http://name:pass%2Fword\@$place;";
my $server = $t->server(ca => $ca, global => $lines,
    sites => [ { names => 'a.test' } ])->start;

# Down.
my $line = $server->says(qr/attempt 1 failed/);
like($line, qr/the CA could not be reached: Failed to connect to 127\.0\.0\.1 port \d+.*, through the proxy http:\/\/\Q$place\E; hint: .*acme_proxy/,
    'the proxy is down: the log names it');
unlike($server->log, qr/pass(?:%2F|\/)word/, 'without its password');

# Up.
$proxy->start;
$server->reload;
my $shown = $server->issued('a.test');
is($shown->{names}, 'a.test', 'the certificate comes through the proxy');
$ca->judge(1);
my @to = $proxy->log =~ /^to (\S+)$/mg;
my @others = grep { $_ ne "ca.test:$ca->{port}" } @to;
is_deeply(\@others, [], 'which was told of the CA and nothing else');
cmp_ok(scalar @to, '>', 0, 'by its name');
is($proxy->log =~ /^denied$/m, '', 'and of user and password');

# Denied.
$server->reload(global => "acme_proxy http://name:wrong\@$place;",
    sites => [ { names => 'b.test' } ]);
$line = $server->says(qr/b\.test: .*attempt 1 failed/);
like($line, qr/could not be reached: .*407.*, through the proxy http:\/\/\Q$place\E/,
    'a password that is wrong: the log says so');
unlike($server->log, qr/wrong\@/, 'but not the password');

# Another kind of proxy.
my $socks = $t->proxy(connect => 'socks5');
$server->reload(global => "acme_proxy socks5h://127.0.0.1:@{[ $socks->port ]};");
is($server->issued('b.test')->{names}, 'b.test',
    'the certificate comes through a SOCKS proxy');
is($socks->log =~ /^to ca\.test:$ca->{port}$/m, 1, 'which resolves the name');
$ca->judge(2);

# What is no proxy.
$server->configure(global => 'acme_proxy http://name:secret@proxy.test;');
my ($status, $text) = $server->check;
isnt($status, 0, 'a proxy without a port is refused');
like($text, qr/acme_proxy: invalid value, allowed are off, http:\/\/host:port.*server\.conf:\d+/,
    'with words and place');
unlike($text, qr/secret/, 'and without its password');
$server->configure(global => 'acme_proxy off;');
($status) = $server->check;
is($status, 0, 'off is allowed');

$t->done;
