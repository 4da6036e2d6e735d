#!/usr/bin/perl

# Tests for reloads in the midst of orders: equal settings leave the helper
# alone, changed ones replace it, and no order is lost or made twice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(sleep => 4);
my $servers = join '', map { <<"END" } 1 .. 5;
    server {
        listen 127.0.0.1:%HTTP%;
        listen 127.0.0.1:%HTTPS% ssl;
        server_name r$_.test www.r$_.test;
        acme_domain;
    }
END
my $server = $t->server(ca => $ca, servers => $servers)->start;

wait_for(sub { $ca->orders >= 1 });
my @before = map { $server->helper($_) } qw(supervisor keeper agent);
for my $n (1 .. 10) {
    $server->signal('reload');
    wait_for(sub { $server->reloads >= $n });
}
my @after = map { $server->helper($_) } qw(supervisor keeper agent);
is_deeply(\@after, \@before, 'ten reloads with equal settings: same helper');

# A changed setting needs a new keeper, which goes on with the orders.
for my $n (1 .. 10) {
    my $done = $server->reloads;
    $server->configure(global => "acme_contact n$n\@example.test;");
    $server->signal('reload');
    wait_for(sub { $server->reloads > $done });
}
ok($server->issued("r$_.test"), "r$_.test is issued") for 1 .. 5;
my ($supervisor) = $server->helper('supervisor', $before[0]);
ok($supervisor, 'changed settings: another helper');
ok(wait_for(sub { 1 == (() = $server->helpers('supervisor')) }),
    'and only one');

$ca->judge(5);

my $master = $server->running;
my @memfds = grep { /acme-page/ } map { readlink } glob "/proc/$master/fd/*";
is(@memfds, 1, 'the master keeps one page');

# A configuration that does not pass -t when a reload is due.
$server->configure(global => 'no_such_directive;');
$server->signal('reload');
is($server->running, $master, 'a broken configuration: the master stays');
ok($server->issued('r1.test'), 'and serves');
is($server->helper('supervisor'), $supervisor, 'the helper stays too');

# acme_domain taken out: the helper ends.
my $done = $server->reloads;
$server->configure(global => '',
    servers => 'server { listen 127.0.0.1:%HTTP%; }');
$server->signal('reload');
ok(wait_for(sub { !$server->helpers }), 'without acme_domain no helper');
is($server->running, $master, 'and nginx runs');

$t->done;
