#!/usr/bin/perl

# Tests for renewal information (RFC 9773): the CA says when it wants a
# certificate renewed, and is told what an order replaces.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(strict => 1, reject => 50);
if (!$ca->has_renewal_info) {
    plan(skip_all => 'this Pebble has no renewal information: name one of 2.8 or newer in PEBBLE');
}
my $why = 'https://ca.test/why?incident=';
my $told = $t->path('told');
my $program = $t->path('told.sh');
mkdir $told;
chmod 0777, $told;
spew($program, "#!/bin/sh\n{ echo \"\$1 \$2 \$(cat)\"; } >>$told/log\n");
chmod 0755, $program;
my $server = $t->server(ca => $ca, global => "acme_event $program;",
    sites => [ { names => 'a.test' } ])->start;
my @both = ('b.test', 'b.test+rsa');   # a certificate of two key types
my $first = $server->issued('a.test');

# The CA is asked as soon as the certificate is there.
ok(wait_for(sub { ari()->{chosen} }), 'the CA was asked');
my $known = ari();
ok($known->{start} le $known->{chosen} && $known->{chosen} lt $known->{end},
    'a moment of its window is chosen');
cmp_ok(seconds_from_now($known->{poll_at}), '>', 5 * 3600,
    'it is asked again when it says');
my ($key_id) = $known->{cert_id} =~ /^([\w-]+)\.[\w-]+$/;
ok($key_id, 'the certificate has an identifier');

ok($server->says(qr/a\.test: installed: /), 'the certificate is in service');

# A restart asks nothing and chooses nothing.
my $questions = $ca->renewal_questions;
$server->stop_all;
$server->start;
ok($server->idle, 'started again');
is($ca->renewal_questions, $questions, 'the CA is not asked again');
is_deeply(ari(), $known, 'the moment is the same');
ok(!$server->helpers('agent'), 'there is no agent');

# Another window.
ask_again(window(3600 * 24 * 30, 3600 * 24 * 31, "${why}1"));
my $line = $server->says(qr/ a\.test: .*the CA now asks for renewal between/);
like($line, qr/\Q, for the reason given at ${why}1;\E/, 'the window has moved: the log says why');
my $moved = ari();
ok($moved->{start} le $moved->{chosen} && $moved->{chosen} lt $moved->{end},
    'a moment of the new window is chosen');
cmp_ok($moved->{start}, 'ne', $known->{start}, 'which is another one');
is($ca->orders, 1, 'nothing is ordered');
ok(wait_for(sub { slurp("$told/log") =~ /^ari-changed a\.test /m }),
    'acme_event is told');
like(slurp("$told/log"), qr/^ari-changed .*"renewal":\{"start":"\Q$moved->{start}\E","end":"\Q$moved->{end}\E","chosen":"\Q$moved->{chosen}\E","explanation":"\Q${why}1\E"\}/m,
    'the window, the moment and the reason');

# No answer that can be used: what is known stays.
for my $answer (window(3600 * 24, 3600 * 12, ''), '<html>') {
    ask_again($answer);
    ok(wait_for(sub { ari()->{failures} == 1 }), 'a failed question is noted');
    is(ari()->{chosen}, $moved->{chosen}, 'the moment stays');
    my $pause = seconds_from_now(ari()->{poll_at});
    ok($pause > 60 && $pause < 3600, 'it is asked again soon');
}
is($ca->orders, 1, 'nothing is ordered');

# In the past.
ask_again(window(-3600, -3540, "${why}2"));
ok($server->says(qr/\[warn\].* a\.test: .*asks for renewal between .*\Q${why}2;\E/),
    'a window in the past: a warning');
ok($server->says(qr/ a\.test: .*the CA asks for this renewal between .*\Q${why}2\E$/),
    'the renewal is told with its reason');
ok(wait_for(sub {
    my $print = $server->shows('a.test')->{fingerprint};
    return $print && $print ne $first->{fingerprint};
}), 'the new certificate is served');
is($ca->orders, 2, 'by one order');
is($ca->replaced, 1, 'which says what it replaces');
ok(wait_for(sub { my $ari = ari(); $ari->{chosen}
    && $ari->{cert_id} ne $known->{cert_id} }), 'the CA was asked about the new one');
cmp_ok(seconds_from_now(ari()->{chosen}), '>', 3600 * 24,
    'which is to be renewed later');

# The old one comes back, as from a backup: the CA has seen it replaced.
$server->stop_all;
my $live = $t->path('state/live/a.test');
my $target = readlink $live;
(my $before = $target) =~ s{(\d+)$}{sprintf '%0*d', length $1, $1 - 1}e;
unlink $live;
symlink $before, $live or die "$live: $!";
$server->start;
ok($server->says(qr/ a\.test: .*newOrder: alreadyReplaced: .*; ordering again without/),
    'the CA refuses what is replaced twice');
ok(wait_for(sub { readlink $live ne $before }),
    'a certificate comes nevertheless');
is($ca->failed_validations, 0, 'no validation failed');
my @failed = grep { /attempt \d+ failed/ } split /\n/, $server->acme_log;
is_deeply(\@failed, [], 'no attempt failed');

# Two key types: each is asked about, and one decision is made for both.
my $replaced = $ca->replaced;
$server->reload(sites => [ { names => 'a.test' }, { names => 'b.test',
    acme => 'acme_key ecdsa:256 rsa:2048;' } ]);
ok(wait_for(sub { @both == grep { ari($_)->{chosen} } @both }),
    'the CA was asked about both key types');
my @ids = map { ari($_)->{cert_id} } @both;
isnt($ids[0], $ids[1], 'which are two certificates');
sleep 1;    # it is known later than they were obtained
ask_again(window(-3600, -3540, "${why}3"), 'b.test+rsa', 'fullchain.rsa.pem');
ok($server->says(qr/ b\.test: rsa:2048: .*\Q${why}3;\E/),
    'one of them is to be renewed');
ok(wait_for(sub { my @new = map { ari($_)->{cert_id} || $ids[0] } @both;
    !grep { my $id = $_; grep { $_ eq $id } @new } @ids }), 'both are');
is($ca->replaced, $replaced + 2, 'and each says what it replaces');

$t->done;

sub ari {
    my ($name) = @_;
    return $server->plan($name || 'a.test')->{ari} || {};
}

sub seconds_from_now { return time_of($_[0]) - time }

# What the CA says, in seconds from now.
sub window {
    my ($start, $end, $explanation) = @_;
    my ($from, $until) = map { time_text(time + $_) } $start, $end;
    return qq({"suggestedWindow":{"start":"$from","end":"$until"},)
        . qq("explanationURL":"$explanation"});
}

# The CA has changed its mind, and the time to ask it has come.
sub ask_again {
    my ($answer, $plan, $file) = @_;

    $plan ||= 'a.test';
    $file ||= 'fullchain.pem';
    (my $folder = $plan) =~ s/\+.*//;
    $server->stop_all;
    ok($ca->set_renewal_info(slurp($t->path("state/live/$folder/$file")),
        $answer), 'the CA has another answer');
    $server->plan($plan, ari => { %{ ari($plan) }, failures => 0,
        poll_at => '2020-01-01T00:00:00Z' });
    $server->start;
}

