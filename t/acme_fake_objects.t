#!/usr/bin/perl

# Tests for a CA whose objects, chains and connections are odd but permitted:
# everything is issued, by one order each, and the store holds clean files.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my @steps = qw(newOrder order authorization challenge finalize certificate);
my @many = map { "n$_.many.test" } 1 .. 20;
my %plans = (
    'plain.test' => {},
    'crlf.test' => { chain => 'crlf' },
    'cut.test' => { chain => 'cut' },
    'blank.test' => { chain => 'blank' },
    'text.test' => { chain => 'text' },
    'strange.test' => { strange => 1, extra => ['www.strange.test'] },
    $many[0] => { valid => 15 },
    'all-valid.test' => { valid => 1 },
    'processing.test' => { processing => 2, retry => 1 },
    'alternates.test' => { alternates => 2 },
    'slow.test' => every_step({ slow => 1 }),
    'chunked.test' => every_step({ chunked => 1 }),
    'closing.test' => every_step({ headers => ['Connection: close'] }),
    'no-nonce.test' => every_step({ drop => ['Replay-Nonce'] }),
    'other-type.test' => { certificate =>
        [ { type => 'application/octet-stream' } ] },
);
my $ca = $t->fake_ca(plans => \%plans);
my @names = sort keys %plans;
my $server = $t->server(ca => $ca, sites => [ map { { names =>
    $_ eq $many[0] ? "@many" : $_ } } @names ])->start;

for my $name (@names) {
    ok($server->issued($name), "$name is issued");
    my $chain = slurp($server->state_path . "/live/$name/fullchain.pem");
    my $line = qr{[A-Za-z0-9+/=]{1,64}\n};
    like($chain, qr/\A(?:-----BEGIN CERTIFICATE-----\n$line+-----END CERTIFICATE-----\n){2}\z/,
        "$name: nothing but two certificates is on disk");
    is($server->live_pair($name), 'whole', "$name: with their key");
}
is($server->shows('strange.test')->{names}, 'strange.test www.strange.test',
    'a name more than ordered does no harm');
is($ca->requests('challenge', $many[0]), 5,
    '15 of 20 authorizations are valid: 5 are proved');
is($ca->requests('challenge', 'all-valid.test'), 0,
    'nothing is proved when all are valid');
is($ca->requests('finalize', 'processing.test'), 1,
    'an order in processing is not finalized again');
$ca->judge(scalar @names);
is($ca->accounts, 1, 'one account');
cmp_ok($ca->connections, '<=', 20, 'few connections');

$t->done;

# The first answer of every step; more than one is like that.
sub every_step {
    my ($change) = @_;
    return { map { ($_ => [ ($change) x 3 ]) } @steps };
}
