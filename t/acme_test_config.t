#!/usr/bin/perl

# Tests for the server's check of its configuration, and for what else only
# shows it: they start nothing and write nothing, and a running helper does
# not notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my %options = (nginx => [qw(-t -T -tq)],
    httpd => [ qw(-t -S -M), '-t -D DUMP_RUN_CFG' ]);
my @options = @{ $options{ ACME::Test::kind() } };
my $ca = $t->pebble(reject => 0);
my $proxy = $t->proxy(ca => $ca, hold => 1);
my $server = $t->server(ca => $proxy, sites => [ { names => 'example.test' } ]);

# Before there is anything.
passes('before the first start');
ok(!-e $server->state_path, 'the state path is not made');
is_deeply([ $server->helpers ], [], 'no helper is started');
is($proxy->connections, 0, 'the CA is not called');

# In the midst of an order, and after it.
$server->start;
ok(wait_for(sub { $proxy->held }), 'an order is under way');
undisturbed('in mid-order');
$proxy->release;
ok($server->issued('example.test'), 'the order goes on');
ok(wait_for(sub { $server->reloads }), 'the certificate was loaded');
ok($server->says(qr/: installed: /), 'and is seen in service');
undisturbed('idle');
$ca->judge(1);

$t->done;

sub undisturbed {
    my ($when) = @_;
    $server->undisturbed($when, sub { passes($when) });
}

# None of them complains, or shows a key.
sub passes {
    my ($when) = @_;

    for my $option (@options) {
        my ($status, $text) = $server->program(split ' ', $option);
        is($status, 0, "$when: $option passes") or diag($text);
        unlike($text, qr/PRIVATE KEY/, "$when: $option shows no key");
    }
}
