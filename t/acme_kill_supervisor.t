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
my $nginx = $t->nginx(ca => $proxy, servers => <<'END')->start;
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
    my $resumed = $nginx->resumed;
    kill_supervisor("in mid-order, $n");
    is_deeply([ unanswered() ], [], 'the tokens are answered without a helper');
    reload();
    ok(wait_for(sub { $nginx->resumed > $resumed }),
        'the order is taken up again');
    is_deeply([ unanswered() ], [], 'with the same tokens');
    is($ca->orders, 1, 'the same order');
}
is($nginx->resumed, 3, 'the log says so');

$proxy->release;
my $issued = $nginx->issued('example.test');
ok($issued, 'and it is finished');
ok(wait_for(sub { !pending() }), 'nothing is pending any more');
$ca->judge(1);

my $connections = $proxy->connections;
my $reloads = $nginx->reloads;
kill_supervisor('idle');
is($nginx->shows('example.test')->{fingerprint}, $issued->{fingerprint},
    'the certificate is served without a helper');
reload();
ok(wait_for(sub { $nginx->lock_holders }), 'the store has a keeper again');
is($nginx->shows('example.test')->{fingerprint}, $issued->{fingerprint},
    'the certificate is served with the new one');
is($proxy->connections, $connections, 'the CA is not called');
$ca->judge(1);
my $ended = () = $nginx->acme_log
    =~ /\[warn\] .*acme: the helper had ended: a new one is started/g;
is($ended, 4, 'the log says each time that it was gone');
unlike($nginx->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');

$t->done;

sub kill_supervisor {
    my ($when) = @_;
    my $master = $nginx->running;
    my @helpers = $nginx->helpers;

    cmp_ok(scalar @helpers, '>=', 2, "$when: there is a helper");
    kill 'KILL', $nginx->helper('supervisor');
    ok($nginx->helpless, "$when: the others end with the supervisor");
    ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of them');
    is_deeply([ $nginx->lock_holders ], [], 'nobody holds the store');
    is($nginx->running, $master, 'the server runs');
}

sub reload {
    ok($nginx->signal('reload'), 'a reload');
    ok($nginx->helper('supervisor'), 'brings a new supervisor');
    ok($nginx->helper('keeper'), 'and a keeper');
}

sub pending {
    my @folders = glob $nginx->state_path . '/pending/*';
    return scalar @folders;
}

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $nginx->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
