#!/usr/bin/perl

# Tests for the proof that certificates are in service: after a reload the
# server's own listeners are looked at. What they show is told once; when it is
# something else after a minute, that is an error, and tried again; where
# nobody can look, nothing is alleged. And the server has no word about it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $kind = ACME::Test::kind();
my $ca = $t->pebble;
$t->certificate('static');

# A client certificate is wanted: with TLS 1.3 the server shows its own first.
my %clients = (nginx => 'ssl_verify_client on; ssl_client_certificate '
        . '%TMP%/static.pem;',
    httpd => "SSLVerifyClient require\nSSLCACertificateFile %TMP%/static.pem");
my %old_clients = (nginx => "$clients{nginx} ssl_protocols TLSv1.2;",
    httpd => "$clients{httpd}\nSSLProtocol TLSv1.2");
my @sites = (
    # the first one in the file has the name
    { names => 'taken.test', domain => undef, cert => 'static', plain => [],
        tls => ['taken'] },
    { names => 'other.test', default => 1, domain => undef, cert => 'static' },
    { names => 'taken.test', tls => ['taken'] },
    { names => 'h2.test www.h2.test', http2 => 1 },
    { names => 'six.test', plain => [], at => ['[::1]'] },
    { names => 'any.test', plain => [], at => ['0.0.0.0'], tls => ['any'] },
    { names => 'clients.test', tls => ['clients'],
        nginx => $clients{nginx}, httpd => $clients{httpd} },
    { names => 'old-clients.test', plain => [], tls => ['legacy'],
        nginx => $old_clients{nginx}, httpd => $old_clients{httpd} },
    { names => 'no-tls.test', tls => [] },
);

# Behind a load balancer that says who the client is; and hidden by another.
my %more = (nginx => <<'END', httpd => <<'END');
server {
    listen 127.0.0.1:%PROXIED% ssl proxy_protocol;
    server_name proxied.test;
    acme_domain;
}
# from here the other one is reached
server {
    listen 0.0.0.0:%HIDDEN% ssl;
    server_name hidden.test;
    acme_domain;
}
server {
    listen 127.0.0.1:%HIDDEN% ssl;
    server_name hidden.test;
    ssl_certificate %TMP%/static.pem;
    ssl_certificate_key %TMP%/static.key;
}
END
<VirtualHost 127.0.0.1:%PROXIED%>
    SSLEngine on
    RemoteIPProxyProtocol On
    ServerName proxied.test
    AcmeDomain
</VirtualHost>
END

my $server = $t->server(ca => $ca, sites => \@sites,
    modules => ['remoteip'], ports => ['proxied'], servers => $more{$kind},
    nginx => 'access_log %TMP%/access.log;',
    httpd => 'CustomLog %TMP%/access.log "%p %r"')->start;

# ---- served

my @served = qw(h2.test six.test any.test clients.test proxied.test);
push @served, 'old-clients.test' if $kind eq 'nginx';
for my $name (@served) {
    ok(wait_for(sub { installed($name) }), "$name is installed");
}
ok($server->says(qr/\[notice\] .*installed: the server shows (?:the|\d+) certificate/),
    'the log says so');
my $told = told();

# ---- not served: another server has the name

ok(!installed('taken.test'), 'a name that another one has is not');
unlike($server->acme_log, qr/\[error\]/, 'it is given a minute');
my $port = $t->port('taken');
ok($server->says(qr/\[error\] .*acme: taken\.test: the new certificate is not served, .*: 127\.0\.0\.1, port $port shows another one \(subject "CN = static", issuer "CN = static", serial [0-9a-f]+, valid until 20\S+\) for taken\.test; hint: another server block, virtual host or program may have this name there, .*; a reload is asked for again at 20/),
    'then it is an error, with a hint');
is(() = $server->acme_log =~ /\[error\]/g, 1, 'the only one');

# ---- nobody can look

my $unchecked = qr/\[info\] .*not checked whether the server shows/;
ok($server->says($unchecked), 'what cannot be looked at is said');
ok(wait_for(sub { $server->acme_log =~ /$unchecked.*port @{[ $t->port('legacy') ]}/ }),
    'such as TLS 1.2 with client certificates') if $kind eq 'httpd';
like($server->acme_log, qr/no-tls\.test: .*no listener with TLS|certificates; of \S+: /,
    'or no TLS');

# ---- mended

$server->reload(sites => [ @sites[1 .. $#sites] ]);
ok($server->says(qr/\[notice\] .*acme: taken\.test: installed: /),
    'mended by an operator: it is installed');
ok($server->issued('taken.test', $port), 'and visitors get it');
$told++;

# ---- a restart

$server->stop_all;
$server->start;
ok($server->idle, 'after a restart');
is(told(), $told, 'nothing is told again');

# ---- by an operator's reload only

$server->stop_all;
my $off = $t->server(ca => $ca, name => 'off', state => 'off.state',
    sites => [ { names => 'off.test' } ], acme => <<"END")->start;
acme_accept_terms on;
acme_ca %CA%;
acme_ca_certificate @{[ $ca->trust ]};
acme_port_map 80:%HTTP% 443:%HTTPS%;
acme_reload off;
END
ok($off->says(qr/off\.test: .*certificate obtained/), 'without reloads');
unlike($off->acme_log, qr/installed/, 'nothing is seen before there is one');
$off->reload;
ok($off->says(qr/off\.test: installed: /), 'and then it is');

$ca->judge($kind eq 'nginx' ? 10 : 9);

# ---- what the server says of all this

is(join("\n", grep { !m{acme-challenge} } split /\n/,
    slurp($t->path('access.log'))), '', 'no visit is logged');
my @lines = grep { !/acme:/ && /\[(?:\w+:)?(?:warn|error|crit|alert|emerg)\]/
    && /client/ } split /\n/, $server->log;
is_deeply(\@lines, [], 'nor is there a warning about a client');

$t->done;

# Has it been seen, as the store knows?
sub installed {
    my ($name) = @_;
    return ($server->plan($name)->{installed} || 0) == 1;
}

sub told {
    return scalar(() = $server->acme_log =~ /: installed: /g);
}
