#!/usr/bin/perl

# Tests for nginx and httpd at once on one state path: one keeper only. The
# second server is a follower: it says so, answers the tokens of the first,
# serves from the store, reloads itself when there is something new, and takes
# over when the first goes. Whichever of the two is the first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

for my $order ([ 'nginx', 'httpd' ], [ 'httpd', 'nginx' ]) {
    subtest "$order->[1] follows $order->[0]" => sub { follow(@$order) };
}
done_testing();

sub follow {
    my ($leads, $follows) = @_;
    my $t = ACME::Test->new(both => 1);
    my ($port, $also) = map { $t->port($_) } qw(https httpsb);

    # The CA comes to the follower: whose tokens it answers, it knows only
    # from the first.
    my $ca = $t->pebble(reject => 0, http => $t->port('httpb'));
    my $proxy = $t->proxy(ca => $ca, hold => 1);
    my %site = (names => 'example.test www.example.test', status => 204);
    my %own = (names => 'own.test', plain => ['httpb'], tls => ['httpsb']);

    my $first = $t->server(kind => $leads, name => $leads, ca => $proxy,
        sites => [ \%site ])->start;
    my $keeper = $first->helper('keeper');
    ok(wait_for(sub { $proxy->held >= 2 }), "$leads has an order in validation");
    my $second = $t->server(kind => $follows, name => $follows, ca => $proxy,
        sites => [ { %site, plain => ['httpb'], tls => ['httpsb'] }, \%own ]);
    $second->start;
    ok($second->says(qr/\[notice\] .*acme: waiting: another helper has the store/),
        "$follows says what it waits for");
    my $waiting = $second->helper('keeper');
    is_deeply([ $first->lock_holders ], [ $keeper ],
        "the keeper of $leads has the store");

    my @tokens = $proxy->tokens;
    my @wrong = grep { token($t->port('httpb'), $_) !~ /^\Q$_\E\./ } @tokens;
    is_deeply(\@wrong, [], "$follows answers the tokens of $leads");
    like($second->shows('example.test', $also)->{issuer},
        qr/ACME placeholder/, 'and serves a placeholder');
    $proxy->release;
    my $shown = $first->issued('example.test', $port);
    ok($shown, "$leads obtains a certificate");
    is(shown($second, $also, issuer => $shown->{issuer}), $shown->{fingerprint},
        "$follows serves it");
    ok(wait_for(sub { $second->reloads == 1 }), 'having reloaded itself');
    $ca->judge(1);

    # What only the follower has.
    ok($second->says(qr/\[error\] .*acme: own\.test: no certificate is obtained/),
        'a name of the follower alone is an error');
    my $directive = $follows eq 'httpd' ? 'AcmeStatePath' : 'acme_state_path';
    like($second->log, qr/acme: own\.test: .* name it there too, or use another \Q$directive\E$/m,
        'in the words of its own configuration');
    like($second->shows('own.test', $also)->{issuer}, qr/ACME placeholder/,
        'it has a placeholder');

    # The settings change, of the follower first: the first renews.
    $second->reload(global => 'acme_key rsa:2048;');
    ok(wait_for(sub { !alive($waiting) }), 'new settings of the follower');
    is_deeply([ $first->lock_holders ], [ $keeper ], 'leave the first alone');
    ok(wait_for(sub { waits($second) >= 2 }), 'it waits again');
    sleep 5;   # so long that it knows: that is another server's keeper
    my $reloads = $second->reloads;
    $first->reload(global => 'acme_key rsa:2048;');
    ok(wait_for(sub { !alive($keeper) && $first->lock_holders }),
        "new settings of $leads");
    is_deeply([ $first->lock_holders ], [ $first->helper('keeper') ],
        'do not give the store away');
    my $renewed = shown($first, $port, key => 'rsa:2048');
    ok($renewed, "$leads obtains a new certificate");
    is(shown($second, $also, key => 'rsa:2048'), $renewed,
        "$follows serves the new one");
    cmp_ok($second->reloads, '>', $reloads, 'having reloaded itself again');
    $ca->judge(2);

    # The first goes.
    my ($old) = $first->lock_holders;
    $first->stop;
    my $owner = $second->helper('keeper');
    ok(wait_for(sub { join(' ', $second->lock_holders) eq $owner }),
        "$leads ends: the keeper of $follows takes the store");
    ok(!alive($old), 'the other one is gone');
    is(shown($second, $also, key => 'rsa:2048'), $renewed,
        'the certificate stays');
    ok($second->issued('own.test', $also),
        'what nobody looked after is obtained');
    $ca->judge(3);

    # It comes again, as the follower.
    my $waits = waits($first);
    $first->start;
    ok(wait_for(sub { waits($first) > $waits }), "$leads comes again, and waits");
    is_deeply([ $second->lock_holders ], [ $owner ],
        "$follows keeps the store");
    is(shown($first, $port, key => 'rsa:2048'), $renewed, 'both serve');
    $ca->judge(3);
    is($ca->accounts, 1, 'one account');
    $t->done;
}

# How often a keeper has said that it waits.
sub waits {
    my ($server) = @_;
    my $count = () = $server->acme_log
        =~ /waiting: another helper has the store/g;
    return $count;
}

sub token {
    my ($port, $token) = @_;
    return curl('-H', 'Host: example.test',
        "http://127.0.0.1:$port/.well-known/acme-challenge/$token");
}

# The fingerprint of what a server shows, once it is like this.
sub shown {
    my ($server, $port, $key, $value) = @_;
    my $shown = wait_for(sub {
        my $shown = $server->shows('example.test', $port);
        return ($shown->{$key} || '') eq $value && $shown;
    });
    return $shown && $shown->{fingerprint};
}
