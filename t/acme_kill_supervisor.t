#!/usr/bin/perl

# Tests for kill -9 of the supervisor: keeper and agent end with it, the server
# and its tokens stay, and the next reload brings a new helper.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, servers => <<'END')->start;
    server {
        listen 127.0.0.1:%HTTP%;
        listen 127.0.0.1:%HTTPS% ssl;
        server_name example.test www.example.test;
        acme_domain;
        return 301 https://$host$request_uri;
    }
END

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
unlike($server->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');

$t->done;

sub kill_supervisor {
    my ($when) = @_;
    my $master = $server->running;
    my @helpers = $server->helpers;

    cmp_ok(scalar @helpers, '>=', 2, "$when: there is a helper");
    kill 'KILL', $server->helper('supervisor');
    ok($server->helpless, "$when: the others end with the supervisor");
    ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of them');
    is_deeply([ $server->lock_holders ], [], 'nobody holds the store');
    is($server->running, $master, 'the server runs');
}

sub reload {
    ok($server->signal('reload'), 'a reload');
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
