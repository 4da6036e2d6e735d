#!/usr/bin/perl

# Tests for the life of the helper with Apache httpd: it is started once, kept
# over restarts, replaced when its settings change, started again when it
# dies, and ends with httpd. mod_cgid is there because its daemon, forked at
# each restart, inherits what httpd has open.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
my $ca = $t->pebble(sleep => 2);
my $site = <<'END';
ScriptSock %TMP%/cgi.sock
<VirtualHost 127.0.0.1:%HTTPS%>
    ServerName example.test
    SSLEngine on
    AcmeDomain
</VirtualHost>
END
my $httpd = $t->server(ca => $ca, modules => ['cgid'],
    ports => [qw(http https)], servers => $site);
my ($status, $text) = $httpd->check;

is($status, 0, '-t passes') or diag($text);
ok(!-e $httpd->state_path, 'and writes nothing');
is_deeply([ $httpd->helpers ], [], 'and starts nothing');

$httpd->start;
my $supervisor = $httpd->helper('supervisor');
ok($supervisor, 'a helper at the start');
is(parent($supervisor), $httpd->pid, 'it is a child of httpd');
is_deeply([ $httpd->helpers('supervisor') ], [$supervisor],
    'the only one');

# Restarts in the middle of an order.
$httpd->reload for 1 .. 5;
is_deeply([ $httpd->helpers('supervisor') ], [$supervisor],
    'five graceful restarts keep it');
ok($httpd->issued('example.test'), 'the certificate is obtained');
$ca->judge(1);
my $starts = $httpd->starts;
$httpd->signal('restart');
ok(wait_for(sub { $httpd->starts > $starts }), 'a hard restart');
is_deeply([ $httpd->helpers('supervisor') ], [$supervisor], 'keeps it too');

# Other settings; later than the second in which the certificate came, which
# a helper that starts then takes for not served yet.
ok($httpd->idle, 'it has nothing to do');
my $pid = $httpd->pid;
$httpd->reload(delay => '2s');
my $other = $httpd->helper('supervisor', $supervisor);
ok($other, 'changed settings need another helper');
ok(wait_for(sub { !alive($supervisor) }), 'and the old one ends');
ok($httpd->helper('keeper'), 'the new one has its keeper');
is_deeply([ $httpd->helpers('supervisor') ], [$other], 'it is alone');
is($httpd->pid, $pid, 'httpd is the same');
unlike($httpd->log, qr/long lost child/, 'which knew the one that ended');

# Death.
kill 'KILL', $other;
my $third = $httpd->helper('supervisor', $other);
ok($third, 'a helper that was killed is started again');
like($httpd->log, qr/acme: the helper has ended unexpectedly/,
    'and the log says so');

# What the machine lacks at a restart does not end httpd.
my $helper = $httpd->{helper};
$httpd->{test}->run('cp', $helper, $t->path('helper'));
$httpd->reload(helper => $t->path('helper'));
my $fourth = $httpd->helper('supervisor', $third);
ok($fourth, 'a helper from another place');
unlink $t->path('helper');
ok(!$httpd->signal('reload'), '-k graceful refuses when it is missing');
$starts = $httpd->starts;
kill 'USR1', $pid;
ok(wait_for(sub { $httpd->starts > $starts }), 'but a signal restarts httpd');
is($httpd->pid, $pid, 'and does not end it');
like($httpd->log, qr/\[acme:error\].* acme: .*\Q@{[ $t->path('helper') ]}\E.*the helper that runs goes on/,
    'the log says what is missing');
is_deeply([ $httpd->helpers('supervisor') ], [$fourth],
    'and the helper that ran goes on');

# Not so with other settings.
$httpd->configure(global => 'acme_contact admin@example.test;');
$starts = $httpd->starts;
kill 'USR1', $pid;
ok(wait_for(sub { $httpd->starts > $starts }), 'other settings: a restart');
is($httpd->pid, $pid, 'that does not end httpd');
like($httpd->log, qr/\[acme:alert\].* acme: .*until this is right/,
    'the log says what is missing');
like($httpd->shows('example.test')->{issuer}, qr/Pebble/,
    'and it serves the CA\'s certificate');
ok(wait_for(sub { !$httpd->helpers }), 'without a helper');
$httpd->reload(helper => $helper);
ok($httpd->helper('keeper'), 'which is there again when all is right');

# Without us.
$httpd->reload(servers => "ScriptSock %TMP%/cgi.sock\n");
ok(wait_for(sub { !$httpd->helpers }), 'no AcmeDomain, no helper');
$httpd->reload(servers => $site);
ok($httpd->helper('keeper'), 'AcmeDomain is back, a helper too');

# The end.
$httpd->stop_all;
ok(1, 'graceful-stop ends it');
$httpd->start;
$httpd->helper('keeper');
$httpd->stop;
ok(wait_for(sub { !$httpd->helpers }), 'so does stop');
$httpd->start;
$httpd->helper('keeper');
my @children = $httpd->workers;
kill 'KILL', $httpd->pid;
ok(wait_for(sub { !$httpd->helpers }), 'and the death of httpd');
kill 'KILL', @children;
$ca->judge(1);
$t->done;
