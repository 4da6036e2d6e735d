#!/usr/bin/perl

# Tests for the whole path: two lines in the configuration, a placeholder at
# once, the CA's certificate soon after, by http-01 ahead of a redirect.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(sleep => 2);
my $server = $t->server(ca => $ca, sites => [
    { names => 'example.test www.example.test api.example.test',
        redirect => 1 },
])->start;

my $first = $server->shows('example.test');
like($first->{issuer}, qr/ACME placeholder/, 'a placeholder at once');
is($first->{names}, 'example.test', 'for the name');

my $shown = $server->issued('www.example.test');
ok($shown, 'then a certificate of the CA');
is($shown->{names}, 'api.example.test example.test www.example.test',
    'one certificate for all three names');
is($shown->{key}, 'ecdsa:256', 'with an ECDSA key');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 301 .*Location: https/s,
    'the site redirects as before');

$ca->judge(1);
is($server->reloads, 1, 'one reload');
is($ca->accounts, 1, 'one account');

my $log = $server->acme_log;
like($log, qr/\[notice\] .*acme: example\.test: 127\.0\.0\.1:\d+: certificate obtained: 3 names, issuer "Pebble/,
    'the log says what was obtained, with name and CA');
unlike($log, qr/\[(error|alert|emerg)\]/, 'and has no error');

# What is known of the processes.
my ($keeper, $agent) = map { $server->helper($_) } qw(keeper agent);
my %status = map { $_ => slurp("/proc/$_/status") } $keeper, $agent;
my $nobody = getpwnam 'nobody';

for my $role ([ keeper => $keeper ], [ agent => $agent ]) {
    my ($name, $pid) = @$role;
    like($status{$pid}, qr/^Seccomp:\s+2$/m, "the $name is filtered");
    like($status{$pid}, qr/^NoNewPrivs:\s+1$/m,
        "the $name gains no privileges");
}
SKIP: {
    skip 'not root', 3 if $> != 0;
    like($status{$agent}, qr/^Uid:\s+$nobody\s+$nobody\s+$nobody/m,
        'the agent is nobody');
    like($status{$agent}, qr/^Groups:\s*$/m, 'in no group');
    like($status{$agent}, qr/^CapEff:\s+0+$/m, 'without capabilities');
}
my @fds = map { readlink } glob "/proc/$agent/fd/*";
is_deeply([ grep { m{/state|memfd} } @fds ], [],
    'and has neither the store nor the page open');

my ($worker) = $server->workers;
@fds = map { readlink } glob "/proc/$worker/fd/*";
is_deeply([ grep { /acme/ } grep { !/\.log/ } @fds ], [],
    'a worker has nothing of ours open');
like(slurp("/proc/$worker/maps"), qr/ r--s .*acme-page/,
    'and the shared page only for reading');

$t->done;
