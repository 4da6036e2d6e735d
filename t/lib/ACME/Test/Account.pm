package ACME::Test::Account;

# What an operator or another client does with the account of a server at
# hand: requests signed by the key in its store.
#
#   ACME::Test::Account->new($test, $server, $ca)

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

sub new {
    my ($class, $test, $server, $ca) = @_;
    return bless { test => $test, server => $server, ca => $ca }, $class;
}

sub folder {
    my ($self) = @_;
    my ($folder) = glob($self->{server}->state_path . '/accounts/*');
    return $folder;
}

sub file { return $_[0]->folder . "/default/$_[1]" }

# account.json as the server has written it.
sub saved {
    my ($self) = @_;
    return JSON::PP::decode_json(ACME::Test::slurp($self->file('account.json')));
}

sub key { return ACME::Test::slurp($_[0]->file('account.key')) }

sub _curl {
    my ($self, @arguments) = @_;
    my ($status, $text) = $self->{test}->run('curl', '-s', '-i', '--cacert',
        $self->{ca}->trust, '-A', 'test', @arguments);
    return $text;
}

sub _nonce {
    my ($self) = @_;
    my $base = $self->{ca}->url =~ s{/dir$}{}r;
    return $self->_curl('-I', "$base/nonce-plz")
        =~ /^Replay-Nonce: *(\S+)/mi ? $1 : die 'no nonce';
}

# r and s of an ECDSA signature in DER, 32 bytes each.
sub _raw_signature {
    my ($der) = @_;
    my @parts = unpack('x x x C/a x C/a', $der);
    return join '', map { substr(("\0" x 32) . $_, -32) } @parts;
}

# POST a payload ("" = POST-as-GET); the whole reply.
sub post {
    my ($self, $url, $payload) = @_;
    my $key = $self->file('account.key');
    my $to_sign = $self->{test}->path('to-sign');

    for (1 .. 30) {
        my $header = encode_base64url(JSON::PP::encode_json({ alg => 'ES256',
            kid => $self->saved->{url}, nonce => $self->_nonce,
            url => $url }));
        my $body = encode_base64url($payload);
        ACME::Test::spew($to_sign, "$header.$body");
        my $der = `openssl dgst -sha256 -sign '$key' '$to_sign'`;
        my $signature = encode_base64url(_raw_signature($der));
        my $reply = $self->_curl('-H', 'Content-Type: application/jose+json',
            '--data-binary', qq({"protected":"$header","payload":"$body",)
            . qq("signature":"$signature"}), $url);
        return $reply if $reply !~ /badNonce/;
    }
    die 'no nonce is taken';
}

# The contacts that the CA has.
sub contacts {
    my ($self) = @_;
    my $reply = $self->post($self->saved->{url}, '');
    my ($json) = $reply =~ /\r?\n\r?\n(.*)/s;
    return JSON::PP::decode_json($json)->{contact} || [];
}

sub deactivate {
    my ($self) = @_;
    return $self->post($self->saved->{url}, '{"status":"deactivated"}');
}

1;
