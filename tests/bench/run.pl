#!/usr/bin/perl

# Benchmarks: what it costs to have many certificates. Prints a table and keeps
# it in build/bench/. A goal that is missed is marked, and nothing fails.
#
#   tests/bench/run.pl many       SERVER=nginx|apache, NAMES=1000

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../../t/lib";

BEGIN {
    $ENV{ACME_SERVER} = ($ENV{SERVER} || 'nginx') eq 'nginx' ? 'nginx'
        : 'httpd';
}

use ACME::Test;
use Time::HiRes ();

my %benches = (many => \&many);
my $patience = 1800;   # seconds: a bound for a hung run
my $goals_missed = 0;
my @lines;

$| = 1;
my ($name) = @ARGV;
$name = 'many' if !defined $name || $name eq '';
my $bench = $benches{$name}
    or die "no benchmark \"$name\", there are: @{[ sort keys %benches ]}\n";
$bench->();
keep("$ACME::Test::root/build/bench", "$name-$ENV{ACME_SERVER}.txt");
exit 0;

# ---- the table

sub row {
    my ($what, $figure, $goal) = @_;
    my $missed = defined $goal && $figure > $goal;
    my $shown = $figure =~ /\./ ? sprintf('%.2f', $figure) : $figure;

    $goals_missed += $missed;
    push @lines, sprintf "%-44s %10s%s\n", $what, $shown, !defined $goal ? ''
        : "   goal: at most $goal" . ($missed ? ', MISSED' : '');
    print $lines[-1];
}

sub keep {
    my ($folder, $file) = @_;

    mkdir $folder;
    spew("$folder/$file", join '', @lines);
    print "goals missed: $goals_missed; kept in build/bench/$file\n";
}

# The most memory that a process has had so far, in MiB.
sub peak {
    my ($pid) = @_;
    return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 / 1024 : 0;
}

# ---- a name on each of many servers, from the first start to all of them
# being served

sub many {
    my $count = $ENV{NAMES} || 1000;
    my $t = ACME::Test->new;
    my $ca = $t->pebble(reject => 0);
    my $proxy = $t->proxy(to => $ca);
    my $server = $t->server(ca => $proxy, delay => '10s', level => 'info',
        sites => [ map { { names => "s$_.test", redirect => 1 } }
            1 .. $count ]);
    my %peaks = (agent => 0, keeper => 0);
    my $begin = Time::HiRes::time;
    my $obtained;

    print "$count servers, a name each, on $ENV{ACME_SERVER}:\n";
    $server->start;
    my $started = Time::HiRes::time;
    my $served = wait_for(sub {
        for my $role (keys %peaks) {
            my ($pid) = $server->helpers($role);
            my $peak = defined $pid ? peak($pid) : 0;
            $peaks{$role} = $peak if $peak > $peaks{$role};
        }
        $obtained ||= Time::HiRes::time if $server->lives == $count;
        # this loop shall not be what is measured
        Time::HiRes::sleep(0.5);
        return $obtained && !grep { $_ eq 'no' } map {
            ($server->shows("s$_.test")->{issuer} || '') =~ /Pebble/
                ? 'yes' : 'no';
        } 1, int($count / 2), $count;
    }, $patience) or die "not all certificates are served\n";
    my $end = Time::HiRes::time;

    row('seconds, start of the server', $started - $begin);
    row('seconds, until all certificates are obtained', $obtained - $begin);
    row('seconds, until all are served', $end - $begin);
    requests($ca, $count);
    row('orders', $ca->orders, $count);
    row('failed validations', $ca->failed_validations, 0);
    row('connections to the CA', $proxy->connections, 4);
    row('reloads of the server', $server->reloads);
    row("MiB, the ${_}'s memory at its most", $peaks{$_},
        $_ eq 'agent' ? 40 : undef) for sort keys %peaks;
}

# What Pebble was asked for.
sub requests {
    my ($ca, $count) = @_;
    my $log = $ca->log;
    my %of;

    $of{$1}++ while $log =~ m{(?:GET|HEAD|POST) /([^/\s]+)\S* -> calling}g;
    my $all = 0;
    $all += $_ for values %of;
    row('requests to the CA for a certificate', $all / $count, 8);
    row("    of these /$_", $of{$_} / $count) for sort keys %of;
}
