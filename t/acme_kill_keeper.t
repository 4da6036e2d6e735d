#!/usr/bin/perl

# Tests for kill -9 of the keeper: it comes back by itself and goes on with the
# same order; the tokens are answered all the time.

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

my $supervisor = $nginx->helper('supervisor');

for my $n (1 .. 3) {
    my $resumed = $nginx->resumed;
    my ($keeper, $agent) = map { $nginx->helper($_) } qw(keeper agent);
    kill 'KILL', $keeper;
    is_deeply([ unanswered() ], [], "in mid-order, $n: tokens are answered");
    ok($nginx->helper('keeper', $keeper), 'the keeper comes back');
    ok($nginx->helper('agent', $agent), 'with an agent of its own');
    ok(wait_for(sub { !alive($agent) }), 'the old agent is gone');
    ok(wait_for(sub { $nginx->resumed > $resumed }),
        'the order is taken up again');
    is_deeply([ unanswered() ], [], 'with the same tokens');
    is($ca->orders, 1, 'the same order');
}
is($nginx->helper('supervisor'), $supervisor, 'the supervisor stays');
is($nginx->resumed, 3, 'the log says so');

$proxy->release;
ok($nginx->issued('example.test'), 'and it is finished');
ok(wait_for(sub { $nginx->reloads == 1 }), 'by one reload');
$ca->judge(1);

# Idle.
my $connections = $proxy->connections;
my $keeper = $nginx->helper('keeper');
kill 'KILL', $keeper;
my $next = $nginx->helper('keeper', $keeper);
ok($next, 'idle: the keeper comes back');
ok(wait_for(sub { join(' ', $nginx->lock_holders) eq $next }),
    'and has the store');
$nginx->signal('reload');
ok(wait_for(sub { $nginx->reloads >= 2 }), 'a reload');
ok($nginx->issued('example.test'), 'the certificate is served');
is($nginx->helper('keeper'), $next, 'the new keeper stays');
is($proxy->connections, $connections, 'the CA is not called');
# What landed in the second of the last reload may not have been seen by it.
cmp_ok($nginx->reloads, '<=', 3, 'and one reload too many is asked for at most');
$ca->judge(1);
my $killed = () = $nginx->acme_log
    =~ /\[warn\] .*acme: the keeper was ended by signal 9 \(Killed\); a new one goes on/g;
is($killed, 4, 'each death is in the log');
unlike($nginx->acme_log, qr/\[(error|alert|emerg)\]/, 'no error is logged');

$t->done;

# The tokens of the order that the server does not answer.
sub unanswered {
    return grep { $nginx->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}
