#!/usr/bin/perl

# Tests for the log: keeper and agent follow the server's log level and its
# reopening of files, important lines come at every level, and no secret is
# written even at debug.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $kind = ACME::Test::kind();
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, level => 'crit', sites => sites('a'));
$t->dns_address('bad-a.test', '127.0.0.9');
$t->dns_address('bad-e.test', '127.0.0.9');

# The form of a line of ours, in the server's own words.
my %form = (
    nginx => qr/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: (?:\*\d+ )?acme: /,
    httpd => qr/^\[\w{3} \w{3} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4}\] \[acme:\w+\] \[pid \d+(?::tid \d+)?\] (?:\[client \S+\] )?acme: /,
);

# Only what is always told.
$server->start;
ok($server->issued('a.test'), 'issued');
ok($server->says(qr/ bad-a\.test: .*attempt 1 failed, the next is at /),
    'a failure is told at level crit');
like($server->acme_log, qr/ a\.test: .*certificate obtained/,
    'a success is told at level crit');
unlike($server->acme_log, qr/newOrder sent|ordering a certificate/,
    'steps are not');
well_formed('crit');

# More and more of it, up to all there is, if this server can.
spew($t->path('error.log'), '');
$server->reload(level => 'notice', sites => sites('b'));
ok($server->says(qr/ b\.test: .*certificate obtained/), 'issued at notice');
like($server->acme_log, qr/\[notice\] .* b\.test: .*ordering a certificate/,
    'the keeper\'s notices at notice');
unlike($server->acme_log, qr/\[(?:info|debug)\] .*acme:/, 'and no more');

$server->reload(level => 'info', sites => sites('c'));
ok($server->says(qr/ c\.test: .*certificate obtained/), 'issued at info');
like($server->acme_log, qr/\[info\] .* c\.test: .*newOrder sent/,
    'the agent\'s steps at info');
unlike($server->acme_log, qr/\[debug\] .*acme:/, 'and no more');

my (undef, $version) = $server->program('-V');
my $level = $kind eq 'httpd' || $version =~ /--with-debug/ ? 'debug' : 'info';
$server->reload(level => $level, sites => sites('d'));
ok($server->says(qr/ d\.test: .*certificate obtained/), "issued at $level");
# not before: a worker of the reload before may have answered for c.test
like($server->acme_log, qr/\[info\] .*acme: http-01 challenge answered/,
    'the worker\'s answers too');
SKIP: {
    skip 'nginx without --with-debug', 1 if $level ne 'debug';
    like($server->log, qr/\[(?:\w+:)?debug\] /, 'debug lines are there');
}
well_formed($level);

# The file is renamed and reopened, as logrotate does.
$server->rotate('old-error.log');
$server->reload(level => $level, sites => sites('e'));
ok($server->says(qr/ e\.test: .*certificate obtained/),
    'what a new helper says is in the new file');

# The same helper goes on: no new settings, so nothing but the file changes.
my $keeper = $server->helper('keeper');
$server->says(qr/ bad-e\.test: .*attempt 1 failed/);
$server->rotate('older-error.log');
$server->reload;
ok($server->says(qr/ bad-e\.test: .*attempt 2 failed/),
    'a keeper that lived before the rotation writes to the new file');
is($server->helper('keeper'), $keeper, 'it is the same one');
unlike(slurp($t->path('older-error.log')), qr/attempt 2 failed/,
    'and no more to the old one');

# That no secret is in any of them is what "done" checks; here is what it
# looks for.
my $secrets = $server->secrets;
ok((grep { /thumbprint/ } keys %$secrets), 'the thumbprint is looked for');
ok((grep { /private number/ } keys %$secrets), 'and private numbers');

$t->done;

sub well_formed {
    my ($level) = @_;
    is_deeply([ grep { /acme: / && $_ !~ $form{$kind} }
        split /\n/, $server->log ], [], "lines have the server\'s form at $level");
}

sub sites {
    my ($name) = @_;
    return [ map { { names => $_, redirect => 1 } } "$name.test",
        "bad-$name.test" ];
}
