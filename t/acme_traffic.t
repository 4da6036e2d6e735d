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
        my $end = seconds() + 60;
        while (!-e $stop && seconds() < $end) {
            my $shown = handshake($t->port('https'), 'a.test');
            syswrite STDOUT, ($shown->{issuer} || 'failed') . "\n";
        }
    });
}
wait_for(sub { 4 == grep { slurp($t->path("$_.log")) ne '' } @clients });

# An operator's reloads, and one of the keeper's own in between.
$server->reload for 1 .. 5;
$server->reload(sites => [ { names => 'a.test' }, { names => 'b.test' } ]);
ok($server->issued('b.test'), 'another certificate arrives meanwhile');
$server->reload for 1 .. 5;
spew($stop, '');

my @lines = map { split /\n/, slurp($t->path("$_.log")) } @clients;
my @failed = grep { !/Pebble/ } @lines;
cmp_ok(scalar @lines, '>', 50, 'many connections were made');
is_deeply(\@failed, [], 'and none failed');
cmp_ok($server->reloads, '>=', 12, 'over a dozen reloads');

$t->done;
