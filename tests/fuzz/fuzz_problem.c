/* Any body of a failed reply: what comes out is safe to log. */

#include <assert.h>

#include "protocol/problem.h"

static void
check(const char *text, size_t size)
{
    size_t len = 0;

    for (; len < size && text[len] != '\0'; len++) {
        assert(text[len] >= 0x20 && text[len] < 0x7f);
    }
    assert(len < size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_reply reply = { .status = size > 0 ? data[0] * 4 : 0,
        .failure = "", .body = { data, size } };
    struct acme_error err;

    assert(!acme_problem_of_reply(&reply, &err));
    check(err.text, sizeof(err.text));
    check(err.problem, sizeof(err.problem));
    check(err.name, sizeof(err.name));
    assert(err.verdict >= ACME_RETRY && err.verdict <= ACME_LOCAL);
    (void) acme_problem_hint(&err);
    return 0;
}
