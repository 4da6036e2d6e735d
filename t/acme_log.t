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
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, level => 'crit', servers => servers('a'));
$t->dns_address('bad-a.test', '127.0.0.9');
$t->dns_address('bad-e.test', '127.0.0.9');

# Only what is always told.
$server->start;
ok($server->issued('a.test'), 'issued');
ok($server->says(qr/ bad-a\.test: .*attempt 1 failed, the next is at /),
    'a failure is told at level crit');
like($server->acme_log, qr/ a\.test: .*certificate obtained/,
    'a success is told at level crit');
unlike($server->acme_log, qr/newOrder sent|ordering a certificate/,
    'steps are not');
is_deeply([ grep { !/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: (?:\*\d+ )?acme: / }
    split /\n/, $server->acme_log ], [], 'lines have the server\'s form');

# More and more of it, up to all there is, if this nginx can.
spew($t->path('error.log'), '');
$server->reload(level => 'notice', servers => servers('b'));
ok($server->says(qr/ b\.test: .*certificate obtained/), 'issued at notice');
like($server->acme_log, qr/\[notice\] .* b\.test: .*ordering a certificate/,
    'the keeper\'s notices at notice');
unlike($server->acme_log, qr/\[(?:info|debug)\] .*acme:/, 'and no more');

$server->reload(level => 'info', servers => servers('c'));
ok($server->says(qr/ c\.test: .*certificate obtained/), 'issued at info');
like($server->acme_log, qr/\[info\] .* c\.test: .*newOrder sent/,
    'the agent\'s steps at info');
unlike($server->acme_log, qr/\[debug\] .*acme:/, 'and no more');

my (undef, $version) = $t->run('nginx', '-V');
my $level = $version =~ /--with-debug/ ? 'debug' : 'info';
$server->reload(level => $level, servers => servers('d'));
ok($server->says(qr/ d\.test: .*certificate obtained/), "issued at $level");
# not before: a worker of the reload before may have answered for c.test
like($server->acme_log, qr/\[info\] .*acme: http-01 challenge answered/,
    'the worker\'s answers too');
SKIP: {
    skip 'nginx without --with-debug', 1 if $level ne 'debug';
    like($server->log, qr/\[debug\] /, 'debug lines are there');
}

# The file is renamed and reopened, as logrotate does.
rename $t->path('error.log'), $t->path('old-error.log') or die $!;
$server->signal('reopen');
ok(wait_for(sub { -e $t->path('error.log') }), 'the log is reopened');
$server->reload(level => $level, servers => servers('e'));
ok($server->says(qr/ e\.test: .*certificate obtained/),
    'what a new helper says is in the new file');

# The same helper goes on: no new settings, so nothing but the file changes.
my $keeper = $server->helper('keeper');
$server->says(qr/ bad-e\.test: .*attempt 1 failed/);
rename $t->path('error.log'), $t->path('older-error.log') or die $!;
$server->signal('reopen');
wait_for(sub { -e $t->path('error.log') });
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

sub servers {
    my ($name) = @_;
    return join '', map { <<"END" } "$name.test", "bad-$name.test";
    server {
        listen 127.0.0.1:%HTTP%;
        listen 127.0.0.1:%HTTPS% ssl;
        server_name $_;
        acme_domain;
        return 301 https://\$host\$request_uri;
    }
END
}
