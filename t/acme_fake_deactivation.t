#!/usr/bin/perl

# Tests for what a failed order leaves behind at the CA: authorizations that
# are still pending are deactivated, for their number is limited; but not those
# of names that another order is about to prove.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my %problem = (type => 'caa', status => 403, detail => 'the zone forbids it');
my $ca = $t->fake_ca(plans => {
    'good.test' => { fails => { 'bad.test' => \%problem },
        pends => { 'slow.test' => 1, 'slower.test' => 1 } },
    'first.test' => { fails => { 'wrong.test' => \%problem },
        pends => { 'shared.test' => 1 } },
    'second.test' => { pends => { 'shared.test' => 1 } },
});
my $server = $t->server(ca => $ca, sites => [
    { names => 'second.test', domain => 'second.test shared.test' },
])->start;
ok(wait_for(sub { $ca->requests('challenge', 'second.test') >= 2 }),
    'an order is under way: a name takes its time');
$server->reload(sites => [ @{ $server->{sites} },
    { names => 'good.test bad.test slow.test slower.test' },
    { names => 'first.test wrong.test shared.test' } ]);

like($server->says(qr/ good\.test: .*attempt 1 failed/),
    qr/: validation: validation of bad\.test failed: http-01: caa: the zone forbids it; .*a placeholder certificate is served/,
    'one of four names fails: the log says which');
ok($server->says(qr/ first\.test: .*attempt 1 failed/),
    'another order fails while the shared name is pending in both');
is_deeply([ sort $ca->deactivated ], [ 'slow.test', 'slower.test' ],
    'what is pending of the failed order is deactivated, and no more');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');
unlike($server->acme_log, qr{\[warn\](?!.*is not on a volume)},
    'of which an operator need not hear');

# The order that goes on needs the name.
$ca->plan('second.test', pends => {});
ok($server->issued('second.test'), 'the other order ends well');

# Another time.
$ca->plan($_, fails => {}, pends => {}) for qw(good.test first.test);
$server->reload;
for my $name (qw(good.test first.test)) {
    ok($server->issued($name), "$name: issued another time");
}
is($ca->orders, 5, 'by an order each');
is($ca->issued, 3, 'of which each has one certificate');
is(scalar(my @all = $ca->deactivated), 2, 'nothing more is deactivated');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');

$t->done;
