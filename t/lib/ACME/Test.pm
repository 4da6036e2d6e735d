package ACME::Test;

# One test's own world: a temporary directory, ports nobody else uses, the
# processes it started, and the promise that all of it is gone at the end.
#
#   my $t     = ACME::Test->new;
#   my $ca    = $t->pebble;
#   my $server = $t->server(ca => $ca, sites => [ ... ])->start;
#   ...
#   $t->done;
#
# Every process of a test has its standard error in the test's directory.
# That is how they are found again, whoever their parent is by then.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Socket ();
use Test::More;
use Time::HiRes qw(sleep time);

use ACME::Test::Server;
use ACME::Test::Nginx;
use ACME::Test::Httpd;
use ACME::Test::Pebble;
use ACME::Test::FakeCA;
use ACME::Test::Proxy;
use ACME::Test::Preset;

our @EXPORT = (@Test::More::EXPORT,
    qw(wait_for slurp spew curl handshake seconds alive parent time_of
    time_text));

our $root = abs_path(dirname(__FILE__) . '/../../..');

# Generous: a bound for a hung test, never a measurement.
our $patience = $ENV{ACME_TEST_PATIENCE} || 90;

# Every test runs with either server: ACME_SERVER=httpd prove t/
sub kind { return $ENV{ACME_SERVER} || 'nginx' }

my %classes = (nginx => 'ACME::Test::Nginx', httpd => 'ACME::Test::Httpd');
my %programs = (nginx => ['nginx'], httpd => [ 'apache2', 'httpd' ]);

my @worlds;

sub new {
    my ($class, %need) = @_;
    my $self;

    for my $tool (qw(pebble openssl curl)) {
        plan(skip_all => "$tool is not installed") if !tool($tool);
    }
    for my $kind ($need{both} ? sort keys %programs : kind()) {
        plan(skip_all => "$kind is not installed")
            if !grep { tool($_) } @{ $programs{$kind} };
    }
    plan(skip_all => "only $need{only} has this")
        if $need{only} && $need{only} ne kind();
    plan(skip_all => 'this test must run as root') if $need{root} && $> != 0;

    umask 022;
    my $dir = tempdir('acme-test-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;   # the agent is another user
    $self = bless { dir => abs_path($dir), ports => {}, locks => [],
        children => [], logs => [], servers => [], owner => $$ }, $class;
    push @worlds, $self;
    return $self;
}

# ---- pieces

sub pebble {
    my ($self, %options) = @_;
    my $ca = ACME::Test::Pebble->new($self, %options);

    $ca->start if !exists $options{start} || $options{start};
    return $ca;
}

# A CA that can be told to misbehave; see ACME::Test::FakeCA.
sub fake_ca {
    my ($self, %options) = @_;
    my $ca = ACME::Test::FakeCA->new($self, %options);

    $ca->start if !exists $options{start} || $options{start};
    return $ca;
}

# Let's Encrypt and its staging directory; see ACME::Test::Preset.
sub preset {
    my ($self, %options) = @_;
    return ACME::Test::Preset->new($self, %options);
}

# The web server, or the one of a kind; see ACME::Test::Server.
sub server {
    my ($self, %options) = @_;
    my $class = $classes{ delete $options{kind} || kind() };
    my $server = $class->new($self, %options);

    push @{ $self->{servers} }, $server;
    return $server;
}

# A counting proxy; see ACME::Test::Proxy.
sub proxy {
    my ($self, %options) = @_;
    return ACME::Test::Proxy->new($self, %options);
}

# A certificate that has nothing to do with ACME: NAME.pem and NAME.key. The
# kind of its key is as openssl's -newkey has it.
sub certificate {
    my ($self, $name, $kind) = @_;
    my @key = $kind ? $kind : qw(ec -pkeyopt ec_paramgen_curve:P-256);
    my ($status, $text) = $self->run(qw(openssl req -x509 -nodes -days 30),
        '-newkey', @key, '-subj', "/CN=$name", '-addext',
        "subjectAltName=DNS:$name", '-keyout', $self->path("$name.key"),
        '-out', $self->path("$name.pem"));
    die "openssl req: $text" if $status != 0;
}

# A program of tests/probe, and the parts of the core that it needs; its path.
my %probes = (syscall_in => [], alpn_entry => [qw(base/*.c crypto/*.c page/*.c
    format/base64url.c format/client_hello.c serve/neighbour.c)]);

sub probe {
    my ($self, $name) = @_;
    my $probe = $self->path($name);
    my ($status, $text) = $self->run('gcc', '-std=gnu11', '-D_GNU_SOURCE',
        '-Wall', '-Werror', "-I$root/acme_core", "$root/tests/probe/$name.c",
        (map { glob "$root/acme_core/$_" } @{ $probes{$name} }),
        qw(-lssl -lcrypto -o), $probe);

    is($status, 0, 'the probe is built') or diag($text);
    return $probe;
}

# Have the DNS server give a name this address from now on.
sub dns_address {
    my ($self, $name, $address) = @_;
    my $server = 'http://127.0.0.1:' . $self->port('dns-management');

    curl('--retry', 20, '--retry-delay', 1, '--retry-connrefused', '-d',
        qq({"host":"$name."}), "$server/clear-a");
    return curl('-d', qq({"host":"$name.","addresses":["$address"]}),
        "$server/add-a");
}

# Have the DNS server give a name an address where challenges fail, but not at
# once: those of the other names in its order are over by then. Pebble locks up
# over a challenge that fails when its authorization was deactivated, or shown
# as no longer pending, before: newOrder has no answer any more.
sub dns_slow {
    my ($self, $name) = @_;
    my $select = IO::Select->new(map {
        IO::Socket::INET->new(Listen => 16, ReuseAddr => 1,
            LocalAddr => '127.0.0.8', LocalPort => $self->port($_))
            or die "port of $_: $!";
    } qw(http https));

    $self->spawn_code('slow', sub {
        while ($select->can_read) {
            sleep 2;
            $_->accept for $select->can_read(0);    # and close it
        }
    });
    close $_ for $select->handles;
    return $self->dns_address($name, '127.0.0.8');
}

# ---- directory and ports

sub path {
    my ($self, $name) = @_;
    return "$self->{dir}/$name";
}

# A port with a name: the same one whenever it is asked for. It lies below
# the range of outgoing connections, and a lock keeps other tests off it.
sub port {
    my ($self, $name) = @_;
    return $self->{ports}{$name} ||= $self->_reserve;
}

sub _reserve {
    my ($self) = @_;
    my $locks = ($ENV{TMPDIR} || '/tmp') . "/acme-test-ports-$>";

    mkdir $locks, 0700;
    for (1 .. 1000) {
        # root's locks and those of others do not meet: ranges of their own
        my $port = $> == 0 ? 12000 + int rand 18000 : 30000 + int rand 2000;
        open my $lock, '>>', "$locks/$port" or die "$locks/$port: $!";
        next if !flock $lock, LOCK_EX | LOCK_NB;
        my $probe = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
            LocalAddr => '0.0.0.0', LocalPort => $port) or next;
        close $probe;
        push @{ $self->{locks} }, $lock;
        return $port;
    }
    die 'no free port';
}

# ---- processes

# Start a program, its output in a log file of ours. Returns the pid.
sub spawn {
    my ($self, $name, @command) = @_;
    my $log = $self->path("$name.log");
    my $pid = fork;

    die "fork: $!" if !defined $pid;
    if ($pid == 0) {
        $self->_become($log, @command);
    }
    push @{ $self->{children} }, $pid;
    $self->watch_log($log);
    return $pid;
}

sub _become {
    my ($self, $log, @command) = @_;

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $log;
    open STDERR, '>&', \*STDOUT;
    chdir $self->{dir};
    exec { $command[0] } @command or POSIX::_exit(127);
}

# A log to show when the test fails.
sub watch_log {
    my ($self, $log) = @_;
    push @{ $self->{logs} }, $log if !grep { $_ eq $log } @{ $self->{logs} };
}

# Run a child's code in a process of its own until the test ends.
sub spawn_code {
    my ($self, $name, $code) = @_;
    my $log = $self->path("$name.log");
    my $pid = fork;

    die "fork: $!" if !defined $pid;
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $log;
        open STDERR, '>&', \*STDOUT;
        eval { $code->(); 1 } or print STDERR $@;
        POSIX::_exit(0);
    }
    push @{ $self->{children} }, $pid;
    $self->watch_log($log);
    return $pid;
}

# Run a command to its end; returns its exit status and all it printed.
sub run {
    my ($self, @command) = @_;
    my $out = $self->path("run-$$-" . ++$self->{runs});
    my $pid = fork;

    die "fork: $!" if !defined $pid;
    if ($pid == 0) {
        $self->_become($out, @command);
    }
    waitpid $pid, 0;
    my $status = $?;
    my $text = slurp($out);
    unlink $out;
    return ($status, $text);
}

sub stop_child {
    my ($self, $pid, $signal) = @_;

    kill $signal || 'TERM', $pid;
    if (!wait_for(sub { waitpid($pid, WNOHANG) != 0 }, 10)) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    @{ $self->{children} } = grep { $_ != $pid } @{ $self->{children} };
}

# The processes whose standard error lies in our directory.
sub processes {
    my ($self) = @_;
    my @found;

    for my $proc (glob '/proc/[0-9]*') {
        my $stderr = readlink "$proc/fd/2" or next;
        next if index($stderr, "$self->{dir}/") != 0;
        my ($pid) = $proc =~ /(\d+)$/;
        my $title = slurp("$proc/cmdline");
        next if $pid == $$ || $title eq '';   # a zombie has no title
        $title =~ tr/\0/ /;
        push @found, { pid => $pid, title => $title, stderr => $stderr };
    }
    return @found;
}

# ---- the end

# Stop everything, check what must hold after every test, and close the plan.
sub done {
    my ($self) = @_;

    if (my @servers = @{ $self->{servers} }) {
        $_->stop for @servers;
        ok(wait_for(sub { !grep { $_->helpers } @servers }),
            'no helper is left');
        my %checked;
        $_->check_logs for grep { !$checked{ ref $_ }++ } @servers;
    }
    done_testing();
}

sub _end {
    my ($self, $failed) = @_;

    for my $signal (qw(TERM KILL KILL)) {
        my @left = map { $_->{pid} } $self->processes;
        push @left, @{ $self->{children} };
        last if !@left;
        kill $signal, @left;
        wait_for(sub {
            1 while waitpid(-1, WNOHANG) > 0;
            @{ $self->{children} } = grep { kill 0, $_ }
                @{ $self->{children} };
            return !$self->processes && !@{ $self->{children} };
        }, 5);
    }
    $self->_show_logs if $failed;
    if ($ENV{ACME_TEST_KEEP}) {
        print STDERR "# kept: $self->{dir}\n";
    } else {
        remove_tree($self->{dir}, { error => \my $ignored });
    }
}

sub _show_logs {
    my ($self) = @_;

    for my $log (@{ $self->{logs} }) {
        next if !-s $log;
        my @lines = grep {
            !/ \[debug\] (?!.*acme)| client closed connection while waiting/
        } split /\n/, slurp($log);
        my $end = $#lines - 80;
        @lines = @lines[grep { $_ > $end || $lines[$_] =~ / acme: / }
            0 .. $#lines];
        splice @lines, 0, @lines - 300 if @lines > 300;
        print STDERR "# ---- $log\n", map { "#   $_\n" } @lines;
    }
}

END {
    my $status = $?;

    for my $world (@worlds) {
        next if $world->{owner} != $$;
        $world->_end($status != 0 || !Test::More->builder->is_passing);
    }
    $? = $status;
}

# prove ends a test that hangs or is interrupted by these.
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

# ---- functions

# Ask until it is true; returns its last answer.
sub wait_for {
    my ($question, $seconds) = @_;
    my $end = time + ($seconds || $patience);
    my $answer;

    while (!($answer = $question->()) && time < $end) {
        sleep 0.05;
    }
    return $answer;
}

sub seconds { return time }

# Times of files and logs, "2026-11-25T18:00:00Z", and seconds since 1970.
sub time_of {
    my ($text) = @_;
    require Time::Local;
    my @part = ($text || '') =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)Z$/
        or return 0;
    return Time::Local::timegm(@part[5, 4, 3, 2], $part[1] - 1, $part[0]);
}

sub time_text {
    my ($time) = @_;
    return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $time);
}

# Is there still a process of this number (a zombie is none)?
sub alive {
    my ($pid) = @_;
    return slurp("/proc/$pid/stat") =~ /\) [^ZX] /;
}

# The pid of a process's parent; 0 when there is no such process.
sub parent {
    my ($pid) = @_;
    return slurp("/proc/$pid/status") =~ /^PPid:\s+(\d+)/m ? $1 : 0;
}

sub slurp {
    my ($path) = @_;

    open my $in, '<', $path or return '';
    local $/;
    my $text = <$in>;
    return defined $text ? $text : '';
}

sub spew {
    my ($path, $text) = @_;

    open my $out, '>', $path or die "$path: $!";
    print $out $text or die "$path: $!";
    close $out or die "$path: $!";
}

sub tool {
    my ($name) = @_;
    return grep { -x "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin',
        '/sbin';
}

# curl; returns everything it printed (with -i the headers too).
sub curl {
    my (@arguments) = @_;

    open my $out, '-|', 'curl', '-sS', '--max-time', '30', '--noproxy', '*',
        @arguments or die "curl: $!";
    local $/;
    my $text = <$out>;
    close $out;
    return defined $text ? $text : '';
}

# What a TLS port shows for a name, '' for a client that sends none: issuer,
# names, serial, key, end (2026-01-31T10:00:00Z), the fingerprints of the
# certificate and of its public key. Empty when it does not answer.
sub handshake {
    my ($port, $name, %options) = @_;
    require IO::Socket::SSL;
    my $socket = IO::Socket::SSL->new(PeerAddr => "127.0.0.1:$port",
        SSL_hostname => $name, Timeout => 10,
        SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE(), %options)
        or return {};
    my $certificate = $socket->peer_certificate;
    my %shown = (
        issuer => $socket->peer_certificate('issuer'),
        names => join(' ', sort(_names($certificate))),
        serial => Net::SSLeay::P_ASN1_INTEGER_get_hex(
            Net::SSLeay::X509_get_serialNumber($certificate)),
        fingerprint => $socket->get_fingerprint('sha256'),
        end => Net::SSLeay::P_ASN1_TIME_get_isotime(
            Net::SSLeay::X509_get_notAfter($certificate)),
        key => _key_type($certificate),
        public => $socket->get_fingerprint('sha256', undef, 1),
    );
    close $socket;
    return \%shown;
}

sub _names {
    my ($certificate) = @_;
    my @pairs = Net::SSLeay::X509_get_subjectAltNames($certificate);
    my @names;

    while (my ($type, $name) = splice @pairs, 0, 2) {
        push @names, $type != 7 ? $name : Socket::inet_ntop(   # iPAddress
            length $name == 4 ? Socket::AF_INET() : Socket::AF_INET6(), $name);
    }
    return @names;
}

sub _key_type {
    my ($certificate) = @_;
    my $key = Net::SSLeay::X509_get_pubkey($certificate);
    my $type = Net::SSLeay::EVP_PKEY_id($key);
    my $bits = Net::SSLeay::EVP_PKEY_bits($key);

    return ($type == 6 ? 'rsa' : 'ecdsa') . ":$bits";   # NID_rsaEncryption
}

1;
