package ACME::Test::Preset;

# Let's Encrypt as "acme_ca letsencrypt" means it, its production and its
# staging directory, each played by a Pebble or by a fake CA: a proxy takes
# what goes to their hosts, ends TLS in their names and passes it on.
#
#   my $le = $t->preset(production => { validity => 600 });
#   my $le = $t->preset(fake => 1, production => { plans => { ... } });
#   my $server = $t->server(ca => $le, sites => [ ... ])->start;
#   $le->production->orders, $le->staging->orders, ...
#
#   fake       => 1        fake CAs, else Pebbles
#   production => { ... }  options of the one, and of the other
#   staging    => { ... }  with start => 0: not yet, the proxy finds nobody
#
# A server with ca => $le has all the lines that it needs; others need
# $le->lines and "acme_ca_certificate @{[ $le->trust ]};".

use strict;
use warnings;

my %hosts = (production => 'acme-v02.api.letsencrypt.org',
    staging => 'acme-staging-v02.api.letsencrypt.org');

sub new {
    my ($class, $test, %options) = @_;
    my $self = bless { test => $test }, $class;

    for my $part (sort keys %hosts) {
        my %own = %{ $options{$part} || {} };

        $self->{$part} = !$options{fake} ? $test->pebble(%own)
            : $test->fake_ca(%own, base => "https://$hosts{$part}");
    }
    $self->_make_certificate;
    $self->{proxy} = $test->proxy(connect => 'http',
        pair => $test->path('preset'),
        hosts => { map { ($hosts{$_} => $self->{$_}{port}) } keys %hosts });
    return $self;
}

sub production { return $_[0]->{production} }
sub staging { return $_[0]->{staging} }
sub proxy { return $_[0]->{proxy} }

# As a server's ca.
sub url { return 'letsencrypt' }
sub trust { return $_[0]->{test}->path('preset.root.pem') }
sub lines {
    my ($self) = @_;
    return "acme_proxy http://127.0.0.1:@{[ $self->{proxy}->port ]};\n";
}

sub _make_certificate {
    my ($self) = @_;
    ACME::Test::Pebble::make_certificate($self->{test},
        $self->{test}->path('preset'), $self->trust, 30,
        map { "DNS:$hosts{$_}" } sort keys %hosts);
}

1;
