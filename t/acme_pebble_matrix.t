#!/usr/bin/perl

# Tests for the moods of CAs: strict ones, ones that refuse every other nonce,
# that use authorizations again or do not, that think before they validate, that
# have several roots and long chains, that want an account binding or have
# profiles; and all of it at once. Each issues by http-01 and by tls-alpn-01,
# for two key types, and for an address.
#
# Some of it only a newer Pebble has: run it with one named in PEBBLE, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my %moods = (
    nonces => { strict => 1, reject => 50 },
    anew => { strict => 1, reuse => 0 },
    sometimes => { strict => 1, reuse => 50 },
    again => { strict => 1, reuse => 100 },
    slow => { strict => 1, sleep => 3 },
    roots => { strict => 1, roots => 2, chain => 3 },
    binding => { strict => 1, eab => 1 },
    profiles => { strict => 1, profiles => { classic => 7776000,
        shortlived => 518400 }, acme => 'acme_profile shortlived;' },
    all => { strict => 1, reject => 50, reuse => 50, sleep => 2, roots => 2,
        chain => 3, eab => 1, profiles => { shortlived => 518400 },
        acme => 'acme_profile shortlived;' },
);
my @moods = sort keys %moods;
my $t = ACME::Test->new;
my %ca = map { $_ => $t->pebble(%{ $moods{$_} }) } @moods;
spew($t->path('eab.key'),
    'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W');
chmod 0600, $t->path('eab.key');
my $bindings = join "\n", map { 'acme_eab ' . $ca{$_}->url
    . ' kid-1 %TMP%/eab.key;' } grep { $moods{$_}{eab} } @moods;
my $server = $t->server(ca => $ca{anew}, global => $bindings,
    sites => [ map { sites($_) } @moods ])->start;

for my $mood (@moods) {
    my $ca = $ca{$mood};

    is(issued("http.$mood.test")->{names}, "b.$mood.test http.$mood.test",
        "$mood: two names by http-01");
    is(issued("alpn.$mood.test")->{names}, "alpn.$mood.test",
        'one by tls-alpn-01');
    is(issued("address.$mood.test")->{names}, "127.0.0.1 address.$mood.test",
        'an address');
    is(issued("two.$mood.test")->{key}, 'ecdsa:256', 'an ECDSA certificate');
    ok(wait_for(sub { rsa_key("two.$mood.test") eq 'rsa:2048' }),
        'beside an RSA one');
    is($server->live_pair("two.$mood.test"), 'whole', 'with their keys');
    is(certificates("two.$mood.test"), 1 + ($moods{$mood}{chain} || 1),
        'the whole chain is served');
    $ca->judge(5);
    is($ca->accounts, 1, 'one account');
}
unlike($server->acme_log, qr/attempt \d+ failed/, 'no attempt has failed');
unlike($server->acme_log, qr/\[error\]/, 'there is no error');
my $profiles = $ca{profiles}->has_profiles;
my @warnings = grep { !/is not on a volume/ }
    $server->acme_log =~ /\[warn\] .*/g;
is(scalar @warnings, $profiles ? 0 : 10, 'a warning for a profile that is not'
    . ' offered, and no other') or diag(join "\n", @warnings);

# What is proved counts for the certificates that come later, where the CA
# lets it.
my %proved = map { $_ => $ca{$_}->good_validations } @moods;
is($proved{again}, 6, 'again: every name was proved once');
$server->reload(sites => [ @{ $server->{sites} }, map { {
    names => "more.$_.test",
    domain => "more.$_.test http.$_.test b.$_.test alpn.$_.test",
    acme => acme_ca($_), status => 204,
} } @moods ]);
for my $mood (@moods) {
    ok($server->served("more.$mood.test", names => join ' ',
        map { "$_.$mood.test" } qw(alpn b http more)),
        "$mood: a certificate that shares names");
    $ca{$mood}->judge(6);
    $proved{$mood} = $ca{$mood}->good_validations - $proved{$mood};
}
is($proved{again}, 1, 'again: the name that is new is proved, and no other');
cmp_ok($proved{anew}, '>', 1, 'anew: names are proved anew');
cmp_ok($proved{sometimes}, '>=', 1, 'sometimes: the name that is new, at least');

$t->done;

sub sites {
    my ($mood) = @_;
    my $more = acme_ca($mood);

    return ({ names => "http.$mood.test b.$mood.test", redirect => 1,
            acme => $more },
        { names => "alpn.$mood.test", plain => [], status => 204,
            acme => "$more acme_challenge tls-alpn-01;" },
        { names => "address.$mood.test", status => 204, acme => $more,
            domain => "address.$mood.test 127.0.0.1" },
        { names => "two.$mood.test", status => 204,
            acme => "$more acme_key ecdsa:256 rsa:2048;" });
}

sub acme_ca {
    my ($mood) = @_;

    return 'acme_ca ' . $ca{$mood}->url . ';acme_ca_certificate '
        . $ca{$mood}->trust . ';' . ($moods{$mood}{acme} || '');
}

sub issued { return $server->issued($_[0]) || { names => '', key => '' } }

sub rsa_key {
    my ($name) = @_;
    return handshake($t->port('https'), $name, SSL_version => 'TLSv1_2',
        SSL_cipher_list => 'ECDHE-RSA-AES128-GCM-SHA256')->{key} || '';
}

sub certificates {
    my ($name) = @_;
    my $chain = slurp($server->state_path . "/live/$name/fullchain.pem");
    my $count = () = $chain =~ /BEGIN CERTIFICATE/g;
    return $count;
}
