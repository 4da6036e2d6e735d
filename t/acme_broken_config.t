#!/usr/bin/perl

# Tests for a configuration that is broken on disk when certificates land, a new
# one and one in the place of another: the server runs on with what it had, the
# log says what to look for, and once it is mended they are served without
# anybody asking. nginx refuses such a reload; httpd would end of it, so the
# keeper has it check its configuration first.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $kind = ACME::Test::kind();
my %in_vain = (nginx => qr/\[emerg\].*no_such_directive/,
    httpd => qr/\[acme:error\] .*is not reloaded, because its configuration on disk does not pass -t \(.*: Invalid command 'no_such_directive', /);
my @names = qw(example.test new.test);
my $ca = $t->fake_ca;
my $server = $t->server(ca => $ca,
    sites => [ { names => $names[0], status => 204 } ])->start;
my $old = $server->issued('example.test');
ok($old, 'a certificate is served');
$ca->plan($_, pends => { $_ => 1 }) for @names;
$server->reload(global => 'acme_key ecdsa:384;',
    sites => [ map { { names => $_, status => 204 } } @names ]);
ok(wait_for(sub { !grep { !$ca->requests('challenge', $_) } @names }),
    'orders wait for validation');
my $reloads = $server->reloads;
my $master = $server->running;
my @helpers = map { $server->helper($_) } qw(supervisor keeper);

$server->configure(global => 'acme_key ecdsa:384; no_such_directive;');
isnt(($server->check)[0], 0, 'the configuration does not pass -t');
$ca->plan($_, pends => {}) for @names;
ok(wait_for(sub { $server->log =~ $in_vain{$kind} }),
    'the certificates land and a reload is asked for in vain');
is($server->running, $master, 'the server runs on');
like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/, 'and answers');
is($server->shows('example.test')->{serial}, $old->{serial},
    'with the certificate that it had');
like($server->shows('new.test')->{issuer}, qr/ACME placeholder/,
    'or the placeholder');
ok(wait_for(sub { readlink($server->state_path . '/live/example.test')
    =~ m{/2$} && $server->lives == 2 }), 'the store has both');
is($server->live_pair($_), 'whole', "$_: a whole pair") for @names;
is_deeply([ map { $server->helper($_) } qw(supervisor keeper) ], \@helpers,
    'the helper stays');

# Mended, but nobody reloads: the keeper asks again.
$server->configure(global => 'acme_key ecdsa:384;');
ok($server->served($_, key => 'ecdsa:384'), "mended: $_: the new one is served")
    for @names;
my %generation = ('example.test' => 2, 'new.test' => 1);
ok(wait_for(sub { !grep { ($server->plan($_)->{installed} || 0)
    != $generation{$_} } @names }), 'and both are seen in service');
my %words = (nginx => qr/the server did not reload when asked: new certificates are not served yet; hint: the configuration on disk may not pass -t/,
    httpd => qr/does not pass -t \(.*no_such_directive.*\): new certificates are not served yet; it is checked again at 20\S+Z$/m);
like($server->acme_log, qr/\[error\] .*$words{$kind}/,
    'the log said what to look for');
is_deeply([ map { $server->helper($_) } qw(supervisor keeper) ], \@helpers,
    'still the same helper');
is($server->reloads - $reloads, $kind eq 'nginx' ? 2 : 1,
    'no more reloads were asked for than that');
$ca->judge(3);

$t->done;
