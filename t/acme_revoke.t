#!/usr/bin/perl

# Tests for the revocation of a certificate that is in service (RFC 8555 7.6):
# the CA knows, a successor with another key comes, nothing is out of service.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Account;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca,
    sites => [ { names => 'a.test' }, { names => 'b.test' } ])->start;
my $certificates = 2;

sub ctl { return $t->run($server->{helper}, 'ctl', $server->state_path, @_) }

sub key { return slurp($server->state_path . "/live/$_[0]/privkey.pem") }

ok(wait_for(sub { $server->lives == 2 }), 'two certificates');
ok(wait_for(sub { $server->reloads == 1 }), 'are loaded');

for my $case ([], [ 'superseded' ], [ 1 ]) {
    my ($reason) = @$case;
    my $serial = $server->issued('a.test')->{serial};
    my $key = key('a.test');
    my $spare = $server->issued('b.test')->{serial};
    my ($status, $said) = ctl('revoke', 'a.test', @$case);
    my $what = $reason ? "reason $reason" : 'without a reason';

    is($status, 0, "$what: revoked") or diag($said);
    is($said, "ok\n", "$what: and so it says");
    ok(wait_for(sub { my $shown = $server->shows('a.test');
            ($shown->{issuer} || '') =~ /Pebble/
            && $shown->{serial} ne $serial && $shown->{serial} ne $spare }),
        "$what: a successor is served");
    isnt(key('a.test'), $key, "$what: with another key");
    is($server->issued('b.test')->{serial}, $spare,
        "$what: the other one stays");
    $ca->judge(++$certificates);
}
is(scalar(() = $server->log =~ /certificate \w+ is revoked/g), 3, 'each is logged');

# ---- what cannot be done

my ($status, $said) = ctl('revoke', 'c.test');
isnt($status, 0, 'no such certificate: an error');
like($said, qr/^error: no server has a certificate "c\.test"$/, 'in words');
($status, $said) = ctl('revoke', 'a.test', 2);
isnt($status, 0, 'a reason that is the CA\'s own: an error');
like($said, qr/^error: reasons are 0 unspecified, 1 keyCompromise/,
    'with those that there are');

$t->done;
