#!/usr/bin/perl

# Tests for twenty servers at once that redirect everything, behind an
# unrelated default_server with a certificate of its own.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $count = 20;
my $t = ACME::Test->new;
my $ca = $t->pebble(sleep => 3);
$t->certificate('unrelated.test');
my $server = $t->server(ca => $ca, workers => 2, sites => [
    { names => 'unrelated.test', default => 1, domain => undef,
        cert => 'unrelated.test', status => 404 },
    map { { names => "s$_.test www.s$_.test", redirect => 1 } } 1 .. $count,
])->start;

my @wrong = grep {
    $server->shows("s$_.test")->{issuer} !~ /placeholder|Pebble/;
} 1 .. $count;
is_deeply(\@wrong, [], 'every server answers at once');

@wrong = grep {
    my $shown = $server->issued("s$_.test");
    !$shown || $shown->{names} ne "s$_.test www.s$_.test";
} 1 .. $count;
is_deeply(\@wrong, [], 'and shows its own certificate soon');
$ca->judge($count);
is($ca->accounts, 1, 'one account');

my $unrelated = $server->shows('unrelated.test');
like($unrelated->{issuer}, qr/CN=unrelated\.test/,
    'the default server keeps its certificate');
is($server->shows('elsewhere.test')->{fingerprint}, $unrelated->{fingerprint},
    'and shows it to names that nobody serves');
like($server->get('/', 's7.test'), qr/^HTTP\S+ 301 .*Location: https/s,
    'the others still redirect');

$t->done;
