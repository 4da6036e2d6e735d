#!/usr/bin/perl

# Tests for a clock that is a year ahead or behind, while the helper runs and
# when it starts: the certificate stays in service, orders come by ones, and
# when the clock is right again nothing waits for the wrong time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Shim;

use constant { DAY => 86400, YEAR => 365 * 86400 };

my $t = ACME::Test->new;
my $clock = ACME::Test::Shim->clock($t);
my @sites = map { { names => $_, status => 204 } } qw(example.test fresh.test);

# The CA's own HTTPS is in date all the time: made two years ago, for four.
my $ca = do {
    my %environment = $clock->environment;
    local @ENV{ keys %environment } = values %environment;
    $clock->ahead(-2 * YEAR);
    ACME::Test::FakeCA->new($t, days => 4 * 365);
};
$clock->ahead(0);
$ca->start;

my $server = $t->server(ca => $ca, helper => $clock->{file},
    sites => [ $sites[0] ])->start;
my $shown = $server->issued('example.test');
ok($shown, 'a certificate, when the clock is right');
is($ca->orders, 1, 'by one order');

# A year ahead: it looks expired, and so does what the CA issues.
set(YEAR, 'ahead');
my $line = $server->says(qr/ example\.test: .*attempt 1 failed/);
like($line, qr/it has expired \(if not, this machine's clock is wrong\)/,
    'a year ahead: the log doubts the clock');
like($line, qr/the present certificate stays in service/,
    'and says what is served');
$server->reload;
ok($server->says(qr/attempt 2 failed/), 'the operator is given one attempt');
$server->reload for 1 .. 2;
serves('a year ahead');
restart();
serves('a start, a year ahead');
cmp_ok($ca->orders, '<=', 3, 'some orders, no storm') or diag($ca->orders);

# Right again: nothing is due, and nothing is ordered.
my $orders = $ca->orders;
set(0, 'back');
serves('right again');
is($ca->orders, $orders, 'right again: nothing is ordered');

# It is due when its time has come.
set(70 * DAY, 'ahead');
ok(wait_for(sub { ($server->shows('example.test')->{serial} || '')
    ne $shown->{serial} }), 'after 70 days it is renewed');
wait_for(sub { $server->settled });
$shown = $server->shows('example.test');
is($ca->orders, $orders + 1, 'by one order');

# A year behind: it is not valid yet, and new ones are not either.
set(-YEAR, 'back');
serves('a year behind');
restart(sites => \@sites);
serves('a start, a year behind');
is($ca->requests('newOrder', 'example.test'), $orders + 1,
    'nothing is ordered for it');
like($server->says(qr/ fresh\.test: .*attempt 1 failed/),
    qr/it is not valid yet \(if it is, this machine's clock is wrong\)/,
    'a new one is not taken, and the log doubts the clock');

# Right again: the pause that was left is over, the same order goes on.
set(0, 'ahead');
ok($server->issued('fresh.test'), 'right again: it is taken');
is($ca->requests('newOrder', 'fresh.test'), 1, 'by the same order');
serves('right again');
is($ca->requests('newOrder', 'example.test'), $orders + 1,
    'nothing is ordered for the other one');
is($ca->failed_validations, 0, 'no validation failed');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');

$t->done;

# Set the clock; a reload of the operator's has the keeper look at it.
sub set {
    my ($ahead, $way) = @_;
    my $from = length $server->log;

    $clock->ahead($ahead);
    $server->reload;
    ok(wait_for(sub { substr($server->log, $from)
        =~ /the clock was set $way by \d+ seconds/ }),
        "the clock is set $way, and the keeper knows");
}

sub restart {
    my (%changes) = @_;

    $server->stop_all;
    $server->configure(%changes);
    $server->start;
    ok($server->idle, 'the server starts');
}

sub serves {
    my ($when) = @_;

    sleep 1;
    wait_for(sub { $server->settled });
    like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/,
        "$when: the site works");
    is($server->shows('example.test')->{serial}, $shown->{serial},
        "$when: the certificate is served");
}
