package ACME::Test::Server;

# A web server with the module, below a test's directory: what nginx and httpd
# have in common, and how a test describes either.
#
#   ca       => $ca | $proxy     acme_ca and acme_ca_certificate
#   sites    => [ { ... }, ... ] what it serves, see below
#   global   => 'text'           more lines of ours: "acme_key rsa:2048;"
#   acme     => 'text'           instead of all lines of ours but the paths
#   plain    => 1                no module and no lines of ours: as without us
#   level    => 'debug'          of the error log (default: info)
#   daemon   => 'off', workers => 2, delay => '1s', user => 'www-data'
#   state    => 'state'          acme_state_path, in the test's directory
#                                when it is not absolute
#   name     => 'second'         of the files, for one more server
#   nginx    => 'text', httpd => 'text'   lines for that server only
#
# A site:
#   names    => 'a.test b.test'  server_name; ServerName and ServerAlias
#   domain   => 'c.test'         arguments of acme_domain (default: none);
#                                undef: no acme_domain
#   acme     => 'text'           more lines of ours
#   plain    => [ 'http' ], tls => [ 'https' ]    names of ports
#   at       => [ '[::1]' ]      listens there (default: 127.0.0.1)
#   default  => 1                for unknown names
#   http2    => 1                with TLS
#   redirect => 1                everything goes to https
#   status   => 204              everything is answered so
#   root     => 'folder'         files of this folder
#   cert     => 'static'         the pair of $t->certificate
#   nginx    => 'text', httpd => 'text'   lines for that server only
#
# Lines of ours are written as nginx spells them, each with its semicolon. In
# every text %HTTP%, %HTTPS%, %TMP% and %CA% stand for the ports of the test,
# its directory and the CA's URL.

use strict;
use warnings;

use File::Find ();
use Test::More ();

sub new {
    my ($class, $test, %options) = @_;
    my $self = bless { test => $test, level => 'info', daemon => 'on',
        workers => 1, delay => '1s', user => 'www-data', state => 'state',
        sites => [], global => '', nginx => '', httpd => '', %options },
        $class;

    my $name = $self->{name};
    $self->{files} = $name
        ? { conf => "$name.conf", pid => "$name.pid", log => "$name.log" }
        : { conf => 'server.conf', pid => 'server.pid', log => 'error.log' };
    my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
    $self->{module} = "$build/" . $self->module_name;
    $self->{helper} ||= $ENV{ACME_HELPER} || "$build/acme-helper";
    for my $file ($self->{module}, $self->{helper}) {
        die "$file is missing: make all\n" if !-e $file;
    }
    $self->configure;
    return $self;
}

# ---- configuration

# Write the configuration, with some options changed. A server that reads it
# just now finds the old one or the new one.
sub configure {
    my ($self, %changes) = @_;
    my $test = $self->{test};
    my $file = $self->file('conf');

    @$self{ keys %changes } = values %changes;
    ACME::Test::spew("$file.new", $self->expand($self->text));
    rename "$file.new", $file or die "$file: $!";
    $test->watch_log($self->file('log'));
    return $self;
}

sub path { return $_[0]->{test}->path($_[1]) }
sub file { return $_[0]->path($_[0]->{files}{ $_[1] }) }
sub state_path {
    my ($self) = @_;
    my $state = $self->{state};
    return $state =~ m{^/} ? $state : $self->path($state);
}

# All lines of ours of the top level, as nginx spells them.
sub acme_lines {
    my ($self) = @_;
    return '' if $self->{plain};
    my $paths = "acme_state_path @{[ $self->state_path ]};\n"
        . "acme_helper $self->{helper};\n";

    return "$paths$self->{acme}\n$self->{global}\n"
        if defined $self->{acme};
    my $more = $self->{ca}->can('lines') ? $self->{ca}->lines : '';
    return $paths . $more . <<"END" . "$self->{global}\n";
acme_accept_terms on;
acme_ca %CA%;
acme_ca_certificate @{[ $self->{ca}->trust ]};
acme_port_map 80:%HTTP% 443:%HTTPS%;
acme_reload graceful delay=$self->{delay};
END
}

# A site with everything that it did not say.
sub site {
    my ($self, $site) = @_;
    return { names => '', domain => '', acme => '', plain => ['http'],
        tls => ['https'], at => ['127.0.0.1'], nginx => '', httpd => '', %$site };
}

# Addresses and ports of a site, 'plain' or 'tls'.
sub listens {
    my ($self, $site, $kind) = @_;

    return map {
        my $port = uc $_;
        map { "$_:%$port%" } @{ $site->{at} };
    } @{ $site->{$kind} };
}

sub expand {
    my ($self, $text) = @_;
    my $test = $self->{test};
    my %value = (TMP => $test->{dir}, CA => $self->{ca} && $self->{ca}->url);

    $text =~ s/%(TMP|CA)%/$value{$1}/g;
    $text =~ s/%([A-Z]+)%/$test->port(lc $1)/ge;
    return $text;
}

# ---- life

# Run the server's program with our configuration; returns status and output,
# in nginx's words.
sub program {
    my ($self, @arguments) = @_;
    my ($status, $text) = $self->{test}->run($self->command(@arguments));
    return ($status, $self->in_nginx_words($text));
}

# The check of the configuration.
sub check { return $_[0]->program('-t') }

sub pid {
    my ($self) = @_;
    my $pid = ACME::Test::slurp($self->file('pid'));
    return $pid =~ /^(\d+)$/ ? $1 : 0;
}

sub running {
    my ($self) = @_;
    my $pid = $self->pid;
    return $pid && kill(0, $pid) && ACME::Test::slurp("/proc/$pid/cmdline")
        =~ $self->title ? $pid : 0;
}

# As the administrator's "systemctl stop": and the master is gone after it. httpd
# forgets a signal to stop that comes between the two configurations of a
# restart, so there is another one.
sub stop {
    my ($self, $how) = @_;
    my $pid = $self->running or return;

    for my $patience (20, 60) {
        $self->signal($how || 'stop');
        return if ACME::Test::wait_for(
            sub { !-d "/proc/$pid" || _zombie($pid) }, $patience);
    }
    die 'the server does not stop';
}

sub _zombie {
    my ($pid) = @_;
    return ACME::Test::slurp("/proc/$pid/stat") =~ /\) Z /;
}

# As "systemctl stop", and every process of the helper is gone too.
sub stop_all {
    my ($self) = @_;

    $self->stop('quit');
    ACME::Test::wait_for(sub { !$self->helpers })
        or die 'the helper does not end';
}

# Our helper's processes of a role ("keeper"), or all; as pids, sorted.
sub helpers {
    my ($self, $role) = @_;
    my @pids;

    # What a supervisor has just forked bears its title for a moment: a child
    # of the same role is looked at again, and counts when it stays.
    ACME::Test::wait_for(sub {
        @pids = $self->_titled($role || '');
        my %pid = map { $_ => 1 } @pids;
        return !$role || !grep { $pid{ ACME::Test::parent($_) } } @pids;
    }, 5);
    return @pids;
}

sub _titled {
    my ($self, $role) = @_;

    my @pids = sort { $a <=> $b } map { $_->{pid} }
        grep { index($_->{title}, "acme-helper: $role") == 0
            && $self->_is_ours($_) } $self->{test}->processes;

    return @pids;   # a sort has no value in scalar context
}

# One of several servers: its processes write into its log.
sub _is_ours {
    my ($self, $process) = @_;
    return !$self->{name} || $process->{stderr} eq $self->file('log');
}

# A role's pid, waited for; optionally another one than before.
sub helper {
    my ($self, $role, $not) = @_;

    return ACME::Test::wait_for(sub {
        my ($pid) = grep { $_ != ($not || 0) } $self->helpers($role);
        return $pid;
    });
}

# All helpers are gone: true, or the ones that are not.
sub helpless {
    my ($self) = @_;
    return ACME::Test::wait_for(sub { !$self->helpers });
}

# Who holds the lock of the store, by the kernel's own word; as pids.
sub lock_holders {
    my ($self) = @_;
    my $lock = $self->state_path . '/lock';
    my %holders;

    for my $process ($self->{test}->processes) {
        for my $fd (glob "/proc/$process->{pid}/fd/*") {
            next if (readlink($fd) || '') ne $lock;
            $fd =~ s{/fd/}{/fdinfo/};
            $holders{ $process->{pid} } = 1
                if ACME::Test::slurp($fd) =~ /^lock:.*FLOCK/m;
        }
    }
    my @pids = sort { $a <=> $b } keys %holders;
    return @pids;
}

# The live pairs, read as servers read them: the link once, then the
# generation. Returns '' when there is none, 'whole', or what is wrong.
sub live_pair {
    my ($self, $name) = @_;
    my $live = $self->state_path . '/live';
    my $target = readlink "$live/$name";

    return '' if !defined $target;
    for my $kind ('', '.rsa') {
        my @files = map { "$live/$target/$_$kind.pem" } qw(fullchain privkey);
        next if $kind && !grep { -e } @files;
        my $wrong = _wrong_with(@files);
        return $wrong if $wrong;
    }
    return 'whole';
}

sub _wrong_with {
    my (@files) = @_;
    require IO::Socket::SSL;
    my $context = Net::SSLeay::CTX_new() or return 'no context';
    my $wrong = !Net::SSLeay::CTX_use_certificate_chain_file($context,
            $files[0]) ? "$files[0] cannot be read"
        : !Net::SSLeay::CTX_use_PrivateKey_file($context, $files[1],
            Net::SSLeay::FILETYPE_PEM()) ? "$files[1] does not match"
        : !Net::SSLeay::CTX_check_private_key($context) ? "$files[0] is torn"
        : '';
    Net::SSLeay::ERR_clear_error();
    Net::SSLeay::CTX_free($context);
    return $wrong;
}

# Everything below the state path, to be compared: what changed in between?
sub state_snapshot {
    my ($self) = @_;
    my %found;

    return {} if !-d $self->state_path;
    File::Find::find(sub {
        my @info = lstat or return;
        $found{$File::Find::name} = join ' ', @info[1 .. 5, 7, 9, 10];
    }, $self->state_path);
    return \%found;
}

# Whatever this does: the same helpers, no reload, and not a byte, name or time
# changed in the store.
sub undisturbed {
    my ($self, $when, $does) = @_;
    my @helpers = $self->helpers;
    my $before = $self->state_snapshot;
    my $reloads = $self->reloads;

    $does->();
    Test::More::is_deeply($self->state_snapshot, $before,
        "$when: nothing is written");
    Test::More::is_deeply([ $self->helpers ], \@helpers,
        "$when: the same helpers");
    Test::More::is($self->reloads, $reloads, "$when: no reload");
}

# Is there a keeper, and does it leave the CA alone for a while? An agent is
# started when there is something to order.
sub idle {
    my ($self) = @_;

    $self->helper('keeper') or return 0;
    sleep 3;
    my @keepers = $self->helpers('keeper');
    return @keepers == 1;
}

# Wait for a line of ours; returns it, or nothing.
sub says {
    my ($self, $pattern) = @_;
    return ACME::Test::wait_for(sub {
        my ($line) = grep { $_ =~ $pattern } split /\n/, $self->acme_log;
        return $line;
    });
}

# What the store knows of a failing certificate; changed when given more.
# Change it only while no helper runs.
sub plan {
    my ($self, $folder, %changes) = @_;
    require JSON::PP;
    my $file = $self->state_path . "/plan/$folder.json";
    my $text = ACME::Test::slurp($file);
    my $plan = $text ne '' ? JSON::PP::decode_json($text) : {};

    if (%changes) {
        @$plan{ keys %changes } = values %changes;
        ACME::Test::spew($file, JSON::PP::encode_json($plan));
    }
    return $plan;
}

# ---- what it shows

sub log { return ACME::Test::slurp($_[0]->file('log')) }

# The lines that are ours, in nginx's words.
sub acme_log {
    my ($self) = @_;
    return join "\n", map { $self->in_nginx_words($_) }
        grep { /acme:/ } split /\n/, $self->log;
}

# Have it reload, as an operator does, and wait until it has begun.
sub reload {
    my ($self, %changes) = @_;
    my $before = $self->reloads;

    $self->configure(%changes);
    $self->signal('reload');
    ACME::Test::wait_for(sub { $self->reloads > $before })
        or die 'the server does not reload';
}

# As logrotate does: rename the log, and have the server open a new one.
sub rotate {
    my ($self, $to) = @_;
    my $log = $self->file('log');

    rename $log, $self->path($to) or die "$log: $!";
    $self->reopen;
}

# Wait until what is shown for a name is like this (key => 'rsa:2048', names
# => 'a.test b.test', ...), and until no worker of an earlier configuration
# shows something else.
sub served {
    my ($self, $name, %like) = @_;
    ACME::Test::wait_for(sub {
        my $shown = $self->shows($name);
        return !grep { ($shown->{$_} || '') ne $like{$_} } keys %like;
    }) or return;
    ACME::Test::wait_for(sub { $self->settled }) or return;
    return $self->shows($name);
}

# How often a helper went on with an order that another one had begun.
sub resumed {
    my ($self) = @_;
    my $count = () = $self->acme_log =~ /order resumed/g;
    return $count;
}

# How many certificates are live in the store.
sub lives {
    my ($self) = @_;
    my @links = glob $self->state_path . '/live/*';
    return scalar @links;
}

sub shows {
    my ($self, $name, $port) = @_;
    return ACME::Test::handshake($port || $self->{test}->port('https'), $name);
}

# Wait until a name is served with a certificate of Pebble's or a fake CA's.
sub issued {
    my ($self, $name, $port) = @_;
    my $issued = ACME::Test::wait_for(sub {
        my $shown = $self->shows($name, $port);
        return ($shown->{issuer} || '') =~ /Pebble|Fake CA/ && $shown;
    });

    $self->_calm_down if $issued;
    return $issued;
}

# After a reload old workers may answer for a moment: once for each reload it
# is waited until they are gone, or for three seconds.
sub _calm_down {
    my ($self) = @_;
    my $reloads = $self->reloads;

    return if defined $self->{calm} && $self->{calm} == $reloads;
    ACME::Test::wait_for(sub { $self->settled }, 3);
    $self->{calm} = $reloads;
}

sub get {
    my ($self, $path, $name, @options) = @_;
    my $port = $self->{test}->port('http');
    return ACME::Test::curl('-i', '-H', "Host: $name", @options,
        "http://127.0.0.1:$port$path");
}

# ---- what must hold after every test

# Nothing crashed, no sanitizer spoke, no secret was logged.
sub check_logs {
    my ($self) = @_;
    my @logs = grep { -f } glob $self->path('*.log');
    my $all = join '', map { ACME::Test::slurp($_) } grep { !/pebble/ } @logs;
    my $secrets = $self->secrets;

    Test::More::unlike($all, qr/Sanitizer|runtime error:/,
        'no sanitizer has found anything');
    Test::More::unlike($all, qr/exited on signal (?:6|7|8|11|31)\b/,
        'nothing crashed');
    my @told = grep { index($all, $secrets->{$_}) >= 0 } keys %$secrets;
    Test::More::is_deeply(\@told, [], 'no secret is in any log');
}

# What no log may hold, with a word for each: lines of the key files, the
# private numbers in hexadecimal, and the account's thumbprint, which ends
# every key authorization.
sub secrets {
    my ($self) = @_;
    my %secrets;
    my @files;

    return {} if !-d $self->state_path;
    File::Find::find(sub { push @files, $File::Find::name if /key.*\.pem$|\.key$/ },
        $self->state_path);
    for my $file (@files) {
        my $line = 0;
        for my $text (split /\n/, ACME::Test::slurp($file)) {
            $secrets{"$file, line " . ++$line} = $text
                if $text !~ /^-/ && length $text >= 32;
        }
        $self->_add_numbers($file, \%secrets);
    }
    return \%secrets;
}

sub _add_numbers {
    my ($self, $file, $secrets) = @_;
    my ($status, $text) = $self->{test}->run('openssl', 'pkey', '-in', $file,
        '-noout', '-text');
    my ($private) = $text =~ /^priv:\n((?:\s+[0-9a-f:]+\n)+)/m or return;
    my ($public) = $text =~ /^pub:\n((?:\s+[0-9a-f:]+\n)+)/m;

    s/[\s:]//g for $private, $public;
    $secrets->{"$file, private number"} = $private;
    return if $file !~ /account/;
    $secrets->{"$file, thumbprint"} = thumbprint($public);
}

# RFC 7638, of an uncompressed point in hexadecimal.
sub thumbprint {
    my ($point) = @_;
    require Digest::SHA;
    require MIME::Base64;
    my ($x, $y) = map { MIME::Base64::encode_base64url(pack 'H*', $_) }
        $point =~ /^04(.{64})(.{64})$/ or return 'not a P-256 key';

    return MIME::Base64::encode_base64url(Digest::SHA::sha256(
        qq({"crv":"P-256","kty":"EC","x":"$x","y":"$y"})));
}

1;
