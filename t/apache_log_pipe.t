#!/usr/bin/perl

# Tests for an ErrorLog that is a program: what the helper says arrives there
# after restarts, too, and no old program is kept alive by a helper.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'httpd');
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $program = $t->path('logger');
my $server;

# Notes which one of them wrote a line; ends with what it was given so far.
spew($program, <<'END');
#!/usr/bin/perl
$| = 1;
open STDOUT, '>>', $ARGV[0] or die "$ARGV[0]: $!";
$SIG{TERM} = sub { $ended = 1 };
while (1) {
    vec($in = '', 0, 1) = 1;
    $ready = select $in, undef, undef, $ended ? 0 : 0.1;
    last if $ready == 0 && $ended;
    next if $ready <= 0;
    last if !sysread STDIN, $lines, 65536;
    print $lines =~ s/\n/ by $$\n/gr;
}
END
chmod 0755, $program;
$server = $t->server(ca => $proxy, log => qq("|$program %TMP%/error.log"),
    sites => [ { names => 'a.test' } ])->start;

# The processes of the test are known by their log, which is a pipe here.
my $parent = $server->running;
my ($first) = loggers();
ok(wait_for(sub { $proxy->held }), 'an order waits for validation');
ok($server->says(qr/ a\.test: .*newOrder sent.* by $first$/),
    'the helper writes to the program');

# A restart has a program of its own, and so has the helper.
for my $restart (qw(graceful restart)) {
    my ($before) = loggers();
    my $helper = supervisor();
    my $starts = $server->starts;

    $server->program('-k', $restart);
    ok(wait_for(sub { $server->starts > $starts }), "$restart: done");
    ok(wait_for(sub { another_than($before) }),
        "$restart: another program, and no old one is left");
    ok(wait_for(sub { my $pid = supervisor(); $pid && $pid != $helper }),
        "$restart: a helper that writes to it");
    my ($now) = loggers();
    ok($server->says(qr/ a\.test: .*order resumed.* by $now$/),
        "$restart: its lines arrive");
}

# The keeper's own restart, too, is one with another program and helper.
my ($before) = loggers();
my $restarts = $server->reloads;
$proxy->release;
ok($server->says(qr/ a\.test: .*certificate obtained.* by $before$/),
    'a certificate is obtained');
ok($server->issued('a.test'), 'and served');
ok(wait_for(sub { another_than($before) }), 'by another program and helper');
sleep 3;
is($server->reloads, $restarts + 1, 'that has no reason to restart again');
$ca->judge(1);

# The end.
my $helper = supervisor();
$server->stop;
ok(wait_for(sub { !alive($helper) && !loggers() }),
    'stopped: neither helper nor program is left');
$t->done;

# The program's processes.
sub loggers {
    return grep { slurp("/proc/$_/cmdline") =~ /^[^\0]*\0\Q$program\E\0/
        && alive($_) } map { m{(\d+)$} } glob '/proc/[0-9]*';
}

sub another_than {
    my ($pid) = @_;
    my @pids = loggers();
    return @pids == 1 && $pids[0] != $pid;
}

# The helper of this httpd, which is its parent.
sub supervisor {
    my ($pid) = grep { slurp("/proc/$_/cmdline") =~ /^acme-helper: supervisor/
        && slurp("/proc/$_/status") =~ /^PPid:\s+$parent$/m }
        map { m{(\d+)$} } glob '/proc/[0-9]*';
    return $pid;
}

END {
    local $?;
    eval { $server->stop } if $server;
}
