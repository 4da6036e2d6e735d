package ACME::Test::Proxy;

# Something between two programs that counts what passes, in a process of its
# own that logs a line for each event.
#
#   $t->proxy(to => $port)         copies bytes, counts connections
#   $t->proxy(to => $ca)           the same, in front of a Pebble; a URL then
#   $t->proxy(ca => $ca)           speaks HTTPS itself, so that it can log
#       each request and the tokens of http-01 challenges ("token ...")
#       and run answer => sub { ($method, $path, $headers, $body) }, which
#       returns a whole HTTP reply, or undef to pass the request on
#       and hold => 1 holds every answer to a challenge back: the CA gets it
#       when release is called, so an order stays pending for as long as a
#       test needs. The Pebble behind must have reject => 0.
#   $t->proxy(connect => 'http')   a forward proxy, by CONNECT or as 'socks5';
#       to whatever port, on 127.0.0.1; logs "to HOST:PORT"
#       and user => 'name:password' is what it wants to hear
#       and hosts => { 'ca.test' => $port }, pair => $base: it ends TLS of
#       these hosts itself, by $base.pem and $base.key, and passes requests on
#       to the ports, /directory as /dir
#   start => 0                     not yet: call start later

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use MIME::Base64 ();
use Time::HiRes ();

sub new {
    my ($class, $test, %options) = @_;
    my $name = 'proxy' . ++$test->{proxies};
    my $self = bless { test => $test, name => $name, %options }, $class;

    $self->{port} ||= $test->port($name);
    $self->{to_port} = ref $self->{to} ? $self->{to}{port} : $self->{to};
    $self->start if !exists $options{start} || $options{start};
    return $self;
}

sub start {
    my ($self) = @_;
    my $listener = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1,
        LocalAddr => '127.0.0.1', LocalPort => $self->{port})
        or die "port $self->{port}: $!";

    $self->{pid} = $self->{test}->spawn_code($self->{name},
        sub { $self->_serve($listener) });
    close $listener;
    return $self;
}

sub stop {
    my ($self) = @_;
    $self->{test}->stop_child(delete $self->{pid});
}

sub port { return $_[0]->{port} }
sub url { return "https://127.0.0.1:$_[0]->{port}/dir" }
sub trust { return ($_[0]->{ca} || $_[0]->{to})->trust }

sub log {
    my ($self) = @_;
    return ACME::Test::slurp($self->{test}->path("$self->{name}.log"));
}

sub connections {
    my ($self) = @_;
    my $count = () = $self->log =~ /^connection$/mg;
    return $count;
}

# How many challenges wait for release; and the tokens told by the CA so far.
sub held {
    my ($self) = @_;
    my $count = () = $self->log =~ /^held$/mg;
    return $count;
}

sub tokens {
    my ($self) = @_;
    my %seen;
    return grep { !$seen{$_}++ } $self->log =~ /^token (\S+)$/mg;
}

sub release {
    my ($self) = @_;
    ACME::Test::spew($self->_gate, '');
}

sub _gate { return $_[0]->{test}->path("$_[0]->{name}.open") }

# ---- in the proxy's process

sub _note {
    my ($line) = @_;
    syswrite STDOUT, "$line\n";
}

sub _serve {
    my ($self, $listener) = @_;

    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    while (1) {
        my $client = $listener->accept or next;
        _note('connection');
        my $pid = fork;
        if (defined $pid && $pid == 0) {
            close $listener;
            $self->{ca} ? $self->_speak_https($client,
                    $self->{test}->path("https$self->{ca}{number}"),
                    $self->{ca}{port})
                : $self->{connect} ? $self->_forward($client)
                : _copy($client, $self->{to_port});
            POSIX::_exit(0);
        }
        close $client;
    }
}

# The names of hosts are nobody's business but the proxy's.
sub _forward {
    my ($self, $client) = @_;
    my ($host, $port) = $self->{connect} eq 'socks5' ? _hear_socks5($client)
        : $self->_hear_connect($client);

    return if !$port;
    _note("to $host:$port");
    print $client $self->{connect} eq 'socks5'
        ? pack('C10', 5, 0, 0, 1, 0, 0, 0, 0, 0, 0)
        : "HTTP/1.1 200 Connected\r\nReplay-Nonce: not-the-ca-s\r\n\r\n";
    $client->flush;
    my $known = $self->{hosts} && $self->{hosts}{$host};
    $known ? $self->_speak_https($client, $self->{pair}, $known)
        : _copy($client, $port);
}

sub _hear_connect {
    my ($self, $client) = @_;
    my ($head) = _read_message($client) or return;
    my ($user) = $head =~ /^proxy-authorization:\s*basic\s+(\S+)/mi;

    if ($self->{user} && MIME::Base64::decode_base64($user || '')
        ne $self->{user}) {
        _note('denied');
        print $client "HTTP/1.1 407 Who are you\r\nProxy-Authenticate: "
            . "Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n";
        return;
    }
    return $head =~ /^CONNECT (\S+):(\d+) HTTP/;
}

# RFC 1928, without user; the host as a name.
sub _hear_socks5 {
    my ($client) = @_;
    my ($version, $methods) = unpack 'CC', _read_bytes($client, 2);

    _read_bytes($client, $methods);
    print $client pack 'CC', 5, 0;
    $client->flush;
    my (undef, undef, undef, $type, $length) = unpack 'C5',
        _read_bytes($client, 5);
    return if $version != 5 || $type != 3;
    my $host = _read_bytes($client, $length);
    return ($host, unpack 'n', _read_bytes($client, 2));
}

sub _copy {
    my ($client, $port) = @_;
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port) or return;
    my %other = ($client => $server, $server => $client);
    my $both = IO::Select->new($client, $server);

    while (1) {
        for my $from ($both->can_read) {
            sysread($from, my $bytes, 65536) or return;
            while (length $bytes) {
                my $sent = syswrite $other{$from}, $bytes or return;
                substr $bytes, 0, $sent, '';
            }
        }
    }
}

sub _speak_https {
    my ($self, $client, $base, $port) = @_;
    require IO::Socket::SSL;
    my $server;

    IO::Socket::SSL->start_SSL($client, SSL_server => 1,
        SSL_cert_file => "$base.pem", SSL_key_file => "$base.key") or return;
    while (my ($head, $body) = _read_message($client)) {
        my ($method, $path) = $head =~ /^(\S+) (\S+)/ or return;
        my $reply = $self->{answer}
            && $self->{answer}->($method, $path, $head, $body);
        if ($self->{hold} && $path =~ m{^/chalZ/} && !-e $self->_gate) {
            $self->_hold($head, $body);
            $reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                . "Content-Length: 2\r\n\r\n{}";
        }
        if (!defined $reply) {
            $server ||= _connect($port) or return;
            $head =~ s{^(\S+) /directory }{$1 /dir };
            print $server $head, $body;
            my ($reply_head, $reply_body) = _read_message($server,
                $method eq 'HEAD') or return;
            $reply = $reply_head . $reply_body;
        }
        my ($status) = $reply =~ /^HTTP\S+ (\d+)/;
        _note("$method $path $status");
        _note("token $1") if $reply =~ /\{([^{}]*"http-01"[^{}]*)\}/
            && $1 =~ /"token":\s*"([^"]+)"/;
        print $client $reply or return;
    }
}

sub _connect {
    my ($port) = @_;
    return IO::Socket::SSL->new(PeerAddr => "127.0.0.1:$port",
        SSL_verify_mode => 0);
}

# Nobody waits for this request's reply: a process of its own sends it later.
sub _hold {
    my ($self, $head, $body) = @_;

    _note('held');
    return if fork;
    while (!-e $self->_gate) {
        Time::HiRes::sleep(0.05);
    }
    if (my $server = _connect($self->{ca}{port})) {
        print $server $head, $body;
        _read_message($server);
    }
    POSIX::_exit(0);
}

# One HTTP/1.1 message: its head with the empty line, and its body as sent.
sub _read_message {
    my ($socket, $no_body) = @_;
    my ($head, $body) = ('', '');

    while (defined(my $line = <$socket>)) {
        $head .= $line;
        last if $line eq "\r\n";
    }
    return if $head !~ /\r\n\r\n\z/;
    return ($head, '') if $no_body || $head =~ /^HTTP\S+ (?:204|304|1)/;
    if ($head =~ /^content-length:\s*(\d+)/mi) {
        $body = _read_bytes($socket, $1);
    } elsif ($head =~ /^transfer-encoding:\s*chunked/mi) {
        while (defined(my $size = <$socket>)) {
            $body .= $size;
            my $length = $size =~ /^([0-9a-f]+)/i ? hex $1 : 0;
            $body .= _read_bytes($socket, $length + 2);
            last if $length == 0;
        }
    }
    return ($head, $body);
}

# All of them, in as many TLS records as they come.
sub _read_bytes {
    my ($socket, $length) = @_;
    my $bytes = '';

    while (length $bytes < $length) {
        read($socket, $bytes, $length - length $bytes, length $bytes)
            or last;
    }
    return $bytes;
}

1;
