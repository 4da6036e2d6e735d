package ACME::Test::Pebble;

# Pebble, Let's Encrypt's CA for tests, and a DNS server that says 127.0.0.1
# for every name. What Pebble logs is the judge of most tests: how many
# orders there were, and whether a validation failed. PEBBLE in the environment
# names another binary than the one in PATH.
#
#   port     => 14000    listen there (else a port of the test)
#   at       => '[::1]'  listen on this address (127.0.0.1)
#   host     => 'ca.test'    in its URL; this one no DNS knows (the address)
#   http     => 5002     where validations of http-01 go
#   tls      => 5001     where those of tls-alpn-01 go
#   reject   => 20       per cent of good nonces refused
#   sleep    => 3600     up to so many seconds before a validation
#   eab      => 1        external account binding required; kid-long's key is
#                        long enough for HS512
#   block    => [names]  refused by newOrder
#   validity => seconds  of a certificate
#   retry    => seconds  its Retry-After while something is pending (1)
#   strict   => 1        all that it may refuse is refused
#   reuse    => 50       per cent of valid authorizations used again (0: 1 %)
#   roots    => 2        alternate roots, and as many chains more
#   chain    => 3        intermediates of a chain (1)
#   profiles => { name => seconds }   and the validity of its certificates;
#                        one is drawn when the client names none
#   days     => 30       of the certificate of its HTTPS
#   start    => 0        not yet: call start later

use strict;
use warnings;

sub new {
    my ($class, $test, %options) = @_;
    my $number = ++$test->{pebbles};
    my $self = bless { test => $test, reject => 20, retry => 1,
        reuse => 0, roots => 0, chain => 1, at => '127.0.0.1', %options,
        log => $test->path("pebble$number.log"), number => $number }, $class;

    $self->{host} ||= $self->{at};
    $self->{port} ||= $test->port("pebble$number");
    $self->{http} ||= $test->port('http');
    $self->{tls} ||= $test->port('https');
    $self->{management} = $test->port("pebble-management$number");
    $self->_make_certificate;
    $self->_write_configuration;
    return $self;
}

sub url {
    my ($self) = @_;
    return "https://$self->{host}:$self->{port}/dir";
}

sub trust { return $_[0]->{test}->path("trust$_[0]->{number}.pem") }

sub start {
    my ($self) = @_;
    my $test = $self->{test};
    my $dns = $test->port('dns');
    my %environment = (
        PEBBLE_AUTHZREUSE => $self->{reuse},
        PEBBLE_ALTERNATE_ROOTS => $self->{roots},
        PEBBLE_CHAIN_LENGTH => $self->{chain},
        PEBBLE_WFE_NONCEREJECT => $self->{reject},
        $self->{sleep} ? (PEBBLE_VA_SLEEPTIME => $self->{sleep})
            : (PEBBLE_VA_NOSLEEP => 1),
    );

    $self->_start_dns($dns);
    local @ENV{ keys %environment } = values %environment;
    $self->{pid} = $test->spawn("pebble$self->{number}",
        $ENV{PEBBLE} || 'pebble', '-config',
        $test->path("pebble$self->{number}.json"), '-dnsserver',
        "127.0.0.1:$dns", $self->{strict} ? '-strict' : ());
    my $starts = ++$self->{starts};
    ACME::Test::wait_for(sub {
        $self->_count(qr/ACME directory available/) >= $starts;
    }) or die 'Pebble does not start';
    return $self;
}

# Pebble forgets everything, as a CA would never do: only for "down" tests.
sub stop {
    my ($self) = @_;
    $self->{test}->stop_child(delete $self->{pid});
}

# ---- renewal information (RFC 9773), which not every version has

sub has_renewal_info {
    my ($self) = @_;
    return ACME::Test::curl('-k', $self->url) =~ /"renewalInfo"/;
}

# Have it answer so, be it nonsense, when asked about a certificate (PEM).
sub set_renewal_info {
    my ($self, $certificate, $answer) = @_;
    require JSON::PP;
    my $body = JSON::PP::encode_json({ Certificate => $certificate,
        ARIResponse => $answer });
    return ACME::Test::curl('-k', '-f', '-d', $body,
        "https://127.0.0.1:$self->{management}/set-renewal-info/") eq '';
}

sub renewal_questions { return $_[0]->_count(qr{GET /\S*renewalInfo/}) }
sub replaced { return $_[0]->_count(qr/has been marked as replaced/) }

# ---- profiles and chains

# Whether it has profiles at all, which not every version does.
sub has_profiles {
    my ($self) = @_;
    return ACME::Test::curl('-k', $self->url) =~ /"profiles"/;
}

# The common name of its root, or of an alternate one: 1, 2, ...
sub root_name {
    my ($self, $number) = @_;
    my $file = $self->{test}->path("root$self->{number}.pem");

    ACME::Test::spew($file, ACME::Test::curl('-k', '-f',
        "https://127.0.0.1:$self->{management}/roots/$number"));
    my ($status, $text) = $self->{test}->run(qw(openssl x509 -noout -subject
        -nameopt multiline -in), $file);
    return $text =~ /commonName\s*= (.*)/ ? $1 : die "openssl x509: $text";
}

# ---- the judge

sub log { return ACME::Test::slurp($_[0]->{log}) }

sub _count {
    my ($self, $pattern) = @_;
    my $found = () = $self->log =~ /$pattern/g;
    return $found;
}

sub orders { return $_[0]->_count(qr/Added order "/) }
sub issued { return $_[0]->_count(qr/Issued certificate serial/) }
sub accounts { return $_[0]->_count(qr/There are now \d+ accounts/) }

sub good_validations {
    return $_[0]->_count(qr/authz \S+ set VALID by completed challenge/);
}

sub failed_validations {
    return $_[0]->_count(qr/authz \S+ set INVALID by completed challenge/);
}

# The common verdict: as many orders as certificates, nothing failed.
sub judge {
    my ($self, $certificates) = @_;

    Test::More::is($self->orders, $certificates,
        "$certificates certificates, as many orders");
    Test::More::is($self->issued, $certificates, 'each one issued once');
    Test::More::is($self->failed_validations, 0, 'no validation failed');
}

# ---- making

sub _start_dns {
    my ($self, $port) = @_;
    my $test = $self->{test};

    return if $test->{dns}++;
    $test->spawn('dns', 'pebble-challtestsrv', '-defaultIPv6', '',
        '-http01', '', '-https01', '', '-tlsalpn01', '',
        '-dns01', "127.0.0.1:$port", '-management',
        '127.0.0.1:' . $test->port('dns-management'));
}

sub _make_certificate {
    my ($self) = @_;
    make_certificate($self->{test},
        $self->{test}->path("https$self->{number}"), $self->trust,
        $self->{days} || 30,
        qw(DNS:localhost DNS:ca.test IP:127.0.0.1 IP:::1));
}

# A root of its own, and an HTTPS certificate for these names below it.
sub make_certificate {
    my ($test, $base, $root, $days, @names) = @_;
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

    ACME::Test::spew("$base.ext",
        'subjectAltName=' . join(',', @names) . "\n");
    for my $command (
        [ 'req', '-x509', @key, '-days', $days, '-subj', '/CN=Test HTTPS root',
            '-keyout', "$base.root.key", '-out', $root ],
        [ 'req', '-new', @key, '-subj', '/CN=localhost', '-keyout',
            "$base.key", '-out', "$base.csr" ],
        [ 'x509', '-req', '-in', "$base.csr", '-CA', $root, '-CAkey',
            "$base.root.key", '-set_serial', 1, '-days', $days, '-extfile',
            "$base.ext", '-out', "$base.pem" ],
    ) {
        my ($status, $text) = $test->run('openssl', @$command);
        die "openssl $command->[0]: $text" if $status != 0;
    }
}

sub _write_configuration {
    my ($self) = @_;
    my $test = $self->{test};
    my $base = $test->path("https$self->{number}");
    my $eab = '"externalAccountBindingRequired": false';
    my $block = join ', ', map { "\"$_\"" } @{ $self->{block} || [] };
    my $validity = $self->{validity} || 7776000;
    my %profiles = %{ $self->{profiles} || { default => $validity } };
    my $profiles = join ', ', map {
        qq("$_": { "description": "$_", "validityPeriod": $profiles{$_} })
    } sort keys %profiles;

    if ($self->{eab}) {
        $eab = '"externalAccountBindingRequired": true, '
            . '"externalAccountMACKeys": { "kid-1": '
            . '"zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"'
            . ', "kid-long": '
            . '"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoOEhYaHiImKi4yNjo-QkZKTlJWWl5iZmpucnZ6foKGiow" }';
    }
    ACME::Test::spew($test->path("pebble$self->{number}.json"), <<"END");
{ "pebble": {
    "listenAddress": "$self->{at}:$self->{port}",
    "managementListenAddress": "127.0.0.1:$self->{management}",
    "certificate": "$base.pem",
    "privateKey": "$base.key",
    "httpPort": $self->{http},
    "tlsPort": $self->{tls},
    "ocspResponderURL": "",
    "certificateValidityPeriod": $validity,
    "domainBlocklist": [ $block ],
    "profiles": { $profiles },
    "retryAfter": { "authz": $self->{retry}, "order": $self->{retry} },
    $eab
} }
END
}

1;
