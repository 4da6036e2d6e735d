/* What the CAs really say, and what we make of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "format/json.h"
#include "protocol/problem.h"

#define URN "urn:ietf:params:acme:error:"
#define PROBLEM(type, detail) \
    "{\"type\":\"" URN type "\",\"detail\":\"" detail "\"}"

static struct acme_error
problem_of(int status, const char *body)
{
    struct acme_reply reply = { .status = status, .failure = "" };
    struct acme_error err;

    reply.body = acme_bytes_of(body);
    memset(&err, 0xee, sizeof(err));
    assert_false(acme_problem_of_reply(&reply, &err));
    return err;
}

/* ---- real texts */

static const struct {
    const char *what;
    int status;
    const char *body;
    const char *type;
    enum acme_verdict verdict;
    const char *hint;          /* words of it, or NULL: no hint */
    enum acme_class class;
} rows[] = {
    { "firewall", 400, PROBLEM("connection", "192.0.2.1: Fetching "
        "http://example.test/.well-known/acme-challenge/x: Timeout during "
        "connect (likely firewall problem)"), "connection", ACME_RETRY,
        "open inbound port 80", ACME_SOON },
    { "nothing listens", 400, PROBLEM("connection", "192.0.2.1: Fetching "
        "http://example.test/.well-known/acme-challenge/x: Connection "
        "refused"), "connection", ACME_RETRY, "nothing listens on port 80",
        ACME_SLOW },
    { "no IPv6", 400, PROBLEM("connection", "2001:db8::1: Fetching "
        "http://example.test/.well-known/acme-challenge/x: Network "
        "unreachable"), "connection", ACME_RETRY, "AAAA record", ACME_SLOW },
    { "middlebox", 400, PROBLEM("connection", "192.0.2.1: Fetching "
        "http://example.test/.well-known/acme-challenge/x: Connection reset "
        "by peer"), "connection", ACME_RETRY, "cuts the request", ACME_SOON },
    { "redirects", 400, PROBLEM("connection", "192.0.2.1: Fetching "
        "https://other.test/: Too many redirects"), "connection", ACME_RETRY,
        "redirects the challenge", ACME_SLOW },
    { "another server", 403, PROBLEM("unauthorized", "192.0.2.1: Invalid "
        "response from http://example.test/.well-known/acme-challenge/x: "
        "404"), "unauthorized", ACME_REFUSED, "another server answered",
        ACME_SLOW },
    { "denied", 403, PROBLEM("unauthorized", "192.0.2.1: Invalid response "
        "from http://example.test/.well-known/acme-challenge/x: 403"),
        "unauthorized", ACME_REFUSED, "denies the challenge path", ACME_SLOW },
    { "a page", 403, PROBLEM("unauthorized", "192.0.2.1: Invalid response "
        "from http://example.test/.well-known/acme-challenge/x: "
        "\\\"<!DOCTYPE html>\\\""), "unauthorized", ACME_REFUSED,
        "another server answered", ACME_SLOW },
    { "another client", 403, PROBLEM("unauthorized", "The key authorization "
        "file from the server did not match this challenge. Expected a.b "
        "(got a.c)"), "unauthorized", ACME_REFUSED, "another ACME client",
        ACME_SLOW },
    { "one perspective", 403, PROBLEM("unauthorized", "During secondary "
        "validation: 192.0.2.1: Invalid response from "
        "http://example.test/.well-known/acme-challenge/x: 404"),
        "unauthorized", ACME_REFUSED, "one place of the world", ACME_SOON },
    { "a firewall of countries", 400, PROBLEM("connection", "During "
        "secondary validation: 192.0.2.1: Fetching http://example.test/: "
        "Timeout during connect (likely firewall problem)"), "connection",
        ACME_RETRY, "one place of the world", ACME_SOON },
    { "CA's own trouble with perspectives", 500, PROBLEM("serverInternal",
        "Secondary validation RPC failed"), "serverInternal", ACME_RETRY,
        "trouble of its own", ACME_SOON },
    { "no such name", 400, PROBLEM("dns", "DNS problem: NXDOMAIN looking up "
        "A for example.test - check that a DNS record exists for this "
        "domain"), "dns", ACME_RETRY, "does not exist in public DNS",
        ACME_SLOW },
    { "private addresses", 400, PROBLEM("dns", "no valid A records found for "
        "example.test; no valid AAAA records found for example.test"), "dns",
        ACME_RETRY, "no public address", ACME_SLOW },
    { "DNSSEC", 400, PROBLEM("dns", "DNS problem: SERVFAIL looking up CAA "
        "for example.test - the domain's nameservers may be "
        "malfunctioning"), "dns", ACME_RETRY, "DNSSEC", ACME_SLOW },
    { "dead name server", 400, PROBLEM("dns", "DNS problem: query timed out "
        "looking up CAA for example.test"), "dns", ACME_RETRY,
        "does not answer", ACME_SOON },
    { "CAA", 403, PROBLEM("caa", "CAA record for example.test prevents "
        "issuance"), "caa", ACME_RETRY, "CAA record", ACME_SLOW },
    { "exact set", 429, PROBLEM("rateLimited", "too many certificates (5) "
        "already issued for this exact set of identifiers in the last "
        "168h0m0s, retry after 2026-01-01 00:00:00 UTC"), "rateLimited",
        ACME_RETRY, "acme_state_path on persistent storage", ACME_AT },
    { "failed authorizations", 429, PROBLEM("rateLimited", "too many failed "
        "authorizations (5) for \\\"example.test\\\" in the last 1h0m0s"),
        "rateLimited", ACME_RETRY, "letsencrypt-staging", ACME_SOON },
    { "registrations", 429, PROBLEM("rateLimited", "too many new "
        "registrations (10) from this IP address in the last 3h0m0s"),
        "rateLimited", ACME_RETRY, "accounts are being thrown away",
        ACME_SOON },
    { "certificates of a domain", 429, PROBLEM("rateLimited", "too many "
        "certificates (50) already issued for \\\"example.test\\\" in the "
        "last 168h0m0s"), "rateLimited", ACME_RETRY,
        "wait until the time that the CA names", ACME_SOON },
    { "paused", 429, PROBLEM("rateLimited", "Your account is temporarily "
        "prevented from requesting certificates for example.test and "
        "possibly others. Please visit: https://ca.test/unpause"),
        "rateLimited", ACME_RETRY, "open the address", ACME_NEVER },
    { "EAB", 403, PROBLEM("externalAccountRequired", "The request must "
        "include a value for the externalAccountBinding field"),
        "externalAccountRequired", ACME_MISCONFIG, "(EAB)", ACME_NEVER },
    { "new terms", 403, PROBLEM("userActionRequired", "Terms of service have "
        "changed"), "userActionRequired", ACME_MISCONFIG, "agree", ACME_NEVER },
    { "contact", 400, PROBLEM("invalidContact", "contact email has forbidden "
        "domain \\\"example.com\\\""), "invalidContact", ACME_MISCONFIG,
        "acme_contact", ACME_NEVER },
    { "contact's scheme", 400, PROBLEM("unsupportedContact", "only mailto"),
        "unsupportedContact", ACME_MISCONFIG, "acme_contact", ACME_NEVER },
    { "deactivated account", 403, PROBLEM("unauthorized", "Account is not "
        "valid, has status \\\"deactivated\\\""), "unauthorized",
        ACME_MISCONFIG, "account is deactivated", ACME_NEVER },
    { "high risk name", 400, PROBLEM("rejectedIdentifier", "Cannot issue for "
        "\\\"bank.test\\\": The ACME server refuses to issue a certificate "
        "for this domain name, because it is forbidden by policy"),
        "rejectedIdentifier", ACME_REFUSED, "will not certify", ACME_NEVER },
    { "internal name", 400, PROBLEM("malformed", "Cannot issue for "
        "\\\"x.internal\\\": Domain name does not end with a valid public "
        "suffix (TLD)"), "malformed", ACME_REFUSED, "private CA", ACME_NEVER },
    { "address", 400, PROBLEM("malformed", "Profile \\\"classic\\\" does not "
        "permit ip type identifiers"), "malformed", ACME_REFUSED,
        "acme_profile", ACME_NEVER },
    { "another TLS server", 403, PROBLEM("unauthorized", "192.0.2.1: Cannot "
        "negotiate ALPN protocol \\\"acme-tls/1\\\" for tls-alpn-01 "
        "challenge"), "unauthorized", ACME_REFUSED, "answered at port 443",
        ACME_NOW },
    { "a broken handshake", 400, PROBLEM("tls", "192.0.2.1: remote error: "
        "tls: no application protocol"), "tls", ACME_RETRY,
        "answered at port 443", ACME_NOW },
    { "nonce", 400, PROBLEM("badNonce", "JWS has an invalid anti-replay "
        "nonce"), "badNonce", ACME_RETRY, NULL, ACME_SOON },
    { "account lost", 400, PROBLEM("accountDoesNotExist", "No account exists "
        "with the provided key"), "accountDoesNotExist", ACME_RETRY, NULL,
        ACME_NOW },
    { "not ready", 403, PROBLEM("orderNotReady", "Order's status "
        "(\\\"valid\\\") is not acceptable for finalization"),
        "orderNotReady", ACME_RETRY, NULL, ACME_NOW },
    { "bad request", 400, PROBLEM("badCSR", "signature algorithm not "
        "supported"), "badCSR", ACME_REFUSED, NULL, ACME_NEVER },
    { "unknown type, 400", 400, PROBLEM("novelty", "no"), "novelty",
        ACME_REFUSED, NULL, ACME_SLOW },
    { "unknown type, 503", 503, PROBLEM("novelty", "no"), "novelty",
        ACME_RETRY, NULL, ACME_SOON },
    { "foreign type", 400, "{\"type\":\"https://ca.test/e/1\"}",
        "https://ca.test/e/1", ACME_REFUSED, NULL, ACME_SLOW },
    { "type by title only", 400, "{\"type\":\"" URN "caa\","
        "\"title\":\"CAA says no\"}", "caa", ACME_RETRY, "CAA record",
        ACME_SLOW },
    { "URN in capitals", 400, "{\"type\":\"URN:IETF:params:acme:error:caa\"}",
        "caa", ACME_RETRY, "CAA record", ACME_SLOW },
    { "maintenance page", 503, "<html>busy</html>", "", ACME_RETRY,
        "trouble of its own", ACME_SOON },
    { "balancer's 429", 429, "", "", ACME_RETRY, NULL, ACME_SOON },
    { "HTML of a 404", 404, "<html>", "", ACME_REFUSED, "URL in acme_ca",
        ACME_SLOW },
    { "failed authorizations, with a time", 429, PROBLEM("rateLimited", "too "
        "many failed authorizations (5) for \\\"example.test\\\" in the last "
        "1h0m0s, retry after 2026-11-25 19:12:00 UTC: see "
        "https://ca.test/docs"), "rateLimited", ACME_RETRY,
        "letsencrypt-staging", ACME_AT },
    { "orders of the account", 429, PROBLEM("rateLimited", "too many new "
        "orders (300) from this account in the last 3h0m0s, retry after "
        "2026-11-25 19:12:00 UTC"), "rateLimited", ACME_RETRY,
        "wait until the time that the CA names", ACME_AT },
    { "HTTP/2 on port 80", 400, PROBLEM("connection", "192.0.2.1: Fetching "
        "http://example.test/: Server is speaking HTTP/2 over HTTP"),
        "connection", ACME_RETRY, "must speak HTTP/1.1", ACME_SLOW },
    { "no TLS on port 443", 400, PROBLEM("malformed", "192.0.2.1: Server "
        "only speaks HTTP, not TLS"), "malformed", ACME_REFUSED,
        "answered at port 443", ACME_SLOW },
    { "record not everywhere", 403, PROBLEM("unauthorized", "No TXT record "
        "found at _acme-challenge.example.test"), "unauthorized",
        ACME_REFUSED, "name servers", ACME_SOON },
    { "old records", 403, PROBLEM("unauthorized", "Incorrect TXT record "
        "\\\"x404\\\" (and 2 more) found at _acme-challenge.example.test"),
        "unauthorized", ACME_REFUSED, "old TXT records", ACME_SOON },
    { "many records", 400, PROBLEM("dns", "DNS problem: response was "
        "truncated looking up TXT for _acme-challenge.example.test"), "dns",
        ACME_RETRY, "old TXT records", ACME_SOON },
    { "a local name", 400, PROBLEM("malformed", "Cannot issue for "
        "\\\"box\\\": Domain name needs at least one dot"), "malformed",
        ACME_REFUSED, "private CA", ACME_NEVER },
    { "too deep a name", 400, PROBLEM("malformed", "Cannot issue for "
        "\\\"a.b\\\": Domain name has more than 10 labels (parts)"),
        "malformed", ACME_REFUSED, "so many parts", ACME_NEVER },
    { "an unreadable name", 400, PROBLEM("malformed", "Cannot issue for "
        "\\\"a_b.test\\\": Domain name contains an invalid character"),
        "malformed", ACME_REFUSED, "its spelling", ACME_NEVER },
    { "posted twice", 400, PROBLEM("malformed", "Authorization is already "
        "being validated"), "malformed", ACME_REFUSED, NULL, ACME_SOON },
    { "replaced before", 409, PROBLEM("alreadyReplaced", "cannot indicate an "
        "order replaces certificate with serial \\\"1\\\""),
        "alreadyReplaced", ACME_REFUSED, NULL, ACME_NOW },
    { "profile gone", 400, PROBLEM("invalidProfile", "unrecognized profile "
        "name"), "invalidProfile", ACME_REFUSED, NULL, ACME_NOW },
    { "key of the account", 400, PROBLEM("badPublicKey", "certificate public "
        "key must be different than account key"), "badPublicKey",
        ACME_REFUSED, NULL, ACME_NOW },
    { "binding used before", 403, PROBLEM("unauthorized", "The account is not "
        "awaiting external account binding"), "unauthorized", ACME_REFUSED,
        "acme_eab", ACME_NEVER },
};

static void
words_of_the_cas_have_type_verdict_and_hint(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct acme_error err = problem_of(rows[i].status, rows[i].body);
        const char *hint = acme_problem_hint(&err);

        if (err.verdict != rows[i].verdict
            || strcmp(err.problem, rows[i].type) != 0) {
            fail_msg("%s: verdict %d of \"%s\"", rows[i].what, err.verdict,
                err.problem);
        }
        if ((hint == NULL) != (rows[i].hint == NULL)
            || (hint != NULL && strstr(hint, rows[i].hint) == NULL)) {
            fail_msg("%s: hint \"%s\"", rows[i].what,
                hint != NULL ? hint : "none");
        }
        assert_int_equal(err.http_status, rows[i].status);
        if (acme_problem_class(&err) != rows[i].class) {
            fail_msg("%s: class %d", rows[i].what, acme_problem_class(&err));
        }
    }
}

static const struct {
    const char *what;
    const char *detail;
    int64_t header, at;
} named[] = {
    { "Let's Encrypt's words", "too many certificates (5) already issued for "
        "this exact set of identifiers in the last 168h0m0s, retry after "
        "2023-11-15 00:00:00 UTC: see https://ca.test/docs", 0, 1700006400 },
    { "RFC 3339", "too many, retry after 2023-11-15T00:00:00Z", 0,
        1700006400 },
    { "the header counts more", "too many, retry after 2023-11-15 00:00:00 "
        "UTC", 1700000777, 1700000777 },
    { "no date", "too many, retry after dinner", 0, 0 },
    { "no day", "too many, retry after 2023-02-30 00:00:00 UTC", 0, 0 },
    { "cut off", "too many, retry after 2023-11-15", 0, 0 },
    { "nothing behind it", "too many, retry after ", 0, 0 },
};

static void
the_time_of_a_rate_limit_is_found_in_its_words(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        struct acme_reply reply = { .status = 429, .failure = "",
            .headers = { .retry_at = named[i].header } };
        struct acme_error err;
        char body[512];

        snprintf(body, sizeof(body), "{\"type\":\"" URN "rateLimited\","
            "\"detail\":\"%s\"}", named[i].detail);
        reply.body = acme_bytes_of(body);
        assert_false(acme_problem_of_reply(&reply, &err));
        if (err.retry_at != named[i].at) {
            fail_msg("%s: %lld", named[i].what, (long long) err.retry_at);
        }
        assert_int_equal(acme_problem_class(&err),
            named[i].at > 0 ? ACME_AT : ACME_SOON);
    }
    /* what is quoted of a page names no time */
    assert_int_equal(problem_of(403, PROBLEM("unauthorized", "Invalid "
        "response from http://a.test/: retry after 2023-11-15 00:00:00 UTC"))
        .retry_at, 0);
}

static void
what_no_row_knows_is_judged_by_its_verdict(void **state)
{
    static const struct {
        enum acme_verdict verdict;
        enum acme_class class;
    } cases[] = {
        { ACME_RETRY, ACME_SOON }, { ACME_REFUSED, ACME_SLOW },
        { ACME_MISCONFIG, ACME_NEVER }, { ACME_PEER_BROKE, ACME_SOON },
        { ACME_LOCAL, ACME_SOON },
    };
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        acme_fail(&err, cases[i].verdict, "something new");
        assert_int_equal(acme_problem_class(&err), cases[i].class);
    }
    /* a balancer's time, without a problem document */
    acme_fail(&err, ACME_RETRY, "the CA answered with HTTP status 503");
    err.http_status = 503;
    err.retry_at = 1700000000;
    assert_int_equal(acme_problem_class(&err), ACME_AT);
    err.http_status = 500;
    assert_int_equal(acme_problem_class(&err), ACME_SOON);
}

static const struct {
    const char *what;
    const char *failure;
    const char *hint;
} unreachable[] = {
    { "untrusted", "SSL certificate problem: unable to get local issuer "
        "certificate", "acme_ca_certificate" },
    { "another name", "SSL: no alternative certificate subject name matches "
        "target host name 'ca.test'", "check the URL in acme_ca" },
    { "plain HTTP", "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong "
        "version number", "does not speak HTTPS" },
    { "redirects in a circle", "Maximum (3) redirects followed",
        "URL in acme_ca" },
    { "resolver", "Could not resolve host: ca.test", "resolver" },
    { "refused", "Failed to connect to ca.test port 443: Connection refused",
        "firewall" },
    { "cut short", "transfer closed with 113 bytes remaining to read",
        "broke the connection off" },
    { "cut short, in newer words", "end of response with 36 bytes missing",
        "broke the connection off" },
    { "no answer", "Empty reply from server", "broke the connection off" },
    { "no words", NULL, "firewall" },
};

static void
an_unreachable_ca_is_retried_with_a_hint(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]);
         i++) {
        struct acme_reply reply = { .failure = unreachable[i].failure };
        struct acme_error err;
        const char *hint;

        assert_false(acme_problem_of_reply(&reply, &err));
        hint = acme_problem_hint(&err);
        assert_int_equal(err.verdict, ACME_RETRY);
        if (hint == NULL || strstr(hint, unreachable[i].hint) == NULL) {
            fail_msg("%s: hint \"%s\"", unreachable[i].what,
                hint != NULL ? hint : "none");
        }
    }
}

static void
a_store_that_cannot_be_written_has_a_hint(void **state)
{
    static const struct {
        int sys;
        const char *hint;
    } rows[] = { { ENOSPC, "make room" }, { EDQUOT, "make room" },
        { EROFS, "ReadWritePaths=" } };
    struct acme_error err;

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        errno = rows[i].sys;
        acme_fail_sys(&err, "writing privkey.pem");
        assert_non_null(acme_problem_hint(&err));
        assert_non_null(strstr(acme_problem_hint(&err), rows[i].hint));
    }
}

static void
an_authorization_taken_back_is_no_deactivated_account(void **state)
{
    struct acme_error err;

    (void) state;
    acme_fail(&err, ACME_REFUSED, "validation of a.test failed: the CA says "
        "the authorization is deactivated and gives no reason");
    assert_null(acme_problem_hint(&err));
}

/* What a validation found there is quoted: none of it is about us or the CA. */
static void
what_a_validation_quotes_is_no_word_of_the_ca(void **state)
{
    static const char *const pages[] = { "deactivated",
        "status \\\"revoked\\\"", "SSL certificate problem",
        "the host could not be reached", "HTTP status 503" };

    (void) state;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        struct acme_error err;
        const char *hint;
        char json[512];
        cJSON *problem;

        snprintf(json, sizeof(json), "{\"type\":\"" URN "unauthorized\","
            "\"detail\":\"Invalid response from http://a.test/x: <title>%s"
            "\",\"status\":403}", pages[i]);
        problem = cJSON_Parse(json);
        assert_non_null(problem);
        acme_problem_of_object(problem, &err);
        cJSON_Delete(problem);
        hint = acme_problem_hint(&err);
        assert_int_equal(err.verdict, ACME_REFUSED);
        assert_false(acme_problem_closes_account(&err));
        if (hint == NULL || strstr(hint, "another server answered") == NULL) {
            fail_msg("%s: hint \"%s\"", pages[i], hint != NULL ? hint : "none");
        }
    }
}

/* A hint is for the port by which the CA came. */
static const struct {
    const char *problem, *words, *hint;
} by_tls[] = {
    { "connection", "192.0.2.1: Connection refused", "port 443" },
    { "connection", "192.0.2.1: Timeout during connect (likely firewall "
        "problem)", "port 443" },
    { "connection", "192.0.2.1: Connection reset by peer", "port 443" },
    { "connection", "2001:db8::1: Network unreachable", "AAAA record" },
    { "tls", "remote error: tls: no application protocol", "port 443" },
    { "unauthorized", "Cannot negotiate ALPN protocol \"acme-tls/1\" for "
        "tls-alpn-01 challenge", "port 443" },
    { "unauthorized", "Incorrect validation certificate for tls-alpn-01 "
        "challenge. Requested a.test from 192.0.2.1:443.", "port 443" },
};

static void
what_fails_by_tls_alpn_01_is_about_port_443(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(by_tls) / sizeof(by_tls[0]); i++) {
        struct acme_error err;
        const char *hint;

        acme_fail(&err, ACME_RETRY, "validation of a.test failed: "
            "tls-alpn-01: %s: %s", by_tls[i].problem, by_tls[i].words);
        strcpy(err.problem, by_tls[i].problem);
        hint = acme_problem_hint(&err);
        if (hint == NULL || strstr(hint, by_tls[i].hint) == NULL
            || strstr(hint, "port 80") != NULL) {
            fail_msg("%s: hint \"%s\"", by_tls[i].words,
                hint != NULL ? hint : "none");
        }
    }
}

static void
retry_after_is_kept(void **state)
{
    struct acme_reply reply = { .status = 503, .failure = "",
        .headers = { .retry_at = 1700000000 } };
    struct acme_error err;

    (void) state;
    assert_false(acme_problem_of_reply(&reply, &err));
    assert_int_equal(err.retry_at, 1700000000);
    reply.body = acme_bytes_of(PROBLEM("rateLimited", "later"));
    assert_false(acme_problem_of_reply(&reply, &err));
    assert_int_equal(err.retry_at, 1700000000);
}

/* ---- subproblems */

static void
subproblems_name_their_identifiers(void **state)
{
    struct acme_error err = problem_of(400, "{\"type\":\"" URN "compound\","
        "\"detail\":\"Errors\",\"subproblems\":["
        "{\"type\":\"" URN "caa\",\"detail\":\"no\",\"identifier\":"
        "{\"type\":\"dns\",\"value\":\"a.test\"}},"
        "{\"type\":\"" URN "dns\",\"detail\":\"gone\",\"identifier\":"
        "{\"type\":\"dns\",\"value\":\"b.test\"}}]}");

    (void) state;
    assert_string_equal(err.problem, "compound");
    assert_string_equal(err.name, "a.test");
    assert_string_equal(err.text,
        "compound: Errors; a.test: caa: no; b.test: dns: gone");
    err = problem_of(400, "{\"type\":\"" URN "compound\",\"subproblems\":["
        "{\"type\":\"" URN "caa\"},{\"type\":\"" URN "tls\","
        "\"detail\":\"old\"}]}");
    assert_string_equal(err.text, "compound; caa; tls: old");
}

static void
many_long_subproblems_are_cut(void **state)
{
    static char body[256 * 1024];
    size_t len = (size_t) sprintf(body, "{\"type\":\"" URN "compound\","
        "\"subproblems\":[0");
    struct acme_error err;

    (void) state;
    for (unsigned i = 0; i < 200; i++) {
        len += (size_t) sprintf(body + len, ",{\"type\":\"%0300d\","
            "\"detail\":\"%0300d\",\"identifier\":{\"type\":\"dns\","
            "\"value\":\"%0200d\"}}", 1, 2, 3);
    }
    sprintf(body + len, "]}");
    err = problem_of(400, body);
    assert_string_equal(err.problem, "compound");
    assert_in_range(strlen(err.text), 100, sizeof(err.text) - 1);
}

/* ---- the page to visit (RFC 8555 7.3.3) */

#define NEW_TERMS "{\"type\":\"" URN "userActionRequired\"," \
    "\"detail\":\"Terms have changed\""

static void
a_required_action_names_the_page_to_visit(void **state)
{
    static const struct { const char *body, *text; } documents[] = {
        { NEW_TERMS ",\"instance\":\"https://ca.test/agree?t=1\"}",
            "userActionRequired: Terms have changed; visit "
            "https://ca.test/agree?t=1" },
        { NEW_TERMS ",\"instance\":\"https://ca.test/\\\"\u00e4\"}",
            "userActionRequired: Terms have changed; visit "
            "https://ca.test/\\x22\\xc3\\xa4" },
        { NEW_TERMS ",\"instance\":\"urn:uuid:1\"}",
            "userActionRequired: Terms have changed" },
        { NEW_TERMS ",\"instance\":7}",
            "userActionRequired: Terms have changed" },
        { "{\"type\":\"" URN "caa\",\"instance\":\"https://ca.test/log/1\"}",
            "caa" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct acme_error err = problem_of(403, documents[i].body);

        assert_string_equal(err.text, documents[i].text);
    }
}

/* ---- hostile documents */

static const struct {
    const char *what;
    const char *body;
} hostile[] = {
    { "lines", PROBLEM("caa", "x\\n2026/01/01 [emerg] all is lost\\r\\n") },
    { "terminal", PROBLEM("caa", "\\u001b[2J\\u0007\\u009b") },
    { "quotes", PROBLEM("caa", "\\\"\\\\\\\"") },
    { "type of control bytes", "{\"type\":\"a\\nb\",\"detail\":\"x\"}" },
    { "name of control bytes", "{\"type\":\"x\",\"identifier\":"
        "{\"value\":\"a\\nb\"}}" },
    { "escaped NUL", PROBLEM("caa", "a\\u0000b") },
    { "not UTF-8", "{\"type\":\"x\",\"detail\":\"\xff\xfe\x80\"}" },
    { "wrong types", "{\"type\":[],\"detail\":{},\"subproblems\":\"x\","
        "\"identifier\":7}" },
    { "subproblems of anything", "{\"type\":\"x\",\"subproblems\":[1,null,"
        "[],\"s\",{\"identifier\":[]},{\"subproblems\":[{}]}]}" },
    { "formats", PROBLEM("%n%s", "%s%s%n%999999d") },
    { "status beyond int", "{\"type\":\"x\",\"status\":9e15}" },
    { "an array", "[{\"type\":\"x\"}]" },
    { "cut off", "{\"type\":\"x\"" },
    { "null", "null" },
};

static void
hostile_documents_become_plain_text(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        struct acme_error err = problem_of(400, hostile[i].body);

        for (const char *at = err.text; *at != '\0'; at++) {
            if (*at < 0x20 || *at > 0x7e) {
                fail_msg("%s: byte %02x", hostile[i].what,
                    (unsigned char) *at);
            }
        }
        assert_true(strlen(err.text) > 0);
        assert_null(strpbrk(err.problem, "\r\n\033"));
        assert_null(strpbrk(err.name, "\r\n\033"));
        assert_int_equal(err.http_status, 400);
    }
}

static void
long_texts_are_cut_and_say_so(void **state)
{
    static char body[16 * 1024], detail[8 * 1024];
    struct acme_error err;

    (void) state;
    memset(detail, 'd', sizeof(detail) - 1);
    snprintf(body, sizeof(body), PROBLEM("%.1000s", "%s"), detail, detail);
    err = problem_of(400, body);
    assert_true(strlen(err.problem) < sizeof(err.problem));
    assert_string_equal(err.problem + strlen(err.problem) - 3, "...");
    assert_string_equal(err.text + strlen(err.text) - 3, "...");
}

static void
the_error_of_an_object_has_its_own_status(void **state)
{
    static const struct { const char *json; int status; } objects[] = {
        { "{\"type\":\"x\",\"status\":403}", 403 },
        { "{\"type\":\"x\",\"status\":-1}", 0 },
        { "{\"type\":\"x\",\"status\":1000}", 0 },
        { "{\"type\":\"x\",\"status\":\"403\"}", 0 },
        { "{\"type\":\"x\"}", 0 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        struct acme_error err;
        cJSON *root = acme_json_parse(acme_bytes_of(objects[i].json), &err);

        assert_non_null(root);
        assert_false(acme_problem_of_object(root, &err));
        assert_int_equal(err.http_status, objects[i].status);
        cJSON_Delete(root);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_the_cas_have_type_verdict_and_hint),
        cmocka_unit_test(the_time_of_a_rate_limit_is_found_in_its_words),
        cmocka_unit_test(what_no_row_knows_is_judged_by_its_verdict),
        cmocka_unit_test(an_unreachable_ca_is_retried_with_a_hint),
        cmocka_unit_test(a_store_that_cannot_be_written_has_a_hint),
        cmocka_unit_test(
            an_authorization_taken_back_is_no_deactivated_account),
        cmocka_unit_test(what_a_validation_quotes_is_no_word_of_the_ca),
        cmocka_unit_test(what_fails_by_tls_alpn_01_is_about_port_443),
        cmocka_unit_test(retry_after_is_kept),
        cmocka_unit_test(subproblems_name_their_identifiers),
        cmocka_unit_test(many_long_subproblems_are_cut),
        cmocka_unit_test(a_required_action_names_the_page_to_visit),
        cmocka_unit_test(hostile_documents_become_plain_text),
        cmocka_unit_test(long_texts_are_cut_and_say_so),
        cmocka_unit_test(the_error_of_an_object_has_its_own_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
