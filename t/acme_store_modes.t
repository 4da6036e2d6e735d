#!/usr/bin/perl

# Tests for the modes and owners of what is stored, whatever umask the server
# was started with.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use File::Find ();

my $t = ACME::Test->new;
my $ca = $t->pebble;
my $server = $t->server(ca => $ca,
    sites => [ map { { names => $_ } } qw(example.test unreachable.test) ]);

# A name that fails leaves a plan behind.
$t->dns_address('unreachable.test', '127.0.0.9');

for my $umask (0, 077, 0777) {
    my $state = $t->path(sprintf 'state-%04o', $umask);
    my $what = sprintf 'umask %04o', $umask;

    # The server's own files need some rights; they are made before.
    $server->configure(state => $state);
    my ($status) = $server->check;
    is($status, 0, "$what: the configuration is good");
    umask $umask;
    $server->start;
    umask 022;
    ok($server->issued('example.test'), "$what: issued");
    ok(wait_for(sub { -s "$state/plan/unreachable.test.json" }),
        "$what: and failed");

    my @files = files($state);
    for my $name (qw(lock control.sock plan/unreachable.test.json
        live/example.test certs/example.test/1/privkey.pem)) {
        ok((grep { $_->{name} eq $name } @files), "$what: there is $name");
    }
    is_deeply([ wrong(@files) ], [], "$what: folders 0700, files 0600");
    is_deeply([ grep { $_->{uid} != $> } @files ], [],
        "$what: all of it is ours");
    $server->stop_all;
}

$t->done;

sub files {
    my ($state) = @_;
    my @found;

    File::Find::find(sub {
        my @info = lstat or return;
        push @found, { name => $File::Find::name =~ s{^\Q$state\E/?}{}r,
            mode => $info[2] & 07777, uid => $info[4],
            type => -l _ ? 'link' : -d _ ? 'folder' : 'file' };
    }, $state);
    return @found;
}

sub wrong {
    my %mode = (folder => 0700, file => 0600);
    return map { sprintf '%s %04o', $_->{name}, $_->{mode} }
        grep { $_->{type} ne 'link' && $_->{mode} != $mode{ $_->{type} } } @_;
}
