#!/usr/bin/perl

# Tests for what CAs answer when they refuse: problem documents of all kinds,
# pages of proxies, nothing at all, half a document. Each is told once in the
# CA's words, with one hint, and is tried again when that makes sense.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use POSIX qw(strftime);

my $t = ACME::Test->new;
my $later = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 7200));

# What is said of one name does not hold the others.
sub busy {
    my ($name, $header) = @_;
    return { status => 429, headers => [$header], problem => {
        type => 'rateLimited', detail => "too many orders of $name" } };
}

my @refusals = (
    { name => 'rejected.test', more => 'bad.rejected.test',
        newOrder => { status => 403, problem => {
            type => 'rejectedIdentifier', detail => 'some are not allowed',
            subproblems => [ { type => 'rejectedIdentifier',
                detail => 'policy forbids it',
                identifier => { type => 'dns', value => 'bad.rejected.test' } },
                { type => 'caa', detail => 'and CAA too',
                identifier => { type => 'dns', value => 'rejected.test' } } ] } },
        says => qr/newOrder: rejectedIdentifier: some are not allowed; bad\.rejected\.test: rejectedIdentifier: policy forbids it; rejected\.test: caa: and CAA too; hint: this CA will not certify the name/ },
    { name => 'caa.test',
        newOrder => { status => 403, problem => { type => 'caa',
            detail => 'CAA record for caa.test prevents issuance' } },
        says => qr/newOrder: caa: CAA record for caa\.test prevents issuance; hint: the zone's CAA record does not allow this CA/ },
    { name => 'action.test',
        newOrder => { status => 403, problem => {
            type => 'userActionRequired', detail => 'terms have changed',
            instance => 'https://fake.test/agree?token=1' },
            headers => ['Link: <https://fake.test/new>;rel="terms-of-service"'] },
        says => qr{newOrder: userActionRequired: terms have changed; visit https://fake\.test/agree\?token=1; hint: the CA's terms have changed} },
    { name => 'seconds.test', stays => 1,
        newOrder => busy('seconds.test', 'Retry-After: 7200'),
        says => qr/newOrder: rateLimited: too many orders of seconds\.test; hint: / },
    { name => 'date.test', stays => 1,
        newOrder => busy('date.test', "Retry-After: $later"),
        says => qr/newOrder: rateLimited: too many orders of date\.test; hint: / },
    { name => 'unavailable.test', stays => 1, alone => 1,
        newOrder => { html => 503, headers => ['Retry-After: 7200'] },
        says => qr/newOrder: the CA answered with HTTP status 503 and no problem document; hint: the CA has trouble/ },
    { name => 'page.test', newOrder => { html => 503 },
        says => qr/newOrder: the CA answered with HTTP status 503 and no problem document; hint: the CA has trouble/ },
    { name => 'nothing.test', newOrder => { status => 504 },
        says => qr/newOrder: the CA answered with HTTP status 504 and an empty body; hint: the CA has trouble/ },
    { name => 'denied.test', newOrder => { html => 403 },
        says => qr/newOrder: the CA answered with HTTP status 403 and no problem document/ },
    { name => 'half.test', newOrder => { malformed => 1 },
        says => qr/newOrder: the CA's order: / },
    { name => 'page-as-order.test', order => { html => 200 },
        says => qr/validation: the CA's order: / },
    { name => 'page-as-chain.test', certificate => { html => 200 },
        says => qr{certificate: the CA sent \d+ bytes of "text/html" in place of a certificate chain} },
    { name => 'reversed.test', chain => 'reversed',
        says => qr/: storing the certificate: the chain that the CA delivered: it is for another key/ },
    { name => 'other.test', chain => 'other',
        says => qr/: certificate: the CA sent \d+ bytes of "application\/pem-certificate-chain" in place of a certificate chain/ },
    { name => 'more.test', chain => 'more',
        says => qr/: storing the certificate: .*something else in it than certificates/ },
    { name => 'odd-type.test', newOrder => { status => 400, problem => {
            type => 'https://fake.test/errors#odd', detail => "two\nlines" } },
        says => qr{newOrder: https://fake\.test/errors#odd: two.+lines} },
    { name => 'mute.test', newOrder => { status => 400,
            problem => { type => 'malformed' } },
        says => qr/newOrder: malformed; / },
    { name => 'moved.test', newOrder => { status => 307,
            headers => ['Location: https://127.0.0.1/newOrder'] },
        says => qr/newOrder: the CA answered with HTTP status 307 and an empty body/ },
    { name => 'huge.test', order => { html => 200, body => 'x' x 600_000 },
        times => 4,
        says => qr/validation: .*the reply's body is too large/ },
    { name => 'huge-head.test', order => {
            headers => [ ('X-Fill: ' . 'x' x 9000) x 9 ] }, times => 4,
        says => qr/validation: .*(?:headers? (?:are |is )?too|Too large)/i },
    { name => 'nonces.test', newOrder => { status => 400, problem => {
            type => 'badNonce', detail => 'try again' } }, times => 23,
        says => qr/newOrder: after 20 nonces: badNonce: try again/ },
    { name => 'expired.test',
        authorization => { set => { status => 'expired' } }, times => 2,
        says => qr/expired\.test.*the CA says the authorization is expired/ },
);

my @steps = qw(newOrder order authorization certificate);
my %plans;
for my $refusal (@refusals) {
    $plans{ $refusal->{name} }{chain} = $refusal->{chain};
    for my $step (grep { $refusal->{$_} } @steps) {
        $plans{ $refusal->{name} }{$step} = [ ($refusal->{$step})
            x ($refusal->{times} || 1) ];
    }
}
my $ca = $t->fake_ca(plans => \%plans);

# What is said of nobody in particular does hold the others for a while.
my $closed = $t->fake_ca(plans => \%plans);

# One that finds out later: it is the second of two names that fails.
my %problem = (type => 'caa', status => 403,
    detail => 'CAA record for www.late.test prevents issuance');
my $late = $t->fake_ca(plans => { 'late.test' => {
    fails => { 'www.late.test' => \%problem } } });

# One whose page, which the CA quotes, sounds like the end of an account.
my $quoting = $t->fake_ca(plans => { 'quote.test' => { fails => {
    'quote.test' => { type => 'unauthorized', status => 403, detail =>
        'Invalid response from http://quote.test/x: "<title>This site is deactivated</title>"' } } } });
my $server = $t->server(ca => $ca, sites => [
    { names => 'quote.test', acme => "acme_ca @{[ $quoting->url ]};"
        . "acme_ca_certificate @{[ $quoting->trust ]};"
        . 'acme_challenge http-01;' },
    { names => 'late.test www.late.test', acme => "acme_ca @{[ $late->url ]};"
        . "acme_ca_certificate @{[ $late->trust ]};" },
    map { { names => join(' ', grep { defined } @$_{qw(name more)}),
        acme => $_->{alone} ? "acme_ca @{[ $closed->url ]};"
            . "acme_ca_certificate @{[ $closed->trust ]};" : '' } }
        @refusals ]);
$server->start;

for my $refusal (@refusals) {
    my $name = $refusal->{name};
    my $line = $server->says(qr/ \Q$name\E: .*attempt 1 failed/) || '';

    like($line, $refusal->{says}, "$name: the CA's words");
    my $hints = () = $line =~ /hint: /g;
    cmp_ok($hints, '<=', 1, "$name: one hint at most");
    like($line, qr/\[error\] .*; a placeholder certificate is served; attempt 1 failed, the next is at \d{4}-/,
        "$name: and what comes next");
}

like($server->says(qr/ late\.test: .*attempt 1 failed/),
    qr/: validation: validation of www\.late\.test failed: http-01: caa: CAA record for www\.late\.test prevents issuance; hint: the zone's CAA record/,
    'a name that fails in validation is told');
my $line = $server->says(qr/ quote\.test: .*attempt 1 failed/);
like($line, qr/This site is deactivated.*hint: another server answered: check/,
    'a page that is quoted is no word of the CA about the account');
cmp_ok($server->plan('quote.test')->{next_attempt}, 'lt',
    time_text(time + 3600),
    'and no reason to wait for a day');
$late->plan('late.test', fails => {});
$ca->plan($_->{name}, chain => 'plain') for grep { $_->{chain} } @refusals;
is($ca->requests('newOrder', 'nonces.test'), 21, 'nonces come to an end');

# The operator asks for one more attempt, which some CAs do not want yet.
my $before = $ca->requests;
$server->reload;
for my $refusal (grep { !$_->{stays} } @refusals) {
    ok($server->issued($refusal->{name}), "$refusal->{name}: another time");
}
my @names = map { $_->{name} } grep { $_->{stays} } @refusals;
for my $name (@names) {
    is($ca->requests('newOrder', $name) + $closed->requests('newOrder', $name),
        1, "$name: Retry-After is heeded");
    cmp_ok($server->plan($name)->{next_attempt}, 'ge',
        time_text(time + 5400),
        "$name: the next attempt is when the CA says");
    like($server->shows($name)->{issuer}, qr/ACME placeholder/,
        "$name: until then a placeholder");
}
cmp_ok($ca->requests - $before, '<', 15 * @refusals, 'no storm of requests');
$ca->judge(@refusals - @names);
ok($server->issued('late.test'), 'late.test: another time');
is($late->orders, 2, 'late.test: by another order');
is_deeply([ $late->violations ], [], 'every request is as the RFC wants it');

$t->done;
