package ACME::Test::Httpd;

# Apache httpd with the module, below a test's directory. What tests ask of a
# server is asked as of nginx, see there; what differs is here.
#
#   servers  => '<VirtualHost ...>'  the body of the configuration
#   main     => 'text'               lines before it
#   modules  => [ 'proxy', ... ]     loaded besides the usual ones
#   mpm      => 'prefork'            else event
#   mod_ssl  => 0                    not loaded
#   log      => '"|program"'         instead of %TMP%/error.log
#   ca, acme, level, state, daemon, delay, user: as in Nginx.pm

use strict;
use warnings;

use parent -norequire, 'ACME::Test::Nginx';

sub new {
    my ($class, $test, %options) = @_;
    my $self = bless { test => $test, level => 'info', daemon => 'on',
        delay => '1s', user => 'www-data', main => '', servers => '',
        mpm => 'event', modules => [], mod_ssl => 1, log => '%TMP%/error.log',
        %options }, $class;

    my $build = $ENV{ACME_BUILD} || "$ACME::Test::root/build";
    $self->{module} = "$build/mod_acme.so";
    $self->{helper} ||= $ENV{ACME_HELPER} || "$build/acme-helper";
    for my $file ($self->{module}, $self->{helper}) {
        die "$file is missing: make all\n" if !-e $file;
    }
    mkdir $self->path('htdocs');
    ACME::Test::spew($self->path('htdocs/index.html'), "the site\n");
    $self->configure;
    return $self;
}

# ---- configuration

sub configure {
    my ($self, %changes) = @_;

    @$self{ keys %changes } = values %changes;
    ACME::Test::spew($self->path('httpd.conf'), $self->text);
    $self->{test}->watch_log($self->path('error.log'));
    return $self;
}

# Where httpd's own modules are, and which of them there are to load.
my $modules;

sub _load_lines {
    my ($self) = @_;
    my @names = ("mpm_$self->{mpm}", qw(authz_core alias rewrite dir),
        $self->{mod_ssl} ? 'ssl' : (), @{ $self->{modules} });

    if (!defined $modules) {
        $modules = `apxs -q LIBEXECDIR 2>/dev/null`;
        chomp $modules;
        $modules ||= '/usr/lib/apache2/modules';
    }
    return join '', map { "LoadModule ${_}_module $modules/mod_$_.so\n" }
        @names;
}

sub text {
    my ($self) = @_;
    my $acme = defined $self->{acme} ? $self->{acme} : $self->_acme_lines;
    my $text = <<"END";
ServerRoot %TMP%
DefaultRuntimeDir %TMP%
PidFile %TMP%/httpd.pid
ErrorLog $self->{log}
LogLevel $self->{level}
@{[ $self->_load_lines ]}
LoadModule acme_module $self->{module}
User $self->{user}
Group $self->{user}
ServerName localhost
StartServers 1
<IfModule !prefork.c>
    ThreadsPerChild 16
    MaxSpareThreads 128
    MaxRequestWorkers 128
    ServerLimit 8
</IfModule>
Listen 127.0.0.1:%HTTP%
Listen 127.0.0.1:%HTTPS%
DocumentRoot %TMP%/htdocs
AcmeStatePath @{[ $self->state_path ]}
AcmeHelper $self->{helper}
$acme
$self->{main}
$self->{servers}
END
    return $self->expand($text);
}

sub _acme_lines {
    my ($self) = @_;
    return <<"END";
AcmeAcceptTerms on
AcmeCA %CA%
AcmeCACertificate @{[ $self->{ca}->trust ]}
AcmePortMap 80:%HTTP% 443:%HTTPS%
AcmeReload graceful delay=$self->{delay}
END
}

# ---- life

sub binary {
    my ($found) = grep { ACME::Test::tool($_) } qw(apache2 httpd);
    return $found || 'httpd';
}

# Run the httpd binary with our configuration; returns status and output.
sub httpd {
    my ($self, @arguments) = @_;
    return $self->{test}->run(binary(), '-d', $self->{test}{dir}, '-f',
        $self->path('httpd.conf'), @arguments);
}

sub start {
    my ($self) = @_;

    if ($self->{daemon} eq 'off') {
        $self->{test}->spawn('httpd', binary(), '-d', $self->{test}{dir},
            '-f', $self->path('httpd.conf'), '-DFOREGROUND');
    } else {
        my ($status, $text) = $self->httpd('-k', 'start');
        die "httpd does not start: $text" if $status != 0;
    }
    ACME::Test::wait_for(sub {
        $self->running && $self->log =~ /resuming normal operations/;
    }) or die 'httpd does not start';
    return $self;
}

# In nginx's words: reload, quit, stop.
sub signal {
    my ($self, $signal) = @_;
    my %word = (reload => 'graceful', quit => 'graceful-stop');
    my ($status, $text) = $self->httpd('-k', $word{$signal} || $signal);
    return $status == 0;
}

sub pid {
    my ($self) = @_;
    my $pid = ACME::Test::slurp($self->path('httpd.pid'));
    return $pid =~ /^(\d+)$/ ? $1 : 0;
}

sub running {
    my ($self) = @_;
    my $pid = $self->pid;
    return $pid && kill(0, $pid) && ACME::Test::slurp("/proc/$pid/cmdline")
        =~ /apache2|httpd/ ? $pid : 0;
}

sub workers {
    my ($self) = @_;
    my $pid = $self->pid;
    return map { $_->{pid} }
        grep { $_->{pid} != $pid && $_->{title} =~ m{(?:apache2|httpd) } }
        $self->{test}->processes;
}

# ---- what it shows

# How often the parent was asked to restart.
sub reloads {
    my ($self) = @_;
    my $count = () = $self->log =~ /SIG(?:USR1|HUP) received/g;
    return $count;
}

# Every restart but a stop ends in this line.
sub starts {
    my ($self) = @_;
    my $count = () = $self->log =~ /resuming normal operations/g;
    return $count;
}

# Have httpd restart, gracefully or not, and wait until that is done.
sub reload {
    my ($self, %changes) = @_;
    my $before = $self->starts;

    $self->configure(%changes);
    $self->signal('reload') or return 0;
    ACME::Test::wait_for(sub { $self->starts > $before })
        or die 'httpd does not restart';
    return 1;
}

sub check_logs {
    my ($self) = @_;

    $self->SUPER::check_logs;
    Test::More::unlike($self->log, qr/exit signal (?!Terminated)/,
        'no child of httpd crashed');
}

1;
