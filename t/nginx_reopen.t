#!/usr/bin/perl

# Tests for nginx -s reopen: nothing is started, reloaded or written to the
# store, and keeper and agent go on in the new log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new(only => 'nginx');
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [ { names => 'example.test' } ]);

isnt(($server->program('-s', 'reopen'))[0], 0, 'nobody is there to reopen logs');
ok(!-e $server->state_path, 'the state path is not made');
is_deeply([ $server->helpers ], [], 'no helper is started');
is($proxy->connections, 0, 'the CA is not called');

$server->start;
ok(wait_for(sub { $proxy->held }), 'an order is under way');
undisturbed('in mid-order');

my $log = $server->file('log');
rename $log, "$log.1" or die "$log: $!";
ok($server->signal('reopen'), '-s reopen after a rotation of the log');
ok(wait_for(sub { -e $log }), 'the server has a new log');
$proxy->release;
ok($server->issued('example.test'), 'the order goes on');
like($server->acme_log, qr/certificate obtained/,
    'and the helper writes into the new log too');
unlike(slurp("$log.1"), qr/certificate obtained/, 'no more into the old one');

ok(wait_for(sub { $server->reloads }), 'the certificate was loaded');
ok($server->says(qr/: installed: /), 'and is seen in service');
undisturbed('idle');
$ca->judge(1);

$t->done;

sub undisturbed {
    my ($when) = @_;
    $server->undisturbed($when, sub {
        ok($server->signal('reopen'), "$when: -s reopen");
    });
}
