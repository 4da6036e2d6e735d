#!/usr/bin/perl

# Tests for what a worker that an attacker has taken over can do to the shared
# page: read the proofs, which it answers anyway, and nothing else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use POSIX qw(:errno_h);

my $t = ACME::Test->new(root => 1);
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $probe = $t->probe('syscall_in');

my $server = $t->server(ca => $proxy,
    sites => [ { names => 'example.test' } ])->start;
ok(wait_for(sub { $proxy->held }), 'an order waits for validation');
my ($token) = $proxy->tokens;
my $path = "/.well-known/acme-challenge/$token";
my $before = $server->get($path, 'example.test');
like($before, qr/^HTTP\S+ 200/, 'the page holds its token');

my $master = $server->running;
my ($keeper, $supervisor) = map { $server->helper($_) } qw(keeper supervisor);
my ($worker) = $server->workers;
my %call = (write => 1, mmap => 9, mprotect => 10, pwrite64 => 18,
    madvise => 28, getuid => 102, ftruncate => 77, openat => 257);

# ---- what is there

my ($range, $rights) = slurp("/proc/$worker/maps")
    =~ /^(\S+) (\S+) \S+ \S+ \d+\s+\S*acme-page.*$/m;
is($rights, 'r--s', 'a worker has the page mapped, for reading');
no warnings 'portable';    # addresses have 64 bits
my ($start, $end) = map { hex } split /-/, $range;
is_deeply([ grep { /acme-page|acme-settings/ } map { readlink }
    glob "/proc/$worker/fd/*" ], [], 'and no descriptor of it');
for my $pid ($master, $keeper) {
    my ($fd) = grep { (readlink || '') =~ /acme-page/ } glob "/proc/$pid/fd/*";
    is((stat $fd)[2] & 0777, 0600, 'only root may open it again');
    is((stat $fd)[4], 0, 'and it is root\'s');
}

# ---- from within the worker

SKIP: {
    my $uid = in_worker('getuid');
    skip 'no system call can be made in the worker here', 12
        if !defined $uid;
    is($uid, getpwnam('www-data'), 'the worker is www-data');
    is(in_worker('mprotect', $start, $end - $start, 3), 'EACCES',
        'mprotect: the page does not become writable');
    for my $pid ($master, $keeper, $supervisor) {
        my ($fd) = grep { (readlink || '') =~ /acme-page/ }
            glob "/proc/$pid/fd/*" or next;
        is(in_worker('openat', -100, $fd, 2), 'EACCES',
            "$fd: not to be opened by the worker");
        is(in_worker('openat', -100, "/proc/$pid/mem", 2), 'EACCES',
            'nor the memory of that process');
    }
    like(in_worker('openat', -100, "/proc/$worker/map_files/$range", 2),
        qr/^E(PERM|ACCES|NOENT)$/, 'nor the file behind its own mapping');
    like(in_worker('openat', -100, $server->state_path . '/lock', 2),
        qr/^EACCES$/, 'nor anything in the store');
    like(in_worker('openat', -100, $server->state_path, 0), qr/^EACCES$/,
        'not even the store itself');
}
like(slurp("/proc/$worker/maps"), qr/ r--s .*acme-page/,
    'the mapping is what it was');

# ---- as the worker's user, from outside

for my $pid ($master, $keeper, $supervisor) {
    my $status = as_worker(sub { open my $mem, '+<', "/proc/$pid/mem" });
    is($status, EACCES, 'its user cannot open the memory of a process of ours');
}
isnt(as_worker(sub { write_memory($worker) }), 0,
    'nor write to the page through a worker\'s');
my $control = $server->state_path . '/control.sock';
is(as_worker(sub { opendir my $dir, $server->state_path }), EACCES,
    'nor the state path');
is(as_worker(sub {
    require Socket;
    socket my $socket, Socket::PF_UNIX(), Socket::SOCK_STREAM(), 0 or return;
    connect $socket, Socket::pack_sockaddr_un($control);
}), EACCES, 'nor talk to the keeper, which would give it the page');

# Even root cannot write through a mapping for reading.
isnt(write_memory($worker), 1, 'no write through the mapping');

is(body($server->get($path, 'example.test')), body($before),
    'and the token is answered as before');
$proxy->release;
ok($server->issued('example.test'), 'the order is finished');
$ca->judge(1);

$t->done;

# The name of the error or the value of a call made in the worker.
sub in_worker {
    my ($name, @arguments) = @_;
    my ($status, $text) = $t->run($probe, $worker, $call{$name}, @arguments);

    diag($text) if $status != 0;
    chomp $text;
    return $status == 0 ? $text : undef;
}

# The errno of something done in a process of the worker's user.
sub as_worker {
    my ($code) = @_;
    my (undef, undef, $uid, $gid) = getpwnam 'www-data';
    my $pid = fork;

    die "fork: $!" if !defined $pid;
    if ($pid == 0) {
        ($(, $)) = ($gid, "$gid $gid");
        ($<, $>) = ($uid, $uid);
        $! = 0;
        my $done = $code->();
        POSIX::_exit($done ? 0 : $! + 0);
    }
    waitpid $pid, 0;
    return $? >> 8;
}

# Write where the page is mapped; true when that was possible.
sub write_memory {
    my ($pid) = @_;

    open my $mem, '+<', "/proc/$pid/mem" or return 0;
    sysseek $mem, $start, 0;
    return defined syswrite($mem, 'X' x 16) ? 1 : 0;
}

sub body {
    my ($text) = @_;
    return $text =~ /\r\n\r\n(.*)/s ? $1 : '';
}
