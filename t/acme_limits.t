#!/usr/bin/perl

# Tests for what Let's Encrypt allows, counted here: an order that it would
# refuse is not asked for, over restarts, and nobody else waits for it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $le = $t->preset(fake => 1);
my $ca = $le->production;
my $sites = [ map { { names => $_ } } qw(thrown.test kept.test) ];
my $server = $t->server(ca => $le, sites => $sites)->start;

# A container without a volume: each time the certificate is gone, though not
# what was counted.
ok($server->issued('kept.test'), 'a certificate that is kept');
for my $number (1 .. 5) {
    ok(wait_for(sub { $server->lives == 2 }), "certificate $number")
        or diag $server->acme_log;
    $server->stop_all;
    unlink $server->state_path . '/live/thrown.test'
        or die "live/thrown.test: $!";
    $server->start;
}

# The sixth is refused here, with the CA's words and the time.
my $line = $server->says(qr/ thrown\.test: .*too many certificates/);
like($line, qr/\[warn\] .*acme: thrown\.test: letsencrypt: rateLimited: too many certificates \(5\) already issued for this exact set of identifiers in the last 168h0m0s, retry after \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; counted here, the CA was not asked; hint: certificates are being thrown away: /,
    'the sixth in a week is refused here');
like($line, qr/; the order waits until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'and waits');
my ($until) = ($line || '') =~ /retry after (\S+);/;
my $wait = time_of($until) - time;
cmp_ok($wait, '<=', 7 * 86400 / 5, 'until one of them comes back');
cmp_ok($wait, '>', 7 * 86400 / 5 - 900, 'which takes a fifth of a week');
is($ca->requests('newOrder', 'thrown.test'), 5, 'the CA was asked five times');
is($server->plan('thrown.test')->{problem}, 'rateLimited',
    'the plan says why');

# Over a restart and a reload it still waits, and a new name does not.
$server->stop_all;
$server->start;
$server->configure(sites => [ @$sites, { names => 'new.test' } ]);
$server->reload;
ok($server->issued('new.test'), 'another name is issued meanwhile');
$server->reload;
ok($server->idle, 'after another reload');
is($ca->requests('newOrder', 'thrown.test'), 5,
    'no start and no reload asks the CA again');
is($ca->requests('newOrder', 'kept.test'), 1, 'nothing else is ordered');

# A damaged file is a warning: then the CA counts alone.
$server->stop_all;
spew($server->state_path . '/limits.json', '{"cas":');
$server->start;
ok($server->says(qr/limits\.json is damaged: /), 'a damaged file is told');
ok(wait_for(sub { $ca->requests('newOrder', 'thrown.test') == 6 }),
    'and it is ordered');
ok($server->issued('thrown.test'), 'and issued');

$ca->judge(8);
$t->done;
