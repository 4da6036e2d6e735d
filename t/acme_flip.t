#!/usr/bin/perl

# Tests for a server that reads its certificate while the live link flips: -t
# never fails, and no handshake ever sees a torn pair or a placeholder.
# ACME_FLIP_TESTS is how often -t is run (default: 200).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use Time::HiRes qw(sleep);

my $times = $ENV{ACME_FLIP_TESTS} || 200;
my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca,
    sites => [ { names => 'example.test' } ])->start;
my %known = ($server->issued('example.test')->{fingerprint} => 1);
ok(%known, 'a certificate is served: generation 1');

# A second generation, of another key.
my $certs = $server->state_path . '/certs/example.test';
$t->certificate('example.test');
mkdir "$certs/2", 0700 or die "$certs/2: $!";
rename $t->path('example.test.pem'), "$certs/2/fullchain.pem" or die $!;
rename $t->path('example.test.key'), "$certs/2/privkey.pem" or die $!;
spew("$certs/2/meta.json", slurp("$certs/1/meta.json"));
flip(2);
$server->reload;
$known{ wait_for(sub {
    my $shown = $server->shows('example.test')->{fingerprint};
    return $shown && !$known{$shown} && $shown;
}) } = 1;
is(keys %known, 2, 'and generation 2');
my $log = length $server->log;

# Some thousand flips a second, by one rename each.
my $flipper = $t->spawn_code('flipper', sub {
    my $n = 0;
    $| = 1;
    while (1) {
        flip(1 + $n++ % 2);
        sleep 0.0002;
        print STDOUT "$n flips\n" if $n % 100 == 0;
    }
});
my @failed;
for my $n (1 .. $times) {
    my ($status, $text) = $server->check;
    push @failed, $text if $status != 0 || $text =~ /acme:/;
}
is_deeply(\@failed, [], "-t passes $times times, without a warning");

my %shown;
for my $n (1 .. 50) {
    eval { $server->reload; 1 } or push @failed, "reload $n: $@";
    my $shown = $server->shows('example.test');
    $shown{ $shown->{fingerprint} || 'no handshake' }++;
}
is_deeply(\@failed, [], 'and so do 50 reloads');
is_deeply([ grep { !$known{$_} } keys %shown ], [],
    'each handshake shows one of the two certificates');
is($server->live_pair('example.test'), 'whole', 'the live pair is whole');

my $said = substr $server->log, $log;
# mod_ssl warns of its build, its session cache and of our own certificate
my @complaints = grep { /[\[:](?:warn|error|crit|alert|emerg)\]/
    && !/AH01882|AH01873|AH01906/ } split /\n/, $said;
is_deeply(\@complaints, [], 'the log has no complaint');
ok(alive($flipper), 'the link was flipped all the time');
$t->stop_child($flipper);
cmp_ok((() = slurp($t->path('flipper.log')) =~ /flips/g) * 100, '>', $times,
    'more often than it was read');
$ca->judge(1);

$t->done;

# As the store does it: a new link, renamed over the old one.
sub flip {
    my ($generation) = @_;
    my $live = $server->state_path . '/live';

    symlink "../certs/example.test/$generation", "$live/.tmp-flip";
    rename "$live/.tmp-flip", "$live/example.test" or die "flip: $!";
}
