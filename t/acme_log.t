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
my $nginx = $t->nginx(ca => $ca, level => 'crit', servers => servers('a'));
$t->dns_address('bad-a.test', '127.0.0.9');
$t->dns_address('bad-e.test', '127.0.0.9');

# Only what is always told.
$nginx->start;
ok($nginx->issued('a.test'), 'issued');
ok($nginx->says(qr/ bad-a\.test: .*attempt 1 failed, the next is at /),
    'a failure is told at level crit');
like($nginx->acme_log, qr/ a\.test: .*certificate obtained/,
    'a success is told at level crit');
unlike($nginx->acme_log, qr/newOrder sent|ordering a certificate/,
    'steps are not');
is_deeply([ grep { !/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d \[\w+\] \d+#\d+: (?:\*\d+ )?acme: / }
    split /\n/, $nginx->acme_log ], [], 'lines have the server\'s form');

# More and more of it, up to all there is, if this nginx can.
spew($t->path('error.log'), '');
$nginx->reload(level => 'notice', servers => servers('b'));
ok($nginx->says(qr/ b\.test: .*certificate obtained/), 'issued at notice');
like($nginx->acme_log, qr/\[notice\] .* b\.test: .*ordering a certificate/,
    'the keeper\'s notices at notice');
unlike($nginx->acme_log, qr/\[(?:info|debug)\] .*acme:/, 'and no more');

$nginx->reload(level => 'info', servers => servers('c'));
ok($nginx->says(qr/ c\.test: .*certificate obtained/), 'issued at info');
like($nginx->acme_log, qr/\[info\] .* c\.test: .*newOrder sent/,
    'the agent\'s steps at info');
like($nginx->acme_log, qr/\[info\] .*acme: http-01 challenge answered/,
    'the worker\'s answers too');
unlike($nginx->acme_log, qr/\[debug\] .*acme:/, 'and no more');

my (undef, $version) = $t->run('nginx', '-V');
my $level = $version =~ /--with-debug/ ? 'debug' : 'info';
$nginx->reload(level => $level, servers => servers('d'));
ok($nginx->says(qr/ d\.test: .*certificate obtained/), "issued at $level");
SKIP: {
    skip 'nginx without --with-debug', 1 if $level ne 'debug';
    like($nginx->log, qr/\[debug\] /, 'debug lines are there');
}

# The file is renamed and reopened, as logrotate does.
rename $t->path('error.log'), $t->path('old-error.log') or die $!;
$nginx->signal('reopen');
ok(wait_for(sub { -e $t->path('error.log') }), 'the log is reopened');
$nginx->reload(level => $level, servers => servers('e'));
ok($nginx->says(qr/ e\.test: .*certificate obtained/),
    'what a new helper says is in the new file');

# The same helper goes on: no new settings, so nothing but the file changes.
my $keeper = $nginx->helper('keeper');
$nginx->says(qr/ bad-e\.test: .*attempt 1 failed/);
rename $t->path('error.log'), $t->path('older-error.log') or die $!;
$nginx->signal('reopen');
wait_for(sub { -e $t->path('error.log') });
$nginx->reload;
ok($nginx->says(qr/ bad-e\.test: .*attempt 2 failed/),
    'a keeper that lived before the rotation writes to the new file');
is($nginx->helper('keeper'), $keeper, 'it is the same one');
unlike(slurp($t->path('older-error.log')), qr/attempt 2 failed/,
    'and no more to the old one');

# That no secret is in any of them is what "done" checks; here is what it
# looks for.
my $secrets = $nginx->secrets;
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
