#!/usr/bin/perl

# Tests for CAs that are reached by one address family only: by an address,
# and by a name that has both.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use File::Temp;
use IO::Socket::IP;
use Socket qw(getaddrinfo SOCK_STREAM);

my ($error, @addresses) = getaddrinfo('localhost', 443,
    { socktype => SOCK_STREAM });
my %families = map { $_->{family} => 1 } @addresses;
my $both = keys %families == 2;
give_both() if !$both && $> == 0 && !$ENV{ACME_TEST_HOSTS};

my $t = ACME::Test->new;
plan(skip_all => 'no IPv6 on loopback') if !IO::Socket::IP->new(
    Listen => 1, LocalHost => '::1', LocalPort => 0);

my %cas = (
    'six.test' => [ '::1', '[::1]' ],
    'four.test' => [ '127.0.0.1', '127.0.0.1' ],
    $both ? ('six-named.test' => [ '::1', 'localhost' ],
        'four-named.test' => [ '127.0.0.1', 'localhost' ]) : (),
);
my %ca = map { $_ => $t->fake_ca(address => $cas{$_}[0],
    host => $cas{$_}[1]) } keys %cas;
my @names = sort keys %cas;
my $server = $t->server(ca => $ca{'six.test'}, sites => [ map { {
    names => $_,
    acme => "acme_ca @{[ $ca{$_}->url ]};"
        . "acme_ca_certificate @{[ $ca{$_}->trust ]};",
} } @names ])->start;

for my $name (@names) {
    ok($server->issued($name), "$name is issued by a CA on $cas{$name}[0]");
    like($server->acme_log, qr/ \Q$name\E: \Q$cas{$name}[1]\E:\d+: certificate obtained/,
        "$name: the log names the CA as it is configured");
    $ca{$name}->judge(1);
}
unlike($server->acme_log, qr/\[error\]/, 'without an error');
note('localhost has one address family only') if !$both;

$t->done;

# Run again where /etc/hosts gives localhost both families, if root may.
sub give_both {
    my $hosts = File::Temp->new(UNLINK => 0);
    my @run = (qw(unshare -m sh -c), 'mount --bind "$1" /etc/hosts && '
        . 'rm "$1" && shift && exec "$@"', 'sh', "$hosts");

    print $hosts slurp('/etc/hosts'), "::1 localhost\n";
    close $hosts;
    chmod 0644, "$hosts";
    $ENV{ACME_TEST_HOSTS} = 1;
    exec @run, $^X, $0 if ACME::Test::tool('unshare')
        && system(qw(unshare -m sh -c), 'mount --bind /etc/hosts /etc/hosts') == 0;
    unlink "$hosts";
}
