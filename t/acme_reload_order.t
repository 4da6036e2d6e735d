#!/usr/bin/perl

# Tests for twenty reloads in the midst of orders: the same helper, the same
# orders, the same tokens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my @sites = map { { names => "r$_.test www.r$_.test", redirect => 1 } } 1 .. 3;
my $server = $t->server(ca => $proxy, sites => \@sites, workers => 2)->start;

ok(wait_for(sub { $proxy->held >= 6 }), 'three orders wait for validation');
my @tokens = $proxy->tokens;
my @before = map { $server->helper($_) } qw(supervisor keeper agent);
my @open = open_files();
my $connections = $proxy->connections;

for my $n (1 .. 20) {
    $server->reload;
    my @wrong = grep { $server->get("/.well-known/acme-challenge/$_",
        'r1.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
    is_deeply(\@wrong, [], "reload $n: all tokens are answered");
}
is($server->reloads, 20, 'twenty reloads');
is_deeply([ map { $server->helper($_) } qw(supervisor keeper agent) ],
    \@before, 'the same supervisor, keeper and agent');
is($ca->orders, 3, 'and the same orders');

$proxy->release;
ok($server->issued("r$_.test"), "r$_.test is issued") for 1 .. 3;
$ca->judge(3);
is($ca->accounts, 1, 'one account');
unlike($server->acme_log, qr/\[(error|alert|emerg)\]|resumed/,
    'nothing had to be taken up again');

# And twenty with nothing to do.
my $done = $server->reloads;
$connections = $proxy->connections;
for my $n (1 .. 20) {
    $server->reload;
}
ok($server->issued("r$_.test"), "r$_.test is served") for 1 .. 3;
is($server->reloads, $done + 20, 'idle: twenty reloads, and none of ours');
is($proxy->connections, $connections, 'idle: the CA is not called');
$ca->judge(3);

is_deeply([ open_files() ], \@open, 'the master has no more open than before');

$t->done;

# The master's pages and pipes; httpd makes some new ones at each reload.
sub open_files {
    my $master = $server->running;
    my @files = map { readlink } glob "/proc/$master/fd/*";
    my @ours = sort grep { /acme-page|^pipe:/ } @files;
    s/^pipe:\[\K\d+// for ACME::Test::kind() eq 'httpd' ? @ours : ();
    return @ours;
}
