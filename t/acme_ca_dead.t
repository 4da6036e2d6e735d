#!/usr/bin/perl

# Tests for a CA that is dead for the whole life of a certificate: it serves to
# its end and after it, since an expired one is better than a placeholder, and
# when the CA is back it is renewed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->fake_ca(plans => { 'example.test' => { life => [ 0, 28 ] } });
my $server = $t->server(ca => $ca,
    sites => [ { names => 'example.test', status => 204 } ])->start;
ok($server->says(qr/certificate obtained/), 'a certificate of a short life');
$ca->stop;
my $shown = $server->issued('example.test');
ok($shown, 'is served');

my $line = $server->says(qr/ example\.test: .*attempt 1 failed/);
like($line, qr/the CA could not be reached: .*; the present certificate stays in service; attempt 1 failed, the next is at \d{4}-/,
    'the renewal fails, the log says what is served');
serves('the CA is dead');
ok(wait_for(sub { $shown->{end} lt time_text(time) }), 'the life is over');
serves('expired');
$server->reload;
serves('expired, after a reload');
ok($server->says(qr/attempt 2 failed/), 'which is worth an attempt');
$server->stop_all;
$server->start;
ok($server->idle, 'a restart');
serves('expired, after a restart');

# The CA is back, and has forgotten us; the next attempt comes.
$ca->plan('example.test', life => [ 0, 90 * 86400 ]);
$server->stop_all;
$server->plan('example.test', next_attempt => '2020-01-01T00:00:00Z');
$ca->start;
$server->start;
ok(wait_for(sub { ($server->shows('example.test')->{serial} || '')
    ne $shown->{serial} }), 'the CA is back: renewed');
like($server->shows('example.test')->{issuer}, qr/Fake CA/, 'by the CA');
is($ca->orders, 2, 'by one more order');
is($server->plan('example.test')->{failures}, 0, 'the failures are forgotten');

$t->done;

sub serves {
    my ($when) = @_;

    wait_for(sub { $server->settled });
    is(($server->check)[0], 0, "$when: -t passes");
    like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/,
        "$when: the site works");
    is($server->shows('example.test')->{serial}, $shown->{serial},
        "$when: it is served");
}
