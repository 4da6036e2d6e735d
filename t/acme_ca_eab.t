#!/usr/bin/perl

# Tests for a CA that demands an external account binding when none is
# given: the operator is told so in clear words, before an account is asked for.

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
    like($line, qr/\[error\] .*acme: \Q$name\E: 127\.0\.0\.1:\d+: newAccount: the CA demands an external account binding/,
        "$name: who demands what, at which step");
    like($line, qr/add "(?:acme_eab|AcmeEAB) \Q@{[ $ca->url ]}\E KID FILE;?"/,
        "$name: and the line to add");
    like($line, qr/hint: this CA wants an external account binding \(EAB\)/,
        "$name: and what to do about it");
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: a placeholder is served");
}
unlike($ca->log, qr/sign-me-up/, 'newAccount is not sent');
is($ca->accounts, 0, 'no account');
is($ca->orders, 0, 'and no order');

# ---- mended, and started again: nobody waits for tomorrow

my $file = $t->path('eab.key');
spew($file, 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W');
chmod 0600, $file;
ok($server->plan('a.test')->{misconfigured},
    'only the operator can mend it');
$server->stop_all;
$server->configure(global => "acme_eab %CA% kid-1 $file;");
$server->start;
ok(wait_for(sub { $server->lives == 2 }), 'with the binding both are issued');
$ca->judge(2);

$t->done;
