#!/usr/bin/perl

# Tests for kill -9 of the supervisor: keeper and agent end with it, the server
# and its tokens stay, and the next reload brings a new helper. httpd, whose
# child it is, may be faster than the reload; see apache_restart.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $is_parent = ACME::Test::kind() eq 'httpd';
my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

ok(wait_for(sub { $proxy->held >= 2 }), 'an order waits for validation');
my @tokens = $proxy->tokens;

for my $n (1 .. 3) {
    my $resumed = $server->resumed;
    kill_supervisor("in mid-order, $n");
    is_deeply([ unanswered() ], [], 'the tokens are answered without a helper');
    reload();
    ok(wait_for(sub { $server->resumed > $resumed }),
        'the order is taken up again');
    is_deeply([ unanswered() ], [], 'with the same tokens');
    is($ca->orders, 1, 'the same order');
}
is($server->resumed, 3, 'the log says so');

$proxy->release;
my $issued = $server->issued('example.test');
ok($issued, 'and it is finished');
ok(wait_for(sub { !pending() }), 'nothing is pending any more');
$ca->judge(1);

my $connections = $proxy->connections;
my $reloads = $server->reloads;
kill_supervisor('idle');
is($server->shows('example.test')->{fingerprint}, $issued->{fingerprint},
    'the certificate is served without a helper');
reload();
ok(wait_for(sub { $server->lock_holders }), 'the store has a keeper again');
is($server->shows('example.test')->{fingerprint}, $issued->{fingerprint},
    'the certificate is served with the new one');
is($proxy->connections, $connections, 'the CA is not called');
$ca->judge(1);
my @errors = grep { /\[(error|alert|emerg)\]/ && !($is_parent
    && /the helper has ended unexpectedly: it is started again/) }
    split /\n/, $server->acme_log;
is_deeply(\@errors, [], 'no error is logged');
SKIP: {
    skip 'httpd starts a new one at once', 1 if $is_parent;
    my $ended = () = $server->acme_log
        =~ /\[warn\] .*acme: the helper had ended: a new one is started/g;
    is($ended, 4, 'the log says each time that it was gone');
}

$t->done;

sub kill_supervisor {
    my ($when) = @_;
    my $master = $server->running;
    my @helpers = $server->helpers;

    cmp_ok(scalar @helpers, '>=', 2, "$when: there is a helper");
    kill 'KILL', $server->helper('supervisor');
    ok(wait_for(sub { !grep { alive($_) } @helpers }),
        "$when: the others end with the supervisor");
    ok($is_parent || $server->helpless, 'all of them');
    is_deeply([ $is_parent ? () : $server->lock_holders ], [],
        'nobody holds the store');
    is($server->running, $master, 'the server runs');
}

sub reload {
    $server->reload;
    pass('a reload');
    ok($server->helper('supervisor'), 'brings a new supervisor');
    ok($server->helper('keeper'), 'and a keeper');
}

sub pending {
    my @folders = glob $server->state_path . '/pending/*';
    return scalar @folders;
}

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
