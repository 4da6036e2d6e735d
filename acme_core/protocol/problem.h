/* Problem documents (RFC 8555 6.7, RFC 7807) into struct acme_error. */

#ifndef ACME_PROTOCOL_PROBLEM_H
#define ACME_PROTOCOL_PROBLEM_H

#include "base/error.h"
#include "format/json.h"
#include "protocol/request.h"

/*
 * Fill err from a failed reply: no reply at all (ACME_RETRY, the transport's
 * words), a problem document (its type, detail and subproblems, and the page
 * to visit of userActionRequired, escaped), or whatever body came instead
 * (the status decides). Always returns false.
 * Verdicts: ACME_RETRY for 5xx, 429, rateLimited, serverInternal, badNonce,
 * connection, dns and the other validation failures that may pass by
 * themselves; ACME_MISCONFIG for what only the operator can mend
 * (externalAccountRequired, userActionRequired, invalidContact,
 * unsupportedContact, and a deactivated account); ACME_REFUSED for the rest.
 * retry_at comes from Retry-After, or from the words of a rate limit.
 */
bool acme_problem_of_reply(const struct acme_reply *reply,
    struct acme_error *err);

/*
 * The same from the "error" member of a challenge or order; never that the
 * account is closed.
 */
bool acme_problem_of_object(const cJSON *problem, struct acme_error *err);

/*
 * One line that says what to do about it, or NULL: by type and detail, for
 * the failures an operator meets (firewall, wrong address record, another
 * server answering, CAA, EAB, untrusted CA certificate, rate limits ...).
 */
const char *acme_problem_hint(const struct acme_error *err);

/* Its words, with the hint behind them; returns out. */
enum { ACME_PROBLEM_WORDS_SIZE = 1500 };

const char *acme_problem_words(const struct acme_error *err,
    char out[ACME_PROBLEM_WORDS_SIZE]);

/*
 * When it is worth another attempt: by type and detail as the hint, otherwise
 * by the verdict. Never ACME_AT without a time.
 */
enum acme_class acme_problem_class(const struct acme_error *err);

/* Is it that the CA has closed our account for good (ACME_MISCONFIG)? */
bool acme_problem_closes_account(const struct acme_error *err);

#endif
