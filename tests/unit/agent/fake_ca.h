/*
 * A CA for the agent's tests: enough of RFC 8555 for orders of one name, with
 * faults on demand. It verifies no signature. A request's body, made by the
 * test in the keeper's place, is "<nonce> <account URL> <url> <name>", the
 * name of a look-up being "find" or "find-new-key".
 */

#ifndef TESTS_FAKE_CA_H
#define TESTS_FAKE_CA_H

#include "https_server.h"

/* Faults, or'ed into shared->knob. */
enum {
    REFUSES_SOME_NONCES = 1,     /* each third request */
    REFUSES_ALL_NONCES = 2,
    DIRECTORY_DOWN = 4,
    DIRECTORY_SAYS_BAD_NONCE = 8,
    NEW_NONCE_EMPTY = 16,
    NEW_NONCE_DOWN = 128,
    NO_NONCE_ELSEWHERE = 1024,   /* in replies to other requests */
    FORGOT_ACCOUNTS = 32,        /* all but the one made now */
    LIMITS_ORDERS = 64,
    NEVER_KNOWS_ACCOUNTS = 256,
    DIRECTORY_MOVED = 512,       /* /dir redirects to /new/dir */
    NO_RENEWAL_INFO = 2048,
    RENEWAL_INFO_DOWN = 4096,
    RENEWAL_WINDOW_INVERTED = 8192,
    HAS_OUR_ACCOUNT = 16384,     /* a look-up finds it */
    KNOWS_NEW_KEY = 32768,       /* ... by the new key */
    REFUSES_CONTACTS = 65536,
    BUSY_WITH_ACCOUNTS = 131072, /* updates, key changes, revocations */
    REFUSES_BINDINGS = 262144,
    IS_BOUND = 524288,           /* newAccount: no binding is awaited */
    OFFERS_LITTLE = 1048576      /* no keyChange, no revokeCert */
};

enum { CA_NONCES = 65536, CA_ORDERS = 1024 };

struct ca_order {
    char name[256];
    bool responded, finalized;
    unsigned polls;
};

/* In the server's process. */
static struct {
    pthread_mutex_t lock;
    unsigned nonces, posts, orders, accounts;
    bool used[CA_NONCES];
    struct ca_order order[CA_ORDERS];
} ca = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct call {
    const struct heard *heard;
    FILE *out;
    unsigned knob;
    char origin[64];
    char nonce[64], account[256], url[512], name[256];
};

static inline void
ca_send(const struct call *call, const char *status, const char *headers,
    const char *body)
{
    char nonce[64] = "";

    if (!(call->knob & NO_NONCE_ELSEWHERE)) {
        snprintf(nonce, sizeof(nonce), "Replay-Nonce: nonce-%u\r\n",
            ca.nonces++);
    }
    fprintf(call->out, "HTTP/1.1 %s\r\n%s%sContent-Length: %zu\r\n\r\n%s",
        status, nonce, headers, strlen(body), body);
}

static inline void
ca_problem(const struct call *call, const char *status, const char *type,
    const char *headers)
{
    char body[256];

    snprintf(body, sizeof(body),
        "{\"type\":\"urn:ietf:params:acme:error:%s\","
        "\"detail\":\"says the fake CA\"}", type);
    ca_send(call, status, headers, body);
}

static inline void
ca_directory(const struct call *call)
{
    char body[1024];

    snprintf(body, sizeof(body), "{\"newNonce\":\"%s/nonce\","
        "\"newAccount\":\"%s/account\",\"newOrder\":\"%s/order\","
        "\"%s\":\"%s/renewal\",\"%s\":\"%s/rollover\","
        "\"%s\":\"%s/revoke\"}", call->origin, call->origin, call->origin,
        call->knob & NO_RENEWAL_INFO ? "other" : "renewalInfo", call->origin,
        call->knob & OFFERS_LITTLE ? "x" : "keyChange", call->origin,
        call->knob & OFFERS_LITTLE ? "y" : "revokeCert", call->origin);
    if (call->knob & DIRECTORY_DOWN) {
        ca_send(call, "503 Unavailable", "", "");
    } else if (call->knob & DIRECTORY_SAYS_BAD_NONCE) {
        ca_problem(call, "400 Bad Request", "badNonce", "");
    } else if ((call->knob & DIRECTORY_MOVED)
        && strcmp(call->heard->path, "/dir") == 0) {
        ca_send(call, "302 Found", "Location: /new/dir\r\n", "");
    } else {
        ca_send(call, "200 OK", "", body);
    }
}

static inline void
ca_renewal_info(const struct call *call)
{
    char body[512];

    snprintf(body, sizeof(body), "{\"suggestedWindow\":{"
        "\"start\":\"2025-01-02T04:00:00Z\",\"end\":\"2025-01-0%dT04:00:00Z\"},"
        "\"explanationURL\":\"https://ca.test/%s\"}",
        call->knob & RENEWAL_WINDOW_INVERTED ? 1 : 3, call->heard->path + 9);
    if (call->knob & RENEWAL_INFO_DOWN) {
        ca_send(call, "503 Unavailable", "Retry-After: 3600\r\n", "");
    } else {
        ca_send(call, "200 OK", "Retry-After: 21600\r\n", body);
    }
}

static inline void
ca_new_nonce(const struct call *call)
{
    if (call->knob & NEW_NONCE_DOWN) {
        fputs("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n",
            call->out);
    } else if (call->knob & NEW_NONCE_EMPTY) {
        fputs("HTTP/1.1 204 No Content\r\n\r\n", call->out);
    } else {
        fprintf(call->out,
            "HTTP/1.1 204 No Content\r\nReplay-Nonce: nonce-%u\r\n\r\n",
            ca.nonces++);
    }
}

static inline void
ca_new_account(const struct call *call)
{
    bool find = strncmp(call->name, "find", 4) == 0;
    unsigned wanted = strcmp(call->name, "find") == 0 ? HAS_OUR_ACCOUNT
                                                     : KNOWS_NEW_KEY;
    char headers[256];

    if (find && !(call->knob & wanted)) {
        ca_problem(call, "400 Bad Request", "accountDoesNotExist", "");
        return;
    }
    if (!find && (call->knob & IS_BOUND)) {
        ca_send(call, "400 Bad Request", "", "{\"type\":\"urn:ietf:params:"
            "acme:error:malformed\",\"detail\":\"The account is not "
            "awaiting external account binding\"}");
        return;
    }
    snprintf(headers, sizeof(headers), "Location: %s/account/%u\r\n",
        call->origin, ++ca.accounts);
    ca_send(call, find ? "200 OK" : "201 Created", headers,
        "{\"status\":\"valid\"}");
}

/* An update, a key change or a revocation: signed by the account. */
static inline void
ca_account_request(const struct call *call)
{
    if (call->knob & BUSY_WITH_ACCOUNTS) {
        ca_send(call, "503 Unavailable", "", "<html>");
    } else if (call->knob & REFUSES_CONTACTS) {
        ca_problem(call, "400 Bad Request", "invalidContact", "");
    } else {
        ca_send(call, "200 OK", "", "");
    }
}

/* As ZeroSSL's: no ACME, so no nonce. */
static inline void
ca_binding(const struct call *call)
{
    const char *body = call->knob & REFUSES_BINDINGS
        ? "{\"success\":false,\"error\":{\"code\":2900,\"type\":\"no_mail\"}}"
        : "{\"success\":true,\"eab_kid\":\"kid-1\","
            "\"eab_hmac_key\":\"c2VjcmV0\"}";

    if (strcmp(call->heard->body, "email=me%40a.test") != 0
        || strcasestr(call->heard->head, "\r\nContent-Type: "
            "application/x-www-form-urlencoded\r\n") == NULL) {
        body = "{}";
    }
    fprintf(call->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
}

static inline void
ca_say_order(const struct call *call, unsigned number, const char *headers)
{
    const struct ca_order *order = &ca.order[number];
    char body[2048];

    snprintf(body, sizeof(body), "{\"status\":\"%s\",\"identifiers\":"
        "[{\"type\":\"dns\",\"value\":\"%s\"}],\"authorizations\":"
        "[\"%s/authz/%u\"],\"finalize\":\"%s/finalize/%u\","
        "\"certificate\":\"%s/cert/%u\","
        "\"expires\":\"2099-01-01T00:00:00Z\"}",
        order->finalized ? "valid" : order->polls > 1 ? "ready" : "pending",
        order->name, call->origin, number, call->origin, number,
        call->origin, number);
    ca_send(call, *headers != '\0' ? "201 Created" : "200 OK", headers, body);
}

static inline void
ca_new_order(const struct call *call)
{
    unsigned number = ca.orders++ % CA_ORDERS;
    char headers[256];

    if (call->knob & LIMITS_ORDERS) {
        ca_problem(call, "429 Too Many Requests", "rateLimited",
            "Retry-After: 3600\r\n");
        return;
    }
    snprintf(ca.order[number].name, sizeof(ca.order[number].name), "%s",
        call->name);
    snprintf(headers, sizeof(headers), "Location: %s/order/%u\r\n",
        call->origin, number);
    ca_say_order(call, number, headers);
}

static inline void
ca_challenge_or_authorization(const struct call *call, unsigned number,
    bool authorization)
{
    const struct ca_order *order = &ca.order[number];
    const char *status = order->responded ? "processing" : "pending";
    char challenge[1024], body[2048];

    snprintf(challenge, sizeof(challenge), "{\"type\":\"http-01\","
        "\"status\":\"%s\",\"url\":\"%s/challenge/%u\","
        "\"token\":\"secrettoken-%u\"}", status, call->origin, number,
        number);
    snprintf(body, sizeof(body), "{\"status\":\"pending\",\"identifier\":"
        "{\"type\":\"dns\",\"value\":\"%s\"},\"challenges\":[%s]}",
        order->name, challenge);
    ca_send(call, "200 OK", "", authorization ? body : challenge);
}

static inline bool
takes_nonce(const struct call *call)
{
    unsigned number;

    if (sscanf(call->nonce, "nonce-%u", &number) != 1
        || number >= CA_NONCES || ca.used[number]
        || (call->knob & REFUSES_ALL_NONCES)) {
        return false;
    }
    ca.used[number] = true;
    return !(call->knob & REFUSES_SOME_NONCES) || ca.posts % 3 != 0;
}

static inline bool
knows_account(const struct call *call)
{
    char newest[256];

    snprintf(newest, sizeof(newest), "%s/account/%u", call->origin,
        ca.accounts);
    return !(call->knob & NEVER_KNOWS_ACCOUNTS)
        && (!(call->knob & FORGOT_ACCOUNTS)
            || strcmp(newest, call->account) == 0);
}

static inline void
ca_order_request(const struct call *call)
{
    char what[16] = "";
    unsigned number = CA_ORDERS;
    struct ca_order *order;

    sscanf(call->heard->path, "/%15[a-z]/%u", what, &number);
    order = &ca.order[number % CA_ORDERS];
    if (number >= CA_ORDERS || order->name[0] == '\0') {
        ca_problem(call, "404 Not Found", "malformed", "");
    } else if (strcmp(what, "order") == 0) {
        order->polls += order->responded;
        ca_say_order(call, number, "");
    } else if (strcmp(what, "authz") == 0) {
        ca_challenge_or_authorization(call, number, true);
    } else if (strcmp(what, "challenge") == 0) {
        order->responded = true;
        ca_challenge_or_authorization(call, number, false);
    } else if (strcmp(what, "finalize") == 0) {
        order->finalized = true;
        ca_say_order(call, number, "");
    } else {
        ca_send(call, "200 OK",
            "Content-Type: application/pem-certificate-chain\r\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    }
}

static inline void
ca_post(struct call *call)
{
    const char *path = call->heard->path;

    ca.posts++;
    if (strcmp(path, "/binding") == 0) {
        ca_binding(call);
    } else if (sscanf(call->heard->body, "%63s %255s %511s %255s", call->nonce,
            call->account, call->url, call->name) != 4
        || strcmp(call->url + strlen(call->origin), path) != 0) {
        ca_problem(call, "400 Bad Request", "malformed", "");
    } else if (!takes_nonce(call)) {
        ca_problem(call, "400 Bad Request", "badNonce", "");
    } else if (strcmp(path, "/account") == 0) {
        ca_new_account(call);
    } else if (strncmp(path, "/account/", 9) == 0
        || strcmp(path, "/rollover") == 0 || strcmp(path, "/revoke") == 0) {
        ca_account_request(call);
    } else if (!knows_account(call)) {
        ca_problem(call, "400 Bad Request", "accountDoesNotExist", "");
    } else if (strcmp(path, "/order") == 0) {
        ca_new_order(call);
    } else {
        ca_order_request(call);
    }
}

static inline void
fake_ca(const struct heard *heard, struct shared *shared, FILE *out)
{
    struct call call = { .heard = heard, .out = out,
        .knob = atomic_load(&shared->knob) };
    const char *host = strstr(heard->head, "\r\nHost: ");

    snprintf(call.origin, sizeof(call.origin), "https://%.*s",
        (int) strcspn(host + 8, "\r"), host + 8);
    pthread_mutex_lock(&ca.lock);
    if (strcmp(heard->method, "POST") == 0) {
        ca_post(&call);
    } else if (strcmp(heard->method, "HEAD") == 0) {
        ca_new_nonce(&call);
    } else if (strncmp(heard->path, "/renewal/", 9) == 0) {
        ca_renewal_info(&call);
    } else {
        ca_directory(&call);
    }
    pthread_mutex_unlock(&ca.lock);
}

#endif
