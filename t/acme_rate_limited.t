#!/usr/bin/perl

# Tests for a name that the CA limits, among others: the others are issued in
# the normal course, and it waits until the time that the CA has named.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use POSIX ();

my $t = ACME::Test->new;
my @names = ('limited.test', map { "free$_.test" } 1 .. 19);
my $ca = $t->fake_ca(plans => { 'limited.test' => { newOrder => [
    limit('too many certificates (5) already issued for this exact set of '
        . 'identifiers in the last 168h0m0s', 'Retry-After: 7200') ] } });
my $server = $t->server(ca => $ca,
    sites => [ map { { names => $_ } } @names ])->start;
my $begin = seconds();

# The others. Any pause would be one of a minute.
ok(wait_for(sub { $ca->issued == 19 && $server->lives == 19 }),
    'the other 19 are issued') or diag $server->acme_log;
cmp_ok(seconds() - $begin, '<', 50, 'in the normal time');
is($ca->requests('newOrder', $_), 1, "$_: with one order")
    for grep { $_ ne 'limited.test' } @names;

# The one.
my $line = $server->says(qr/ limited\.test: .*attempt 1 failed/);
like($line, qr/newOrder: rateLimited: too many certificates \(5\) already issued for this exact set of identifiers.*; hint: certificates are being thrown away: /,
    'the CA\'s own words and a hint');
my $plan = $server->plan('limited.test');
my $wait = time_of($plan->{next_attempt}) - time_of($plan->{failed_at});
cmp_ok($wait, '>=', 7100, 'the next attempt is when the CA says');
cmp_ok($wait, '<=', 7210, 'and not later');   # two processes, two clocks

# Another one, of which only the words have the time.
my $then = POSIX::strftime('%Y-%m-%d %H:%M:%S', gmtime(time + 3600));
$ca->plan('worded.test', newOrder => [ limit('too many requests '
    . "for worded.test, retry after $then UTC: see https://ca.test/limits") ]);
$server->reload(sites => [ map { { names => $_ } } @names, 'worded.test',
    'late.test' ]);
ok($server->says(qr/ worded\.test: .*attempt 1 failed/), 'a time in words');
is(time_of($server->plan('worded.test')->{next_attempt}),
    time_of(($then =~ s/ /T/r) . 'Z'), 'is the time');

# Neither a reload nor a restart shortens it, nor makes anyone else wait.
$server->stop_all;
$server->start;
$server->reload(sites => [ map { { names => $_ } } @names, 'worded.test',
    'late.test', 'later.test' ]);
ok($server->issued($_), "$_ is issued") for qw(late.test later.test);
ok($server->idle, 'nothing else goes on');
is($ca->requests('newOrder', $_), 1, "$_: the CA was asked once")
    for qw(limited.test worded.test);
is($server->plan('limited.test')->{next_attempt}, $plan->{next_attempt},
    'the time is still the same');

# When it has come: what the plan says, and what limits.json does.
my %passed = map { $_ => '2020-01-01T00:00:00Z' } qw(next_attempt retry_at);
my $limits = $server->state_path . '/limits.json';
$server->stop_all;
$server->plan('limited.test', %passed);
like(slurp($limits), qr/"sets-held":\{"/, 'the CA\'s word is on disk');
$server->start;
$line = $server->says(qr/ limited\.test: .*the order waits until/);
like($line, qr/rateLimited: too many certificates already issued for this exact set of identifiers, retry after \S+; the CA has said so before and was not asked again/,
    'the CA is not asked before its time');
$server->stop_all;
$server->plan('limited.test', %passed);
spew($limits, slurp($limits) =~ s/"sets-held":\{[^}]*\}/"sets-held":{}/r);
$server->start;
ok($server->issued('limited.test'), 'the limited one is issued');

is($ca->issued, 22, 'all but the one that still waits');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');
$t->done;

sub limit {
    my ($detail, @headers) = @_;
    return { status => 429, headers => \@headers,
        problem => { type => 'rateLimited', detail => $detail } };
}
