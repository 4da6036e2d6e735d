#!/usr/bin/perl

# Tests for names in Unicode: the certificate, the store and the log have
# their ASCII form, and a server that no client would find by it is warned of.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my @sites = (
    { names => 'bücher.test xn--bcher-kva.test', default => 1 },
    { names => 'xn--strae-oqa.test', domain => 'Straße.test' },
    { names => 'пример.test' },
);
my $server = $t->server(ca => $ca, sites => \@sites);

my ($status, $text) = $server->check;
is($status, 0, 'the check passes');
my @warnings = grep { /clients ask for/ } split /\n/, $text;
is(@warnings, 1, 'one name alone is unknown to clients');
like($warnings[0], qr/ as xn--e1afmkfd\.test: write that, too, among the names of the server that has acme_domain in \S+:\d+/,
    'the warning says what to write');

$server->start;
for my $name (qw(xn--bcher-kva.test xn--strae-oqa.test)) {
    my $shown = $server->issued($name);
    is($shown->{names}, $name, "$name is issued and served");
}
ok(wait_for(sub { $server->lives == 3 }), 'the third one is obtained');
ok(-d $server->state_path . '/live/xn--e1afmkfd.test',
    'the store has ASCII names');
ok($server->says(qr/acme: xn--e1afmkfd\.test: .*certificate obtained/),
    'and so has the log');
$ca->judge(3);

# What is no name, in acme_domain.
for my $case (
    [ "caf\xe9.test", qr/string encoding error/ ],
    [ "\xe2\x98\x83.test", qr/string contains a disallowed character/ ],
) {
    $server->configure(sites => [ { names => 'a.test',
        domain => $case->[0] } ]);
    ($status, $text) = $server->check;
    isnt($status, 0, 'a name that is none is refused');
    like($text, qr/acme_domain: "\S+" cannot be in a certificate: $case->[1]/,
        'in the words of libidn2');
}
$server->configure(sites => \@sites);

$t->done;
