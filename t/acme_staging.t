#!/usr/bin/perl

# Tests for practice on staging: after a failed validation attempts go to the
# CA's staging directory until one passes there, and for good at once then.
# What staging issues is never used.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my @names = qw(broken.test mended.test never.test waits.test);
my %invalid = map { my $name = $_; ($name => { fails => { $name => {
    type => 'unauthorized', detail => "another page of $name", status => 403,
} } }) } @names;
my $le = $t->preset(fake => 1, production => { plans => \%invalid },
    staging => { plans => { map { $_ => $invalid{$_} }
        qw(mended.test never.test) } });
my ($production, $staging) = ($le->production, $le->staging);
my $server = $t->server(ca => $le, global => 'acme_challenge http-01;',
    sites => [ map { { names => $_ } } 'fine.test', @names ])->start;
my $there = qr/on the CA's staging directory/;

# A validation fails.
ok($server->issued('fine.test'), 'a name without trouble');
for my $name (@names) {
    my $line = $server->says(qr/ \Q$name\E: .*attempt 1 failed/);
    like($line, qr/ letsencrypt: .*validation of \Q$name\E failed: /,
        "$name: the validation fails");
    unlike($line, $there, "$name: at the CA itself");
    is($server->plan($name)->{staging}{ca}, 'letsencrypt',
        "$name: practice is planned");
}
is($production->orders, 5, 'an order each');
is($staging->connections, 0, 'staging was not needed so far');
my @accounts = glob $server->state_path . '/accounts/*';
is(@accounts, 1, 'and there is no account');

# It goes on there: one fails again, with one staging is out of order, and one
# is under way while the server is started again.
$staging->plan('broken.test', newOrder => [ { html => 503 } ]);
$staging->plan('waits.test', pends => { 'waits.test' => 1 });
for my $name (qw(broken.test waits.test)) {
    $production->plan($name, fails => {});
}
go_on();
for my $name (qw(mended.test never.test)) {
    like($server->says(qr/ \Q$name\E: .*attempt 2 failed/),
        qr/ letsencrypt-staging: .*attempt 2 failed $there, the next is at /,
        "$name: the log says where it fails again");
}
like($server->says(qr/ broken\.test: .*staging directory is of no help/),
    qr/newOrder: .*HTTP status 503.*: ordering at letsencrypt itself$/,
    'broken.test: staging is out of order, which is no reason to wait');
ok($server->issued('broken.test'), 'broken.test: it is ordered for good');
is($staging->accounts, 1, 'there is an account now');
my $order = $server->state_path . '/pending/waits.test/order.json';
ok(wait_for(sub { slurp($order) =~ m{"url":.*/acme-staging-} }),
    'waits.test: an order is under way there');

# One has been mended.
$staging->plan('mended.test', fails => {});
$production->plan('mended.test', fails => {});
go_on();
like($server->says(qr/ waits\.test: .*order resumed/),
    qr/ letsencrypt-staging: order resumed, 1 name, $there/,
    'waits.test: after a restart it goes on there');
$staging->plan('waits.test', pends => {});
for my $name (qw(mended.test waits.test)) {
    like($server->says(qr/ \Q$name\E: .*has passed/),
        qr/the validation has passed $there, whose certificate is not used: ordering at letsencrypt now$/,
        "$name: it passes there");
    my $shown = $server->issued($name);
    ok($shown, "$name: and is ordered for good at once");
    is(meta($name)->{ca}, 'https://acme-v02.api.letsencrypt.org/directory',
        "$name: the certificate is the CA's own");
    my @generations = glob $server->state_path . "/certs/$name/[0-9]*";
    is(@generations, 1, "$name: there was no other one");
    is($server->plan($name)->{staging}, undef, "$name: all is forgotten");
}
is($production->requests('newOrder', 'mended.test'), 2,
    'mended.test: the CA was bothered twice');
is($staging->requests('newOrder', 'mended.test'), 2,
    'mended.test: and staging twice');
is($production->requests('newOrder', 'waits.test'), 2, 'waits.test: twice');
is($staging->requests('newOrder', 'waits.test'), 1, 'waits.test: and once');

# Three times in vain is enough.
ok($server->says(qr/ never\.test: .*attempt 3 failed $there/),
    'never.test: it fails and fails');
go_on();
ok($server->says(qr/ never\.test: .*attempt 4 failed $there/),
    'never.test: and once more');
is($production->requests('newOrder', 'never.test'), 1,
    'never.test: which the CA knows nothing of');
go_on();
ok($server->says(qr/ never\.test: letsencrypt: .*as often as it is tried there: ordering at letsencrypt itself$/),
    'never.test: now it is tried for good');
my $line = $server->says(qr/ never\.test: letsencrypt: .*attempt 5 failed/);
unlike($line, $there, 'never.test: in vain');
is($staging->requests('newOrder', 'never.test'), 3, 'three orders there');
is($production->requests('newOrder', 'never.test'), 2, 'two at the CA');
is($server->plan('never.test')->{staging}{failures}, 0,
    'never.test: practice begins anew');
like($server->shows('never.test')->{issuer}, qr/ACME placeholder/,
    'never.test: nothing of it is served');

is_deeply([ $_->violations ], [], 'every request is as the RFC wants it')
    for $production, $staging;
$t->done;

# The next attempts are now, after a restart.
sub go_on {
    $server->stop_all;
    for my $name (@names) {
        $server->plan($name, next_attempt => '2020-01-01T00:00:00Z')
            if $server->plan($name)->{failures};
    }
    $server->start;
}

sub meta {
    my ($name) = @_;
    require JSON::PP;
    return JSON::PP::decode_json(
        slurp($server->state_path . "/live/$name/meta.json"));
}
