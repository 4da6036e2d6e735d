#!/usr/bin/perl

# Tests for a configuration that is broken on disk when a certificate lands: the
# server runs on, the log says what to look for, and once it is mended the
# certificate is served without anybody asking. nginx refuses such a reload;
# httpd would end of it, so the keeper has it check its configuration first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $kind = ACME::Test::kind();
my %in_vain = (nginx => qr/\[emerg\].*no_such_directive/,
    httpd => qr/\[acme:error\] .*is not reloaded, because its configuration on disk does not pass -t \(.*: Invalid command 'no_such_directive', /);
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy,
    sites => [ { names => 'example.test', status => 204 } ])->start;

ok(wait_for(sub { $proxy->held }), 'an order waits for validation');
my $master = $server->running;
my @helpers = map { $server->helper($_) } qw(supervisor keeper);

$server->configure(global => 'no_such_directive;');
isnt(($server->check)[0], 0, 'the configuration does not pass -t');
$proxy->release;
ok(wait_for(sub { $server->log =~ $in_vain{$kind} }),
    'the certificate lands and a reload is asked for in vain');
is($server->running, $master, 'the server runs on');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/, 'and answers');
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'with what it had');
is($server->live_pair('example.test'), 'whole', 'the store has the certificate');
is_deeply([ map { $server->helper($_) } qw(supervisor keeper) ], \@helpers,
    'the helper stays');

# Mended, but nobody reloads: the keeper asks again.
$server->configure(global => '');
ok($server->issued('example.test'), 'mended: the certificate is served');
ok($server->says(qr/example\.test: installed: /), 'and seen in service');
my %words = (nginx => qr/the server did not reload when asked: new certificates are not served yet; hint: the configuration on disk may not pass -t/,
    httpd => qr/does not pass -t \(.*no_such_directive.*\): new certificates are not served yet/);
like($server->acme_log, qr/\[error\] .*$words{$kind}/,
    'the log said what to look for');
is_deeply([ map { $server->helper($_) } qw(supervisor keeper) ], \@helpers,
    'still the same helper');
is($server->reloads, $kind eq 'nginx' ? 2 : 1,
    'no more reloads were asked for than that');
$ca->judge(1);

$t->done;
