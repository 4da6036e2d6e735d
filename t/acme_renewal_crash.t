#!/usr/bin/perl

# Tests for a helper that is killed at any moment of a renewal: before each call
# that makes a file durable or tells another process something. All the time
# there is a whole pair in live/, and the server shows the old certificate or the
# new one; the order goes on, and nothing is ordered twice but in the one window
# where that cannot be known.
#
# One server lives through all of it: the walk is over one renewal for each
# role and step, see ACME::Test::Crash. ACME_CRASH_KEYS="ecdsa:256 rsa:2048" is
# for a certificate of these types.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;
use ACME::Test::Crash;

use Time::HiRes qw(sleep);

my %steps = (supervisor => 3, keeper => 12, agent => 4);
my $budget = 40;   # seconds, after which no further step is begun
my $keys = $ENV{ACME_CRASH_KEYS} || 'ecdsa:256';
my $wanted = split ' ', $keys;   # orders
my $name = 'example.test';

my $t = ACME::Test->new;
my $crash = ACME::Test::Crash->new($t);
my $ca = $t->pebble(reject => 0);
$crash->plan_for('nobody', 0);
my $server = $t->server(ca => $ca, helper => $crash->{file},
    global => "acme_key $keys;", sites => [ { names => $name } ])->start;
ok($server->issued($name), 'a certificate is served');
ok(wait_for(\&is_quiet), 'the CA was asked when to renew it');

my $reader = $t->spawn_code('reader', \&read_on);
my $begin = seconds();
my $tried = 0;
my @roles = qw(supervisor agent keeper);
# those cost half a minute or more, the pause after what cannot be resumed
push @roles, $wanted > 1 ? 'keygen' : (),
    ACME::Test::kind() eq 'httpd' ? 'check' : () if $crash->is_whole;
for my $role (@roles) {
    my @calls = renew($role, 0);
    cmp_ok(scalar @calls, '>', 0, "$role: " . @calls . ' calls are counted');
    for my $step ($crash->steps($role, $steps{$role}, @calls)) {
        last if !$crash->is_whole && seconds() - $begin > $budget;
        renew($role, $step);
    }
}
cmp_ok($tried, '>', 0, "$tried deaths");
is($ca->accounts, 1, 'one account');
is($ca->failed_validations, 0, 'no validation failed');

ok(alive($reader), 'a client has read all the time');
$t->stop_child($reader);
my @read = split /\n/, slurp($t->path('reader.log'));
cmp_ok(scalar(grep { /^well/ } @read), '>', 10, 'often');
is_deeply([ grep { !/^well/ } @read ], [],
    'and has always found a pair that is whole and a certificate of the CA');
$server->stop;
ok($server->helpless, 'the helper ends with the server');
is_deeply([ ACME::Test::Crash::leftovers($server) ], [],
    'nothing is left over');

$t->done;

# The certificate is due; the process of this role dies at a step. Returns the
# calls that it made.
sub renew {
    my ($role, $step) = @_;
    my $what = $step ? "$role-$step" : $role;
    my $orders = $ca->orders;
    my %old = map { $_ => 1 } chains();
    my $from = seconds();

    start_another_helper(sub {
        make_due();
        $crash->plan_for($role, $step);
    });
    ok(wait_for(sub {
        # who dies of nothing is started by a reload
        $server->signal('reload') if !$server->helpers('supervisor');
        return is_quiet() && !grep { $old{$_} } chains();
    }, 150), "$what: renewed") or diag(join "\n", $server->acme_log
        =~ /.*\n?/g);
    ok(wait_for(sub {
        my $serial = $server->shows($name)->{serial} || '';
        return grep { $_ eq $serial } serials();
    }), "$what: the new certificate is served");
    is_deeply([ ACME::Test::Crash::leftovers($server) ], [],
        "$what: nothing is left over") if !wait_for(sub {
            return !ACME::Test::Crash::leftovers($server) }, 30);
    sleep 1 if !$step;

    my $state = $crash->state;
    my $unknown = $step && $crash->orders_at_death == 1;
    my $more = $ca->orders - $orders;
    ok($more == $wanted || $unknown && $more == $wanted + 1, "$what: "
        . ($unknown ? 'at most one order too many' : 'one order for each'))
        or diag("$more orders");
    if ($step && $state->{count} < $step) {
        note("$what: never reached");
    } elsif ($step) {
        $tried++;
        note(sprintf '%s: %s, %.1f s%s', $what, $state->{calls}[$step - 1],
            seconds() - $from, $more > $wanted ? ', an order too many' : '');
    }
    return @{ $state->{calls} };
}

# As if the CA had asked for this renewal a while ago, but after the last one.
sub make_due {
    my ($start, $chosen, $end) = map { time_text(time + $_) } -3600, 0, 3600;

    for my $plan (plans()) {
        my $ari = $server->plan($plan)->{ari};
        $server->plan($plan, ari => { %$ari, start => $start, end => $end,
            chosen => $chosen, since => $start, hasty => 0 });
    }
}

# One for each key type.
sub plans { return $wanted > 1 ? ($name, "$name+rsa") : $name }

# The end of a supervisor is the end of all; httpd starts the next one by
# itself, nginx at a reload. Before that there is this to do, while nobody else
# writes.
sub start_another_helper {
    my ($prepare) = @_;
    my $master = $server->running or die 'no server';

    kill 'STOP', $master;
    kill 'KILL', $server->helpers('supervisor');
    my $gone = $server->helpless;
    $prepare->() if $gone;
    kill 'CONT', $master;
    die 'the helper does not end' if !$gone;
}

# No order is under way and no question, and what is live is seen in service.
sub is_quiet {
    return 0 if ACME::Test::Crash::obtained($server) != $wanted;
    my ($generation) = (readlink $server->state_path . "/live/$name")
        =~ /(\d+)$/;
    return 0 if ($server->plan($name)->{installed} || 0) != $generation;
    return !grep { !$server->plan($_)->{ari}{poll_at} } plans();
}

sub chains {
    my @files = glob $server->state_path . "/live/$name/fullchain*.pem";
    return map { slurp($_) } @files;
}

sub serials {
    my @files = glob $server->state_path . "/live/$name/meta*.json";
    return map { slurp($_) =~ /"serial":\s*"([^"]*)"/ ? uc $1 : () } @files;
}

# In a process of its own: what a client finds.
sub read_on {
    $| = 1;
    for (my $count = 1; ; $count++) {
        my $pair = $server->live_pair($name);
        my $shown = $server->shows($name);
        my $issuer = $shown->{issuer} || 'no certificate';
        my $now = time_text(time);

        print "$now: live/ is $pair\n" if $pair ne 'whole';
        print "$now: $issuer is served\n" if $issuer !~ /Pebble/;
        print "$now: valid until $shown->{end}\n"
            if ($shown->{end} || 'Z') le $now;
        print "well, $count\n" if $count % 10 == 0;
        sleep 0.02;
    }
}
