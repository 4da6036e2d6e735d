#!/usr/bin/perl

# Tests for the configuration check: what is wrong, where, what is allowed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

my $t = ACME::Test->new;
my $server = $t->server(acme => '');
my $terms = 'acme_accept_terms on;';

# What the servers say each in their own way.
my %own = (
    nginx => {
        level => qr/emerg/,
        static => qr/"ssl_certificate" and "acme_domain" are in one server block: drop the "ssl_certificate"/,
        cert => "ssl_certificate %TMP%/static.pem;\n"
            . "ssl_certificate_key %TMP%/static.key;\n",
        domain => "acme_domain;\n",
        place => qr/"acme_domain" directive is not allowed here/,
        global => qr/"acme_contact" directive is not allowed here/,
        plain => qr/without "listen \.\.\. ssl"/,
    },
    httpd => {
        level => qr/emerg|error/,
        static => qr/SSLCertificateFile(?= in \S+:\d+ and acme_domain in \S+:\d+ are in one section: drop the SSLCertificateFile line)/,
        cert => "SSLCertificateFile %TMP%/static.pem\n"
            . "SSLCertificateKeyFile %TMP%/static.key\n",
        domain => "AcmeDomain\n",
        place => qr/acme_domain not allowed/,
        global => qr/acme_contact cannot occur within <VirtualHost> section/,
        plain => qr/without "SSLEngine on"/,
    },
);
my $kind = ACME::Test::kind();
my $own = $own{$kind};

# A site's only listener has TLS, when it says nothing else.
sub sites { return [ map { { plain => [], %$_ } } grep { $_ } @_ ] }

$t->certificate('static');
spew($t->path('empty.pem'), "nothing\n");

# what, lines of ours, the site, words of the error
my @bad = (
    [ 'no consent', '', { names => 'a.test' },
        qr/acme_domain needs "acme_accept_terms on;?".*terms of service/ ],
    [ 'consent off', 'acme_accept_terms off;',
        { names => 'a.test' }, qr/acme_accept_terms on;?"/ ],
    [ 'consent misspelt', 'acme_accept_terms yes;', '',
        qr/acme_accept_terms: invalid value "yes", allowed are on, off/ ],
    [ 'twice', "$terms $terms", '', qr/"acme_accept_terms" is duplicate/ ],
    [ 'no argument', 'acme_key;', '',
        qr/invalid number of arguments in "acme_key", its form is: acme_key type/ ],
    [ 'too many arguments', $terms,
        { domain => join ' ', map { "n$_.test" } 1 .. 101 },
        qr/its form is: acme_domain \[name \.\.\.\], at most 100 arguments/ ],
    [ 'too many names', $terms,
        { names => join ' ', map { "n$_.test" } 1 .. 101 },
        qr/more than 100 names in one certificate/ ],
    [ 'key misspelt', 'acme_key ecdsa:265;', '',
        qr/invalid value "ecdsa:265", allowed are ecdsa:256, .*did you mean "ecdsa:256"\?/ ],
    [ 'CA misspelt', 'acme_ca letsencrypt-stagin;', '',
        qr/did you mean "letsencrypt-staging"\?/ ],
    [ 'CA by plain http', 'acme_ca http://127.0.0.1/dir;', '',
        qr/is not https/ ],
    [ 'closed CA', 'acme_ca buypass;', '', qr/closed on 2025-10-31/ ],
    [ 'fallback misspelt', 'acme_ca letsencrypt zerosl;', '',
        qr/did you mean "zerossl"\?/ ],
    [ 'CA twice', 'acme_ca letsencrypt '
        . 'https://acme-v02.api.letsencrypt.org/directory;', '',
        qr/acme_ca: invalid value "https:\S+", allowed is each CA once/ ],
    [ 'too many CAs', 'acme_ca ' . join(' ', map { "https://ca$_.test/" }
        1 .. 9) . ';', '', qr/at most 8 arguments/ ],
    [ 'for= misspelt', 'acme_profile short for=letsencript;', '',
        qr/acme_profile: for=: invalid value "letsencript", allowed are letsencrypt, .*did you mean "letsencrypt"\?/ ],
    [ 'for= twice', 'acme_preferred_chain A for=zerossl; '
        . 'acme_preferred_chain B for=zerossl;', '',
        qr/"acme_preferred_chain" for=zerossl is duplicate: it was given in/ ],
    [ 'nothing but for=', 'acme_profile for=zerossl;', '',
        qr/its form is: acme_profile name \[require\] \[for=CA\]/ ],
    [ 'for= of another CA', $terms, { names => 'a.test',
            acme => 'acme_profile short for=google;' },
        qr/acme_profile: for=google is none of acme_ca of this server, allowed are letsencrypt/ ],
    [ 'renewal', 'acme_renew 60%;', '',
        qr/acme_renew: invalid value "60%", allowed are auto, 1% to 50% of the certificate's life, 1d to 365d/ ],
    [ 'renewal misspelt', 'acme_renew aut;', '',
        qr/acme_renew: invalid value "aut", .*did you mean "auto"\?/ ],
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
        { names => 'a.test' },
        qr/acme_user: there is no user "no-such-user"/, 'root' ],
    [ 'trust missing', "$terms acme_ca_certificate /nonexistent.pem;",
        { names => 'a.test' },
        qr{acme_ca_certificate "/nonexistent.pem": No such file} ],
    [ 'trust empty', "$terms acme_ca_certificate %TMP%/empty.pem;",
        { names => 'a.test' },
        qr/holds no certificate in PEM form/ ],
    [ 'beside a certificate file', $terms,
        { names => 'a.test', cert => 'static' }, $own->{static} ],
    [ 'beside a certificate file, the other order', $terms,
        { names => 'a.test', domain => undef,
            $kind => "$own->{cert}$own->{domain}" }, $own->{static} ],
    [ 'no name', $terms, {}, qr/finds no name for the certificate/ ],
    [ 'only patterns', $terms, { nginx => 'server_name ~^(.+)\.test$;',
            httpd => 'ServerAlias *.a.test' },
        qr/finds no name for the certificate/ ],
    [ 'in the wrong place', $terms, { names => 'a.test',
            nginx => 'location / { acme_domain; }',
            httpd => "<Location />\nAcmeDomain\n</Location>" },
        $own->{place} ],
    [ 'a global one in a server', '',
        { domain => undef, acme => 'acme_contact a@b.test;' },
        $own->{global} ],
    (map { [ "name $_->[0]", $terms, { domain => $_->[0] }, $_->[1] ] }
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
        [ 'bücher', qr/has no dot/ ],
        [ '1.2.3.456', qr/neither a host name nor an IP address/ ],
        [ ('x' x 64) . '.test', qr/longer than 63 bytes/ ]),
);

# httpd has a main server, which may have a certificate, too.
push @bad, [ 'at the top level', 'acme_domain;', undef, $own->{place} ]
    if $kind eq 'nginx';

for my $case (@bad) {
    my ($what, $lines, $site, $words, $need) = @$case;
  SKIP: {
        skip 'not root', 2 if ($need || '') eq 'root' && $> != 0;
        $server->configure(global => $lines, sites => sites($site));
        my ($status, $text) = $server->check;
        isnt($status, 0, "$what: refused");
        like($text, qr/\[(?:$own->{level})\].*$words.*server\.conf:\d+/,
            "$what: with words and place");
    }
}

# A helper that is not there.
my $helper = $server->{helper};
$server->configure(helper => '/nonexistent/helper', global => $terms,
    sites => sites({ names => 'a.test' }));
my ($status, $text) = $server->check;
isnt($status, 0, 'a missing helper is refused');
like($text, qr{acme_helper "/nonexistent/helper": No such file}, 'by name');

# What is allowed, with its warnings.
my @names = ('_', '*.c.test', 'localhost', $kind eq 'nginx' ? ('~^b', '') : ());
my @good = (
    [ 'names left out', $terms,
        { names => join(' ', 'a.test', map { $_ eq '' ? '""' : $_ } @names) },
        map { qr/\[warn\].*leaves out .*"\Q$_\E" cannot be .*server\.conf:\d+/ }
            @names ],
    [ 'no TLS listener', $terms,
        { names => 'a.test', plain => ['http'], tls => [] },
        qr/\[warn\].*$own->{plain}.*server\.conf:\d+/ ],
    [ 'everything', "$terms acme_ca letsencrypt-staging; acme_key rsa:4096;"
        . 'acme_contact a@b.test mailto:c@d.test; acme_user nobody;'
        . 'acme_port_map 80:8080 443:8443; acme_reload graceful delay=2m;'
        . 'acme_ca_certificate static.pem;',
        { domain => 'a.test b.test', acme => 'acme_key ecdsa:384;'
            . 'acme_ca https://127.0.0.1:1/dir;' } ],
    [ 'off', 'acme_reload off;' ],
    [ 'several CAs', "$terms acme_ca letsencrypt https://ca.test/dir;"
        . 'acme_profile short require for=letsencrypt; acme_profile classic;'
        . 'acme_preferred_chain "A Root" for=https://ca.test/dir;'
        . 'acme_ca_certificate static.pem for=https://ca.test/dir;'
        . 'acme_renew 30d;', { names => 'a.test', acme => 'acme_renew 25%;' } ],
    [ 'flags in any case', 'acme_accept_terms On; acme_reload OFF;',
        { names => 'a.test' } ],
);

for my $case (@good) {
    my ($what, $lines, $site, @words) = @$case;
    $server->configure(helper => $helper, global => $lines,
        sites => sites($site));
    ($status, $text) = $server->check;
    is($status, 0, "$what: accepted") or diag($text);
    like($text, $_, "$what: warned") for @words;
}

$server->configure(global => $terms, sites => sites({ names => 'a.test' }),
    $kind => $own->{cert});
($status, $text) = $server->check;
is($status, 0, 'a certificate file of the level above: accepted');

# A placeholder cannot be stapled: nginx would warn, with the whole of it.
$server->configure(modules => ['socache_shmcb'],
    nginx => 'ssl_stapling on; resolver 127.0.0.1;',
    httpd => "SSLUseStapling on\nSSLStaplingCache shmcb:%TMP%/stapling");
($status, $text) = $server->check;
is($status, 0, 'stapling: accepted') or diag($text);
unlike($text, qr/stapling|BEGIN/i, 'without a word on the placeholder');

ok(!-e $server->state_path, 'nothing of all this wrote into the state path');
ok(!$server->helpers, 'or started a helper');

$t->done;
