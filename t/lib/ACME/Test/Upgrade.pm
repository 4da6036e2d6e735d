package ACME::Test::Upgrade;

# nginx in a binary upgrade (USR2) in the midst of an order: the beginning that
# its tests share, and what must hold of it however it ends.
#
#   ca, proxy, server            the order waits for its validation in the proxy
#   old, new                     the masters
#   keeper, follower             their keepers: the second waits for the store
#   new_workers                  of the new master; the old one's are sent home

use strict;
use warnings;

use ACME::Test;

sub begin {
    my ($class, $t) = @_;
    my $self = bless {}, $class;
    my $ca = $self->{ca} = $t->pebble(reject => 0);

    # The order waits until the upgrade has begun, then for its validation.
    my $gate = $t->path('gate');
    my $proxy = $self->{proxy} = $t->proxy(ca => $ca, hold => 1,
        answer => sub {
            my ($method, $path) = @_;
            wait_for(sub { -e $gate }) if $path =~ m{^/order-plz};
            return;
        });
    my $server = $self->{server} = $t->server(ca => $proxy, sites => [
        { names => 'example.test www.example.test', redirect => 1 },
    ])->start;

    my $old = $self->{old} = $server->running;
    my ($keeper) = $server->helper('keeper');
    my @old_workers = $server->workers;
    $self->{is_old} = { map { $_ => 1 } @old_workers };
    ok(wait_for(sub { $server->acme_log =~ /ordering a certificate/ }),
        'an order begins');

    kill 'USR2', $old;
    $self->{new} = wait_for(sub {
        $server->running != $old && $server->running;
    });
    ok($self->{new}, 'a binary upgrade: a new master');
    my @new_workers = wait_for(sub { $self->later_workers })
        ? $self->later_workers : ();
    ok(@new_workers, 'with workers of its own');
    my ($follower) = $server->helper('keeper', $keeper);
    ok($follower, 'and a keeper of its own');
    ok(wait_for(sub {
        $server->acme_log =~ /waiting: another helper has the store/;
    }), 'which waits, and says so');
    is_deeply([ $server->lock_holders ], [ $keeper ],
        'the old keeper alone has the store');
    @$self{qw(keeper follower new_workers)}
        = ($keeper, $follower, \@new_workers);

    # Tokens made now are answered by the workers of both.
    spew($gate, '');
    ok(wait_for(sub { $proxy->held >= 2 }), 'the order waits for validation');
    $self->{tokens} = [ $proxy->tokens ];
    is_deeply([ map { $self->unanswered } 1 .. 10 ], [],
        'tokens are answered by whichever worker');
    kill 'WINCH', $old;
    ok(wait_for(sub { !grep { alive($_) } @old_workers }),
        'the old workers are sent home');
    is_deeply([ map { $self->unanswered } 1 .. 5 ], [],
        'the new ones alone answer them too');
    is($ca->orders, 1, 'there is one order');
    return $self;
}

# The tokens of the order that the server does not answer.
sub unanswered {
    my ($self) = @_;
    return grep { $self->{server}->get("/.well-known/acme-challenge/$_",
        'example.test') !~ /^HTTP\S+ 200 .*\Q$_\E\./s } @{ $self->{tokens} };
}

# The workers that were not there when the upgrade began.
sub later_workers {
    my ($self) = @_;
    return grep { !$self->{is_old}{$_} } $self->{server}->workers;
}

1;
