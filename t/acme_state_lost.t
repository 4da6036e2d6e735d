#!/usr/bin/perl

# Tests for files of the store that are removed under the running server, as
# an operator does who wants to begin anew: with the next reload the
# certificates are obtained again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Path qw(remove_tree);

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, sites => [ { names => 'example.test' } ])
    ->start;
my $state = $server->state_path;
my $orders = 1;

ok($server->issued('example.test'), 'a certificate is obtained');
ok(wait_for(sub { $server->reloads == 1 }), 'and loaded');

rename $state, "$state.old";
$server->signal('reload');
ok(wait_for(sub { $server->lives == 1 }),
    'the folder moved away: a new one has a new certificate');
$ca->judge(++$orders);

for my $lost ([ "$state/live/example.test" ],
    [ glob("$state/live/* $state/certs/*") ], [ glob("$state/*") ],
    [ $state ])
{
    my $serial = $server->issued('example.test')->{serial};

    remove_tree(@$lost);
    $server->signal('reload');
    ok(wait_for(sub { my $shown = $server->issued('example.test');
            $shown && $shown->{serial} ne $serial }),
        "@{[ scalar @$lost ]} removed, from $lost->[0] on: obtained again");
    $ca->judge(++$orders);
}

$t->done;
