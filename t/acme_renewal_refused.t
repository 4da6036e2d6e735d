#!/usr/bin/perl

# Tests for a CA that refuses to renew what it has issued once, in each of the
# usual ways: the certificate stays in service and untouched, over reloads and
# restarts, and the log says who refused what, and when it is tried again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;

# Due after some seconds, half of what is left; life enough for the test.
my @due = (life => [ -588, 600 ]);

my %refusals = (
    'caa.test' => { says => qr/newOrder: caa: not this CA; hint: the zone's CAA record does not allow this CA/,
        problem => { type => 'caa', detail => 'not this CA' } },
    'malformed.test' => { says => qr/newOrder: malformed: what is this/,
        problem => { type => 'malformed', detail => 'what is this' } },
    'rejected.test' => { says => qr/newOrder: rejectedIdentifier: no more; hint: this CA will not certify the name/,
        problem => { type => 'rejectedIdentifier', detail => 'no more' } },
    'unauthorized.test' => { says => qr/newOrder: unauthorized: not for you/,
        problem => { type => 'unauthorized', detail => 'not for you' } },
    'validation.test' => { says => qr/validation of validation\.test failed: http-01: unauthorized: Invalid response.*; hint: another server answered/ },
);
my @names = sort keys %refusals;
my %plans = map {
    my $problem = $refusals{$_}{problem};
    $_ => { @due, $problem ? (newOrder => [ undef,
        ({ status => 403, problem => $problem }) x 20 ]) : () };
} @names;
$plans{'validation.test'}{life} = [ -570, 600 ];    # after we have spoken
my $ca = $t->fake_ca(plans => \%plans);
my $server = $t->server(ca => $ca,
    global => 'acme_challenge http-01;',
    sites => [ map { { names => $_, status => 204 } } @names ])->start;

my %first = map { $_ => $server->issued($_) } @names;
ok($first{$_}, "$_: issued") for @names;
$ca->plan('validation.test', fails => { 'validation.test' =>
    { type => 'unauthorized', status => 403,
        detail => 'Invalid response from http://validation.test/: 200' } });
my $files = files();

for my $name (@names) {
    my $line = $server->says(qr/ \Q$name\E: .*attempt 1 failed/) || '';

    like($line, qr/\[error\] .*acme: \Q$name\E: 127\.0\.0\.1:\d+: /,
        "$name: refused, the log names the CA");
    like($line, $refusals{$name}{says}, "$name: with its words");
    like($line, qr/; the present certificate stays in service; attempt 1 failed, the next is at \d{4}-/,
        "$name: what is served, and what comes next");
}
serves('refused');
$server->reload;
serves('after a reload');
$server->stop_all;
$server->start;
ok($server->idle, 'a restart');
serves('after a restart');
is_deeply(files(), $files, 'not a byte of the old certificates is touched');
my $refused = $ca->requests('newOrder');
cmp_ok($refused, '<=', 3 * @names + 1, 'the refusals are not repeated in a hurry')
    or diag($refused);

# The CA changes its mind, and the time of the next attempt comes.
$ca->plan($_, newOrder => [], fails => {}, life => [ 0, 90 * 86400 ])
    for @names;
$server->stop_all;
$server->plan($_, next_attempt => '2020-01-01T00:00:00Z') for @names;
$server->start;
ok(wait_for(sub { $ca->issued == 2 * @names && !glob $server->state_path
    . '/pending/*' }), 'no longer refused: all are renewed');
$server->reload;    # else what comes a moment later waits for a minute
for my $name (@names) {
    ok(wait_for(sub { ($server->shows($name)->{serial} || '')
        ne $first{$name}{serial} }), "$name: the new one is served");
}
is($ca->issued, 2 * @names, 'two certificates for each');
is_deeply([ $ca->violations ], [], 'every request is as the RFC wants it');

$t->done;

# What is stored of the certificates.
sub files {
    my %all = %{ $server->state_snapshot };
    return { map { $_ => $all{$_} } grep { m{/(?:certs|live)/} } keys %all };
}

sub serves {
    my ($when) = @_;

    wait_for(sub { $server->settled });
    for my $name (@names) {
        is($server->shows($name)->{serial}, $first{$name}{serial},
            "$when: $name is served as before");
        is($server->live_pair($name), 'whole', "$when: $name is whole");
    }
}
