package ACME::Test::Nginx;

# nginx as ACME::Test::Server describes it; and, for what only nginx has:
#
#   servers  => 'server { ... }' more in the body of http{}

use strict;
use warnings;

use parent -norequire, 'ACME::Test::Server';

sub module_name { return 'ngx_http_acme_domain_module.so' }
sub title { return qr/nginx/ }

# ---- configuration

sub text {
    my ($self) = @_;
    return <<"END";
@{[ $self->{plain} ? '' : "load_module $self->{module};" ]}
user $self->{user};
worker_processes $self->{workers};
daemon $self->{daemon};
pid @{[ $self->file('pid') ]};
lock_file %TMP%/nginx.lock;
error_log @{[ $self->file('log') ]} $self->{level};
@{[ $self->{main} || '' ]}
events { worker_connections 1024; }
http {
access_log off;
server_names_hash_bucket_size 128;
client_body_temp_path %TMP%/body;
proxy_temp_path %TMP%/proxy;
fastcgi_temp_path %TMP%/fastcgi;
uwsgi_temp_path %TMP%/uwsgi;
scgi_temp_path %TMP%/scgi;
@{[ $self->acme_lines ]}
$self->{nginx}
@{[ map { $self->_server($self->site($_)) } @{ $self->{sites} } ]}
@{[ $self->{servers} || '' ]}
}
END
}

sub _server {
    my ($self, $site) = @_;
    my $default = $site->{default} ? ' default_server' : '';
    my $tls = ($site->{http2} ? ' ssl http2' : ' ssl') . $default;
    my @lines = (
        (map { "listen $_$default;" } $self->listens($site, 'plain')),
        (map { "listen $_$tls;" } $self->listens($site, 'tls')),
        $site->{names} ne '' ? "server_name $site->{names};" : (),
        defined $site->{domain} ? "acme_domain $site->{domain};" : (),
        $site->{acme}, $site->{nginx},
        $site->{cert} ? ("ssl_certificate %TMP%/$site->{cert}.pem;",
            "ssl_certificate_key %TMP%/$site->{cert}.key;") : (),
        $site->{root} ? "root %TMP%/$site->{root};" : (),
        $site->{redirect} ? 'return 301 https://$host$request_uri;' : (),
        $site->{status} ? "return $site->{status};" : (),
    );
    return "server {\n" . join('', map { "    $_\n" } @lines) . "}\n";
}

# ---- life

# The command line, by its whole path: a binary upgrade needs that.
sub command {
    my ($self, @arguments) = @_;
    my ($binary) = map { "$_/nginx" } ACME::Test::tool('nginx');

    return ($binary, '-c', $self->file('conf'), '-e',
        $self->path('early.log'), @arguments);
}

sub start {
    my ($self) = @_;

    if ($self->{daemon} eq 'off') {
        $self->{test}->spawn('nginx', $self->command);
    } else {
        my ($status, $text) = $self->program;
        die "nginx does not start: $text" if $status != 0;
    }
    ACME::Test::wait_for(sub { $self->running })
        or die 'nginx does not start';
    return $self;
}

# reload; stop at once; quit when the requests are done
sub signal {
    my ($self, $signal) = @_;
    my ($status) = $self->program('-s', $signal);
    return $status == 0;
}

# The command that starts it, as it is configured.
sub start_command { return $_[0]->command }

sub reopen {
    my ($self) = @_;

    $self->signal('reopen');
    ACME::Test::wait_for(sub { -e $self->file('log') })
        or die 'nginx does not reopen its log';
}

sub workers {
    my ($self) = @_;
    my @pids = sort { $a <=> $b } map { $_->{pid} }
        grep { $_->{title} =~ /^nginx: worker/ && $self->_is_ours($_) }
        $self->{test}->processes;

    return @pids;
}

# No worker of an earlier configuration is left.
sub settled {
    my ($self) = @_;
    my @workers = $self->workers;
    return @workers == $self->{workers};
}

# ---- what it shows

sub in_nginx_words { return $_[1] }

# How often the master was asked to reload.
sub reloads {
    my ($self) = @_;
    my $count = () = $self->log =~ /signal 1 \(SIGHUP\) received/g;
    return $count;
}

1;
