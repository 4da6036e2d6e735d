#!/usr/bin/perl

# Tests for a CA that refuses an identifier when it is ordered: the others
# get their certificates, and the refusal is not repeated in a hurry.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(block => ['blocked.test']);
my $server = $t->server(ca => $ca, sites => [
    { names => 'good.test' },
    { names => 'blocked.test' },
    { names => 'fine.test sub.blocked.test' },
])->start;

ok($server->issued('good.test'), 'the good name is issued');

my $line = $server->says(qr/ blocked\.test: .*attempt 1 failed/);
like($line, qr/\[error\] .*newOrder: rejectedIdentifier: .*blocked\.test/,
    'the refusal: type, the CA\'s words, and the name');
like($line, qr/hint: this CA will not certify the name; another one may/,
    'with a hint');
like($line, qr/the next is at \d{4}-/, 'and the next attempt');

$line = $server->says(qr/ fine\.test: .*attempt 1 failed/);
like($line, qr/newOrder: rejectedIdentifier: .*sub\.blocked\.test/,
    'one of two names refused: the log says which');

for my $name (qw(blocked.test fine.test)) {
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: a placeholder is served");
    ok(!-e $t->path("state/pending/$name"), "$name: nothing is left over");
}
$ca->judge(1);

$t->done;
