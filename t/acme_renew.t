#!/usr/bin/perl

# Tests for acme_renew: a certificate is renewed when the operator wants it,
# not when the CA does, unless that wants it replaced; and never in the first
# half of its life.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $short = $t->pebble(validity => 60, reject => 0);
my $long = $t->pebble(reject => 0);
my $server = $t->server(ca => $short, global => 'acme_ca_certificate '
    . $long->trust . ' for=' . $long->url . ';', sites => [
    { names => 'early.test', acme => 'acme_renew 30d;' },
    { names => 'late.test', acme => 'acme_renew 2%;' },
    { names => 'long.test', acme => 'acme_renew 10d; acme_ca '
        . $long->url . ';' },
])->start;
my ($first) = map { $server->issued($_)->{serial} }
    qw(long.test early.test late.test);

like($server->says(qr/\[warn\].* early\.test: .*acme_renew/),
    qr/acme_renew 30d is in the first half of the life of this certificate, .*: it is renewed in the middle$/,
    'what is too early is told');
unlike($server->acme_log, qr/(?:late|long)\.test: .*acme_renew \d/,
    'what is not is no matter');

SKIP: {
    skip 'this Pebble has no renewal information: name one of 2.8 or newer '
        . 'in PEBBLE', 7 if !$long->has_renewal_info;

    ok(wait_for(sub { ari()->{chosen} }), 'the CA was asked');
    # It wants it now, but not urgently.
    ask_again(-3600, 3600);
    my ($due) = $server->says(qr/ long\.test: .*the CA now asks for renewal/)
        =~ /it is due at (\d{4}-\S+)$/;
    cmp_ok($due, 'gt', at(70 * 24 * 3600), 'the operator\'s wish counts');
    is($long->orders, 1, 'nothing is ordered');
    # It wants it replaced.
    ask_again(-7200, -3600);
    ok(wait_for(sub {
        $server->shows('long.test')->{serial} ne $first
    }), 'a window in the past is another matter');
    is($long->orders, 2, 'by one order');
}

ok(wait_for(sub { generation('early.test') == 2 }),
    'one is renewed in the middle of its life');
is(generation('late.test'), 1, 'the other one is not');
is($_->failed_validations, 0, 'no validation failed') for $short, $long;

$t->done;

# Of those in the store: renewals wait for each other before a reload.
sub generation {
    my ($name) = @_;
    my ($number) = (readlink($server->state_path . "/live/$name") || '')
        =~ /(\d+)$/;
    return $number || 0;
}

sub ari { return $server->plan('long.test')->{ari} || {} }

sub at { return time_text(time + $_[0]) }

# The CA has another window, in seconds from now, and is asked.
sub ask_again {
    my ($start, $end) = map { at($_) } @_;

    $server->stop_all;
    ok($long->set_renewal_info(slurp($t->path(
        'state/live/long.test/fullchain.pem')),
        qq({"suggestedWindow":{"start":"$start","end":"$end"}})),
        'the CA has another answer');
    $server->plan('long.test', ari => { %{ ari() }, failures => 0,
        poll_at => '2020-01-01T00:00:00Z' });
    $server->start;
}
