#!/usr/bin/perl

# Tests for the configuration check: what is wrong, where, what is allowed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $server = $t->server(acme => '', servers => '');
my $terms = 'acme_accept_terms on;';
my $tls = 'listen 127.0.0.1:%HTTPS% ssl;';

$t->certificate('static');
spew($t->path('empty.pem'), "nothing\n");

# what, http lines, server lines, words of the error
my @bad = (
    [ 'no consent', '', "$tls server_name a.test; acme_domain;",
        qr/acme_domain needs "acme_accept_terms on;".*terms of service/ ],
    [ 'consent off', 'acme_accept_terms off;',
        "$tls server_name a.test; acme_domain;", qr/acme_accept_terms on;/ ],
    [ 'consent misspelt', 'acme_accept_terms yes;', '',
        qr/acme_accept_terms: invalid value "yes", allowed are on, off/ ],
    [ 'twice', "$terms $terms", '', qr/"acme_accept_terms" is duplicate/ ],
    [ 'no argument', 'acme_key;', '',
        qr/invalid number of arguments in "acme_key", its form is: acme_key type/ ],
    [ 'too many arguments', $terms,
        "$tls acme_domain " . join(' ', map { "n$_.test" } 1 .. 101) . ';',
        qr/its form is: acme_domain \[name \.\.\.\], at most 100 arguments/ ],
    [ 'too many names', $terms,
        "$tls server_name " . join(' ', map { "n$_.test" } 1 .. 101)
        . '; acme_domain;', qr/more than 100 names in one certificate/ ],
    [ 'key misspelt', 'acme_key ecdsa:265;', '',
        qr/invalid value "ecdsa:265", allowed are ecdsa:256, .*did you mean "ecdsa:256"\?/ ],
    [ 'CA misspelt', 'acme_ca letsencrypt-stagin;', '',
        qr/did you mean "letsencrypt-staging"\?/ ],
    [ 'CA by plain http', 'acme_ca http://127.0.0.1/dir;', '',
        qr/is not https/ ],
    [ 'closed CA', 'acme_ca buypass;', '', qr/closed on 2025-10-31/ ],
    [ 'contact', 'acme_contact tel:123;', '',
        qr/acme_contact: invalid value "tel:123", allowed is a mail address/ ],
    [ 'port map', 'acme_port_map 8080:80;', '',
        qr/acme_port_map: invalid value "8080:80", allowed is 80:port/ ],
    [ 'port map twice', 'acme_port_map 80:81 80:82;', '',
        qr/acme_port_map: invalid value "80:82"/ ],
    [ 'reload', 'acme_reload graceful delay=1h;', '',
        qr/acme_reload: invalid value "delay=1h"/ ],
    [ 'user root', 'acme_user root;', '', qr/must not be root/ ],
    [ 'unknown user', "$terms acme_user no-such-user;",
        "$tls server_name a.test; acme_domain;",
        qr/acme_user: there is no user "no-such-user"/, 'root' ],
    [ 'trust missing', "$terms acme_ca_certificate /nonexistent.pem;",
        "$tls server_name a.test; acme_domain;",
        qr{acme_ca_certificate "/nonexistent.pem": No such file} ],
    [ 'trust empty', "$terms acme_ca_certificate %TMP%/empty.pem;",
        "$tls server_name a.test; acme_domain;",
        qr/holds no certificate in PEM form/ ],
    [ 'beside ssl_certificate', $terms, "$tls server_name a.test; "
        . 'ssl_certificate %TMP%/static.pem; '
        . 'ssl_certificate_key %TMP%/static.key; acme_domain;',
        qr/"ssl_certificate" and "acme_domain" are in one server block: drop the "ssl_certificate"/ ],
    [ 'beside ssl_certificate, the other order', $terms,
        "acme_domain; $tls server_name a.test; "
        . 'ssl_certificate %TMP%/static.pem; '
        . 'ssl_certificate_key %TMP%/static.key;',
        qr/drop the "ssl_certificate"/ ],
    [ 'no name', $terms, "$tls acme_domain;",
        qr/finds no name for the certificate/ ],
    [ 'only a regular expression', $terms,
        "$tls server_name ~^(.+)\\.test\$; acme_domain;",
        qr/finds no name for the certificate/ ],
    [ 'in the wrong place', 'acme_domain;', '',
        qr/"acme_domain" directive is not allowed here/ ],
    [ 'a global one in a server', '', 'acme_contact a@b.test;',
        qr/"acme_contact" directive is not allowed here/ ],
    (map { [ "name $_->[0]", $terms, "$tls acme_domain $_->[0];", $_->[1] ] }
        [ 'localhost', qr/"localhost" cannot be in a certificate: it is for private use/ ],
        [ 'printer.local', qr/for private use/ ],
        [ '"*.a.test"', qr/a wildcard needs the dns-01 challenge/ ],
        [ '.a.test', qr/write "acme_domain a\.test"/ ],
        [ '~^a', qr/it is a regular expression/ ],
        [ '_', qr/it is not a name/ ],
        [ 'host', qr/it has no dot/ ],
        [ 'a_b.test', qr/only letters, digits, hyphens and dots/ ],
        [ '-a.test', qr/a label begins with a hyphen/ ],
        [ 'a..test', qr/an empty label/ ],
        [ 'bücher.test', qr/write it in ASCII, as xn--/ ],
        [ '1.2.3.456', qr/neither a host name nor an IP address/ ],
        [ ('x' x 64) . '.test', qr/longer than 63 bytes/ ]),
);

for my $case (@bad) {
    my ($what, $http, $lines, $words, $need) = @$case;
  SKIP: {
        skip 'not root', 2 if ($need || '') eq 'root' && $> != 0;
        $server->configure(global => $http,
            servers => $lines ? "server { $lines }" : '');
        my ($status, $text) = $server->check;
        isnt($status, 0, "$what: refused");
        like($text, qr/\[emerg\].*$words.*server\.conf:\d+/,
            "$what: with words and place");
    }
}

# A helper that is not there.
my $helper = $server->{helper};
$server->configure(helper => '/nonexistent/helper', global => $terms,
    servers => "server { $tls server_name a.test; acme_domain; }");
my ($status, $text) = $server->check;
isnt($status, 0, 'a missing helper is refused');
like($text, qr{acme_helper "/nonexistent/helper": No such file}, 'by name');

# What is allowed, with its warnings.
my @good = (
    [ 'names left out', $terms,
        "$tls server_name a.test ~^b \"\" _ *.c.test localhost; acme_domain;",
        map { qr/\[warn\].*leaves out .*"\Q$_\E" cannot be .*server\.conf:\d+/ }
            '~^b', '', '_', '*.c.test', 'localhost' ],
    [ 'no TLS listener', $terms,
        'listen 127.0.0.1:%HTTP%; server_name a.test; acme_domain;',
        qr/\[warn\].*without "listen \.\.\. ssl".*server\.conf:\d+/ ],
    [ 'inherited ssl_certificate', "$terms ssl_certificate %TMP%/static.pem;"
        . 'ssl_certificate_key %TMP%/static.key;',
        "$tls server_name a.test; acme_domain;" ],
    [ 'everything', "$terms acme_ca letsencrypt-staging; acme_key rsa:4096;"
        . 'acme_contact a@b.test mailto:c@d.test; acme_user nobody;'
        . 'acme_port_map 80:8080 443:8443; acme_reload graceful delay=2m;'
        . 'acme_ca_certificate static.pem;',
        "$tls acme_domain a.test b.test; acme_key ecdsa:384;"
        . 'acme_ca https://127.0.0.1:1/dir;' ],
    [ 'off', 'acme_reload off;', '' ],
);

for my $case (@good) {
    my ($what, $http, $lines, @words) = @$case;
    $server->configure(helper => $helper, global => $http,
        servers => $lines ? "server { $lines }" : '');
    ($status, $text) = $server->check;
    is($status, 0, "$what: accepted") or diag($text);
    like($text, $_, "$what: warned") for @words;
}

# A placeholder cannot be stapled: nginx would warn, with the whole of it.
$server->configure(nginx => "ssl_stapling on; resolver 127.0.0.1;", global => $terms,
    servers => "server { $tls server_name a.test; acme_domain; }");
($status, $text) = $server->check;
is($status, 0, 'ssl_stapling: accepted');
unlike($text, qr/ssl_stapling|BEGIN/, 'without a word on the placeholder');

ok(!-e $server->state_path, 'nothing of all this wrote into the state path');
ok(!$server->helpers, 'or started a helper');

$t->done;
