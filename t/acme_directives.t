#!/usr/bin/perl

# Tests that the server has the directives of the README's table, which is
# made from the settings table: all of them and no other, where each may
# stand, and its arguments.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $httpd = ACME::Test::kind() eq 'httpd';
my $server = $t->server(acme => '');
my %words = (
    acme_domain => 'a.test', acme_ca => 'letsencrypt',
    acme_eab => 'zerossl kid ' . $t->path('eab'),
    acme_accept_terms => 'on', acme_contact => 'a@b.test',
    acme_challenge => 'tls-alpn-01', acme_profile => 'classic',
    acme_preferred_chain => 'Root',
    acme_ca_certificate => $t->path('root.pem'), acme_key => 'rsa:2048',
    acme_key_policy => 'reuse', acme_renew => '30%',
    acme_reload => 'off', acme_port_map => '80:8080',
    acme_state_path => '/nonexistent', acme_user => 'daemon',
    acme_event => '/bin/true', acme_helper => '/bin/true',
    acme_proxy => 'socks5h://127.0.0.1:1080',
);
$t->certificate('root');

# How a line gets to a place, and the directives that may stand there.
# httpd's main server is a server, too.
my %places = (
    top => [ sub { (global => $_[0]) },
        $httpd ? qr/global|both|server/ : qr/global|both/ ],
    server => [ sub { (sites => [ site(acme => $_[0]) ]) },
        qr/both|server/ ],
    location => [ sub { (sites => [ $httpd
        ? site(httpd => "<Location />\n" . $server->_acme($_[0])
            . '</Location>')
        : site(nginx => "location / { $_[0] }") ]) }, qr/^$/ ],
    $httpd ? () : (main => [ sub { (main => $_[0]) }, qr/^$/ ]),
);

my %table = map { $_->{nginx} => $_ } table();
cmp_ok(scalar keys %table, '>', 10, 'the README has a table of directives');

for my $name (sort keys %table) {
    my $row = $table{$name};

    for my $place (sort keys %places) {
        my $verdict = verdict($place, $name, $words{$name});
        like($row->{where}, $places{$place}[1], "$name in: $place")
            if $verdict eq 'allowed';
        unlike($row->{where}, $places{$place}[1], "$name not in: $place")
            if $verdict eq 'refused';
        fail("$name in $place: $verdict")
            if $verdict !~ /^(?:allowed|refused)$/;
    }
    my (undef, $text) = check($row->{where} eq 'server' ? 'server' : 'top',
        $name, join ' ', ('x') x 200);
    my ($arguments) = $text =~ /its form is: $name (.*?)(?:, at most \d+ arguments)?(?: in \S+:\d+)?$/m;
    is($arguments, $row->{arguments}, "the arguments of $name");
}

if ($httpd) {
    # as httpd lists them, each with a line of help
    check();
    my (undef, $list) = $t->run($server->command('-L'));
    my %help = $list =~ /^(\w+) \(mod_acme\.c\)\n\t(.*)\n/mg;
    is_deeply(\%help, { map {
        $_->{httpd} => "$_->{arguments} - $_->{meaning}"
    } values %table }, 'httpd lists these and no other, with the same help');
} else {
    # nginx lists nothing: it is asked for all that may be a name
    my %names = map { $_ => 1 }
        slurp($server->{module}) =~ /(?<=\0)(acme_[a-z_]+)(?=\0)/g;
    delete @names{ keys %table };
    my @known = grep { verdict('top', $_, 'x') ne 'unknown' } sort keys %names;
    is_deeply(\@known, [], 'nginx knows no other');
}
$t->done;

# A server that has nothing of ours yet.
sub site { return { names => 'a.test', domain => undef, tls => [], @_ } }

# The server's check with a line in a place. What the tests always have goes
# where it is the same directive.
sub check {
    my ($place, $name, $words) = @_;

    $server->configure(global => '', main => '', sites => [],
        acme => ($name || '') eq 'acme_accept_terms' ? ''
            : 'acme_accept_terms on;');
    return $server->check if !$place;
    $server->configure($places{$place}[0]->("$name $words;"));
    my $spelled = $table{$name} && $httpd ? $table{$name}{httpd} : $name;
    my $text = slurp($server->file('conf'));
    $text =~ s/^\s*$spelled (?!\Q$words\E).*\n//m;
    spew($server->file('conf'), $text);
    return $server->check;
}

# What the server's check says of a directive in a place.
sub verdict {
    my ($place, $name, $words) = @_;
    my ($status, $text) = check($place, $name, $words);

    return 'allowed' if $status == 0;
    return 'refused' if $text =~ /$name\b.*(?:not allowed|cannot occur)/;
    return 'unknown' if $text =~ /unknown directive "$name"/;
    return $text;
}

# The rows of the README's table, without its marks.
sub table {
    my ($text) = slurp("$ACME::Test::root/README.md")
        =~ /^<!-- directives: .*?\n(.*?)^<!-- end of directives/ms;
    my ($head, undef, @rows) = map {
        [ map { s/\\\|/|/gr } map { s/^`(.*)`$/$1/r }
            grep { $_ ne '' } split /\s*(?<!\\)\|\s*/ ]
    } grep { /^\|/ } split /\n/, $text;

    return map { my %row; @row{@$head} = @$_; \%row } @rows;
}
