#!/usr/bin/perl

# Tests for acme_preferred_chain: of the chains that a CA offers the one of the
# root that is wanted is served, else the CA's own, and the log says which
# there are. Run it with a newer Pebble named in PEBBLE, too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $ca = $t->pebble(roots => 2, chain => 3);
my @roots = map { $ca->root_name($_) } 0 .. 2;
my %wanted = (none => undef, first => $roots[0], second => $roots[1],
    third => $roots[2], other => 'Pebble Root CA', odd => 'No such root');
my %issuer = (none => $roots[0], other => $roots[0], odd => $roots[0],
    first => $roots[0], second => $roots[1], third => $roots[2]);
my $server = $t->server(ca => $ca, sites => [ sites(%wanted) ])->start;

for my $name (sort keys %wanted) {
    ok($server->issued("$name.test"), "$name.test is issued");
    my @chain = chain("$name.test");
    is(scalar @chain, 4, 'with three certificates of the CA');
    is($chain[3]{issuer}, $issuer{$name}, 'the last one is of this root');
    is($chain[$_]{issuer}, $chain[ $_ + 1 ]{subject},
        "number $_ is of the one after it") for 0 .. 2;
}
$ca->judge(scalar keys %wanted);
for my $name (qw(other odd)) {
    my @lines = grep { / \Q$name\E\.test: .*acme_preferred_chain/ }
        split /\n/, $server->acme_log;
    is(scalar @lines, 1, "$name: there is one warning");
    like($lines[0], qr/\[warn\] .*the CA offers no chain issued by "\Q$wanted{$name}\E" \(acme_preferred_chain\), only by "\Q$roots[0]\E", "\Q$roots[1]\E", "\Q$roots[2]\E": its own choice is taken/,
        'which says what is offered');
}
my @others = grep { /acme_preferred_chain/ && !/ (?:other|odd)\.test: / }
    split /\n/, $server->acme_log;
is_deeply(\@others, [], 'and no other');

# A client that knows just that root.
for my $name (qw(second third)) {
    my $root = $t->path('root.pem');

    spew($root, curl('-k', '-f', "https://127.0.0.1:$ca->{management}/roots/"
        . ($name eq 'second' ? 1 : 2)));
    like(curl('-i', '--cacert', $root, '--resolve',
        "$name.test:" . $t->port('https') . ':127.0.0.1',
        "https://$name.test:" . $t->port('https') . '/'), qr/^HTTP\S+ 204/,
        "$name: a client that trusts its root only is content");
}

# For the certificates that come; those that are there are good.
$server->reload(sites => [ sites(%wanted, none => $roots[2],
    second => $roots[0], added => $roots[1]) ]);
ok($server->served('added.test', names => 'added.test')
    && $server->issued('added.test'), 'a name is added');
is((chain('added.test'))[3]{issuer}, $roots[1], 'with the root it wants');
is((chain("$_.test"))[3]{issuer}, $issuer{$_}, "$_: nothing is ordered anew")
    for qw(none second);
$ca->judge(1 + keys %wanted);

$t->done;

sub sites {
    my (%wanted) = @_;

    return map { {
        names => "$_.test", status => 204,
        acme => defined $wanted{$_}
            ? qq(acme_preferred_chain "$wanted{$_}";) : '',
    } } sort keys %wanted;
}

# The chain that the server shows: common names of subjects and issuers.
sub chain {
    my ($name) = @_;
    my ($status, $text) = $t->run(qw(openssl s_client -showcerts -nameopt
        multiline -servername), $name, '-connect',
        '127.0.0.1:' . $t->port('https'));
    my $number = 0;
    my @chain;

    for my $pem ($text =~ /(-----BEGIN CERT.*?-----END CERTIFICATE-----\n)/gs) {
        my $file = $t->path('shown' . $number++ . '.pem');
        spew($file, $pem);
        my ($failed, $words) = $t->run(qw(openssl x509 -noout -subject -issuer
            -nameopt multiline -in), $file);
        my ($subject, $issuer) = $words =~ /^subject=(.*?)^issuer=(.*)/ms;
        push @chain, { map { $_->[0] => $_->[1] =~ /commonName\s*= (.*)/
            ? $1 : '' } [ subject => $subject ], [ issuer => $issuer ] };
    }
    return @chain;
}
