/*
 * THE table of directives. nginx's ngx_command_t array, httpd's command_rec
 * array, the checks, the error texts and the reference in the README come
 * from here. nginx's acme_foo_bar is httpd's AcmeFooBar. Texts of ours use
 * nginx's spelling; spelling.h turns it into the other one.
 *
 * X(id, name, httpd_name, scope, min, max, arguments, default, meaning)
 *   scope     GLOBAL: http{} / main server; MANY: the same, as often as
 *             wanted; SERVER: server{} / vhost; BOTH: inherited from the
 *             first to the second; PER_CA: the same, and once more for each
 *             CA that is named by for= as last argument
 *   min, max  number of arguments
 */

#ifndef ACME_SETTINGS_DIRECTIVES_H
#define ACME_SETTINGS_DIRECTIVES_H

#define ACME_DIRECTIVES(X)                                                  \
    X(DOMAIN, "acme_domain", "AcmeDomain", SERVER, 0, 100,                  \
        "[name ...]", "the names of the server",                            \
        "Get and keep a certificate for these names and serve it here; no " \
        "lines that name certificate files.")                               \
    X(CA, "acme_ca", "AcmeCA", BOTH, 1, 8,                                  \
        "name | URL [name | URL ...]", "letsencrypt",                       \
        "The certificate authority: letsencrypt, letsencrypt-staging, "     \
        "zerossl, google, google-staging, actalis, sslcom-rsa, sslcom-ecc, "\
        "or the https URL of an ACME directory. Further ones are asked, in "\
        "their order, when those before them have trouble of their own or " \
        "will not certify the names.")                                      \
    X(ACCEPT_TERMS, "acme_accept_terms", "AcmeAcceptTerms", GLOBAL, 1, 1,   \
        "on | off", "off",                                                  \
        "You have read the CA's terms of service and agree to them. "       \
        "Required.")                                                        \
    X(CONTACT, "acme_contact", "AcmeContact", GLOBAL, 1, 10,                \
        "mail | URL ...", "none",                                           \
        "Where the CA may reach you, as mail address or mailto: URL.")      \
    X(EAB, "acme_eab", "AcmeEAB", MANY, 3, 4,                               \
        "CA kid file [HS256 | HS384 | HS512]", "none",                      \
        "What a CA that demands an external account binding gave you: its " \
        "key identifier, and a file with its HMAC key in base64.")          \
    X(CA_CERTIFICATE, "acme_ca_certificate", "AcmeCACertificate", PER_CA,   \
        1, 2, "file [for=CA]", "the system's bundle",                       \
        "PEM file with the roots to trust for the CA's own HTTPS.")         \
    X(PROXY, "acme_proxy", "AcmeProxy", GLOBAL, 1, 1,                       \
        "URL | off", "off",                                                 \
        "The proxy through which the CAs are reached: http://host:port, "   \
        "https:// or socks5h://, with user:password@ in front of the host " \
        "where it wants that. The environment's proxies are not used.")     \
    X(CHALLENGE, "acme_challenge", "AcmeChallenge", BOTH, 1, 2,             \
        "type ...", "http-01 tls-alpn-01",                                  \
        "How to prove to the CA that the names are ours, the preferred way "\
        "first: http-01 (by port 80), tls-alpn-01 (by port 443). The next " \
        "one is tried when one fails for a reason of its own.")             \
    X(PROFILE, "acme_profile", "AcmeProfile", PER_CA, 1, 3,                 \
        "name [require] [for=CA]", "the CA's default",                      \
        "The kind of certificate, of those that the CA offers in its "      \
        "directory. Where it is not offered the CA's default is taken, or " \
        "none at all with \"require\".")                                    \
    X(PREFERRED_CHAIN, "acme_preferred_chain", "AcmePreferredChain",        \
        PER_CA, 1, 2, "issuer [for=CA]", "the CA's choice",                 \
        "Of several chains that a CA offers, the one whose last "           \
        "certificate was issued by this common name.")                      \
    X(KEY, "acme_key", "AcmeKey", BOTH, 1, 2,                               \
        "type [type]", "ecdsa:256",                                         \
        "Type of the certificate's key: ecdsa:256, ecdsa:384, rsa:2048, "   \
        "rsa:3072, rsa:4096. One of ECDSA and one of RSA: a certificate "   \
        "of each, and every client gets the one that suits it.")            \
    X(KEY_POLICY, "acme_key_policy", "AcmeKeyPolicy", BOTH, 1, 1,           \
        "rotate | reuse", "rotate",                                         \
        "A renewal gets a new key, or the key of its predecessor (for "     \
        "pins and TLSA records) as long as acme_key is the same.")          \
    X(RENEW, "acme_renew", "AcmeRenew", BOTH, 1, 1,                         \
        "auto | N% | Nd", "auto",                                           \
        "When a certificate is renewed: when the CA asks for it, else with "\
        "a third of its life left (half, when it lives ten days at most); " \
        "or with N percent of its life, or N days, left, yet never in the " \
        "first half of it.")                                                \
    X(RELOAD, "acme_reload", "AcmeReload", GLOBAL, 1, 2,                    \
        "graceful [delay=time] | off", "graceful delay=10s",                \
        "How a new certificate goes live: by a graceful reload, where "     \
        "several certificates within the delay are one reload, or not.")    \
    X(PORT_MAP, "acme_port_map", "AcmePortMap", GLOBAL, 1, 2,               \
        "80:port 443:port", "80:80 443:443",                                \
        "The port on which this server gets what the world sends to port "  \
        "80 or 443, where a firewall or container forwards it.")            \
    X(STATE_PATH, "acme_state_path", "AcmeStatePath", GLOBAL, 1, 1,         \
        "directory", "/var/lib/acme",                                       \
        "Where accounts, keys and certificates are kept.")                  \
    X(USER, "acme_user", "AcmeUser", GLOBAL, 1, 1,                          \
        "name", "_acme, else nobody, else daemon",                          \
        "The user as whom the process that talks to the CA runs; never "    \
        "the one of the server's workers.")                                 \
    X(EVENT, "acme_event", "AcmeEvent", GLOBAL, 1, 2,                       \
        "program [user=name]", "none",                                      \
        "A program that is run when a certificate was obtained, renewed or "\
        "installed, when that has failed, or when one is about to expire; " \
        "as acme_user, or as this user.")                                   \
    X(HELPER, "acme_helper", "AcmeHelper", GLOBAL, 1, 1,                    \
        "file", "acme-helper where make install puts it",                   \
        "The helper program that obtains the certificates.")

#endif
