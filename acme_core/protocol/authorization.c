/*
 * Reading an authorization object (RFC 8555 7.1.4) and picking what matters
 * of its challenges (8). Does not decide what to do about it.
 */

#include "protocol/authorization.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "format/base64url.h"
#include "format/json.h"
#include "protocol/problem.h"

enum { TYPE_MAX = 32 };

/* Add a challenge's type to the list, as long as there is room. */
static void
note_type(struct acme_authorization *authorization, const char *type)
{
    size_t len = strlen(authorization->types);
    size_t room = sizeof(authorization->types) - len;
    char shown[4 * TYPE_MAX + 8];

    acme_log_escape(shown, sizeof(shown), acme_bytes_of(type));
    if (strlen(shown) + 3 <= room) {
        snprintf(authorization->types + len, room, "%s%s",
            len > 0 ? ", " : "", shown);
    }
}

/* What is needed to answer it. */
static bool
read_challenge(const cJSON *object, struct acme_challenge *challenge,
    struct acme_error *err)
{
    const char *token = acme_json_text(object, "token",
        ACME_CHALLENGE_TOKEN_MAX);
    const char *url = acme_json_text(object, "url", ACME_URL_MAX);

    if (!acme_challenge_status_read(object, &challenge->status, err)) {
        return false;
    }
    if (token == NULL
        || !acme_is_token(acme_bytes_of(token), ACME_CHALLENGE_TOKEN_MAX)) {
        return acme_fail(err, ACME_PEER_BROKE, "it has no valid token");
    }
    if (url == NULL) {
        return acme_fail(err, ACME_PEER_BROKE, "it has no URL");
    }
    snprintf(challenge->token, sizeof(challenge->token), "%s", token);
    snprintf(challenge->url, sizeof(challenge->url), "%s", url);
    challenge->offered = true;
    return true;
}

/* The first one of a type counts. */
static void
take_challenge(struct acme_authorization *authorization,
    enum acme_challenge_type type, const cJSON *object)
{
    struct acme_challenge *challenge = &authorization->challenges[type];
    struct acme_error err;

    if (type == ACME_CHALLENGE_NONE || challenge->offered) {
        return;
    }
    if (!read_challenge(object, challenge, &err) && !authorization->broken) {
        authorization->broken = true;
        authorization->why_broken = err;
        acme_while(&authorization->why_broken, "the CA's %s challenge",
            acme_challenge_type_name(type));
    }
}

/* The CA's words about types that we know count more than about others. */
static void
note_problem(struct acme_authorization *authorization,
    enum acme_challenge_type type, const cJSON *challenge)
{
    const cJSON *problem = acme_json_object(challenge, "error");

    if (problem != NULL && (!authorization->has_problem
        || (authorization->problem_type == ACME_CHALLENGE_NONE
            && type != ACME_CHALLENGE_NONE))) {
        acme_problem_of_object(problem, &authorization->problem);
        authorization->has_problem = true;
        authorization->problem_type = type;
    }
}

static void
read_challenges(struct acme_authorization *authorization,
    const cJSON *object)
{
    const cJSON *challenge;

    cJSON_ArrayForEach(challenge, acme_json_array(object, "challenges")) {
        const char *name = acme_json_text(challenge, "type", TYPE_MAX);
        enum acme_challenge_type type = acme_challenge_type_of(name);

        if (name != NULL) {
            note_type(authorization, name);
            note_problem(authorization, type, challenge);
            take_challenge(authorization, type, challenge);
        }
    }
}

bool
acme_authorization_read(struct acme_bytes body,
    struct acme_authorization *authorization, struct acme_error *err)
{
    cJSON *object = acme_json_parse(body, err);
    bool ok = false;

    memset(authorization, 0, sizeof(*authorization));
    if (object == NULL) {
        return acme_while(err, "the CA's authorization");
    }
    if (!acme_identifier_read(acme_json_object(object, "identifier"),
        authorization->name)) {
        acme_fail(err, ACME_PEER_BROKE,
            "the CA's authorization names no identifier");
        goto out;
    }
    authorization->wildcard = acme_json_flag(object, "wildcard");
    ok = acme_authorization_status_read(object, &authorization->status, err)
        || acme_while(err, "%s", authorization->name);
    read_challenges(authorization, object);

out:
    cJSON_Delete(object);
    return ok;
}

bool
acme_authorization_has(const struct acme_authorization *authorization,
    enum acme_challenge_status status)
{
    for (int type = 0; type < ACME_CHALLENGE_TYPES; type++) {
        const struct acme_challenge *challenge
            = &authorization->challenges[type];

        if (challenge->offered && challenge->status == status) {
            return true;
        }
    }
    return false;
}

/* The one under way, else the first one offered; NONE without either. */
static enum acme_challenge_type
choose(const struct acme_authorization *authorization,
    const struct acme_challenge_wish *wish)
{
    enum acme_challenge_type chosen = ACME_CHALLENGE_NONE;

    for (size_t i = 0; i < wish->count; i++) {
        enum acme_challenge_type type = wish->types[i];
        const struct acme_challenge *challenge
            = &authorization->challenges[type];

        if (!challenge->offered) {
            continue;
        }
        if (challenge->status == ACME_CHALLENGE_PROCESSING) {
            return type;
        }
        if (chosen == ACME_CHALLENGE_NONE) {
            chosen = type;
        }
    }
    return chosen;
}

/* "http-01 or tls-alpn-01" */
static const char *
wish_text(const struct acme_challenge_wish *wish, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < wish->count && len < size; i++) {
        len += (size_t) snprintf(text + len, size - len, "%s%s",
            i > 0 ? " or " : "", acme_challenge_type_name(wish->types[i]));
    }
    return text;
}

bool
acme_authorization_provable(const struct acme_authorization *authorization,
    const struct acme_challenge_wish *wish, char *const *names,
    size_t name_count, const char **name_out,
    enum acme_challenge_type *type_out, struct acme_error *err)
{
    char wanted[64];

    *name_out = acme_identifier_find(authorization->name, names, name_count);
    *type_out = choose(authorization, wish);
    if (*name_out == NULL) {
        acme_fail(err, ACME_REFUSED, "the CA also wants proof for %s, which "
            "is no name of this certificate", authorization->name);
    } else if (authorization->wildcard) {
        acme_fail(err, ACME_REFUSED, "the CA wants proof for *.%s, which "
            "needs the dns-01 challenge", authorization->name);
    } else if (*type_out != ACME_CHALLENGE_NONE) {
        return true;
    } else if (authorization->broken) {
        *err = authorization->why_broken;
    } else {
        acme_fail(err, ACME_REFUSED, "the CA does not offer the %s "
            "challenge for %s, only \"%s\"",
            wish_text(wish, wanted, sizeof(wanted)), authorization->name,
            authorization->types);
    }
    snprintf(err->name, sizeof(err->name), "%s", authorization->name);
    return false;
}
