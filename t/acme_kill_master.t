#!/usr/bin/perl

# Tests for kill -9 of the master: the helper ends, and a new start goes on with
# the same order. The workers, orphans now, serve until somebody ends them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

ok(wait_for(sub { $proxy->held >= 2 }), 'an order waits for validation');
my @tokens = $proxy->tokens;

kill_master('in mid-order');
my $resumed = $server->resumed;
$server->start;
ok(wait_for(sub { $server->resumed > $resumed }),
    'a new start takes the order up again');
is_deeply([ unanswered() ], [], 'with the same tokens');
is($ca->orders, 1, 'the same order');

$proxy->release;
my $issued = $server->issued('example.test');
ok($issued, 'and it is finished');
$ca->judge(1);

my $connections = $proxy->connections;
kill_master('idle');
$server->start;
is($server->shows('example.test')->{fingerprint}, $issued->{fingerprint},
    'idle: a new start serves the certificate at once');
ok(wait_for(sub { $server->lock_holders }), 'and has a keeper');
is($proxy->connections, $connections, 'the CA is not called');
$ca->judge(1);
unlike($server->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');

$t->done;

sub kill_master {
    my ($when) = @_;

    # after a reload, the old worker shows the old certificate for a moment
    ok(wait_for(sub { 1 == (() = $server->workers) }), "$when: one worker");
    my $master = $server->running;
    my @helpers = $server->helpers;
    my $shown = $server->shows('example.test')->{fingerprint};

    cmp_ok(scalar @helpers, '>=', 2, 'there is a helper');
    kill 'KILL', $master;
    ok(wait_for(sub { !alive($master) }), 'the master is killed');
    ok($server->helpless, 'the helper ends');
    ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of it');
    is_deeply([ $server->lock_holders ], [], 'nobody holds the store');
    is($server->shows('example.test')->{fingerprint}, $shown,
        'the orphaned workers serve as before');

    # They have the ports, and so has one that was forked since; httpd's heed
    # no other signal without a parent.
    my @workers = $server->workers;
    kill ACME::Test::kind() eq 'httpd' ? 'KILL' : 'TERM', @workers;
    ok(wait_for(sub { !grep { alive($_) } @workers, $server->workers }),
        'until they are ended');
}

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
