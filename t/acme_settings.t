#!/usr/bin/perl

# Tests for acme_reload off, acme_contact and acme_user: what the CA gets and
# what the operator sees.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use MIME::Base64 qw(decode_base64url);

my $t = ACME::Test->new;
my $ca = $t->pebble;

# Notes what newAccount is asked for.
my $proxy = $t->proxy(ca => $ca, answer => sub {
    my ($method, $path, $head, $body) = @_;
    my ($payload) = $body =~ /"payload"\s*:\s*"([^"]*)"/;
    syswrite STDOUT, 'account ' . decode_base64url($payload) . "\n"
        if $path =~ /sign-me-up/;
    return undef;
});
my $user = (grep { defined getpwnam $_ } qw(daemon bin games))[0];
my $server = $t->server(ca => $proxy, sites => [ { names => 'example.test' } ],
    acme => <<"END");
    acme_accept_terms on;
    acme_ca %CA%;
    acme_ca_certificate @{[ $proxy->trust ]};
    acme_port_map 80:%HTTP% 443:%HTTPS%;
    acme_reload off;
    acme_contact admin\@example.test mailto:second\@example.test;
    acme_user $user;
END
$server->start;

# acme_user
SKIP: {
    skip 'not root', 1 if $> != 0;
    my $agent = $server->helper('agent');
    my $uid = getpwnam $user;
    ok(wait_for(sub { slurp("/proc/$agent/status")
        =~ /^Uid:\s+$uid\s+$uid\s+$uid\s/m }), "the agent runs as $user");
}

# acme_reload off
ok($server->says(qr/certificate obtained/), 'a certificate is obtained');
ok($server->says(qr/\[notice\] .*acme_reload is off: the new certificate is served after the next reload/),
    'the log says when it is served');
sleep 3;
is($server->reloads, 0, 'the server is not reloaded');
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'and serves what it had');
$server->reload;
ok($server->issued('example.test'), 'after a reload it is served');
is($ca->orders, 1, 'that orders nothing');

# acme_contact
my @accounts = $proxy->log =~ /^account (.*)$/mg;
my ($contact) = $accounts[-1] =~ /"contact":\s*(\[[^\]]*\])/;
is($contact, '["mailto:admin@example.test","mailto:second@example.test"]',
    'the CA is told of both contacts, as URLs');
like($accounts[-1], qr/"termsOfServiceAgreed":\s*true/,
    'and that its terms are agreed to');

$t->done;
