/*
 * What a CA says when it says no (RFC 8555 6.7, RFC 7807), and what an
 * operator can do about it. Everything remote is escaped and cut here.
 */

#include "protocol/problem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "format/json.h"
#include "format/time_text.h"

#define URN "urn:ietf:params:acme:error:"

enum { DETAIL_MAX = 2000, INSTANCE_MAX = 400, SUBPROBLEMS_SHOWN = 5 };

/* ---- types */

/* What may pass by itself, and what only the operator can mend. */
static const struct {
    const char *type;
    enum acme_verdict verdict;
} verdicts[] = {
    { "accountDoesNotExist", ACME_RETRY },
    { "badNonce", ACME_RETRY },
    { "caa", ACME_RETRY },
    { "compound", ACME_RETRY },
    { "connection", ACME_RETRY },
    { "dns", ACME_RETRY },
    { "externalAccountRequired", ACME_MISCONFIG },
    { "incorrectResponse", ACME_RETRY },
    { "invalidContact", ACME_MISCONFIG },
    { "orderNotReady", ACME_RETRY },
    { "rateLimited", ACME_RETRY },
    { "serverInternal", ACME_RETRY },
    { "tls", ACME_RETRY },
    { "unsupportedContact", ACME_MISCONFIG },
    { "userActionRequired", ACME_MISCONFIG },
};

static enum acme_verdict
verdict_of(const char *type, int status)
{
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
        if (strcmp(verdicts[i].type, type) == 0) {
            return verdicts[i].verdict;
        }
    }
    return status >= 500 || status == 429 ? ACME_RETRY : ACME_REFUSED;
}

/* The type without its URN; a foreign type whole, cut and escaped. */
static void
read_type(const cJSON *problem, char *out, size_t size)
{
    const char *type = acme_json_text(problem, "type", DETAIL_MAX);

    if (type == NULL) {
        type = "";
    }
    if (strncasecmp(type, URN, strlen(URN)) == 0) {
        type += strlen(URN);
    }
    acme_log_escape(out, size, acme_bytes_of(type));
}

/* "detail" may hold line breaks, which acme_json_text refuses. */
static void
read_detail(const cJSON *problem, char *out, size_t size)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(problem, "detail");

    if (!cJSON_IsString(item)) {
        item = cJSON_GetObjectItemCaseSensitive(problem, "title");
    }
    acme_log_sentence(out, size,
        acme_bytes_of(cJSON_IsString(item) ? item->valuestring : NULL));
}

/* ---- subproblems (6.7.1) */

static void
read_identifier(const cJSON *problem, char *out, size_t size)
{
    const char *value = acme_json_text(acme_json_object(problem,
        "identifier"), "value", 253);

    acme_log_escape(out, size, acme_bytes_of(value));
}

static void
add_subproblem(const cJSON *item, struct acme_error *err)
{
    char type[64], name[256], detail[256];
    size_t len = strlen(err->text);

    read_type(item, type, sizeof(type));
    read_identifier(item, name, sizeof(name));
    read_detail(item, detail, sizeof(detail));
    if (err->name[0] == '\0') {
        memcpy(err->name, name, sizeof(err->name));
    }
    snprintf(err->text + len, sizeof(err->text) - len, "; %s%s%s%s%s", name,
        name[0] != '\0' ? ": " : "", type, detail[0] != '\0' ? ": " : "",
        detail);
}

static void
add_subproblems(const cJSON *problem, struct acme_error *err)
{
    const cJSON *item;
    int shown = 0;

    cJSON_ArrayForEach(item, acme_json_array(problem, "subproblems")) {
        if (shown++ == SUBPROBLEMS_SHOWN) {
            return;
        }
        add_subproblem(item, err);
    }
}

/* ---- problems */

/* The page that a person must open (7.3.3). */
static void
add_instance(const cJSON *problem, struct acme_error *err)
{
    const char *url = acme_json_text(problem, "instance", INSTANCE_MAX);
    size_t len = strlen(err->text);
    char shown[INSTANCE_MAX + 1];

    if (strcmp(err->problem, "userActionRequired") == 0 && url != NULL
        && strncasecmp(url, "http", 4) == 0) {
        snprintf(err->text + len, sizeof(err->text) - len, "; visit %s",
            acme_log_escape(shown, sizeof(shown), acme_bytes_of(url)));
    }
}

/* "..., retry after 2026-01-01 00:00:00 UTC: see ...", or 0. */
static int64_t
time_in_words(const char *text)
{
    static const char words[] = "retry after ";
    const char *at = strcasestr(text, words);
    char time[ACME_TIME_TEXT_SIZE];
    int64_t seconds;

    if (at == NULL) {
        return 0;
    }
    snprintf(time, sizeof(time), "%.19sZ", at + strlen(words));
    return acme_time_read(acme_bytes_of(time), &seconds) ? seconds : 0;
}

static bool
fill(const cJSON *problem, int status, struct acme_error *err)
{
    char type[64], detail[512];

    read_type(problem, type, sizeof(type));
    read_detail(problem, detail, sizeof(detail));
    acme_fail(err, verdict_of(type, status), "%s%s%s",
        type[0] != '\0' ? type : "error",
        detail[0] != '\0' ? ": " : "", detail);
    memcpy(err->problem, type, sizeof(err->problem));
    err->http_status = status;
    if (strcmp(type, "rateLimited") == 0) {
        err->retry_at = time_in_words(detail);
    }
    read_identifier(problem, err->name, sizeof(err->name));
    add_instance(problem, err);
    add_subproblems(problem, err);
    return false;
}

bool
acme_problem_of_object(const cJSON *problem, struct acme_error *err)
{
    int64_t status = acme_json_number(problem, "status", 0);

    return fill(problem, status <= 999 ? (int) status : 0, err);
}

/* Not a problem document: a proxy's HTML, or nothing at all. */
static bool
of_status(const struct acme_reply *reply, struct acme_error *err)
{
    return acme_fail(err, reply->status >= 500 || reply->status == 429
        ? ACME_RETRY : ACME_REFUSED, "the CA answered with HTTP status %d "
        "and %s", reply->status, reply->body.len == 0 ? "an empty body"
        : "no problem document");
}

/*
 * A refused request may be refused because of the account. What is said of a
 * validation never is: it quotes the page that was found.
 */
static void
judge_account(struct acme_error *err)
{
    if (strcmp(err->problem, "unauthorized") == 0
        && (strcasestr(err->text, "deactivated") != NULL
            || strcasestr(err->text, "status \"revoked\"") != NULL)) {
        err->verdict = ACME_MISCONFIG;
    }
}

bool
acme_problem_of_reply(const struct acme_reply *reply, struct acme_error *err)
{
    struct acme_error ignored;
    cJSON *root;

    if (reply->status == 0) {
        return acme_fail(err, ACME_RETRY, "the CA could not be reached: %s",
            reply->failure != NULL ? reply->failure : "no reply");
    }
    root = acme_json_parse(reply->body, &ignored);
    if (root != NULL && (acme_json_text(root, "type", DETAIL_MAX) != NULL
            || cJSON_HasObjectItem(root, "detail"))) {
        fill(root, reply->status, err);
        judge_account(err);
    } else {
        of_status(reply, err);
    }
    cJSON_Delete(root);
    err->http_status = reply->status;
    if (reply->headers.retry_at > 0) {
        err->retry_at = reply->headers.retry_at;
    }
    return false;
}

/*
 * ---- hints, and when to try again: first match wins; NULL matches everything,
 * "" what no CA has said in a problem document: the transport's words and ours
 */

#define NO_ROOM "make room on the file system that acme_state_path is on"
#define NO_CA "this is not how an ACME CA answers: check the URL in acme_ca"
#define BAD_BINDING "the CA did not take what acme_eab names: check the " \
    "key identifier and the key; those of some CAs are good for one account " \
    "and a few days only"
#define BROKEN_OFF "the CA, or something in between, broke the connection " \
    "off: nothing to do here unless it goes on"
#define NOT_OUR_TLS "another server, or something in front of this one that " \
    "ends TLS, answered at port 443: check that the A and AAAA records point " \
    "here, have TLS passed through, or take tls-alpn-01 out of acme_challenge"
#define DEACTIVATED "this account is deactivated or revoked: move its " \
    "folder in accounts/ away and reload the server, and a new one is " \
    "registered"
#define NO_PUBLIC_NAME "this is no public name: use a private CA for it"
#define STALE_TXT "old TXT records at _acme-challenge are in the way: delete " \
    "them; two challenges of one name need two records"

static const struct {
    const char *type;
    const char *words;
    const char *hint;       /* or NULL */
    enum acme_class class;
} rows[] = {
    { "", "SSL certificate problem", "the CA's own HTTPS certificate is "
        "not trusted: install ca-certificates, check this machine's clock, "
        "or for a private CA name its root in acme_ca_certificate",
        ACME_SOON },
    { "", "no alternative certificate subject name", "the CA's own HTTPS "
        "certificate is for another name: check the URL in acme_ca",
        ACME_SOON },
    { "", "wrong version number", "what listens there does not speak "
        "HTTPS: check the host and port in acme_ca", ACME_SOON },
    { "", "redirects followed", NO_CA, ACME_SLOW },
    { "", "Could not resolve host", "this machine cannot resolve the CA's "
        "name: check its resolver, and the URL in acme_ca", ACME_SOON },
    { "", "transfer closed", BROKEN_OFF, ACME_SOON },
    { "", "bytes missing", BROKEN_OFF, ACME_SOON },
    { "", "Empty reply", BROKEN_OFF, ACME_SOON },
    { "", "could not be reached", "check that this machine may open HTTPS "
        "connections to the CA, or to the proxy in acme_proxy (firewall, "
        "SELinux: httpd_can_network_connect)", ACME_SOON },
    { "externalAccountRequired", NULL, "this CA wants an external account "
        "binding (EAB): get a key identifier and an HMAC key from it, and "
        "name them in acme_eab", ACME_NEVER },
    { NULL, "'kid' references a key that is not known", BAD_BINDING,
        ACME_NEVER },
    { NULL, "external account", BAD_BINDING, ACME_NEVER },
    { NULL, "externalAccount", BAD_BINDING, ACME_NEVER },
    { "userActionRequired", NULL, "the CA's terms have changed: agree to "
        "them at the address it names", ACME_NEVER },
    { "invalidContact", NULL, "correct or leave out acme_contact",
        ACME_NEVER },
    { "unsupportedContact", NULL, "correct or leave out acme_contact",
        ACME_NEVER },
    { NULL, "during secondary validation", "it works from one place of the "
        "world but not from others: check all name servers, balanced "
        "machines and firewalls that limit by country or rate", ACME_SOON },
    { "connection", "unreachable", "the AAAA record points to a machine "
        "without IPv6: correct or remove it", ACME_SLOW },
    { "connection", "tls-alpn-01: ", "open inbound port 443 to the whole "
        "world, and check listen, the A and AAAA records, and port "
        "forwarding (acme_port_map)", ACME_SOON },
    { "connection", "likely firewall", "open inbound port 80 to the whole "
        "world, and check that the A and AAAA records point here",
        ACME_SOON },
    { "connection", "refused", "nothing listens on port 80 of the address "
        "that the CA tried: check listen, the A and AAAA records, and port "
        "forwarding (acme_port_map)", ACME_SLOW },
    { "connection", "speaking HTTP/2 over HTTP", "port 80 must speak "
        "HTTP/1.1: take http2 off its listener", ACME_SLOW },
    { "connection", "redirect", "another server redirects the challenge: "
        "check that the name points to this one", ACME_SLOW },
    { "connection", NULL, "something between the CA and this server cuts "
        "the request: exempt /.well-known/acme-challenge/ in firewalls",
        ACME_SOON },
    { "unauthorized", "tls-alpn-01", NOT_OUR_TLS, ACME_NOW },
    { "tls", NULL, NOT_OUR_TLS, ACME_NOW },
    { "malformed", "only speaks HTTP, not TLS", NOT_OUR_TLS, ACME_SLOW },
    { "unauthorized", "No TXT record", "not all of the zone's name servers "
        "have the record yet, or it is in another zone: check the delegation "
        "or CNAME of _acme-challenge", ACME_SOON },
    { "unauthorized", "Incorrect TXT record", STALE_TXT, ACME_SOON },
    { "dns", "response was truncated", STALE_TXT, ACME_SOON },
    { "unauthorized", "DNS-PERSIST-01", "publish the record for this account "
        "again", ACME_NEVER },
    { "unauthorized", "key authorization", "another ACME client or machine "
        "answered for this name: check the A and AAAA records and balanced "
        "machines", ACME_SLOW },
    { "unauthorized", "404", "another server answered: check that the A and "
        "AAAA records point to this one", ACME_SLOW },
    { "unauthorized", "403", "another server or a firewall in front denies "
        "the challenge path: exempt /.well-known/acme-challenge/",
        ACME_SLOW },
    { "unauthorized", "invalid response", "another server answered: check "
        "that the A and AAAA records point to this one", ACME_SLOW },
    { "dns", "NXDOMAIN", "the name does not exist in public DNS: create it, "
        "or take it out of the server's names", ACME_SLOW },
    { "dns", "no valid A", "public DNS has no public address for this name",
        ACME_SLOW },
    { "dns", "SERVFAIL", "the zone's name servers or its DNSSEC are broken: "
        "check the DS and RRSIG records", ACME_SLOW },
    { "dns", "timed out", "one of the zone's name servers does not answer: "
        "all must, for A, AAAA and CAA", ACME_SOON },
    { "dns", NULL, "check the name in public DNS", ACME_SOON },
    { "caa", NULL, "the zone's CAA record does not allow this CA: add it, "
        "or choose one that is listed in acme_ca", ACME_SLOW },
    { "rateLimited", "exact set", "certificates are being thrown away: keep "
        "acme_state_path on persistent storage; the CA will issue again "
        "after the time it names", ACME_AT },
    { "rateLimited", "registrations", "accounts are being thrown away: keep "
        "acme_state_path on persistent storage", ACME_AT },
    { "rateLimited", "failed authorizations", "correct the earlier failures "
        "first; try on letsencrypt-staging", ACME_AT },
    { "rateLimited", "please visit", "the CA has paused this account for the "
        "name: mend the earlier failures, then open the address it gives",
        ACME_NEVER },
    { "rateLimited", NULL, "wait until the time that the CA names", ACME_AT },
    { "rejectedIdentifier", NULL, "this CA will not certify the name; "
        "another one may", ACME_NEVER },
    { "malformed", "public suffix", NO_PUBLIC_NAME, ACME_NEVER },
    { "malformed", "needs at least one dot", NO_PUBLIC_NAME, ACME_NEVER },
    { "malformed", "invalid character", "the CA cannot read the name: check "
        "its spelling", ACME_NEVER },
    { "malformed", "longer than 63 bytes", "the CA cannot read the name: "
        "check its spelling", ACME_NEVER },
    { "malformed", "more than 10 labels", "this CA does not certify names of "
        "so many parts", ACME_NEVER },
    { NULL, "not permit ip", "this CA certifies IP addresses only by a "
        "profile: name it in acme_profile (letsencrypt's is shortlived), or "
        "take the IP addresses out of the certificate's names", ACME_NEVER },
    { "malformed", "authorization", NULL, ACME_SOON },
    { "conflict", NULL, NULL, ACME_SOON },
    { "accountDoesNotExist", NULL, NULL, ACME_NOW },
    { "alreadyReplaced", NULL, NULL, ACME_NOW },
    { "invalidProfile", NULL, NULL, ACME_NOW },
    { "orderNotReady", NULL, NULL, ACME_NOW },
    { "badPublicKey", NULL, NULL, ACME_NOW },
    { "badCSR", NULL, NULL, ACME_NEVER },
    { "badSignatureAlgorithm", NULL, NULL, ACME_NEVER },
    { "serverInternal", NULL, "the CA has trouble of its own: nothing to do "
        "here", ACME_SOON },
    { "", "no space left on device", NO_ROOM, ACME_SOON },
    { "", "disk quota exceeded", NO_ROOM, ACME_SOON },
    { "", "read-only file system", "acme_state_path must be writable: mount it "
        "so; under systemd it needs StateDirectory= or ReadWritePaths=",
        ACME_SOON },
    { "", "HTTP status 5", "the CA has trouble of its own: nothing to do "
        "here", ACME_SOON },
    { "", "HTTP status 404", NO_CA, ACME_SLOW },
    { "", "the CA's directory", NO_CA, ACME_SLOW },
};

enum { ROWS = sizeof(rows) / sizeof(*rows) };

/* The index of the row about this error, or ROWS. */
static size_t
row_of(const struct acme_error *err)
{
    size_t i = 0;

    while (i < ROWS && ((rows[i].type != NULL
            && strcmp(rows[i].type, err->problem) != 0)
        || (rows[i].words != NULL
            && strcasestr(err->text, rows[i].words) == NULL))) {
        i++;
    }
    return i;
}

bool
acme_problem_closes_account(const struct acme_error *err)
{
    /* nothing else makes that of this type */
    return err->verdict == ACME_MISCONFIG
        && strcmp(err->problem, "unauthorized") == 0;
}

const char *
acme_problem_hint(const struct acme_error *err)
{
    size_t row = row_of(err);

    if (acme_problem_closes_account(err)) {
        return DEACTIVATED;
    }
    return row < ROWS ? rows[row].hint : NULL;
}

const char *
acme_problem_words(const struct acme_error *err,
    char out[ACME_PROBLEM_WORDS_SIZE])
{
    const char *hint = acme_problem_hint(err);

    snprintf(out, ACME_PROBLEM_WORDS_SIZE, "%s%s%s", err->text,
        hint != NULL ? "; hint: " : "", hint != NULL ? hint : "");
    return out;
}

enum acme_class
acme_problem_class(const struct acme_error *err)
{
    size_t row = row_of(err);
    bool busy = err->http_status == 429 || err->http_status == 503;
    enum acme_class class = row < ROWS ? rows[row].class
        : err->verdict == ACME_REFUSED ? ACME_SLOW : ACME_SOON;

    if (err->verdict == ACME_MISCONFIG) {
        return ACME_NEVER;
    }
    if (err->retry_at > 0 && busy && class != ACME_NEVER) {
        return ACME_AT;
    }
    return class == ACME_AT && err->retry_at <= 0 ? ACME_SOON : class;
}
