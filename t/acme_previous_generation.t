#!/usr/bin/perl

# Tests for a newest generation that is damaged: the one before it is served in
# its place, over restarts and reloads, the log says so, and a replacement is
# obtained at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Path qw(remove_tree);

my $t = ACME::Test->new;
my $ca = $t->fake_ca;
my $server = $t->server(ca => $ca, sites => [
    { names => 'example.test', status => 204 } ])->start;
my $live = $server->state_path . '/live/example.test';
my $certs = $server->state_path . '/certs/example.test';
my $orders = 1;

ok($server->issued('example.test'), 'a certificate');

# what is done to the newest generation, and how the server meets it
my @damages = (
    [ 'an empty chain', \&restart,
        sub { spew("$certs/$_[0]/fullchain.pem", '') } ],
    [ 'a key of another certificate', \&reload,
        sub { spew("$certs/$_[0]/privkey.pem",
            slurp("$certs/@{[ $_[0] - 1 ]}/privkey.pem")) } ],
    [ 'no files', \&reload, sub { unlink glob "$certs/$_[0]/*" } ],
    [ 'no folder', \&restart, sub { remove_tree("$certs/$_[0]") } ],
);
for my $damage (@damages) {
    my ($what, $come, $does) = @$damage;
    my $older = newest();
    my $served = qr/the older \Q$certs\E\/$older\/fullchain\.pem is served in its place/;
    my $serial = $server->shows('example.test')->{serial};

    # one more, as if there was none
    unlink $live;
    $server->signal('reload');
    ok(wait_for(sub { ($server->shows('example.test')->{serial} || '')
        ne $serial && newest() > $older }), "$what: two whole generations");
    wait_for(sub { $server->settled });
    $orders++;

    my $from = length $server->log;
    my $said = sub { my ($pattern) = @_;
        wait_for(sub { substr($server->log, $from) =~ $pattern }) };
    $ca->plan('example.test', newOrder => [ { html => 503 } ]);
    $does->(newest());
    my ($status, $text) = $server->check;
    is($status, 0, "$what: -t passes") or diag($text);
    like($text, qr/\[warn\].*the stored certificate of example\.test is damaged \(.*\Q$certs\E.*\): $served/,
        "$what: and says what is damaged, and what is served");

    $come->();
    ok($server->served('example.test', serial => $serial),
        "$what: the one before is served");
    ok($said->(qr/\[.*warn\].*the certificate in service is to be replaced: .*$served/),
        "$what: the log says so");
    ok($said->(qr/status 503.*the present certificate stays in service/),
        "$what: a replacement is ordered at once, the CA has trouble");
    like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/,
        "$what: the site works");

    # the operator asks for the next attempt now
    $server->reload;
    ok(wait_for(sub { ($server->shows('example.test')->{serial} || '')
        ne $serial }), "$what: then there is another one");
    wait_for(sub { $server->settled });
    cmp_ok(newest(), '>', $older, "$what: of a new generation");
    is($server->live_pair('example.test'), 'whole', "$what: a whole pair");
    $ca->judge(++$orders);
}

# Nothing whole is left: as without any certificate.
$server->stop_all;
spew($_, 'garbage') for glob "$certs/*/privkey.pem";
$ca->plan('example.test', newOrder => [ { html => 503 } ]);
my ($status, $text) = $server->check;
is($status, 0, 'nothing whole is left: -t passes');
like($text, qr/\[warn\].*cannot be served: \Q$certs\E/, 'with a warning');
$server->start;
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'a placeholder is served');

$t->done;

# The number of the generation that is live.
sub newest { return (readlink($live) || '') =~ /(\d+)$/ ? $1 : 0 }

sub restart {
    $server->stop_all;
    $server->start;
}

sub reload { $server->reload }
