#!/usr/bin/perl

# Tests for answers that never arrive, or arrive in part, after the CA has
# done what it was asked for: the order goes on from where it is, and there
# is one order for each certificate.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my @steps = qw(newOrder order authorization challenge finalize certificate);
my %plans;
for my $step (@steps) {
    my $name = lc $step;
    $plans{"$name-none.test"} = { $step => [ { close => 1 } ] };
    $plans{"$name-half.test"} = { $step => [ { cut => 1 } ] };
    $plans{"$name-torn.test"} = { $step => [ { malformed => 1 } ] }
        if $step ne 'certificate' && $step ne 'challenge';
}
# Several answers of one order.
$plans{'all.test'} = { finalize => [ { close => 1 } ], certificate =>
    [ { close => 1 } ], challenge => [ { close => 1 } ] };
my $ca = $t->fake_ca(plans => \%plans);
my @names = sort keys %plans;
my $server = $t->server(ca => $ca,
    sites => [ map { { names => $_ } } @names ])->start;

# A connection that breaks is made anew; else the attempt fails, saying so,
# and the operator wants another one.
for my $name (@names) {
    ok(wait_for(sub {
        $server->acme_log =~ / \Q$name\E: .*(?:certificate obtained|attempt 1 failed, the next is at)/;
    }), "$name: obtained, or an error is logged");
}
$server->reload;
for my $name (@names) {
    ok($server->issued($name), "$name is issued");
    is($server->live_pair($name), 'whole', "$name: with its key");
    is($ca->_count(qr/^order made: \d+ for \Q$name\E$/m), 1, "$name: one order");
    is($ca->_count(qr/^certificate issued: \d+ for \Q$name\E$/m), 1,
        "$name: one certificate");
}
unlike($server->acme_log, qr/attempt 2 failed/, 'no second failure');
unlike($server->acme_log, qr/authorization must be pending/,
    'a challenge whose answer was lost was told once');
cmp_ok($ca->requests, '<=', 25 * @names, 'no storm of requests');
$ca->judge(scalar @names);

$t->done;
