#!/usr/bin/perl

# Tests for httpd's restarts, hard (SIGHUP) and graceful, in the midst of an
# order: the helper stays and no order is lost, with each MPM. It ends when the
# configuration does without it, and comes back when it was killed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $restart_pause = 11;   # seconds; after that it is started again at once

for my $mpm (qw(event worker prefork)) {
    subtest "mpm_$mpm" => sub { restarts($mpm) };
}
subtest 'the configuration without the module' => \&removed;
subtest 'the supervisor is killed' => \&killed;
done_testing();

# A world with an order that waits for its validation.
sub begin {
    my (%options) = @_;
    my $t = ACME::Test->new(only => 'httpd');
    my $ca = $t->pebble(reject => 0);
    my $proxy = $t->proxy(ca => $ca, hold => 1);
    my $server = $t->server(ca => $proxy, %options, sites => [
        { names => 'example.test www.example.test', redirect => 1 },
    ])->start;

    ok(wait_for(sub { $proxy->held >= 2 }), 'an order waits for validation');
    return ($t, $ca, $proxy, $server);
}

sub restarts {
    my ($mpm) = @_;
    my ($t, $ca, $proxy, $server) = begin(mpm => $mpm);
    my @before = map { $server->helper($_) } qw(supervisor keeper agent);
    my $parent = $server->running;
    my $page = page($server);

    for my $how (qw(restart graceful restart graceful graceful restart)) {
        restart($server, $how);
        is_deeply([ unanswered($server, $proxy->tokens) ], [],
            "$how: the tokens are answered");
    }
    is($server->running, $parent, 'the parent stays');
    is_deeply([ map { $server->helper($_) } qw(supervisor keeper agent) ],
        \@before, 'the helper survives: supervisor, keeper and agent');
    is(page($server), $page, 'and its page');
    is($ca->orders, 1, 'there is one order');

    $proxy->release;
    my $issued = $server->issued('example.test');
    ok($issued, 'which is finished');
    $ca->judge(1);
    is($ca->accounts, 1, 'one account');

    # With nothing to do.
    my $connections = $proxy->connections;
    for my $how (qw(restart graceful)) {
        restart($server, $how);
        is($server->served('example.test', issuer => $issued->{issuer})
            ->{fingerprint}, $issued->{fingerprint},
            "idle, $how: the certificate is served");
    }
    is_deeply([ map { $server->helper($_) } qw(supervisor keeper) ],
        [ @before[0, 1] ], 'idle: the helper survives');
    is($proxy->connections, $connections, 'idle: the CA is not called');

    # Other settings: another helper.
    for my $how (qw(restart graceful)) {
        my $supervisor = $server->helper('supervisor');
        $server->configure(delay => $how eq 'restart' ? '2s' : '3s');
        restart($server, $how);
        ok(wait_for(sub { !alive($supervisor) }),
            "other settings, $how: the helper ends");
        ok($server->helper('supervisor', $supervisor), 'another one comes');
        ok(wait_for(sub { 1 == $server->helpers('supervisor')
            && $server->lock_holders }), 'which has the store');
    }
    is($server->shows('example.test')->{fingerprint}, $issued->{fingerprint},
        'the certificate is served');
    $ca->judge(1);
    unlike($server->acme_log, qr/\[(error|alert|emerg|crit)\]/,
        'no error is logged');
    $t->done;
}

sub removed {
    my ($t, $ca, $proxy, $server) = begin();
    my $with = slurp($server->file('conf'));
    my @tokens = $proxy->tokens;

    $t->certificate('static');
    for my $how (qw(graceful restart)) {
        my @helpers = $server->helpers;
        my $resumed = $server->resumed;

        # Nothing of ours is in it any more, not even the module.
        $server->configure(sites => [ { names => 'example.test',
            domain => undef, cert => 'static', status => 204 } ]);
        (my $without = slurp($server->file('conf')))
            =~ s/^\s*(?:LoadModule acme_module|Acme\w+) .*\n//mg;
        spew($server->file('conf'), $without);
        restart($server, $how);
        ok($server->helpless, "$how without the module: the helper ends");
        ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of it');
        is_deeply([ $server->lock_holders ], [], 'nobody holds the store');
        like($server->get('/', 'example.test'), qr/^HTTP\S+ 204/,
            'httpd serves its sites');
        restart($server, $how) for 1 .. 2;
        is_deeply([ $server->helpers ], [], 'further restarts bring no helper');

        # And back.
        spew($server->file('conf'), $with);
        restart($server, $how);
        ok($server->helper('keeper'), 'the module again: a helper comes');
        ok(wait_for(sub { $server->resumed > $resumed }),
            'the order is taken up again');
        is_deeply([ unanswered($server, @tokens) ], [],
            'with the same tokens');

        # The module alone.
        @helpers = $server->helpers;
        (my $unused = $without) =~ s/^(LoadModule ssl_module)/LoadModule acme_module $server->{module}\n$1/m;
        spew($server->file('conf'), $unused);
        restart($server, $how);
        ok($server->helpless, "$how without AcmeDomain: the helper ends");
        ok(wait_for(sub { !grep { alive($_) } @helpers }), 'all of it');
        $resumed = $server->resumed;
        spew($server->file('conf'), $with);
        restart($server, $how);
        ok(wait_for(sub { $server->resumed > $resumed }),
            'AcmeDomain again: the order is taken up');
    }
    is($ca->orders, 1, 'it is one and the same order');
    $proxy->release;
    ok($server->issued('example.test'), 'and it is finished');
    $ca->judge(1);
    unlike($server->acme_log, qr/\[(error|alert|emerg|crit)\]/,
        'no error is logged');
    $t->done;
}

sub killed {
    my ($t, $ca, $proxy, $server) = begin();
    my $parent = $server->running;
    my @tokens = $proxy->tokens;

    # It has lived for a while, the second one has not.
    sleep $restart_pause;
    my @helpers = $server->helpers;
    my $first = $server->helper('supervisor');
    kill 'KILL', $first;
    my $second = $server->helper('supervisor', $first);
    kill 'KILL', $second;
    ok($second, 'httpd brings a killed helper back by itself');
    ok(wait_for(sub { !grep { alive($_) } @helpers, $second }),
        'keeper and agent end with the supervisor');
    is_deeply([ unanswered($server, @tokens) ], [],
        'the tokens are answered without a helper');
    ok($server->helper('supervisor', $second), 'killed again, it comes again');
    my @words = $server->acme_log =~ /\[error\] .*acme: (.*)$/mg;
    my $words = 'the helper has ended unexpectedly: it is started again';
    is_deeply(\@words, [ $words, "$words in 10 seconds" ],
        'after a pause, as the log says');
    ok(wait_for(sub { $server->resumed }), 'the order is taken up again');
    is_deeply([ unanswered($server, @tokens) ], [], 'with the same tokens');
    is($server->running, $parent, 'the parent stays');
    is($server->reloads, 0, 'no restart was needed');
    is($ca->orders, 1, 'there is one order');
    is(scalar(my @all = $server->helpers('supervisor')), 1, 'and one helper');
    restart($server, 'graceful');
    is(scalar(@all = $server->helpers('supervisor')), 1,
        'also after a restart');

    $proxy->release;
    ok($server->issued('example.test'), 'the order is finished');
    $ca->judge(1);
    $t->done;
}

# As "apachectl restart" and "apachectl graceful".
sub restart {
    my ($server, $how) = @_;
    my $before = $server->starts;
    my ($status, $text) = $server->program('-k', $how);

    ok($status == 0 && wait_for(sub { $server->starts > $before }),
        "httpd -k $how") or diag($text);
}

# The tokens of the order that the server does not answer.
sub unanswered {
    my ($server, @tokens) = @_;
    return grep { $server->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @tokens;
}

# The page that the parent has open, by its inode.
sub page {
    my ($server) = @_;
    my $parent = $server->running;
    my @pages = grep { (readlink || '') =~ /acme-page/ }
        glob "/proc/$parent/fd/*";

    is(scalar @pages, 1, 'the parent has one page open');
    return (stat $pages[0])[1];
}
