#!/usr/bin/perl

# Tests for a helper binary that is replaced under a running server, as a package
# upgrade does: the running helper goes on with its own, the next start has the
# new one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Copy qw(copy);

my $t = ACME::Test->new;
my $kind = ACME::Test::kind();
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $original = $ENV{ACME_HELPER} || "$ACME::Test::root/build/acme-helper";
my $helper = $t->path('acme-helper');
put_helper();
my $server = $t->server(ca => $proxy, helper => $helper,
    sites => [ { names => 'example.test' } ]);
$server->start;
ok(wait_for(sub { $proxy->held }), 'an order waits for validation');
my ($supervisor, $keeper, $agent) =
    map { $server->helper($_) } qw(supervisor keeper agent);
my $first = inode($supervisor);

put_helper();
$server->signal('reload');
ok(wait_for(sub { $server->reloads == 1 }), 'replaced: a reload');
is_deeply([ map { $server->helper($_) } qw(supervisor keeper agent) ],
    [ $supervisor, $keeper, $agent ], 'leaves the helper alone');

kill 'KILL', $keeper;
ok($server->helper('agent', $agent), 'a keeper and an agent made later');
is_deeply([ grep { inode($_) ne $first } $server->helpers ], [],
    'are of the same binary as their supervisor');
is($ca->orders, 1, 'and go on with the order');

# Taken away altogether.
unlink $helper;
isnt(($server->check)[0], 0, 'without a helper on disk -t fails');
kill $kind eq 'nginx' ? 'HUP' : 'USR1', $server->running;
my $level = $kind eq 'nginx' ? 'emerg' : 'error';
ok(wait_for(sub { $server->in_nginx_words($server->log)
    =~ /\[$level\].*acme_helper "\Q$helper\E"/ }),
    'and a reload does nothing to it');
is($server->helper('supervisor'), $supervisor, 'the helper lives');
put_helper();

$server->stop;
ok($server->helpless, 'the server is stopped');
my $resumed = $server->resumed;
$server->start;
ok(wait_for(sub { $server->resumed > $resumed }), 'and started: the order goes on');
isnt(inode($server->helper('supervisor')), $first, 'with the new binary');
$proxy->release;
ok($server->issued('example.test'), 'and is finished');
$ca->judge(1);

# One that is not executable, or ends at once: the server does not care.
for my $case ([ 'no program', "nothing\n" ], [ 'ends', "#!/bin/sh\nexit 3\n" ]) {
    my ($what, $text) = @$case;
    $server->stop;
    unlink $helper;
    spew($helper, $text);
    chmod 0755, $helper;
    $server->start;
    ok($server->issued('example.test'), "$what: the server serves");
    is_deeply([ $server->helpers ], [], "$what: without a helper");
}
like($server->acme_log, qr/\[alert\] .*acme: the helper is not running, certificates are neither obtained nor renewed: .*Exec format error/,
    'the log says what is wrong with the first one');

$t->done;

# By rename, never into the file that is being run.
sub put_helper {
    copy($original, "$helper.new") or die "$helper: $!";
    chmod 0755, "$helper.new";
    rename "$helper.new", $helper or die "$helper: $!";
}

sub inode { return (stat "/proc/$_[0]/exe")[1] || '' }
