#!/usr/bin/perl

# Tests for a server that is started without root: everything works under the
# one user, filters and modes included.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Copy qw(copy);
use File::Temp qw(tempdir);
use POSIX ();

my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
my $copies;
become('backup') if $> == 0;

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $told = $t->path('told');
my $program = $t->path('told.sh');
spew($program, "#!/bin/sh\necho \"\$1 \$2 \$(id -u)\" >>$told\n");
chmod 0755, $program;
my $server = $t->server(ca => $ca,
    global => "acme_event $program user=root;", sites => [
    { names => 'example.test www.example.test', redirect => 1 },
])->start;

like($server->shows('example.test')->{issuer}, qr/ACME placeholder/,
    'the server starts, with a placeholder');
ok($server->issued('example.test'), 'and gets its certificate');
is($server->reloads, 1, 'by one reload');
$ca->judge(1);

ok(wait_for(sub { slurp($told) =~ /^installed example\.test $>$/m }),
    'the program of acme_event runs as who we are');

# The keeper lets nobody look into it, so that it is found by its parent.
my $supervisor = $server->helper('supervisor');
my @children = map { m{(\d+)} } grep {
    slurp($_) =~ /^PPid:\s+$supervisor$/m
} glob '/proc/[0-9]*/status';
my ($keeper) = grep { slurp("/proc/$_/cmdline") =~ /keeper/ } @children;
for my $role ([ supervisor => $supervisor ], [ keeper => $keeper ]) {
    my ($name, $pid) = @$role;
    like(slurp("/proc/$pid/status"), qr/^Uid:\s+$>\s+$>\s+$>\s/m,
        "the $name is who we are");
}
like(slurp("/proc/$keeper/status"), qr/^Seccomp:\s+2$/m,
    'the keeper is filtered as ever');
my @wrong = grep {
    my ($mode, $owner) = (lstat)[2, 4];
    !-l && ($owner != $> || ($mode & 077) != 0);
} keys %{ $server->state_snapshot };
is_deeply(\@wrong, [], 'the store is ours alone');

$server->reload;
ok($server->issued('www.example.test'), 'served after an operator\'s reload');
is($ca->orders, 1, 'which orders nothing');
# in a container it may rightly warn of where the store is
my @complaints = grep { /\[(?:warn|error|alert|emerg)\]/
    && !/is not on a volume/ } split /\n/, $server->acme_log;
is_deeply(\@complaints, [], 'the log has no complaint');

$t->done;

# Be somebody who may not even read the folder that we were built in.
sub become {
    my ($user) = @_;
    my ($uid, $gid) = (getpwnam $user)[2, 3];

    plan(skip_all => "there is no user $user") if !defined $uid;
    $copies = tempdir('acme-build-XXXXXX', TMPDIR => 1);
    for my $file ($ENV{ACME_HELPER} || "$build/acme-helper",
        $ENV{PEBBLE} ? $ENV{PEBBLE} : (), grep { -e } map { "$build/$_" } qw(mod_acme.so
            ngx_http_acme_domain_module.so)) {
        my ($name) = $file =~ m{([^/]+)$};
        copy($file, "$copies/$name") or die "$file: $!";
        chmod 0755, "$copies/$name";
        $ENV{ACME_HELPER} = "$copies/$name" if $name =~ /helper/;
        $ENV{PEBBLE} = "$copies/$name" if $name =~ /pebble/;
    }
    $ENV{ACME_BUILD} = $copies;
    chmod 0755, $copies;
    chown $uid, $gid, $copies;
    $) = "$gid $gid";
    POSIX::setgid($gid);
    POSIX::setuid($uid);
    die 'still root' if $> == 0 || $< == 0;
    $ENV{HOME} = '/nonexistent';
    @INC = grep { -r } @INC;   # perl gives up at the first it may not read
    chdir '/';
}

END {
    if (defined $copies) {
        my $status = $?;
        unlink glob "$copies/*";
        rmdir $copies;
        $? = $status;
    }
}
