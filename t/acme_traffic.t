#!/usr/bin/perl

# Tests for reloads under traffic: no new connection fails, whoever asked for
# the reload.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, workers => 2,
    sites => [ { names => 'a.test' } ])->start;
ok($server->issued('a.test'), 'a certificate is served');
ok(wait_for(sub { $server->settled }), 'by every worker');

my $stop = $t->path('stop');
my @clients = map { "client$_" } 1 .. 4;
for my $client (@clients) {
    $t->spawn_code($client, sub {
        my $end = seconds() + 300;
        while (!-e $stop && seconds() < $end) {
            my $shown = handshake($t->port('https'), 'a.test');
            syswrite STDOUT, ($shown->{issuer} || 'failed') . "\n";
        }
    });
}
connect_more();

# An operator's reloads, and one of the keeper's own in between.
for (1 .. 5) {
    $server->reload;
    connect_more();
}
$server->reload(sites => [ { names => 'a.test' }, { names => 'b.test' } ]);
ok($server->issued('b.test'), 'another certificate arrives meanwhile');
for (1 .. 5) {
    $server->reload;
    connect_more();
}
spew($stop, '');

my @failed = grep { !/Pebble/ } lines();
cmp_ok(scalar lines(), '>=', 50, 'many connections were made');
is_deeply(\@failed, [], 'and none failed');
cmp_ok($server->reloads, '>=', 12, 'over a dozen reloads');

$t->done;

sub lines {
    my @lines = map { split /\n/, slurp($t->path("$_.log")) } @clients;
    return @lines;
}

# Traffic goes on for a while.
sub connect_more {
    my $before = lines();
    wait_for(sub { lines() >= $before + 8 });
}
