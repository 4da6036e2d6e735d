#!/usr/bin/perl

# Tests for the CA's Retry-After: between polls, and after a refusal, when no
# reload and no restart shortens it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $limit = '{"type":"urn:ietf:params:acme:error:rateLimited",'
    . '"detail":"too many certificates for limited.test","status":429}';

# Refuses newOrder of one name, and notes when something is asked for.
sub answer {
    my ($method, $path, $head, $body) = @_;

    syswrite STDOUT, sprintf "at %.3f %s %s\n", seconds(), $method, $path;
    return undef if $path !~ /order-plz/ || !is_limited($body);
    syswrite STDOUT, "limited\n";
    return join "\r\n", 'HTTP/1.1 429 Too Many Requests',
        'Content-Type: application/problem+json', 'Retry-After: 7200',
        'Content-Length: ' . length $limit, '', $limit;
}

sub is_limited {
    my ($body) = @_;
    require MIME::Base64;
    my ($payload) = $body =~ /"payload"\s*:\s*"([^"]*)"/;
    return MIME::Base64::decode_base64url($payload) =~ /limited\.test/;
}

my $retry = 3;
my $ca = $t->pebble(sleep => 2, retry => $retry);
my $proxy = $t->proxy(ca => $ca, answer => \&answer);
my $server = $t->server(ca => $proxy,
    sites => [ map { { names => $_ } } qw(free.test limited.test) ]);
$server->start;

# A refusal.
my $line = $server->says(qr/ limited\.test: .*attempt 1 failed/);
like($line, qr/newOrder: rateLimited: too many certificates for limited\.test; hint: /,
    'a 429: the CA\'s own words and a hint');
my $plan = $server->plan('limited.test');
cmp_ok(age($plan->{failed_at}, $plan->{next_attempt}), '>=', 7190,
    'the next attempt is when the CA says');

# A name that is free does not wait for one that is not.
ok($server->issued('free.test'), 'another name goes on');
$server->reload;
$server->stop_all;
$server->start;
ok($server->helper('keeper'), 'started again');
$server->reload;
sleep 3;
my $limited = () = $proxy->log =~ /^limited$/mg;
is($limited, 1, 'no reload and no restart shortens the wait');
is($server->plan('limited.test')->{next_attempt}, $plan->{next_attempt},
    'it is still the same');

# Polls: the CA was asked again no earlier than it wanted.
my %last;
my @early;
my $log = $proxy->log;
while ($log =~ m{^at (\S+) POST (/authZ/\S+)\nPOST \2 200}mg) {
    push @early, $1 - $last{$2} if $last{$2} && $1 - $last{$2} < $retry - 1;
    $last{$2} = $1;
}
ok(scalar %last, 'authorizations were polled');
is_deeply(\@early, [], 'never earlier than Retry-After says');

$t->done;

# Seconds from one time of a plan to another.
sub age {
    my ($from, $to) = @_;
    return time_of($to) - time_of($from);
}
