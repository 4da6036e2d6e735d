package ACME::Test::FakeCA;

# A small CA (RFC 8555, http-01) that can be told to misbehave, in a process of
# its own. Where a Pebble has the same, it is called the same. It looks at each
# request as a strict CA would, but for the signature, which is Pebble's part:
# what it finds wrong is a line "violation" in its log, and judge fails.
#
#   my $ca = $t->fake_ca(plans => { 'a.test' => { chain => 'crlf' }, ... });
#   $ca->plan('b.test', newOrder => [ { html => 503 } ]);   # while it runs
#
# A plan belongs to the orders that have the name; '-' is the plan for what is
# asked before there is an order. Members:
#
#   directory, newNonce, newAccount, newOrder, order, authorization, challenge,
#   finalize, certificate   => [ what comes in place of the next answers ]
#       undef                    nothing does
#       { problem => { ... }, status => 429, headers => [ 'Retry-After: 9' ] }
#       { html => 503 }          a page of some proxy's, or another body => '...'
#       { status => 504 }        no body
#     and, all the work done:
#       { set => { ... } }       other or more members; { type => 'text/x' }
#       { headers => [ ... ] }   more header fields
#       { drop => [names] }      less of those that there are otherwise
#       { close => 1 }           no answer; { cut => 1 }: half of one
#       { slow => 1 }            five bytes at a time; { chunked => 1 }: in chunks
#       { malformed => 1 }       half of the JSON, its length right
#   extra      => [names]   identifiers of the order that nobody asked for
#   valid      => 15        so many authorizations are valid from the start
#   strange    => 1         challenge types and members that nobody knows
#   fails      => { 'b.test' => { ... } }   the problem of this name's challenge
#   pends      => { 'c.test' => 1 }   names whose validation takes its time,
#                           until the plan says something else
#   processing => 3         polls of the finalized order that show this; -1: all,
#                           until the plan says something else
#   retry      => 2         seconds, the Retry-After of those
#   chain      => 'crlf'    its form: see %chains
#   life       => [ -60, 60 ]   of the certificate, in seconds from now
#   alternates => 1         so many more chains
#
# An identical newOrder gets the order that is under way, as from some CAs. The
# members of objects come in the order of Perl's hashes: another at each start.
#
#   address => '::1'      listen there; host => '[::1]': in its URLs
#   base    => 'https://ca.test'   in front of all its paths
#   start   => 0          not yet: call start later

use strict;
use warnings;

use parent -norequire, 'ACME::Test::Pebble';

use Digest::SHA qw(sha256);
use IO::Select;
use IO::Socket::IP;
use JSON::PP ();
use List::Util qw(shuffle);
use MIME::Base64 qw(encode_base64url decode_base64url);
use Time::HiRes ();

my $json = JSON::PP->new->utf8->allow_nonref;

my %chains = (
    plain => sub { return join '', @_ },
    crlf => sub { return join '', map { s/\n/\r\n/gr } @_ },
    cut => sub { return join('', @_) =~ s/\n\z//r },
    blank => sub { return "\n\n" . join("\n\n\n", @_) . "\n\n" },
    text => sub { return join '', map { "subject=/CN=a\nissuer=b\n$_" } @_ },
    reversed => sub { return join '', reverse @_ },
    other => sub { return join '', map { s/CERTIFICATE/OTHER/gr } @_ },
    more => sub { return join '', @_, map { s/CERTIFICATE/OTHER/gr } @_ },
);

sub new {
    my ($class, $test, %options) = @_;
    my $number = ++$test->{pebbles};
    my $self = bless { test => $test, address => '127.0.0.1',
        host => '127.0.0.1', %options, number => $number,
        log => $test->path("fake$number.log"),
        plans_file => $test->path("fake$number.plans") }, $class;

    $self->{port} ||= $test->port("fake$number");
    $self->{http} ||= $test->port('http');
    $self->{base} ||= "https://$self->{host}:$self->{port}";
    $self->_make_certificate;
    $self->_make_issuers;
    $self->plan($_, %{ $self->{plans}{$_} })
        for sort keys %{ $self->{plans} || {} };
    return $self;
}

sub url { return "$_[0]->{base}/dir" }

# It has no memory: what is stopped has forgotten everything.
sub start {
    my ($self) = @_;
    my $listener = IO::Socket::IP->new(Listen => 128, ReuseAddr => 1,
        LocalHost => $self->{address}, LocalPort => $self->{port}, V6Only => 1)
        or die "$self->{address} port $self->{port}: $@";

    $self->{pid} = $self->{test}->spawn_code("fake$self->{number}",
        sub { $self->_serve($listener) });
    close $listener;
    return $self;
}

# What holds for the orders of a name from the next request on.
sub plan {
    my ($self, $name, %plan) = @_;

    open my $out, '>>', $self->{plans_file} or die "$self->{plans_file}: $!";
    print $out $json->encode([ $name, \%plan ]), "\n";
    close $out;
}

# ---- the judge

sub orders { return $_[0]->_count(qr/^order made: /m) }
sub issued { return $_[0]->_count(qr/^certificate issued: /m) }
sub accounts { return $_[0]->_count(qr/^account made: /m) }
sub failed_validations { return $_[0]->_count(qr/^validation failed: /m) }
sub deactivated { return $_[0]->log =~ /^authorization deactivated: (.*)$/mg }
sub connections { return $_[0]->_count(qr/^connection$/m) }

# How many requests there were: for a step, for it and a name, or in all.
sub requests {
    my ($self, $step, $name) = @_;
    my ($some_step, $some_name) = map { defined $_ ? qr/\Q$_\E/ : qr/\S+/ }
        $step, $name;

    return $self->_count(qr/^request $some_step $some_name \S+$/m);
}

sub violations { return $_[0]->log =~ /^violation: (.*)$/mg }

sub judge {
    my ($self, $certificates) = @_;

    $self->SUPER::judge($certificates);
    Test::More::is_deeply([ $self->violations ], [],
        'every request is as the RFC wants it');
}

# ---- making

# The intermediate "Fake CA 1", its certificate from each of the roots: the
# same for all fake CAs of a test.
sub _make_issuers {
    my ($self) = @_;
    my $test = $self->{test};
    my $base = $test->path('issuer');
    my @key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);

    return if $test->{fake_issuers}++;
    ACME::Test::spew("$base.ext", "basicConstraints=critical,CA:TRUE\n");
    $self->_openssl('req', '-new', @key, '-subj', '/CN=Fake CA 1', '-keyout',
        "$base.key", '-out', "$base.csr");
    for my $root (0 .. 2) {
        $self->_openssl('req', '-x509', @key, '-days', 30, '-subj',
            "/CN=Fake root $root", '-keyout', "$base.root$root.key", '-out',
            "$base.root$root.pem");
        $self->_openssl('x509', '-req', '-in', "$base.csr", '-CA',
            "$base.root$root.pem", '-CAkey', "$base.root$root.key",
            '-set_serial', $root + 1, '-days', 30, '-extfile', "$base.ext",
            '-out', "$base.$root.pem");
    }
}

sub _openssl {
    my ($self, @arguments) = @_;
    my ($status, $text) = $self->{test}->run('openssl', @arguments);

    die "openssl $arguments[0]: $text" if $status != 0;
    return $text;
}

# ---- in the CA's process: connections

sub _note {
    my ($line) = @_;
    syswrite STDOUT, "$line\n";
}

sub _serve {
    my ($self, $listener) = @_;
    my $select = IO::Select->new($listener);
    require IO::Socket::SSL;

    $SIG{PIPE} = 'IGNORE';
    @$self{qw(orders accounts nonces)} = ([], [], {});
    while (1) {
        for my $socket ($select->can_read) {
            if ($socket == $listener) {
                my $client = $self->_accept($listener);
                $select->add($client) if $client;
            } elsif (!$self->_exchange($socket)) {
                $select->remove($socket);
                close $socket;
            }
        }
    }
}

sub _accept {
    my ($self, $listener) = @_;
    my $base = $self->{test}->path("https$self->{number}");
    my $client = $listener->accept or return;

    _note('connection');
    return IO::Socket::SSL->start_SSL($client, SSL_server => 1, Timeout => 10,
        SSL_cert_file => "$base.pem", SSL_key_file => "$base.key");
}

# One request and its answer; false when the connection is over.
sub _exchange {
    my ($self, $socket) = @_;
    my ($head, $body) = ACME::Test::Proxy::_read_message($socket) or return;
    my %request = (head => $head, body => $body);

    @request{qw(method path)} = $head =~ /^(\S+) (\S+)/ or return;
    @request{qw(step id part)} = $request{path} =~ m{^/(\w+)(?:/(\d+))?(?:/(\d+))?$}
        or return;
    $self->_read_plans;
    my $answer = eval { $self->_answer(\%request) }
        || _broken(\%request, $@);
    _note("request $request{step} " . ($request{name} || '-') . ' '
        . ($answer->{close} || $answer->{cut} ? 'lost' : $answer->{status}));
    return $self->_send($socket, $answer, $request{method});
}

# The test's fault, or that of a request nobody has thought of.
sub _broken {
    my ($request, $why) = @_;

    _violation($request, $why);
    return { status => 500, type => 'text/plain', headers => [] };
}

sub _read_plans {
    my ($self) = @_;

    open my $in, '<', $self->{plans_file} or return;
    seek $in, $self->{plans_read} || 0, 0;
    while (my $line = <$in>) {
        last if $line !~ /\n\z/;
        my ($name, $plan) = @{ $json->decode($line) };
        @{ $self->{plan}{$name} }{ keys %$plan } = values %$plan;
        $self->{plans_read} = tell $in;
    }
}

sub _send {
    my ($self, $socket, $answer, $method) = @_;
    my $body = exists $answer->{body} ? $answer->{body}
        : exists $answer->{object} ? $json->encode($answer->{object}) : '';

    return if $answer->{close};
    substr $body, length($body) / 2, length $body, ''
        if $answer->{malformed};
    my $length = 'Content-Length: ' . length $body;
    if ($answer->{chunked}) {
        $length = 'Transfer-Encoding: chunked';
        $body = join '', map { sprintf "%x;x=y\r\n%s\r\n", length, $_ }
            unpack('(a97)*', $body), '';
    }
    my $text = join "\r\n", "HTTP/1.1 $answer->{status} Answer",
        "Content-Type: $answer->{type}", $length,
        'Cache-Control: no-store', @{ $answer->{headers} || [] }, '',
        $method eq 'HEAD' ? '' : $body;

    if ($answer->{cut}) {
        print $socket substr $text, 0, length($text) - length($body) / 2 - 1;
        return;
    }
    for my $part ($answer->{slow} ? unpack '(a5)*', $text : $text) {
        print $socket $part or return;
        Time::HiRes::sleep(0.001) if $answer->{slow};
    }
    return $text !~ /^connection: close\r$/mi;
}

# ---- answers, the real ones and those of the plan

# What each step does; `get`: the payload of its POST is empty (6.3), or has
# just this member.
my %steps = (
    dir => { as => 'directory', plain => 1, does => \&_directory },
    newNonce => { plain => 1, does => sub { return { status => 200 } } },
    newAccount => { does => \&_new_account },
    newOrder => { does => \&_new_order },
    order => { does => \&_order, get => 1 },
    authorization => { does => \&_authorization, get => 'status' },
    challenge => { does => \&_challenge },
    finalize => { does => \&_finalize },
    certificate => { does => \&_certificate, get => 1 },
);

sub _answer {
    my ($self, $request) = @_;
    my $step = $steps{ $request->{step} };
    my $answer;

    return _problem(404, 'malformed', 'no such page') if !$step;
    $request->{step} = $step->{as} || $request->{step};
    $self->_check_head($request, $step);
    $answer = $step->{plain} ? undef : $self->_check_jws($request, $step);
    if (!$answer) {
        my $script = $self->_plan($request)->{ $request->{step} };
        my $instead = $script && shift @$script;
        $answer = $self->_instead($instead)
            || { %{ $step->{does}->($self, $request) } };
        $self->_change($answer, $instead) if $instead;
    }
    $answer->{type} ||= 'application/json';
    push @{ $answer->{headers} }, 'Replay-Nonce: ' . $self->_nonce
        if $request->{step} ne 'directory' && !$answer->{foreign}
            && !grep { $_ eq 'Replay-Nonce' } @{ $answer->{drop} || [] };
    return $answer;
}

sub _plan {
    my ($self, $request) = @_;
    my $name = $request->{name} || '-';
    return $self->{plan}{$name} ||= {};
}

# An answer for which nothing is done.
sub _instead {
    my ($self, $instead) = @_;

    return if !$instead || !grep { $instead->{$_} } qw(problem html status);
    return { %$instead, type => 'application/problem+json',
        object => _with_urn($instead->{problem}) } if $instead->{problem};
    my $status = $instead->{html};
    return { foreign => 1, type => 'text/html',
        $status ? (status => $status, body => '<html><body>'
            . "<h1>$status of <b>some</b> proxy</h1></body></html>")
            : (body => ''), %$instead };
}

sub _change {
    my ($self, $answer, $change) = @_;

    $answer->{object} = { %{ $answer->{object} }, %{ $change->{set} } }
        if $change->{set};
    my %dropped = map { $_ => 1 } @{ $change->{drop} || [] };
    $answer->{headers} = [ grep({ !$dropped{ (split /:/)[0] } }
        @{ $answer->{headers} || [] }), @{ $change->{headers} || [] } ];
    $answer->{$_} = $change->{$_}
        for qw(close cut slow chunked malformed drop);
    $answer->{type} = $change->{type} if $change->{type};
}

sub _problem {
    my ($status, $type, $detail, %more) = @_;

    return { status => $status, type => 'application/problem+json', object =>
        _with_urn({ type => $type, detail => $detail, %more }) };
}

# Problems are written with the short names of their types.
sub _with_urn {
    my ($problem) = @_;
    my %full = %$problem;

    $full{type} = "urn:ietf:params:acme:error:$full{type}"
        if defined $full{type} && $full{type} !~ /:/;
    $full{subproblems} = [ map { _with_urn($_) } @{ $full{subproblems} } ]
        if $full{subproblems};
    return \%full;
}

sub _nonce {
    my ($self) = @_;
    my $nonce = encode_base64url(pack 'N4', map { rand 2**32 } 1 .. 4);

    $self->{nonces}{$nonce} = 'fresh';
    return $nonce;
}

# ---- what a request must be like (6.1, 6.2, 6.3, 6.4, 6.5)

sub _violation {
    my ($request, $what) = @_;
    _note("violation: $request->{method} $request->{path}: $what");
}

sub _check_head {
    my ($self, $request, $step) = @_;
    my $head = $request->{head};

    _violation($request, 'no User-Agent') if $head !~ /^user-agent: \S/mi;
    _violation($request, 'Accept-Encoding') if $head =~ /^accept-encoding:/mi;
    _violation($request, 'the method')
        if ($request->{method} eq 'POST') == !!$step->{plain};
    _violation($request, 'Content-Type') if !$step->{plain}
        && $head !~ m{^content-type: application/jose\+json\r}mi;
}

# Fills payload, account and name; returns an answer when it is no use.
sub _check_jws {
    my ($self, $request, $step) = @_;
    my $jws = eval { $json->decode($request->{body}) } || {};
    my $header = eval { $json->decode(decode_base64url($jws->{protected})) }
        || {};
    my $text = decode_base64url(defined $jws->{payload} ? $jws->{payload} : '');
    my $payload = $text eq '' ? undef : eval { $json->decode($text) };

    _violation($request, "members of the JWS: @{[ sort keys %$jws ]}")
        if "@{[ sort keys %$jws ]}" ne 'payload protected signature';
    _violation($request, 'the signature')
        if length decode_base64url($jws->{signature} || '') != 64;
    _violation($request, 'alg') if ($header->{alg} || '') ne 'ES256';
    _violation($request, 'url')
        if ($header->{url} || '') ne "$self->{base}$request->{path}";
    _violation($request, 'the payload is not empty')
        if $step->{get} && $text ne ''
            && join(' ', keys %{ $payload || {} }) ne $step->{get};
    _violation($request, 'the payload is no JSON')
        if !$step->{get} && ref $payload ne 'HASH';
    $request->{payload} = $payload || {};
    $request->{jwk} = $header->{jwk};
    $self->_find_order($request);
    return $self->_check_nonce($request, $header)
        || $self->_check_account($request, $header);
}

# libcurl itself sends a request again when a kept connection turns out to be
# closed: the same bytes, so the same nonce. That is as it should be.
sub _check_nonce {
    my ($self, $request, $header) = @_;
    my $nonce = defined $header->{nonce} ? $header->{nonce} : '';
    my $seen = $self->{nonces}{$nonce};

    if (defined $seen && $seen eq 'fresh') {
        $self->{nonces}{$nonce} = $request->{body};
        return;
    }
    _violation($request, defined $seen ? 'a nonce is used twice'
        : 'a nonce of nobody') if !defined $seen || $seen ne $request->{body};
    return _problem(400, 'badNonce', 'JWS has an invalid anti-replay nonce');
}

sub _check_account {
    my ($self, $request, $header) = @_;

    if ($request->{step} eq 'newAccount') {
        _violation($request, 'kid in newAccount') if exists $header->{kid};
        _violation($request, 'no jwk') if !$header->{jwk};
        return;
    }
    _violation($request, 'jwk') if exists $header->{jwk};
    my ($number) = ($header->{kid} || '') =~ m{^\Q$self->{base}\E/account/(\d+)$};
    $request->{account} = $number && $self->{accounts}[ $number - 1 ];
    return $request->{account} ? undef : _problem(400, 'accountDoesNotExist',
        'No account exists with the provided key');
}

# The order that the path or the payload is about, and its name.
sub _find_order {
    my ($self, $request) = @_;

    if ($request->{step} eq 'newOrder') {
        my @names = map { lc $_->{value} }
            @{ $request->{payload}{identifiers} || [] };
        ($request->{name}) = ((grep { $self->{plan}{$_} } @names), @names);
    } elsif ($request->{id}) {
        $request->{order} = $self->{orders}[ $request->{id} - 1 ];
        $request->{name} = $request->{order} && $request->{order}{name};
        $request->{authorization} = $request->{order}
            && $request->{order}{authorizations}[ $request->{part} - 1 ]
            if $request->{part};
    }
}

# ---- the steps

sub _directory {
    my ($self, $request) = @_;
    my $base = $self->{base};

    return { status => 200, object => {
        (map { ($_ => "$base/$_") } qw(newNonce newAccount newOrder
            revokeCert keyChange)),
        meta => { termsOfService => "$base/terms", website => $base,
            caaIdentities => ['fake.test'] },
        'x-strange' => [ { url => 'https://elsewhere.test/' } ],
    } };
}

sub _new_account {
    my ($self, $request) = @_;
    my $accounts = $self->{accounts};
    my $jwk = $request->{jwk};
    my $print = encode_base64url(sha256(qq({"crv":"$jwk->{crv}",)
        . qq("kty":"$jwk->{kty}","x":"$jwk->{x}","y":"$jwk->{y}"})));
    my ($known) = grep { $_->{print} eq $print } @$accounts;

    _violation($request, 'the terms') if !$request->{payload}{termsOfServiceAgreed};
    my $status = $known ? 200 : 201;
    if (!$known) {
        push @$accounts, $known = { print => $print,
            url => "$self->{base}/account/" . (1 + @$accounts) };
        _note("account made: $known->{url}");
    }
    return { status => $status,
        headers => ["Location: $known->{url}"],
        object => { status => 'valid', orders => "$known->{url}/orders" } };
}

sub _new_order {
    my ($self, $request) = @_;
    my $plan = $self->_plan($request);
    my @names = map { $_->{value} } @{ $request->{payload}{identifiers} };
    my $key = join ' ', sort @names;
    my ($order) = grep { $_->{key} eq $key && $_->{account} == $request->{account}
        && $_->{status} =~ /^(?:pending|ready)$/ } @{ $self->{orders} };

    _violation($request, "members @{[ keys %{ $request->{payload} } ]}")
        if join(' ', keys %{ $request->{payload} }) ne 'identifiers';
    if (!$order) {
        push @{ $self->{orders} }, $order = { key => $key, names => \@names,
            name => $request->{name}, account => $request->{account},
            status => 'pending', extra => $plan->{extra} || [] };
        $order->{id} = @{ $self->{orders} };
        $self->_authorize($order, $plan);
        _note("order made: $order->{id} for $key");
    }
    $self->_advance($order);
    return { status => 201, object => $self->_order_object($order),
        headers => ["Location: $self->{base}/order/$order->{id}"] };
}

sub _authorize {
    my ($self, $order, $plan) = @_;
    my $valid = $plan->{valid} || 0;

    for my $name (@{ $order->{names} }) {
        push @{ $order->{authorizations} }, { name => $name,
            status => $valid-- > 0 ? 'valid' : 'pending',
            token => encode_base64url(pack 'N5', map { rand 2**32 } 1 .. 5) };
    }
    push @{ $order->{authorizations} }, map {
        { name => $_, status => 'valid', token => 'none' }
    } @{ $order->{extra} };
}

sub _advance {
    my ($self, $order) = @_;
    my %has = map { $_->{status} => 1 } @{ $order->{authorizations} };

    if ($order->{status} eq 'pending') {
        $order->{status} = $has{invalid} ? 'invalid'
            : $has{pending} ? 'pending' : 'ready';
    } elsif ($order->{status} eq 'processing') {
        my $polls = $self->{plan}{ $order->{name} }{processing};
        $order->{status} = 'valid' if $polls >= 0 && $order->{polls}++ >= $polls;
    }
}

sub _order_object {
    my ($self, $order) = @_;
    my $count = @{ $order->{authorizations} };
    my $plan = $self->{plan}{ $order->{name} } || {};

    return {
        status => $order->{status},
        expires => '2099-01-01T00:00:00Z',
        identifiers => [ shuffle map { { type => _type($_), value => $_ } }
            @{ $order->{names} }, @{ $order->{extra} } ],
        authorizations =>
            [ map { "$self->{base}/authorization/$order->{id}/$_" } 1 .. $count ],
        finalize => "$self->{base}/finalize/$order->{id}",
        $order->{status} eq 'valid'
            ? (certificate => "$self->{base}/certificate/$order->{id}") : (),
        $plan->{strange} ? ('x-strange' => { status => 'invalid' },
            notBefore => undef) : (),
    };
}

sub _type { return $_[0] =~ /^[\d.]+$|:/ ? 'ip' : 'dns' }

sub _order {
    my ($self, $request) = @_;
    my $order = $request->{order} or return _missing();
    my $retry = $self->_plan($request)->{retry};

    $self->_advance($order);
    return { status => 200, object => $self->_order_object($order),
        $retry && $order->{status} eq 'processing'
            ? (headers => ["Retry-After: $retry"]) : () };
}

sub _missing { return _problem(404, 'malformed', 'No such object') }

sub _authorization {
    my ($self, $request) = @_;
    my $authorization = $request->{authorization} or return _missing();
    my $plan = $self->_plan($request);
    $self->_deactivate($request, $authorization)
        if defined $request->{payload}{status};
    $self->_decide($request, $authorization) if $authorization->{told};
    my @challenges = $self->_challenge_object($request, $authorization);

    push @challenges, { type => 'dns-persist-01', status => 'pending',
        'issuer-domain-names' => ['fake.test'] }, { type => 'foo-99',
        status => 'odd', token => 7, url => {} }, { status => 'pending' }
        if $plan->{strange};
    return { status => 200, object => {
        status => $authorization->{status},
        identifier => { type => _type($authorization->{name}),
            value => $authorization->{name} },
        challenges => [ shuffle @challenges ],
        expires => '2099-01-01T00:00:00Z',
        $plan->{strange} ? ('x-strange' => [ undef, [ [] ] ]) : (),
    } };
}

# 7.5.2
sub _deactivate {
    my ($self, $request, $authorization) = @_;
    my $name = $authorization->{name};

    _violation($request, "status $request->{payload}{status}")
        if $request->{payload}{status} ne 'deactivated';
    _violation($request, "$name is $authorization->{status}")
        if $authorization->{status} ne 'pending';
    @$authorization{qw(status told)} = ('deactivated', 0);
    _note("authorization deactivated: $name");
}

sub _challenge_object {
    my ($self, $request, $authorization) = @_;

    return { type => 'http-01', token => $authorization->{token},
        status => $authorization->{status},
        url => "$self->{base}/challenge/$request->{id}/$request->{part}",
        $authorization->{error} ? (error => $authorization->{error}) : () };
}

# The verdict is there at once, but is not told before it is asked for.
sub _challenge {
    my ($self, $request) = @_;
    my $authorization = $request->{authorization} or return _missing();

    _violation($request, 'members of a response')
        if %{ $request->{payload} };
    return _problem(400, 'malformed', 'the authorization must be pending')
        if $authorization->{status} ne 'pending';
    $authorization->{told} = 1;
    $self->_decide($request, $authorization);
    return { status => 200, object => {
        %{ $self->_challenge_object($request, $authorization) },
        status => 'processing' } };
}

sub _decide {
    my ($self, $request, $authorization) = @_;
    my $plan = $self->_plan($request);
    my $name = $authorization->{name};

    return if $plan->{pends}{$name};
    my $error = $plan->{fails}{$name}
        || $self->_validate($request, $authorization);
    @$authorization{qw(status told)} = ($error ? 'invalid' : 'valid', 0);
    return if !$error;
    $authorization->{error} = _with_urn($error);
    _note("validation failed: $name");
}

sub _validate {
    my ($self, $request, $authorization) = @_;
    my $text = ACME::Test::curl('-H', "Host: $authorization->{name}",
        "http://127.0.0.1:$self->{http}/.well-known/acme-challenge/"
        . $authorization->{token});

    return if $text eq "$authorization->{token}.$request->{account}{print}";
    return { type => 'unauthorized', detail => 'another answer', status => 403 };
}

sub _finalize {
    my ($self, $request) = @_;
    my $order = $request->{order} or return _missing();
    my $plan = $self->_plan($request);

    $self->_advance($order);
    return _problem(403, 'orderNotReady', "Order's status ("
        . "\"$order->{status}\") is not acceptable for finalization")
        if $order->{status} ne 'ready';
    _violation($request, 'members of finalize')
        if join(' ', keys %{ $request->{payload} }) ne 'csr';
    $self->_issue($request, $order);
    $order->{status} = $plan->{processing} ? 'processing' : 'valid';
    return { status => 200, object => $self->_order_object($order),
        headers => ["Location: $self->{base}/order/$order->{id}"] };
}

sub _issue {
    my ($self, $request, $order) = @_;
    my $test = $self->{test};
    my $file = $test->path("fake$self->{number}.$order->{id}");
    my @names = map { _type($_) eq 'ip' ? "IP:$_" : "DNS:$_" }
        @{ $order->{names} };

    ACME::Test::spew("$file.csr", decode_base64url($request->{payload}{csr}));
    my $text = $self->_openssl(qw(req -inform DER -noout -verify -text -in),
        "$file.csr");
    my ($wanted) = $text =~ /Subject Alternative Name:.*\n\s+(.*)/;
    $wanted = join ' ', sort map { s/IP Address:/IP:/r } split /, /,
        defined $wanted ? $wanted : '';
    _violation($request, "the names of the CSR: $wanted")
        if $wanted ne join ' ', sort @names;
    _violation($request, 'the subject of the CSR') if $text !~ /Subject: *\n/;
    ACME::Test::spew("$file.pem", $self->_sign(ACME::Test::slurp("$file.csr"),
        join(',', @names, map { "DNS:$_" } @{ $order->{extra} }),
        @{ $self->_plan($request)->{life} || [ 0, 90 * 86400 ] }));
    _note("certificate issued: $order->{id} for $order->{key}");
}

# The certificate for a request, valid from then until then, as PEM.
sub _sign {
    my ($self, $csr, $names, $from, $until) = @_;
    my $issuer = $self->{test}->path('issuer');
    my $request = Net::SSLeay::d2i_X509_REQ_bio(_bio($csr));
    my $ca = Net::SSLeay::PEM_read_bio_X509(
        _bio(ACME::Test::slurp("$issuer.0.pem")));
    my $key = Net::SSLeay::PEM_read_bio_PrivateKey(
        _bio(ACME::Test::slurp("$issuer.key")));
    my $new = Net::SSLeay::X509_new();

    Net::SSLeay::X509_set_version($new, 2);
    Net::SSLeay::P_ASN1_INTEGER_set_hex(
        Net::SSLeay::X509_get_serialNumber($new),
        '7f' . sprintf('%016x', rand 2**48));
    Net::SSLeay::X509_gmtime_adj(Net::SSLeay::X509_get_notBefore($new), $from);
    Net::SSLeay::X509_gmtime_adj(Net::SSLeay::X509_get_notAfter($new), $until);
    Net::SSLeay::X509_set_pubkey($new,
        Net::SSLeay::X509_REQ_get_pubkey($request));
    Net::SSLeay::X509_set_issuer_name($new,
        Net::SSLeay::X509_get_subject_name($ca));
    Net::SSLeay::P_X509_add_extensions($new, $ca,
        Net::SSLeay::OBJ_txt2nid('subjectAltName') => $names);
    Net::SSLeay::X509_sign($new, $key,
        Net::SSLeay::EVP_get_digestbyname('sha256'));
    return Net::SSLeay::PEM_get_string_X509($new);
}

sub _bio {
    my ($bytes) = @_;
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());

    Net::SSLeay::BIO_write($bio, $bytes);
    return $bio;
}

sub _certificate {
    my ($self, $request) = @_;
    my $test = $self->{test};
    my $order = $request->{order};
    my $plan = $self->_plan($request);
    my $root = $request->{part} || 0;

    return _missing() if !$order || $order->{status} ne 'valid';
    my @chain = map { ACME::Test::slurp($test->path($_)) }
        "fake$self->{number}.$order->{id}.pem",
        "issuer.$root.pem";
    return { status => 200, type => 'application/pem-certificate-chain',
        body => $chains{ $plan->{chain} || 'plain' }->(@chain),
        headers => [ "Link: <$self->{base}/dir>;rel=\"index\"", map {
            "Link: <$self->{base}/certificate/$order->{id}/$_>;rel=\"alternate\""
        } 1 .. $plan->{alternates} || 0 ] };
}

1;
