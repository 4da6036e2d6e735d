#!/usr/bin/perl

# Tests for two servers with one state path: never two keepers at work, the
# second server runs all the same, and its log says why it waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my %common = (ca => $proxy);
my %site = (names => 'example.test', status => 204);
my $first = $t->server(%common, sites => [ \%site ])->start;
ok(wait_for(sub { $proxy->held }), 'the first has an order in validation');
my @tokens = $proxy->tokens;
my $keeper = $first->helper('keeper');
my @first = $first->helpers;

my $second = $t->server(%common, name => 'second', sites => [
    { %site, plain => ['httpb'], tls => ['httpsb'] } ])->start;
ok($second->running, 'the second server starts');
my $waiting = $second->helper('keeper');
ok(wait_for(sub { $second->acme_log
    =~ m{\[notice\] .*acme: waiting: another helper has the store /\S+$}m }),
    'its log says what it waits for');
is_deeply([ $first->lock_holders ], [ $keeper ], 'the first has the store');
like($second->get('/', 'example.test', '--connect-to',
    '::127.0.0.1:' . $t->port('httpb')), qr/^HTTP\S+ 204/,
    'the second server answers');
for my $token (@tokens) {
    like(curl('-H', 'Host: example.test', 'http://127.0.0.1:'
        . $t->port('httpb') . "/.well-known/acme-challenge/$token"),
        qr/^\Q$token\E\./, 'also the tokens of the first');
}
for my $n (1 .. 5) {
    $second->reload;
}
is_deeply([ $first->lock_holders ], [ $keeper ],
    'five reloads of the second do not change that');
is_deeply([ grep { !alive($_) } @first ], [], 'or the helper of the first');

$proxy->release;
my $shown = $first->issued('example.test', $t->port('https'));
ok($shown, 'the first obtains and serves the certificate');
my $also = wait_for(sub {
    my $also = $second->shows('example.test', $t->port('httpsb'));
    return ($also->{issuer} || '') =~ /Pebble/ && $also;
});
is($also && $also->{fingerprint}, $shown->{fingerprint}, 'the second serves it too');
$ca->judge(1);

# The first ends: the second takes over.
$first->stop;
ok(wait_for(sub { join(' ', $second->lock_holders) eq $waiting }),
    'the keeper of the second takes the store');
is($second->issued('example.test', $t->port('httpsb'))->{fingerprint},
    $shown->{fingerprint}, 'and the certificate stays');
$ca->judge(1);

# And the other way round.
$first->start;
ok(wait_for(sub { $first->acme_log
    =~ /waiting: another helper has the store/ }),
    'started again, the first is the one that waits');
is_deeply([ $second->lock_holders ], [ $waiting ], 'the second keeps the store');
is($first->issued('example.test')->{fingerprint}, $shown->{fingerprint},
    'both serve');
$ca->judge(1);

$t->done;
