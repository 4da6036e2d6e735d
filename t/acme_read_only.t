#!/usr/bin/perl

# Tests for a store that becomes read-only, as a file system does that has
# errors, or is so from the start: what is there is served, the log says what to
# do, nothing is ordered that could not be kept, and it goes on when the store
# can be written again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Shim;

my $t = ACME::Test->new;
my $disk = ACME::Test::Shim->fault($t);
# the first one is due after ten seconds, half of what it has left
my $ca = $t->fake_ca(plans => { 'example.test' => { life => [ -580, 600 ],
    newOrder => [ undef, { html => 503 } ] } });
my $server = $t->server(ca => $ca, helper => $disk->{file},
    sites => [ { names => 'example.test', status => 204 } ])->start;
my $first = $server->issued('example.test');
ok($first, 'a certificate');
ok($server->says(qr/certificate obtained/) && $server->helper('keeper'),
    'is in service');
$ca->plan('example.test', life => [ 0, 86400 * 90 ]);

# The renewal is due, but the CA has trouble; the next attempt, for which the
# operator asks, has a key already and finds a store that is read-only.
ok($server->says(qr/status 503.*attempt 1 failed/), 'the renewal is due');
$disk->fails_from(1, 'read-only');
my $requests = $ca->requests('newOrder');
my $files = snapshot();
$server->reload;
my $line = $server->says(qr/ example\.test: .*attempt 2 failed/);
like($line, qr/\[error\] .*preparing the order: .*Read-only file system; hint: acme_state_path must be writable: .*ReadWritePaths=/,
    'the log says what is wrong, and what to do');
like($line, qr/the present certificate stays in service/,
    'and what is served');
like($server->says(qr/the plan could not be saved/),
    qr/Read-only file system; hint: /, 'that nothing is remembered, too');
serves('read-only');
$server->reload;
serves('after a reload');

# And from the start, with a name that has no certificate.
$server->stop_all;
$server->configure(sites => [ { names => 'example.test', status => 204 },
    { names => 'new.test', status => 204 } ]);
$server->start;
like($server->says(qr/no certificate can be obtained: /),
    qr/\[error\] .*ReadWritePaths=.*Read-only file system/,
    'a start with a read-only store: the log says what to do');
serves('after a start');
like($server->shows('new.test')->{issuer}, qr/ACME placeholder/,
    'the new name has a placeholder');
$server->reload;
serves('after one more reload');
is($ca->requests('newOrder'), $requests, 'nothing is ordered');
is_deeply(snapshot(), $files, 'nothing is written');

# It can be written again, and the operator reloads.
$disk->fails_from(0);
$server->reload(sites => [ { names => 'example.test', status => 204 },
    { names => 'new.test', status => 204 },
    { names => 'more.test', status => 204 } ]);
ok($server->issued($_), "writable again: $_ has its certificate")
    for qw(new.test more.test);
ok(wait_for(sub { ($server->shows('example.test')->{serial} || '')
    ne $first->{serial} }), 'the renewal comes');
$ca->judge(4);

$t->done;

# The files of the store, without control.sock.
sub snapshot {
    my %files = %{ $server->state_snapshot };
    delete $files{$_} for grep { m{/control\.sock$|/state$} } keys %files;
    return \%files;
}

sub serves {
    my ($when) = @_;
    my ($status, $text) = $server->check;

    is($status, 0, "$when: -t passes") or diag($text);
    like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/,
        "$when: the site works");
    is($server->shows('example.test')->{serial}, $first->{serial},
        "$when: the certificate is served");
    is($server->live_pair('example.test'), 'whole', "$when: the pair is whole");
}
