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
    err->retry_at = reply->headers.retry_at;
    return false;
}

/*
 * ---- hints: first match wins; NULL matches everything, "" what no CA has said
 * in a problem document: the transport's words and ours
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

static const struct {
    const char *type;
    const char *words;
    const char *hint;
} hints[] = {
    { "", "SSL certificate problem", "the CA's own HTTPS certificate is "
        "not trusted: install ca-certificates, check this machine's clock, "
        "or for a private CA name its root in acme_ca_certificate" },
    { "", "no alternative certificate subject name", "the CA's own HTTPS "
        "certificate is for another name: check the URL in acme_ca" },
    { "", "wrong version number", "what listens there does not speak "
        "HTTPS: check the host and port in acme_ca" },
    { "", "redirects followed", NO_CA },
    { "", "Could not resolve host", "this machine cannot resolve the CA's "
        "name: check its resolver, and the URL in acme_ca" },
    { "", "transfer closed", BROKEN_OFF },
    { "", "bytes missing", BROKEN_OFF },
    { "", "Empty reply", BROKEN_OFF },
    { "", "could not be reached", "check that this machine may open HTTPS "
        "connections to the CA, or to the proxy in acme_proxy (firewall, "
        "SELinux: httpd_can_network_connect)" },
    { "externalAccountRequired", NULL, "this CA wants an external account "
        "binding (EAB): get a key identifier and an HMAC key from it, and "
        "name them in acme_eab" },
    { NULL, "'kid' references a key that is not known", BAD_BINDING },
    { NULL, "external account", BAD_BINDING },
    { NULL, "externalAccount", BAD_BINDING },
    { "userActionRequired", NULL, "the CA's terms have changed: agree to "
        "them at the address it names" },
    { "invalidContact", NULL, "correct or leave out acme_contact" },
    { "unsupportedContact", NULL, "correct or leave out acme_contact" },
    { NULL, "during secondary validation", "it works from one place of the "
        "world but not from others: check all name servers, balanced "
        "machines and firewalls that limit by country or rate" },
    { "connection", "unreachable", "the AAAA record points to a machine "
        "without IPv6: correct or remove it" },
    { "connection", "tls-alpn-01: ", "open inbound port 443 to the whole "
        "world, and check listen, the A and AAAA records, and port "
        "forwarding (acme_port_map)" },
    { "connection", "likely firewall", "open inbound port 80 to the whole "
        "world, and check that the A and AAAA records point here" },
    { "connection", "refused", "nothing listens on port 80 of the address "
        "that the CA tried: check listen, the A and AAAA records, and port "
        "forwarding (acme_port_map)" },
    { "connection", "redirect", "another server redirects the challenge: "
        "check that the name points to this one" },
    { "connection", NULL, "something between the CA and this server cuts "
        "the request: exempt /.well-known/acme-challenge/ in firewalls" },
    { "unauthorized", "tls-alpn-01", NOT_OUR_TLS },
    { "tls", NULL, NOT_OUR_TLS },
    { "unauthorized", "key authorization", "another ACME client or machine "
        "answered for this name: check the A and AAAA records and balanced "
        "machines" },
    { "unauthorized", "404", "another server answered: check that the A and "
        "AAAA records point to this one" },
    { "unauthorized", "403", "another server or a firewall in front denies "
        "the challenge path: exempt /.well-known/acme-challenge/" },
    { "unauthorized", "invalid response", "another server answered: check "
        "that the A and AAAA records point to this one" },
    { "dns", "NXDOMAIN", "the name does not exist in public DNS: create it, "
        "or take it out of the server's names" },
    { "dns", "no valid A", "public DNS has no public address for this name" },
    { "dns", "SERVFAIL", "the zone's name servers or its DNSSEC are broken: "
        "check the DS and RRSIG records" },
    { "dns", "timed out", "one of the zone's name servers does not answer: "
        "all must, for A, AAAA and CAA" },
    { "dns", NULL, "check the name in public DNS" },
    { "caa", NULL, "the zone's CAA record does not allow this CA: add it, "
        "or choose one that is listed in acme_ca" },
    { "rateLimited", "exact set", "certificates are being thrown away: keep "
        "acme_state_path on persistent storage; the CA will issue again "
        "after the time it names" },
    { "rateLimited", "registrations", "accounts are being thrown away: keep "
        "acme_state_path on persistent storage" },
    { "rateLimited", "failed authorizations", "correct the earlier failures "
        "first; try on letsencrypt-staging" },
    { "rateLimited", "please visit", "the CA has paused this account for the "
        "name: mend the earlier failures, then open the address it gives" },
    { "rateLimited", NULL, "wait until the time that the CA names" },
    { "rejectedIdentifier", NULL, "this CA will not certify the name; "
        "another one may" },
    { "malformed", "public suffix", "this is no public name: use a private "
        "CA for it" },
    { NULL, "not permit ip", "this CA certifies IP addresses only by a "
        "profile: name it in acme_profile (letsencrypt's is shortlived), or "
        "take the IP addresses out of the certificate's names" },
    { "serverInternal", NULL, "the CA has trouble of its own: nothing to do "
        "here" },
    { "", "no space left on device", NO_ROOM },
    { "", "disk quota exceeded", NO_ROOM },
    { "", "read-only file system", "acme_state_path must be writable: mount it "
        "so; under systemd it needs StateDirectory= or ReadWritePaths=" },
    { "", "HTTP status 5", "the CA has trouble of its own: nothing to do "
        "here" },
    { "", "HTTP status 404", NO_CA },
    { "", "the CA's directory", NO_CA },
};

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
    if (acme_problem_closes_account(err)) {
        return DEACTIVATED;
    }
    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++) {
        if ((hints[i].type == NULL
                || strcmp(hints[i].type, err->problem) == 0)
            && (hints[i].words == NULL
                || strcasestr(err->text, hints[i].words) != NULL)) {
            return hints[i].hint;
        }
    }
    return NULL;
}
