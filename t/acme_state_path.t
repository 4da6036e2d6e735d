#!/usr/bin/perl

# Tests for a state path that cannot be used: the server starts and serves,
# -t passes, and the error says what to do.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(root => 1);
my $ca = $t->pebble;
my $server = $t->server(ca => $ca,
    sites => [ { names => 'example.test', redirect => 1 } ]);
my $nobody = getpwnam 'nobody';
my $issued = 0;
my $mounted;

# what, how it is made (returns the path), how it is mended, the words
my @cases = (
    [ 'world-writable', sub { folder('open', 0777) },
        sub { chmod 0700, $_[0] },
        qr/can be written by others \(mode 777\): chmod 0700 (\S+)/ ],
    [ 'group-writable', sub { folder('group', 0770) },
        sub { chmod 0700, $_[0] }, qr/can be written by others/ ],
    [ 'a link of another user', sub { my $path = $t->path('link');
            symlink folder('target', 0700), $path;
            system('chown', '-h', 'nobody', $path); $path },
        sub { system('chown', '-h', 'root', $_[0]) },
        qr/is a symbolic link of another user/ ],
    [ 'a plain file', sub { my $path = $t->path('file'); spew($path, '');
            $path },
        sub { unlink $_[0]; mkdir $_[0], 0700 }, qr/Not a directory/ ],
);

for my $case (@cases) {
    my ($what, $make, $mend, $words) = @$case;
    my $state = $make->();

    $server->configure(state => $state);
    my ($status, $text) = $server->check;
    is($status, 0, "$what: -t passes") or diag($text);
    $server->start;
    like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
        "$what: the server starts and serves a placeholder");
    my $line = $server->says(qr/no certificate can be obtained: /);
    like($line, qr/\[error\] .*$words/, "$what: the error says what is wrong");
    like($line, qr/\Q$state\E/, "$what: and where");
    ok(!-e "$state/certs", "$what: nothing is written there");

    $mend->($state);
    $server->reload;
    ok($server->issued('example.test'), "$what: mended, and reloaded: issued");
    $ca->judge(++$issued);
    $server->stop_all;
    unlink $t->path('error.log');
}

# Another owner, as a bind mount may have: it works, and is said.
my $foreign = folder('foreign', 0700);
chown $nobody, -1, $foreign;
$server->configure(state => $foreign);
$server->start;
like($server->says(qr/acme_state_path belongs/),
    qr/\[warn\] .*belongs to uid $nobody, who can read its keys: better chown/,
    'another owner is warned of');
ok($server->issued('example.test'), 'and a certificate obtained');
$ca->judge(++$issued);
$server->stop_all;

# Read-only, with a certificate in it.
my $state = $server->state_path;
my (undef, $serial) = $t->run('openssl', 'x509', '-noout', '-serial', '-in',
    "$state/live/example.test/fullchain.pem");
SKIP: {
    my ($status) = $t->run('mount', '--bind', $state, $state);
    skip 'no mounts here', 6 if $status != 0;
    $mounted = $state;
    ($status) = $t->run('mount', '-o', 'remount,ro,bind', $state);
    is($status, 0, 'the state path is read-only');
    ($status) = $server->check;
    is($status, 0, 'read-only: -t passes');
    $server->start;
    is('serial=' . $server->shows('example.test')->{serial} . "\n", $serial,
        'read-only: the certificate in it is served');
    my $line = $server->says(qr/no certificate can be obtained: /);
    like($line, qr/Read-only file system/, 'the error says what is wrong');
    like($line, qr/ReadWritePaths=/, 'and what to do');
    $server->stop_all;
    # a process that has just ended may keep it busy for a moment
    ok(wait_for(sub { 0 == ($t->run('umount', $state))[0] }),
        'writable again');
    undef $mounted;
}

# Below something that cannot be written: /proc.
$server->configure(state => '/proc/acme/state');
my ($status) = $server->check;
is($status, 0, 'a path that cannot be made: -t passes');
$server->start;
ok($server->says(qr{no certificate can be obtained: acme_state_path /proc/acme/state .*StateDirectory=}),
    'the error names it and says what systemd needs');
like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'the server serves');

$t->done;

END {
    local $?;
    system('umount', '-l', $mounted) if $mounted;
}

sub folder {
    my ($name, $mode) = @_;
    my $path = $t->path($name);

    mkdir $path, 0700 or die "$path: $!";
    chmod $mode, $path;
    return $path;
}
