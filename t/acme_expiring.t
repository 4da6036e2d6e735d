#!/usr/bin/perl

# Tests for a certificate that comes near its end, because its renewal fails:
# the log says so once at each threshold, and acme_event is told.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use IO::Socket::SSL::Utils qw(CERT_create PEM_cert2string PEM_key2string);
use JSON::PP ();

my $t = ACME::Test->new(root => 1);
my $ca = $t->pebble;
my $told = $t->path('told');
my $program = $t->path('told.sh');

mkdir $told;
chmod 0777, $told;
spew($program, "#!/bin/sh\n{ echo \"\$1 \$2 \$(cat)\"; } >>$told/log\n");
chmod 0755, $program;

my $server = $t->server(ca => $ca, global => 'acme_challenge http-01;',
    sites => [ { names => 'old.test' }, { names => 'new.test' } ])->start;
ok($server->issued($_), "$_ is issued") for qw(old.test new.test);
unlike($server->acme_log, qr/expires/, 'which is no alarm');

# The CA does not reach it any more, and 80 days have passed.
$t->dns_address('old.test', '127.0.0.9');
age('old.test', 9);
$server->start;
my $line = $server->says(qr/ old\.test: .*the certificate in service expires/);
like($line, qr/\[warn\] .*expires at \d{4}-\S+Z, in 9 days; its renewal was due at \d{4}-\S+Z, and is under way/,
    '9 days are left: a warning, with all dates');
ok($server->says(qr/ old\.test: .*attempt 1 failed/), 'the renewal fails');

# The rest of it with a program, which is told of what is new only.
$server->reload(global => "acme_challenge http-01; acme_event $program;");
ok(wait_for(sub { slurp("$told/log") =~ /^installed old\.test /m }),
    'a program that is new is told what is installed');
ok(wait_for(sub { slurp("$told/log") =~ /^failed old\.test /m }),
    'and what fails');
unlike(slurp("$told/log"), qr/^expiring/m, 'but nothing that was told');

age('old.test', 2);
$server->start;
ok($server->says(qr/\[error\] .* old\.test: .*expires at \S+, in 2 days; its renewal was due at \S+: validation of old\.test failed/),
    '2 days are left: an error, with the reason');
ok(wait_for(sub { slurp("$told/log") =~ /^expiring old\.test /m }),
    'and the program is told');
my ($json) = slurp("$told/log") =~ /^expiring old\.test (.*)$/m;
is(JSON::PP::decode_json($json)->{days_left}, 2, 'how many days are left');
unlike(slurp("$told/log"), qr/^expiring new\.test/m, 'not of the other one');

my $lines = warnings();
$server->stop_all;
$server->start;
ok($server->idle, 'a restart');
is(warnings(), $lines, 'says nothing again');

$t->done;

sub warnings {
    my $count = () = $server->acme_log =~ /the certificate in service expire/g;
    return $count;
}

# Put a certificate of the past into its place: of 90 days, so many are left.
sub age {
    my ($name, $left) = @_;
    my $day = 86400;
    my $begin = time - (90 - $left) * $day;
    my ($certificate, $key) = CERT_create(not_before => $begin,
        not_after => time + $left * $day, serial => $left + 1000,
        subject => { commonName => $name },
        subjectAltNames => [ [ DNS => $name ] ],
        key => IO::Socket::SSL::Utils::KEY_create_ec('prime256v1'));
    my ($place) = glob $server->state_path . "/certs/$name/1";

    $server->stop_all;
    spew("$place/fullchain.pem", PEM_cert2string($certificate));
    spew("$place/privkey.pem", PEM_key2string($key));
    my $meta = JSON::PP::decode_json(slurp("$place/meta.json"));
    $meta->{obtained} = time_text($begin);
    spew("$place/meta.json", JSON::PP::encode_json($meta));
}
