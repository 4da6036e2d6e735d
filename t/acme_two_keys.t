#!/usr/bin/perl

# Tests for acme_key with two types: an ECDSA and an RSA certificate for the
# same names, in one generation, by one reload; every client gets the one that
# it can verify.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my %suites = (
    ecdsa => 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
    rsa => 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384',
);
my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, delay => '10s',
    global => 'acme_key rsa:2048 ecdsa:256;',
    sites => [ { names => 'two.test' },
        { names => 'one.test', acme => 'acme_key ecdsa:384;' } ]);
my $state = $server->state_path;

# Both, at once.
$server->start;
ok($server->issued('two.test'), 'obtained');
my %first = map { $_ => sees($_) } keys %suites;
is($first{ecdsa}{key}, 'ecdsa:256', 'a client of ECDSA sees it');
is($first{rsa}{key}, 'rsa:2048', 'a client of RSA sees the RSA one');
like($first{$_}{issuer}, qr/Pebble/, "$_: of the CA") for keys %suites;
is($first{$_}{names}, 'two.test', "$_: with the name") for keys %suites;
is($server->served('one.test', key => 'ecdsa:384')->{names}, 'one.test',
    'a server of one type has one');
is_deeply(sees('rsa', 'one.test'), {}, 'and no RSA one');
$ca->judge(3);
is($server->reloads, 1, 'all by one reload');
like($server->acme_log, qr/ two\.test: \Q$_\E: \S+: certificate obtained/,
    "the log says that $_ was obtained") for qw(ecdsa:256 rsa:2048);
is(readlink "$state/live/two.test", '../certs/two.test/2',
    'the second generation is live');
is_deeply([ map { s{.*/}{}r } glob "$state/live/two.test/*" ],
    [ qw(fullchain.pem fullchain.rsa.pem meta.json meta.rsa.json privkey.pem
    privkey.rsa.pem) ], 'with both pairs');
is_deeply([ glob "$state/pending/*" ], [], 'and nothing of the orders left');

# Nothing of this depends on the order of words.
$server->reload(global => 'acme_key ecdsa:256 rsa:2048;');
ok($server->idle, 'the types the other way round');
is($ca->orders, 3, 'order nothing');
stays($_, 'the same is served') for keys %suites;

# A start with both on disk, and with a damaged one.
$server->stop_all;
my $chain = "$state/live/two.test/fullchain.rsa.pem";
my $whole = slurp($chain);
spew($chain, substr $whole, 0, 200);
my ($status, $text) = $server->check;
is($status, 0, 'a damaged RSA file passes -t');
like($text, qr/\[warn\] .*acme: the stored certificate of two\.test cannot be served: \S*fullchain\.rsa\.pem: /,
    'with a warning');
$ca->stop;    # so that there is time to look
$server->start;
stays('ecdsa', 'the ECDSA one is served');
is_deeply(sees('rsa'), {}, 'and the RSA one is not');
ok($server->says(qr/ two\.test: rsa:2048: .*attempt 1 failed/),
    'a new one is tried');
unlike($server->acme_log, qr/ ecdsa:256: .*attempt 1 failed/,
    'a new ECDSA one is not');
$ca->start;
$server->reload;
ok(wait_for(sub { (sees('rsa')->{key} || '') eq 'rsa:2048' }),
    'the RSA one is obtained anew');
wait_for(sub { $server->settled });
is($ca->orders, 4, 'by one order');
stays('ecdsa', 'beside the old ECDSA one');
my $rsa = sees('rsa');
$server->stop_all;

# The first one of the files is damaged.
spew("$state/live/two.test/privkey.pem", 'garbage');
$ca->stop;
$server->start;
stays('ecdsa', 'a damaged ECDSA key: the pair of an older generation serves');
is(sees('rsa')->{fingerprint}, $rsa->{fingerprint}, 'the RSA one is');
$ca->start;
ok($server->says(qr/ ecdsa:256: .*attempt 1 failed/), 'tried');
$server->reload;
ok(wait_for(sub { (sees('ecdsa')->{fingerprint} || '')
    ne $first{ecdsa}{fingerprint} }), 'it is obtained anew');
wait_for(sub { $server->settled });
is($ca->orders, 5, 'by one order');
is(sees('rsa')->{fingerprint}, $rsa->{fingerprint}, 'the RSA one stays');

# A type less, and once more.
$first{ecdsa} = sees('ecdsa');
$server->reload(global => 'acme_key ecdsa:256;');
ok($server->idle, 'a type is taken away');
ok(wait_for(sub { !%{ sees('rsa') } }), 'it is served no more');
stays('ecdsa', 'the other one is');
is($ca->orders, 5, 'there is no order');
$server->reload(global => 'acme_key ecdsa:256 rsa:3072;');
ok(wait_for(sub { (sees('rsa')->{key} || '') eq 'rsa:3072' }),
    'another RSA type is added');
is($ca->orders, 6, 'by one order');
stays('ecdsa', 'the ECDSA one stays');

# A type other than before keeps the old one in service.
$server->reload(global => 'acme_key ecdsa:384 rsa:3072;');
ok($server->served('two.test', key => 'ecdsa:384'), 'another ECDSA type');
is(sees('rsa')->{key}, 'rsa:3072', 'beside the RSA one');
is($ca->orders, 7, 'by one order');

# Lines of the level above name other files, and a chain for them.
$first{$_} = sees($_) for keys %suites;
$t->certificate('own');
$server->reload(
    nginx => "ssl_certificate %TMP%/own.pem;\nssl_certificate_key %TMP%/own.key;\n",
    httpd => join "\n", ("SSLCertificateFile %TMP%/own.pem\n"
    . 'SSLCertificateKeyFile %TMP%/own.key') x 2,
    "SSLCertificateChainFile %TMP%/own.pem\n");
ok(wait_for(sub { $server->settled }), 'certificates are inherited');
stays($_, 'ours are served') for keys %suites;
is(chain($_), 2, "with their own chain ($_)") for keys %suites;

# Two of a kind.
$server->configure(global => 'acme_key rsa:2048 rsa:4096;');
($status, $text) = $server->check;
isnt($status, 0, 'two of a kind are refused');
like($text, qr/acme_key: invalid value "rsa:4096" beside "rsa:2048", allowed are one type, or one of ecdsa and one of rsa/,
    'with what is allowed');
$server->configure(global => 'acme_key ecdsa:384 rsa:3072;');

$t->done;

# What a client sees that can verify this kind only.
sub sees {
    my ($kind, $name) = @_;
    return handshake($t->port('https'), $name || 'two.test',
        SSL_version => 'TLSv1_2', SSL_cipher_list => $suites{$kind});
}

# How many certificates that client gets.
sub chain {
    my ($kind) = @_;
    my ($status, $text) = $t->run(qw(openssl s_client -showcerts -tls1_2
        -servername two.test -cipher), $suites{$kind}, '-connect',
        '127.0.0.1:' . $t->port('https'));
    my $count = () = $text =~ /BEGIN CERTIFICATE/g;
    return $count;
}

sub stays {
    my ($kind, $what) = @_;
    is(sees($kind)->{fingerprint}, $first{$kind}{fingerprint},
        "$what ($kind)");
}
