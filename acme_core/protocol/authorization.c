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

/* The http-01 challenge (8.3). */
static bool
read_http_01(struct acme_authorization *authorization,
    const cJSON *challenge, struct acme_error *err)
{
    const char *token = acme_json_text(challenge, "token",
        ACME_CHALLENGE_TOKEN_MAX);
    const char *url = acme_json_text(challenge, "url", ACME_URL_MAX);

    if (!acme_challenge_status_read(challenge, &authorization->challenge,
        err)) {
        return false;
    }
    if (token == NULL
        || !acme_is_token(acme_bytes_of(token), ACME_CHALLENGE_TOKEN_MAX)) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's http-01 challenge has no valid token");
    }
    if (url == NULL) {
        return acme_fail(err, ACME_PEER_BROKE,
            "the CA's http-01 challenge has no URL");
    }
    snprintf(authorization->token, sizeof(authorization->token), "%s",
        token);
    snprintf(authorization->url, sizeof(authorization->url), "%s", url);
    authorization->offered = true;
    return true;
}

/* The CA's words about http-01 count more than those about other types. */
static void
note_problem(struct acme_authorization *authorization,
    const cJSON *challenge, bool http_01)
{
    const cJSON *problem = acme_json_object(challenge, "error");

    if (problem != NULL && (http_01 || !authorization->has_problem)) {
        acme_problem_of_object(problem, &authorization->problem);
        authorization->has_problem = true;
    }
}

static bool
read_challenges(struct acme_authorization *authorization,
    const cJSON *object, struct acme_error *err)
{
    const cJSON *challenge;

    cJSON_ArrayForEach(challenge, acme_json_array(object, "challenges")) {
        const char *type = acme_json_text(challenge, "type", TYPE_MAX);
        bool http_01 = type != NULL && strcmp(type, "http-01") == 0;

        if (type == NULL) {
            continue;
        }
        note_type(authorization, type);
        note_problem(authorization, challenge, http_01);
        if (http_01 && !authorization->offered
            && !read_http_01(authorization, challenge, err)) {
            return false;
        }
    }
    return true;
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
        && read_challenges(authorization, object, err);
    if (!ok) {
        acme_while(err, "%s", authorization->name);
    }

out:
    cJSON_Delete(object);
    return ok;
}

bool
acme_authorization_provable(const struct acme_authorization *authorization,
    char *const *names, size_t name_count, const char **name_out,
    struct acme_error *err)
{
    *name_out = acme_identifier_find(authorization->name, names, name_count);
    if (*name_out == NULL) {
        acme_fail(err, ACME_REFUSED, "the CA also wants proof for %s, which "
            "is no name of this certificate", authorization->name);
    } else if (authorization->wildcard) {
        acme_fail(err, ACME_REFUSED, "the CA wants proof for *.%s, which "
            "http-01 cannot give", authorization->name);
    } else if (!authorization->offered) {
        acme_fail(err, ACME_REFUSED, "the CA does not offer the http-01 "
            "challenge for %s, only \"%s\"", authorization->name,
            authorization->types);
    } else {
        return true;
    }
    snprintf(err->name, sizeof(err->name), "%s", authorization->name);
    return false;
}
