package ACME::Test::Httpd;

# Apache httpd as ACME::Test::Server describes it; and, for what only httpd
# has:
#
#   modules  => [ 'proxy', ... ]     loaded besides the usual ones
#   mpm      => 'prefork'            else event
#   log      => '"|program"'         instead of the test's error.log
#   servers  => '<VirtualHost ...>'  more of them
#   ports    => [ 'http', ... ]      to listen on, besides those of the sites
#
# A site with TLS and without is two virtual hosts; acme_domain stands in the
# one with TLS, when there is one.

use strict;
use warnings;

use parent -norequire, 'ACME::Test::Server';


sub module_name { return 'mod_acme.so' }
sub title { return qr/apache2|httpd/ }

# ---- configuration

# Where httpd's own modules are.
my $modules;

sub _module_file {
    my ($name) = @_;

    if (!defined $modules) {
        $modules = `apxs -q LIBEXECDIR 2>/dev/null`;
        chomp $modules;
        $modules ||= '/usr/lib/apache2/modules';
    }
    return "$modules/mod_$name.so";
}

sub has_module { return -e _module_file(@_) }

sub _load_lines {
    my ($self) = @_;
    my @names = ('mpm_' . ($self->{mpm} || 'event'),
        qw(authz_core authn_core auth_basic authn_file authz_user alias
        rewrite dir ssl http2), @{ $self->{modules} || [] });

    return join '', map { "LoadModule ${_}_module @{[ _module_file($_) ]}\n" }
        grep { has_module($_) } @names;
}

# Lines of ours: nginx's spelling to httpd's.
sub _acme {
    my ($self, $lines) = @_;
    my $text = '';

    while ($lines =~ /\s*(?:(acme_\w+)|(\S[^\s;]*))\s*([^;]*);/g) {
        my ($name, $other, $arguments) = ($1, $2, $3);
        $text .= (defined $name ? spelled($name) : $other)
            . ($arguments ne '' ? " $arguments" : '') . "\n";
    }
    return $text;
}

sub spelled {
    my ($name) = @_;

    $name =~ s/(?:^|_)(\w)(\w*?)(?=_|$)/\u$1$2/g;
    $name =~ s/^AcmeCa/AcmeCA/;
    return $name;
}

sub text {
    my ($self) = @_;
    my @sites = map { $self->site($_) } @{ $self->{sites} };
    my %listens = map { $_ => 1 }
        map({ '127.0.0.1:%' . uc($_) . '%' } @{ $self->{ports} || [] }),
        map { $self->listens($_, 'plain'), $self->listens($_, 'tls') } @sites;
    my $listen = join '', map { "Listen $_\n" } sort keys %listens;

    # the first virtual host of an address is its default
    @sites = sort { ($b->{default} || 0) <=> ($a->{default} || 0) } @sites;
    return <<"END";
ServerRoot %TMP%
DefaultRuntimeDir %TMP%
PidFile @{[ $self->file('pid') ]}
ErrorLog @{[ $self->{log} || $self->file('log') ]}
LogLevel $self->{level}
@{[ $self->_load_lines ]}
@{[ $self->{plain} ? '' : "LoadModule acme_module $self->{module}" ]}
User $self->{user}
Group $self->{user}
ServerName localhost
StartServers $self->{workers}
<IfModule !prefork.c>
    ThreadsPerChild 16
    MinSpareThreads 1
    MaxSpareThreads 128
    MaxRequestWorkers 128
    ServerLimit 8
</IfModule>
$listen
DocumentRoot %TMP%
@{[ $self->_acme($self->acme_lines) ]}
$self->{httpd}
@{[ map { $self->_virtual_hosts($_) } @sites ]}
@{[ $self->{servers} || '' ]}
END
}

sub _virtual_hosts {
    my ($self, $site) = @_;
    my $domain = defined $site->{domain} ? "acme_domain $site->{domain};" : '';
    my @hosts;

    push @hosts, $self->_virtual_host($site, 'plain',
        @{ $site->{tls} } ? '' : "$domain$site->{acme}") if @{ $site->{plain} };
    push @hosts, $self->_virtual_host($site, 'tls',
        "$domain$site->{acme}", 'SSLEngine on',
        $site->{http2} ? 'Protocols h2 http/1.1' : ()) if @{ $site->{tls} };
    return @hosts;
}

sub _virtual_host {
    my ($self, $site, $kind, $acme, @lines) = @_;
    my $addresses = join ' ', $self->listens($site, $kind);
    my ($name, @aliases) = split ' ', $site->{names};

    push @lines,
        defined $name ? "ServerName $name" : (),
        @aliases ? "ServerAlias @aliases" : (),
        $self->_acme($acme), $site->{httpd},
        $site->{cert} && grep({ $_ eq 'SSLEngine on' } @lines)
            ? ("SSLCertificateFile %TMP%/$site->{cert}.pem",
            "SSLCertificateKeyFile %TMP%/$site->{cert}.key") : (),
        $site->{root} ? ("DocumentRoot %TMP%/$site->{root}",
            "<Directory %TMP%/$site->{root}>", 'Require all granted',
            '</Directory>') : (),
        $site->{redirect} ? ('RewriteEngine on',
            'RewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]')
            : (),
        $site->{status} ? "Redirect $site->{status} /" : ();
    return "<VirtualHost $addresses>\n"
        . join('', map { "    $_\n" } @lines) . "</VirtualHost>\n";
}

# ---- life

sub command {
    my ($self, @arguments) = @_;
    my ($name) = grep { ACME::Test::tool($_) } qw(apache2 httpd);
    my ($binary) = map { "$_/$name" } ACME::Test::tool($name || 'httpd');

    return ($binary || 'httpd', '-d', $self->{test}{dir}, '-f',
        $self->file('conf'), @arguments);
}

# The command that starts it, as it is configured.
sub start_command {
    my ($self) = @_;
    return $self->command($self->{daemon} eq 'off' ? '-DFOREGROUND'
        : ('-k', 'start'));
}

sub start {
    my ($self) = @_;
    my $before = $self->starts;

    # httpd takes a killed one that nobody has waited for as running
    unlink $self->file('pid') if !$self->running;
    if ($self->{daemon} eq 'off') {
        $self->{test}->spawn('httpd', $self->start_command);
    } else {
        my ($status, $text) = $self->{test}->run($self->start_command);
        die "httpd does not start: $text" if $status != 0;
    }
    ACME::Test::wait_for(sub {
        $self->running && $self->starts > $before;
    }) or die 'httpd does not start';
    return $self;
}

# In nginx's words.
sub signal {
    my ($self, $signal) = @_;
    my %word = (reload => 'graceful', quit => 'graceful-stop');
    my ($status) = $self->program('-k', $word{$signal} || $signal);
    return $status == 0;
}

# There is no way but a restart. One that is asked for while another is under
# way may be lost, and is asked for again.
sub reopen {
    my ($self) = @_;

    for (1 .. 5) {
        $self->signal('reload');
        return if ACME::Test::wait_for(sub { $self->starts }, 20);
    }
    die 'httpd does not restart';
}

sub workers {
    my ($self) = @_;
    my $parent = $self->pid;
    my @pids = sort { $a <=> $b } map { $_->{pid} }
        grep { $_->{pid} != $parent && $_->{title} =~ $self->title
            && $self->_is_ours($_) } $self->{test}->processes;

    return @pids;
}

# The children that answer now are all of one configuration: old ones that
# still do are soon gone, so that a row of handshakes tells.
sub settled {
    my ($self) = @_;
    my $port = $self->{test}->port('https');
    my %shown;

    for (1 .. 20) {
        my $shown = ACME::Test::handshake($port, 'settled.test');
        $shown{ $shown->{fingerprint} || '' } = 1;
        select undef, undef, undef, 0.02;
    }
    return 1 == keys %shown;
}

# ---- what it shows

# [time] [acme:notice] [pid 12:tid 3] ... -> [notice] 12#0: ..., and our
# directives as nginx spells them.
sub in_nginx_words {
    my ($self, $text) = @_;

    $text =~ s/^AH00526: Syntax error on line (\d+) of (\S+):\n(.*)$/[emerg] $3 in $2:$1/mg;
    $text =~ s/^\[[^\]]+\] \[acme:(\w+)\] \[pid (\d+)[^\]]*\]/[$1] $2#0:/mg;
    $text =~ s/\b(Acme[A-Z]\w+)/nginx_spelled($1)/ge;
    return $text;
}

sub nginx_spelled {
    my ($name) = @_;

    $name =~ s/(?<=[A-Z])([A-Z]+)(?=[A-Z][a-z]|$)/\L$1/g;
    $name =~ s/(?<!^)([A-Z])/_\l$1/g;
    return lcfirst $name;
}

# How often the parent was asked to restart.
sub reloads {
    my ($self) = @_;
    my $count = () = $self->log =~ /SIG(?:USR1|HUP) received/g;
    return $count;
}

# Every start and restart ends in this line.
sub starts {
    my ($self) = @_;
    my $count = () = $self->log =~ /resuming normal operations/g;
    return $count;
}

# A restart is done when its line is there. One that is asked for when another
# has just begun is the same, for httpd: it has no line, and is asked for again.
sub reload {
    my ($self, %changes) = @_;

    $self->configure(%changes);
    my $before = $self->reloads;
    for (1 .. 5) {
        $self->signal('reload');
        last if ACME::Test::wait_for(sub { $self->reloads > $before }, 10);
    }
    ACME::Test::wait_for(sub {
        my ($since) = $self->log =~ /.*SIG(?:USR1|HUP) received(.*)/s;
        return $self->reloads > $before
            && $since =~ /resuming normal operations/;
    }) or die 'httpd does not restart';
}

sub check_logs {
    my ($self) = @_;

    $self->SUPER::check_logs;
    Test::More::unlike($self->log, qr/exit signal (?!Terminated)/,
        'no child of httpd crashed');
}

1;
