/*
 * Choosing a certificate chain. Keeps nonsense from being passed on; whoever
 * holds the key checks more.
 */

#include "protocol/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/x509.h"

bool
acme_chain_init(struct acme_chain_choice *choice, const char *wanted)
{
    choice->pem.limit = ACME_CHAIN_MAX;
    choice->wanted = wanted != NULL ? strdup(wanted) : NULL;
    return wanted == NULL || choice->wanted != NULL;
}

void
acme_chain_free(struct acme_chain_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++) {
        free(choice->alternates[i]);
    }
    free(choice->wanted);
    acme_buffer_free(&choice->pem);
}

static bool
check(const struct acme_reply *reply, struct acme_error *err)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    struct acme_bytes body = reply->body;
    char type[4 * sizeof(reply->headers.media_type)];

    if (body.len > ACME_CHAIN_MAX) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's certificate chain has %zu bytes, at most %d are taken",
            body.len, ACME_CHAIN_MAX);
    }
    if (body.len == 0 || memchr(body.at, '\0', body.len) != NULL
        || memmem(body.at, body.len, begin, sizeof(begin) - 1) == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "the CA sent %zu bytes of "
            "\"%s\" in place of a certificate chain", body.len,
            acme_log_escape(type, sizeof(type),
                acme_bytes_of(reply->headers.media_type)));
    }
    return true;
}

static bool
keep(struct acme_chain_choice *choice, struct acme_bytes pem,
    struct acme_error *err)
{
    acme_buffer_clear(&choice->pem);
    return acme_buffer_add(&choice->pem, pem.at, pem.len)
        || acme_fail_memory(err);
}

static void
note_issuer(struct acme_chain_choice *choice, const char *issuer)
{
    size_t len = strlen(choice->issuers);
    size_t room = sizeof(choice->issuers) - len;

    if (strlen(issuer) + 5 <= room) {
        snprintf(choice->issuers + len, room, "%s\"%s\"",
            len > 0 ? ", " : "", issuer);
    }
}

static bool
is_wanted(struct acme_chain_choice *choice, struct acme_bytes pem)
{
    struct acme_error ignored;
    char issuer[128];

    if (!acme_chain_issuer(pem, issuer, &ignored)) {
        return false;
    }
    if (strcmp(issuer, choice->wanted) != 0) {
        note_issuer(choice, issuer);
        return false;
    }
    choice->issuers[0] = '\0';
    return true;
}

static bool
keep_alternates(struct acme_chain_choice *choice,
    const struct acme_session *session, const struct acme_headers *headers,
    struct acme_error *err)
{
    struct acme_error ignored;

    for (unsigned i = 0; i < headers->alternate_count; i++) {
        if (!acme_session_allows(session, headers->alternates[i], &ignored)) {
            continue;
        }
        choice->alternates[choice->count] = strdup(headers->alternates[i]);
        if (choice->alternates[choice->count] == NULL) {
            return acme_fail_memory(err);
        }
        choice->count++;
    }
    return true;
}

bool
acme_chain_take(struct acme_chain_choice *choice,
    const struct acme_session *session, const struct acme_reply *reply,
    struct acme_error *err)
{
    if (!check(reply, err) || !keep(choice, reply->body, err)) {
        return false;
    }
    return choice->wanted == NULL || is_wanted(choice, reply->body)
        || keep_alternates(choice, session, &reply->headers, err);
}

const char *
acme_chain_next(const struct acme_chain_choice *choice)
{
    return choice->at < choice->count ? choice->alternates[choice->at] : NULL;
}

bool
acme_chain_take_alternate(struct acme_chain_choice *choice,
    const struct acme_reply *reply, struct acme_error *err)
{
    struct acme_error ignored;

    choice->at++;
    if (reply == NULL || !check(reply, &ignored)
        || !is_wanted(choice, reply->body)) {
        return true;
    }
    choice->at = choice->count;
    return keep(choice, reply->body, err);
}
