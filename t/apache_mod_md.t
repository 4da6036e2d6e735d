#!/usr/bin/perl

# Tests for mod_md beside this module: each obtains its own certificate, at
# the same time, and neither answers the other's tokens.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
plan(skip_all => 'httpd\'s mod_md is not installed')
    if !ACME::Test::Httpd::has_module('md');

my $ca = $t->pebble(reject => 0);
my ($ours, $theirs) = map { $t->proxy(ca => $ca, hold => 1) } 1, 2;
my $server = $t->server(ca => $ours, modules => [qw(watchdog md)],
    httpd => <<"END", sites => [
MDStoreDir %TMP%/md
MDCertificateAuthority @{[ $theirs->url ]}
MDCACertificateFile @{[ $theirs->trust ]}
MDCertificateAgreement accepted
MDContactEmail admin\@md.test
MDCAChallenges http-01
MDPortMap http:%HTTP% https:%HTTPS%
MDPrivateKeys RSA 2048
MDomain md.test manual
LogLevel md:info
END
    { names => 'ours.test', status => 410 },
    { names => 'md.test', status => 410, domain => undef },
])->start;

like($server->shows('ours.test')->{issuer}, qr/ACME placeholder/,
    'a placeholder for ours');
unlike($server->shows('md.test')->{issuer}, qr/ACME placeholder/,
    'but not where mod_md does this');

# Both orders wait for their validation.
ok(wait_for(sub { $ours->held }), 'we have told the CA that we are ready');
ok(wait_for(sub { $theirs->held }), 'and so has mod_md');
my ($our_token) = $ours->tokens;
my ($their_token) = $theirs->tokens;
my $thumbprint = (split /\./, answer($our_token, 'ours.test'))[1];

like(answer($our_token, 'ours.test'), qr/^\Q$our_token\E\.\S+$/,
    'our token is answered at our name');
like(answer($their_token, 'md.test'), qr/^\Q$their_token\E\.\S+$/,
    'mod_md\'s at its own');
unlike(answer($their_token, 'md.test'), qr/\Q$thumbprint\E/,
    'by mod_md\'s account, not by ours');
like($server->get("/.well-known/acme-challenge/$their_token", 'ours.test'),
    qr/^HTTP\S+ 410 /, 'nobody answers mod_md\'s token at our name');
unlike($server->get('/.well-known/acme-challenge/unknown', 'md.test'),
    qr/\Q$thumbprint\E/, 'we do not answer an unknown token at mod_md\'s');

# mod_md has its certificate served after the next restart, which is ours.
$theirs->release;
ok(wait_for(sub { $server->log =~ /md\.test.*will be activated on next/ }),
    'mod_md obtains its certificate');
$ours->release;
my %shown = map { $_ => $server->issued($_) } qw(ours.test md.test);
is($shown{'ours.test'}{names}, 'ours.test', 'ours is served');
is($shown{'md.test'}{names}, 'md.test', 'and mod_md\'s');
is($shown{'md.test'}{key}, 'rsa:2048', 'with the key that mod_md made');
is($server->reloads, 1, 'after one restart');
$ca->judge(2);
is_deeply([ map { s{.*/}{}r } glob $server->state_path . '/live/*' ],
    [ 'ours.test' ], 'we keep nothing of mod_md\'s');
$t->done;

sub answer {
    my ($token, $name) = @_;
    return $server->get("/.well-known/acme-challenge/$token", $name)
        =~ s/.*\r\n\r\n//sr;
}
