#!/usr/bin/perl

# Tests for a server that is taken out of the configuration, and put back: its
# certificate is not renewed meanwhile, its files stay, and what is still good
# is served again without an order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
# one is due after 15 seconds
my $ca = $t->fake_ca(plans => { 'due.test' => { life => [ -570, 600 ] } });
my %site = map { $_ => { names => $_, status => 204 } }
    qw(stays.test good.test due.test);
my $server = $t->server(ca => $ca, sites => [ @site{ sort keys %site } ])
    ->start;
my %first = map { $_ => $server->issued($_) } sort keys %site;
ok($first{$_}, "$_: issued") for sort keys %site;
ok(wait_for(sub { $server->lives == 3 }), 'three certificates');
my $files = files();

$server->reload(sites => [ $site{'stays.test'} ]);
sleep 15;    # the time of a renewal passes
ok($server->idle, 'two servers are gone');
is($ca->orders, 3, 'nothing is renewed for them');
is_deeply(files(), $files, 'their files stay as they are');

$ca->plan('due.test', life => [ 0, 90 * 86400 ],
    newOrder => [ { html => 503 } ]);
$server->reload(sites => [ @site{ sort keys %site } ]);
like($server->says(qr/ due\.test: .*attempt 1 failed/),
    qr/the present certificate stays in service/,
    'put back: what has become due is renewed, which fails at first');
wait_for(sub { $server->settled });
is($server->shows($_)->{serial}, $first{$_}{serial},
    "$_: the certificate of before is served") for sort keys %site;
is($ca->requests('newOrder', 'good.test'), 1,
    'nothing is ordered for what is still good');
$server->reload;
ok(wait_for(sub { ($server->shows('due.test')->{serial} || '')
    ne $first{'due.test'}{serial} }), 'then it is renewed');
$ca->judge(4);

$t->done;

# What is stored of the certificates that are gone.
sub files {
    my %all = %{ $server->state_snapshot };
    return { map { $_ => $all{$_} }
        grep { m{/(?:certs|live|plan)/(?:good|due)\.test} } keys %all };
}
