#!/usr/bin/perl

# Tests for several CAs in acme_ca: the next one is asked when one has trouble
# of its own, and only then; the next order goes to the first again.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $nobody = 'https://127.0.0.1:' . $t->port('nobody') . '/dir';
my %problems = (
    limited => { status => 429, headers => ['Retry-After: 7200'], problem => {
        type => 'rateLimited', detail => 'too many certificates (5) already '
            . 'issued for this exact set of identifiers' } },
    rejected => { status => 403, problem => { type => 'rejectedIdentifier',
        detail => 'policy forbids it' } },
    broken => { html => 503 },
    internal => { status => 500, problem => { type => 'serverInternal',
        detail => 'out of order' } },
    bad => { status => 400, problem => { type => 'malformed',
        detail => 'no such thing' } },
);
my %said = (down => 'could not be reached', limited => 'for this exact set',
    rejected => 'policy forbids it', broken => 'HTTP status 503',
    internal => 'out of order', caa => 'CAA forbids it');
my $first = $t->fake_ca(plans => {
    (map { ("$_.test" => { newOrder => [ $problems{$_} ] } ) } keys %problems),
    'caa.test' => { fails => { 'caa.test' => { type => 'caa',
        detail => 'CAA forbids it', status => 403 } } },
    'invalid.test' => { fails => { 'invalid.test' => { status => 403,
        type => 'unauthorized', detail => 'another page' } } },
    'slow.test' => { newOrder => [ $problems{broken} ] },
    'twice.test' => { newOrder => [ $problems{broken}, $problems{broken} ] },
});
my $second = $t->fake_ca(plans => {
    'slow.test' => { pends => { 'slow.test' => 1 } },
    'twice.test' => { newOrder => [ $problems{internal} ] },
});
# This one has certificates of a short life, and the one before it is down.
my $down = $t->pebble(start => 0, reject => 0);
my $short = $t->pebble(validity => 60, reject => 0);
my $binding = $t->pebble(eab => 1, reject => 0);

my @cas = ($first, $second, $down, $short, $binding);
my $both = "acme_ca @{[ $first->url ]} @{[ $second->url ]};";
my %lists = ('down.test' => "acme_ca $nobody @{[ $second->url ]};",
    'renewed.test' => "acme_ca @{[ $down->url ]} @{[ $short->url ]};",
    'unbound.test' => "acme_ca @{[ $binding->url ]} @{[ $second->url ]};");
my @names = sort keys %lists, map { "$_.test" } keys %problems,
    qw(caa invalid slow twice fine);
my $server = $t->server(ca => $first, global => join('', map {
    "acme_ca_certificate @{[ $_->trust ]} for=@{[ $_->url ]};\n" } @cas),
    sites => [ map { { names => $_, acme => $lists{$_} || $both } } @names ],
)->start;

# Trouble of the CA's own.
for my $what (sort keys %said) {
    my $name = "$what.test";
    my $line = $server->says(qr/ \Q$name\E: .*; trying /);
    like($line, qr/\[warn\] .*: \S+: .*\Q$said{$what}\E.*; trying 127\.0\.0\.1:$second->{port}, the next one of acme_ca$/,
        "$name: the log says why the next one is asked");
    ok($server->issued($name), "$name: which issues");
    is(meta($name)->{ca}, $second->url, "$name: and is written down");
    is($server->plan($name)->{failures}, 0, "$name: nothing has failed");
}
like($server->says(qr/ unbound\.test: .*; trying /),
    qr/external account binding.*; trying 127\.0\.0\.1:$second->{port}, /,
    'no account can be had there: neither');
ok($server->issued('unbound.test'), 'the next one issues');

# Nothing of that kind.
ok($server->issued('fine.test'), 'a CA without trouble');
is(meta('fine.test')->{ca}, $first->url, 'is the only one');
is($second->requests(undef, 'fine.test'), 0, 'that is asked');
for my $what (qw(bad invalid)) {
    my $line = $server->says(qr/ $what\.test: .*attempt 1 failed/);
    like($line, qr/127\.0\.0\.1:$first->{port}: .*attempt 1 failed/,
        "$what.test: what another CA would say, too, is the end");
    is($second->requests(undef, "$what.test"), 0, 'no other one is asked');
}

# All of them.
my $line = $server->says(qr/ twice\.test: .*attempt 1 failed/);
like($line, qr/127\.0\.0\.1:$second->{port}: newOrder: serverInternal: out of order; .*attempt 1 failed/,
    'the last of all CAs fails, too: the attempt has failed');
my $plan = $server->plan('twice.test');
is($plan->{failures}, 1, 'it counts once');
like($plan->{text}, qr/HTTP status 503/, 'the words of the first are kept');
like($plan->{last_text}, qr/^127\.0\.0\.1:$second->{port}: .*out of order/,
    'and those of the last');

# A restart in the midst of it.
my $order = $server->state_path . '/pending/slow.test/order.json';
ok(wait_for(sub { slurp($order) =~ m{"url":\s*"\Q$second->{base}\E/order/} }),
    'an order is under way at the second CA');
$server->stop_all;
$server->start;
like($server->says(qr/ slow\.test: .*order resumed/),
    qr/127\.0\.0\.1:$second->{port}: order resumed/,
    'after a restart it is resumed there');
$second->plan('slow.test', pends => {});
ok($server->issued('slow.test'), 'and comes to its end');
is($second->requests('newOrder', 'slow.test'), 1, 'it was the only one');
is($first->requests('newOrder', 'slow.test'), 1, 'the first was not bothered');

# Who has said when it may be asked again is not asked before. Others are.
is($first->requests('newOrder', 'limited.test'), 1, 'one limit was met');
$server->reload(sites => [ map { { names => $_, acme => ($lists{$_} || $both)
    . 'acme_key ecdsa:384;' } } qw(limited.test rejected.test twice.test) ]);
for my $name (qw(limited.test rejected.test twice.test)) {
    ok($server->served($name, key => 'ecdsa:384'), "$name: another key");
}
is($first->requests('newOrder', 'limited.test'), 1,
    'limited.test: the first CA is left alone');
is(meta('limited.test')->{ca}, $second->url, 'and the second one issues');
is(meta('rejected.test')->{ca}, $first->url,
    'rejected.test: the first one issues now');
is(meta('twice.test')->{ca}, $second->url,
    'twice.test: a new attempt begins with the first and goes on');

# The list is turned round, or has one less.
my $turned = "acme_ca @{[ $second->url ]} @{[ $first->url ]};";
my $orders = $first->orders + $second->orders;
$server->reload(sites => [
    { names => 'rejected.test', acme => "$turned acme_key ecdsa:384;" },
    { names => 'limited.test', acme => "acme_ca @{[ $first->url ]};"
        . 'acme_key ecdsa:384;' },
    { names => 'renewed.test', acme => $lists{'renewed.test'} } ]);
ok($server->says(qr/ limited\.test: .*to be replaced: acme_ca is now 127\.0\.0\.1:$first->{port}$/),
    'the issuer is in the list no more: another certificate is due');
ok($server->says(qr/ limited\.test: 127\.0\.0\.1:$first->{port}: .*the order waits until \d{4}-\S+Z$/),
    'when the first one may be asked again, which the log tells');
is($first->orders + $second->orders, $orders,
    'one of a CA further down the list is as good as before');

# Its own CA is asked about it, and told of a revocation.
is(meta('renewed.test')->{ca}, $short->url, 'a fallback has issued');
ok(!$short->has_renewal_info || wait_for(sub { $short->renewal_questions }),
    'it is asked about the renewal, where it knows of that');
my $serial = meta('renewed.test')->{serial};
my (undef, $said) = $t->run($server->{helper}, 'ctl', $server->state_path,
    'revoke', 'renewed.test');
is($said, "ok\n", 'it revokes it, too');
ok(wait_for(sub { meta('renewed.test')->{serial} ne $serial }),
    'there is a successor');
is(meta('renewed.test')->{ca}, $short->url, 'of the CA that is up');

# Renewal begins with the first.
$down->start;
ok(wait_for(sub { meta('renewed.test')->{ca} eq $down->url }),
    'the renewal is of the first one, which is up again');
is($down->orders, 1, 'by one order');

is($_->failed_validations, 0, 'no validation has failed') for $second, $short;
is_deeply([ $_->violations ], [], 'every request is as the RFC wants it')
    for $first, $second;
$t->done;

# What the store knows of the certificate in service.
sub meta {
    my ($name) = @_;
    require JSON::PP;
    my $text = slurp($server->state_path . "/live/$name/meta.json");
    return $text ne '' ? JSON::PP::decode_json($text)
        : { ca => '', serial => '' };
}
