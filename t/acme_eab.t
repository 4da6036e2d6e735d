#!/usr/bin/perl

# Tests for acme_eab: an external account binding in each form that CAs give
# it out, what is wrong with it, and that it is needed only once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use MIME::Base64;

my $t = ACME::Test->new;
my $ca = $t->pebble(eab => 1);
my $secret = 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W';
my $raw = decode_base64($secret =~ tr{-_}{+/}r);
my $server = $t->server(ca => $ca, sites => [ { names => 'example.test' } ]);

# ---- the check of the configuration

my $file = $t->path('eab.key');
my @bad = (
    [ 'a missing file', undef, 0600, '%CA% kid-1 %TMP%/eab.key',
        qr/acme_eab "\Q$file\E": No such file/ ],
    [ 'readable by all', $secret, 0644, '%CA% kid-1 %TMP%/eab.key',
        qr/can be read by all users \(mode 644\): chmod 0600 \Q$file\E/ ],
    [ 'an empty file', "\n", 0600, '%CA% kid-1 %TMP%/eab.key',
        qr/does not hold the HMAC key/ ],
    [ 'something else', "kid: 1\n", 0600, '%CA% kid-1 %TMP%/eab.key',
        qr/does not hold the HMAC key/ ],
    [ 'no file', $secret, 0600, '%CA% kid-1',
        qr/invalid number of arguments .*its form is: acme_eab CA kid file/ ],
    [ 'another algorithm', $secret, 0600, '%CA% kid-1 %TMP%/eab.key HS265',
        qr/invalid value "HS265", allowed are HS256, HS384, HS512.*did you mean "HS256"\?/ ],
    [ 'no CA', $secret, 0600, 'zerosl kid-1 %TMP%/eab.key',
        qr/did you mean "zerossl"\?/ ],
);
for my $case (@bad) {
    my ($what, $text, $mode, $arguments, $words) = @$case;

    unlink $file;
    if (defined $text) {
        spew($file, $text);
        chmod $mode, $file;
    }
    $server->configure(global => "acme_eab $arguments;");
    my ($status, $said) = $server->check;
    isnt($status, 0, "$what: refused");
    like($said, $words, "$what: with words");
    unlike($said, qr/\Q$secret\E/, "$what: and without the secret");
}

# A preset that is known to want one says so before it is asked.
$server->configure(acme => 'acme_accept_terms on; acme_ca zerossl;',
    global => '');
my ($status, $said) = $server->check;
isnt($status, 0, 'zerossl without acme_eab: refused');
like($said, qr/acme_ca zerossl demands an external account binding: add "acme_contact MAIL;?" .*or "acme_eab zerossl KID FILE;?" .*ZeroSSL shows it under/,
    'with the lines to add, and where to get what it wants');
$server->configure(acme => 'acme_accept_terms on; acme_ca zerossl; '
    . 'acme_contact admin@example.test;', global => '');
($status, $said) = $server->check;
is($status, 0, 'with a mail address it gives one out') or diag($said);

# ---- each form

my @forms = (
    [ 'base64url', $secret ],
    [ 'base64 with padding and a line break', encode_base64($raw) ],
    [ 'base64 in short lines', encode_base64($raw) =~ s/(.{20})/$1\r\n/gr ],
    [ 'with another one before, and HS256 named', $secret,
        "acme_eab https://other.test/dir x $file;", ' HS256' ],
    [ 'HS384', $secret, '', ' HS384' ],
    [ 'HS512', encode_base64(join '', map { chr } 100 .. 163), '', ' HS512',
        'kid-long' ],
);
my $issued = 0;
for my $form (@forms) {
    my ($what, $text, $more, $algorithm, $kid) = @$form;

    spew($file, $text);
    chmod 0600, $file;
    $server->configure(acme => undef, state => 'state' . ++$issued,
        global => ($more || '') . "acme_eab %CA% " . ($kid || 'kid-1')
            . " %TMP%/eab.key" . ($algorithm || '') . ';');
    $server->start;
    ok($server->issued('example.test'), "$what: issued");
    $server->stop_all;
}
$ca->judge($issued);

# ---- once there is an account, the file may go

unlink $file;
($status, $said) = $server->check;
is($status, 0, 'with an account a missing file is no error');
like($said, qr/\[warn\] .*acme_eab "\Q$file\E": No such file/,
    'but a warning');
$server->start;
ok($server->issued('example.test'), 'and the server starts');
$server->stop_all;

# ---- the CA does not know it

spew($file, $secret);
chmod 0600, $file;
$server->configure(state => 'stranger',
    global => 'acme_eab %CA% kid-2 %TMP%/eab.key;');
$server->start;
my $line = $server->says(qr/newAccount: .*attempt 1 failed/);
like($line, qr/hint: the CA did not take what acme_eab names: check the key identifier/,
    'a key identifier that the CA does not know: the hint says so');
unlike($server->log, qr/\Q$secret\E/, 'the secret is in no log');

$t->done;
