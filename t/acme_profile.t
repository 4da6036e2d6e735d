#!/usr/bin/perl

# Tests for acme_profile: a profile that the CA offers is asked for, in place
# of one that it does not its default is taken, or nothing with "require", and
# the log says what it offers.
#
# A CA without profiles is one, too; run it with a Pebble of 2.8 or newer named
# in PEBBLE for one that has them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $day = 24 * 3600;
my $t = ACME::Test->new;
my $ca = $t->pebble(profiles => { classic => 90 * $day, short => 6 * $day,
    medium => 40 * $day });
my $has = $ca->has_profiles;
my $offers = $has ? 'it offers: classic, medium, short' : 'it offers: none';
my %sites = (short => 'short', classic => 'classic', odd => 'nosuch',
    must => 'nosuch require');

# One that offers what it then refuses.
my %refusal = (status => 400, problem => { type => 'invalidProfile',
    detail => 'not for you' });
my $moody = $t->fake_ca(plans => {
    '-' => { directory => [ ({ set => { meta =>
        { profiles => { tiny => 'https://fake.test/tiny' } } } }) x 9 ] },
    'refused.test' => { newOrder => [ \%refusal ] },
    'demanded.test' => { newOrder => [ \%refusal ] },
});
my @moody = map { { %$_, acme => "$_->{acme} acme_ca @{[ $moody->url ]};"
    . "acme_ca_certificate @{[ $moody->trust ]};" } }
    sites(refused => 'tiny', demanded => 'tiny require');
my $server = $t->server(ca => $ca, sites => [ sites(%sites), @moody ])->start;

for my $profile (qw(short classic)) {
    my $shown = $server->issued("$profile.test");

    ok($shown, "$profile.test is issued");
    is(about_days($shown), $profile eq 'short' ? 6 : 90,
        "and lives as long as its profile says") if $has;
    like($server->acme_log, qr/\[warn\] .* \Q$profile\E\.test: .*the CA does not offer acme_profile $profile; $offers; ordering with its default/,
        'a CA without profiles: the log says so') if !$has;
}
unlike($server->acme_log, qr/does not offer acme_profile (?:short|classic)/,
    'what is offered is no matter for the log') if $has;
ok($server->issued('odd.test'),
    'with a profile that is not offered it is issued, too');
like($server->acme_log, qr/\[warn\] .* odd\.test: .*the CA does not offer acme_profile nosuch; $offers; ordering with its default/,
    'with a warning that says what is');
my $line = $server->says(qr/ must\.test: .*attempt 1 failed/);
like($line, qr/\[error\] .*the CA does not offer acme_profile nosuch; $offers; .*a placeholder certificate is served; attempt 1 failed, the next is at/,
    'with "require" the attempt fails, and the log says the same');
like($server->shows('must.test')->{issuer}, qr/ACME placeholder/,
    'a placeholder is served');
$ca->judge(3);

ok($server->issued('refused.test'),
    'a profile that is refused all the same: issued without');
like($server->acme_log, qr/\[warn\] .* refused\.test: .*invalidProfile: not for you; ordering with the CA's default profile; it offers: tiny/,
    'with a warning that says what is offered');
$line = $server->says(qr/ demanded\.test: .*attempt 1 failed/);
like($line, qr/\[error\] .*newOrder: invalidProfile: not for you; .*a placeholder certificate is served/,
    'with "require" that fails the attempt');
$moody->judge(1);
is($moody->requests('newOrder', 'demanded.test'), 1, 'which asked once');

# Another profile, and one that is offered.
my %first = map { $_ => $server->shows("$_.test") } keys %sites;
$server->reload(sites => [ @moody,
    sites(%sites, short => 'classic', must => 'medium') ]);
ok(another('short'), 'another profile: another certificate');
is(about_days($server->shows('short.test')), 90, 'of that profile') if $has;
ok($server->issued('must.test'), 'a profile that is offered: issued');
is(about_days($server->shows('must.test')), 40, 'with it') if $has;
$ca->judge(5);
is($server->shows("$_.test")->{serial}, $first{$_}{serial},
    "$_: its certificate stays") for qw(classic odd);
like($server->acme_log, qr/ short\.test: .*acme_profile is now classic/,
    'the log says why');

# None, and the same again.
%first = map { $_ => $server->shows("$_.test") } keys %sites;
$server->reload(sites => [ @moody, sites(%sites, short => 'classic',
    must => 'medium', classic => undef) ]);
ok(another('classic'), 'no profile: another certificate');
like($server->acme_log, qr/ classic\.test: .*acme_profile is now the CA's default/,
    'the log says why');
is($server->shows("$_.test")->{serial}, $first{$_}{serial},
    "$_: its certificate stays") for qw(short odd must);
$server->reload;
ok($server->idle, 'nothing is changed');
$server->stop_all;
$server->start;
ok($server->idle, 'nor by a start');
$ca->judge(6);

$t->done;

sub sites {
    my (%profile) = @_;

    return map { {
        names => "$_.test",
        acme => defined $profile{$_} ? "acme_profile $profile{$_};" : '',
    } } sort keys %profile;
}

sub another {
    my ($name) = @_;
    return wait_for(sub {
        my $serial = $server->shows("$name.test")->{serial};
        return $serial && $serial ne $first{$name}{serial};
    }) && wait_for(sub { $server->settled });
}

# How many days a certificate is valid from now on.
sub about_days {
    my ($shown) = @_;
    my ($days) = grep { ($shown->{end} || '')
        le time_text(time + $_ * $day + 60) } 6, 40, 90;
    return $days;
}
