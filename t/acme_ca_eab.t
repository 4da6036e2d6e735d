#!/usr/bin/perl

# Tests for a CA that demands an external account binding when none is
# given: the operator is told so in clear words.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(eab => 1);
my $server = $t->server(ca => $ca, sites => [
    { names => 'a.test' },
    { names => 'b.test' },
])->start;

for my $name (qw(a.test b.test)) {
    my $line = $server->says(qr/\Q$name\E: .*attempt 1 failed/);
    like($line, qr/\[error\] .*acme: \Q$name\E: 127\.0\.0\.1:\d+: newAccount: externalAccountRequired: /,
        "$name: who refused, and at which step");
    like($line, qr/must include a value for the 'externalAccountBinding' field/,
        "$name: in the CA's own words");
    like($line, qr/hint: this CA wants an external account binding \(EAB\)/,
        "$name: and what to do about it");
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: a placeholder is served");
}
is($ca->accounts, 0, 'no account');
is($ca->orders, 0, 'and no order');

$t->done;
