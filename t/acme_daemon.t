#!/usr/bin/perl

# Tests for how a server may be started: as a daemon, in the foreground, by a
# shell that waits for its output, by a parent that ignores its children.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca, sites => [ { names => 'example.test' } ]);
my $kind = ACME::Test::kind();
my @command = $server->start_command;

# A shell reads the output until nobody can write to it any more.
for my $output ('', '2>&1') {
    my ($status, $text) = $t->run('timeout', 60, 'sh', '-c',
        "out=\$(@command $output); echo \"status \$?: \$out\"");
    is($status, 0, "\$($kind $output) returns") or diag($text);
    like($text, qr/^status 0: $/m, 'and says nothing');
    ok($server->issued('example.test'), 'a certificate is served');
    stands_alone('daemon on');
    $server->stop;
    ok($server->helpless, 'stopped, with its helper');
}

# In the foreground, ended as by Ctrl-C in a terminal: the whole group.
$server->configure(daemon => 'off');
my $pid = $t->spawn('foreground', 'setsid', $server->start_command);
ok($server->issued('example.test'), 'daemon off: a certificate is served');
is($server->running, $pid, 'in the foreground');
stands_alone('daemon off');
kill 'INT', -$pid;
ok(wait_for(sub { !alive($pid) }), 'Ctrl-C ends it');
ok($server->helpless, 'and its helper');

# Some parents ignore their children, and that is inherited.
for my $daemon (qw(on off)) {
    $server->configure(daemon => $daemon);
    my @perl = ('perl', '-e', '$SIG{CHLD} = "IGNORE"; exec @ARGV',
        $server->start_command);
    my $parent = $t->spawn('ignored', @perl);
    ok(wait_for(sub { $server->running }),
        "SIGCHLD ignored, daemon $daemon: it starts");
    ok($server->helper('keeper'),
        'and the helper too');
    ok($server->issued('example.test'), 'and serves the certificate');
    stands_alone("SIGCHLD ignored, daemon $daemon");
    $server->stop('quit');
    ok($server->helpless, 'stopped, with its helper');
    waitpid $parent, 0;
}

# One order for all these starts.
$ca->judge(1);

$t->done;

# Not of the server's session or group, and with nothing of it open.
sub stands_alone {
    my ($when) = @_;
    my $master = $server->running;

    for my $role (qw(supervisor keeper)) {
        my $pid = $server->helper($role);
        my ($parent, $group, $session) = (split ' ',
            (slurp("/proc/$pid/stat") =~ /\) . (.*)/s)[0])[0 .. 2];
        isnt($session, (split ' ', (slurp("/proc/$master/stat")
            =~ /\) . (.*)/s)[0])[2], "$when: the $role: another session");
        isnt($group, getpgrp, 'another process group');
        # httpd waits for its children; nginx would be told of a stranger
        my $wanted = $kind eq 'httpd' && $role eq 'supervisor';
        is($parent == $master ? 'a child' : 'no child',
            $wanted ? 'a child' : 'no child', 'of the master');
        is(readlink("/proc/$pid/cwd"), '/', 'its directory is the root');
        my @open = map { readlink } glob "/proc/$pid/fd/*";
        is_deeply([ grep { m{^/dev/(?!null)|server\.pid|\.conf$} } @open ], [],
            'nothing of the terminal or the server is open');
        # 32 and 33 are the C library's own: make leaves them ignored
        like(slurp("/proc/$pid/status"), qr/^SigIgn:\s+0{7}(00|18)0{7}$/m,
            'no signal is ignored') if $role eq 'supervisor';
    }
    my %ports = map { $_ => 1 } listening();
    my $supervisor = $server->helper('supervisor');
    my @sockets = map { (readlink($_) || '') =~ /^socket:\[(\d+)\]/ ? $1 : () }
        glob "/proc/$supervisor/fd/*";
    is_deeply([ grep { $ports{$_} } @sockets ], [],
        "$when: the helper holds no listening port");
}

# The inodes of all listening TCP sockets.
sub listening {
    return map { (split)[3] eq '0A' ? (split)[9] : () }
        split /\n/, slurp('/proc/net/tcp');
}
