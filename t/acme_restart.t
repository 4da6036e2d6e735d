#!/usr/bin/perl

# Tests for a start with certificates on disk: whole ones are served at once
# and order nothing; damaged ones are warned of and obtained anew.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Path qw(remove_tree);

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $proxy = $t->proxy(to => $ca);
my @names = map { "$_.test" } qw(whole mismatch leaf chain empty keyless
    unlinked gone);
my $server = $t->server(ca => $proxy,
    sites => [ map { { names => $_ } } @names ]);
$server->start;
my %first = map { $_ => $server->issued($_) } @names;
$ca->judge(scalar @names);

# Whole ones.
$server->stop_all;
my $connections = $proxy->connections;
$server->start;
my @other = grep {
    ($server->shows($_)->{fingerprint} || '') ne $first{$_}{fingerprint}
} @names;
is_deeply(\@other, [], 'the first handshakes show the certificates on disk');
ok($server->idle, 'the keeper runs');
is($ca->orders, scalar @names, 'nothing is ordered');
is($proxy->connections, $connections, 'nor is the CA talked to');
$server->stop_all;

# Damaged ones.
my %damage = (
    'mismatch.test' => sub {
        spew(generation('mismatch.test') . '/privkey.pem',
            slurp(generation('whole.test') . '/privkey.pem'));
    },
    'leaf.test' => sub { cut('leaf.test', sub { length($_[0]) / 4 }) },
    'chain.test' => sub { cut('chain.test', sub { length($_[0]) - 100 }) },
    'empty.test' => sub { cut('empty.test', sub { 0 }) },
    'keyless.test' => sub { unlink generation('keyless.test') . '/privkey.pem' },
    'unlinked.test' => sub { unlink $t->path('state/live/unlinked.test') },
    'gone.test' => sub { remove_tree(generation('gone.test')) },
);
$_->() for values %damage;
my @bad = sort keys %damage;

my ($status, $text) = $server->check;
is($status, 0, 'the configuration passes -t');
for my $name (grep { $_ ne 'unlinked.test' } @bad) {
    like($text, qr/\[warn\] .*acme: the stored certificate of \Q$name\E cannot be served: .+/,
        "$name: with a warning");
}
unlike($text, qr/whole\.test/, 'the whole one: none');

my $orders = $ca->orders;
$ca->stop;    # so that there is time to look
$server->start;
for my $name (@bad) {
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: a placeholder is served");
}
is($server->shows('whole.test')->{fingerprint},
    $first{'whole.test'}{fingerprint}, 'the whole one is served at once');

# The CA is back, without its memory.
ok($server->says(qr/ \Q$_\E: .*attempt 1 failed/), "$_: tried") for @bad;
$ca->start;
$server->reload;
for my $name (@bad) {
    my $shown = $server->issued($name);
    ok($shown && $shown->{names} eq $name
        && $shown->{fingerprint} ne $first{$name}{fingerprint},
        "$name: obtained anew");
}
is($ca->orders, $orders + @bad, 'an order for each damaged one');
is($server->shows('whole.test')->{fingerprint},
    $first{'whole.test'}{fingerprint}, 'and none for the whole one');

$t->done;

sub generation {
    my ($name) = @_;
    return $t->path("state/certs/$name/1");
}

# Shorten a chain to the length that is left.
sub cut {
    my ($name, $left) = @_;
    my $file = generation($name) . '/fullchain.pem';
    my $chain = slurp($file);
    spew($file, substr $chain, 0, $left->($chain));
}
