#!/usr/bin/perl

# Tests for a CA that fails before there is an order: directory, nonces,
# account. Each site has a CA of its own, which misbehaves once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my %busy = (status => 429, headers => ['Retry-After: 7200'], problem => {
    type => 'rateLimited', detail => 'too many registrations from here' });
my @cas = (
    { name => 'page.test', directory => { html => 503 },
        says => qr/: directory: the CA answered with HTTP status 503 and no problem document; hint: the CA has trouble of its own/ },
    { name => 'nothing.test', directory => { status => 502 },
        says => qr/: directory: the CA answered with HTTP status 502 and an empty body; hint: the CA has trouble of its own/ },
    { name => 'site.test', directory => { html => 200 },
        says => qr/: directory: the CA's directory: .*; hint: this is not how an ACME CA answers/ },
    { name => 'half.test', directory => { malformed => 1 },
        says => qr/: directory: the CA's directory: .*; hint: this is not how an ACME CA answers/ },
    { name => 'poor.test', directory => { set => { newOrder => undef } },
        says => qr/: directory: the CA's directory has no newOrder URL/ },
    { name => 'plain.test', directory => { set =>
            { newOrder => 'http://127.0.0.1/order' } },
        says => qr/: directory: newOrder in the CA's directory: .*http:/ },
    { name => 'nonce-page.test', newNonce => { html => 503 },
        says => qr/: newAccount: newNonce: the CA answered with HTTP status 503/ },
    { name => 'nonce-none.test', newNonce => { status => 200 },
        says => qr/: newAccount: the CA's reply to newNonce brings no nonce/ },
    { name => 'binding.test', newAccount => { status => 403, problem => {
            type => 'externalAccountRequired', detail => 'no binding' } },
        says => qr/: newAccount: externalAccountRequired: no binding; hint: this CA wants an external account binding/ },
    { name => 'limited.test', stays => 1, newAccount => \%busy,
        says => qr/: newAccount: rateLimited: too many registrations from here; hint: / },
    { name => 'later.test', stays => 1, directory => { html => 503,
            headers => ['Retry-After: 7200'] },
        says => qr/: directory: the CA answered with HTTP status 503/ },
    { name => 'nonce-later.test', stays => 1, newNonce => { html => 503,
            headers => ['Retry-After: 7200'] },
        says => qr/: newAccount: newNonce: the CA answered with HTTP status 503/ },
    { name => 'half-account.test', newAccount => { cut => 1 },
        says => qr/: newAccount: .*(?:transfer closed|bytes missing).*; hint: the CA, or something in between, broke the connection off/ },
    { name => 'nowhere.test', newAccount => { drop => ['Location'] },
        says => qr/: newAccount: the CA's reply to newAccount names no account URL/ },
    # these are no failures at all
    { name => 'slow.test', directory => { slow => 1 },
        newNonce => { slow => 1 }, newAccount => { slow => 1 } },
    { name => 'forgetful.test', newOrder => { status => 400, problem => {
        type => 'accountDoesNotExist', detail => 'who are you' } } },
);
my @steps = qw(directory newNonce newAccount newOrder);
for my $ca (@cas) {
    $ca->{ca} = $t->fake_ca(plans => {
        '-' => { map { $ca->{$_} ? ($_ => [ $ca->{$_} ]) : () }
            grep { $_ ne 'newOrder' } @steps },
        $ca->{name} => { $ca->{newOrder}
            ? (newOrder => [ $ca->{newOrder} ]) : () },
    });
}
my $server = $t->server(ca => $cas[0]{ca}, sites => [ map { {
    names => $_->{name},
    acme => "acme_ca @{[ $_->{ca}->url ]};"
        . "acme_ca_certificate @{[ $_->{ca}->trust ]};",
} } @cas ])->start;

for my $ca (grep { $_->{says} } @cas) {
    my $line = $server->says(qr/ \Q$ca->{name}\E: .*attempt 1 failed/) || '';
    my $hints = () = $line =~ /hint: /g;

    like($line, $ca->{says}, "$ca->{name}: step and reason");
    cmp_ok($hints, '<=', 1, "$ca->{name}: one hint at most");
}
for my $ca (grep { !$_->{says} } @cas) {
    ok($server->issued($ca->{name}), "$ca->{name} is issued");
    unlike($server->acme_log, qr/ \Q$ca->{name}\E: .*failed/,
        "$ca->{name}: at once");
}
like($server->acme_log, qr/the CA does not know our account: registering again/,
    'an account that is gone is made anew');

my @staying = grep { $_->{stays} } @cas;
my @before = map { $_->{ca}->requests } @staying;
$server->reload;
for my $ca (grep { $_->{says} && !$_->{stays} } @cas) {
    ok($server->issued($ca->{name}), "$ca->{name}: another time");
}
for my $ca (@cas) {
    my $count = $ca->{stays} ? 0 : 1;

    $ca->{ca}->judge($count);
    is($ca->{ca}->accounts, $count, "$ca->{name}: one account");
    cmp_ok($ca->{ca}->requests, '<=', 16, "$ca->{name}: few requests");
}
is_deeply([ map { $_->{ca}->requests } @staying ], \@before,
    'Retry-After is heeded before there is an order');

$t->done;
