/*
 * Years in seconds: many certificates, a helper that is down half of the time,
 * a CA that fails three times in ten and counts by itself. All that decides
 * when the CA is asked is what plan/ says; the rest is played here.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/limits.h"
#include "plan/plan.h"
#include "plan/renew.h"

#define START INT64_C(1700000000)

enum {
    MINUTE = 60, HOUR = 3600, DAY = 24 * HOUR, WEEK = 7 * DAY, YEAR = 365 * DAY,
    HOURS_MAX = 6 * 365 * 24,
    SPANS_MAX = 4000,
    SEEDS = 2
};

struct scenario {
    const char *what;
    int64_t life;
    unsigned names;
    unsigned domain_size;      /* names of one registered domain */
    int64_t length;
    bool ari;                  /* the CA names windows */
    bool limited;              /* as Let's Encrypt, on both sides */
    bool outages;              /* of the helper, half of the time */
    unsigned failing;          /* per cent of the attempts */
};

/* What comes and goes: up from .at[2n] to .at[2n + 1]. */
struct spans {
    int64_t at[SPANS_MAX];
    size_t count, next;
    int64_t since;             /* it is as it is */
    bool up;
};

/* The CA's own count, in tokens. */
struct tokens {
    double left;
    int64_t at;
};

struct name {
    struct acme_plan plan;
    int64_t not_before, not_after, obtained_at;
    int64_t next_at;
    size_t epoch;              /* of the helper that looks after it */
    unsigned issued;
    bool told_to_wait;         /* by the CA, until it is too late */
    struct tokens set, failures;
    char set_of[24], domain_of[24], serial[24];
};

struct event {
    int64_t at;
    unsigned name;
};

struct world {
    const struct scenario *scenario;
    struct acme_ca_rate rates[ACME_LIMITS_COUNTED];
    struct acme_limits limits;
    struct name *names;
    struct tokens orders, *domains;
    struct spans helper, ca;
    struct event *heap;
    size_t heap_count;
    uint64_t random;
    unsigned hours[HOURS_MAX]; /* orders */
    unsigned issued, refused_there;
    int64_t first_done_at;     /* each has its first certificate */
};

/* ---- chance */

static uint64_t
chance(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return world->random;
}

static int64_t
between(struct world *world, int64_t least, int64_t most)
{
    return least + (int64_t) (chance(world)
        % (uint64_t) (most - least + 1));
}

static bool
happens(struct world *world, unsigned percent)
{
    return chance(world) % 100 < percent;
}

/* ---- what comes and goes */

static void
make_spans(struct world *world, struct spans *spans, int64_t end,
    int64_t up_least, int64_t up_most, int64_t down_least, int64_t down_most)
{
    int64_t at = START;

    memset(spans, 0, sizeof(*spans));
    spans->up = true;
    spans->since = START;
    while (down_most > 0 && at < end && spans->count + 2 <= SPANS_MAX) {
        at += between(world, up_least, up_most);
        spans->at[spans->count++] = at;
        at += between(world, down_least, down_most);
        spans->at[spans->count++] = at;
    }
}

static void
advance(struct spans *spans, int64_t now)
{
    while (spans->next < spans->count && spans->at[spans->next] <= now) {
        spans->since = spans->at[spans->next++];
        spans->up = !spans->up;
    }
}

/* Was it up at this moment, now or before, and for how long? */
static int64_t
up_for(const struct spans *spans, int64_t at)
{
    size_t i = 0;

    while (i < spans->count && spans->at[i] <= at) {
        i++;
    }
    return i % 2 != 0 ? 0 : at - (i > 0 ? spans->at[i - 1] : START);
}

/* ---- the CA's count */

static bool
has_token(struct tokens *tokens, const struct acme_ca_rate *rate, int64_t now)
{
    double most = rate->count;

    tokens->left += (double) (now - tokens->at) * most
        / (double) rate->within_s;
    tokens->left = tokens->left < most ? tokens->left : most;
    tokens->at = now;
    return rate->count == 0 || tokens->left > 1 - 1e-6;
}

/* ---- events */

static void
push(struct world *world, int64_t at, unsigned name)
{
    size_t i = world->heap_count++;

    while (i > 0 && world->heap[(i - 1) / 2].at > at) {
        world->heap[i] = world->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->heap[i] = (struct event) { at, name };
}

static struct event
pop(struct world *world)
{
    struct event first = world->heap[0];
    struct event last = world->heap[--world->heap_count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < world->heap_count) {
        if (child + 1 < world->heap_count
            && world->heap[child + 1].at < world->heap[child].at) {
            child++;
        }
        if (world->heap[child].at >= last.at) {
            break;
        }
        world->heap[i] = world->heap[child];
        i = child;
    }
    world->heap[i] = last;
    return first;
}

/* ---- the helper */

static int64_t
due_at(const struct name *name, int64_t now)
{
    static const struct acme_renew by_itself = { 0 };

    return name->not_after == 0 ? now
        : acme_renew_at(&by_itself, &name->plan.ari, name->not_before,
            name->not_after, name->obtained_at, name->set_of);
}

/* Nothing but the file survives. */
static void
restart(struct name *name)
{
    struct acme_buffer json = ACME_BUFFER(64 * 1024);
    struct acme_plan plan;

    assert_true(acme_plan_write(&name->plan, &json));
    assert_true(acme_plan_read(acme_buffer_bytes(&json), &plan));
    name->plan = plan;
    acme_buffer_free(&json);
}

static struct acme_bucket
bucket(const struct world *world, enum acme_ca_limit limit, const char *of)
{
    struct acme_bucket bucket = { .ca = "ca.test", .limit = limit, .of = of };

    if (limit < ACME_LIMITS_COUNTED) {
        bucket.rate = world->rates[limit];
    }
    return bucket;
}

static bool
allows(struct world *world, enum acme_ca_limit limit, const char *of,
    int64_t now, struct acme_error *err)
{
    struct acme_bucket which = bucket(world, limit, of);

    return acme_limits_allow(&world->limits, &which, now, err);
}

static void
count(struct world *world, enum acme_ca_limit limit, const char *of,
    int64_t now)
{
    struct acme_bucket which = bucket(world, limit, of);

    acme_limits_count(&world->limits, &which, now);
}

static void
give_back(struct world *world, enum acme_ca_limit limit, const char *of,
    int64_t now)
{
    struct acme_bucket which = bucket(world, limit, of);

    acme_limits_give_back(&world->limits, &which, now);
}

static bool
is_exempt(const struct name *name, int64_t now)
{
    const struct acme_ari_window *window = &name->plan.ari.window;

    return acme_ari_has_window(&name->plan.ari) && window->start <= now
        && now < window->end;
}

static bool
helper_allows(struct world *world, struct name *name, int64_t now,
    struct acme_error *err)
{
    return (allows(world, ACME_LIMIT_CA, "", now, err)
            || err->retry_at - now > acme_plan_patience(name->not_after, now))
        && (is_exempt(name, now)
            || (allows(world, ACME_LIMIT_ORDERS, "", now, err)
                && allows(world, ACME_LIMIT_SET, name->set_of, now, err)
                && allows(world, ACME_LIMIT_FAILURES, name->set_of, now, err)
                && (name->issued > 0 || allows(world, ACME_LIMIT_DOMAIN,
                    name->domain_of, now, err))));
}

/* ---- the CA */

static enum acme_class
fail_with(struct acme_error *err, enum acme_class class, const char *type,
    int64_t retry_at)
{
    acme_fail(err, ACME_RETRY, "%s", type);
    snprintf(err->problem, sizeof(err->problem), "%s", type);
    err->retry_at = retry_at;
    return class;
}

/* A certificate (0), or how it failed. */
static enum acme_class
ca_answers(struct world *world, struct name *name, int64_t now,
    struct acme_error *err)
{
    const struct acme_ca_rate *rates = world->rates;
    struct tokens *domain = &world->domains[(name - world->names)
        / world->scenario->domain_size];

    if (!world->ca.up) {
        return fail_with(err, ACME_SOON, "", 0);
    }
    if (!is_exempt(name, now)) {
        if (!has_token(&world->orders, &rates[ACME_LIMIT_ORDERS], now)
            || !has_token(&name->set, &rates[ACME_LIMIT_SET], now)
            || !has_token(&name->failures, &rates[ACME_LIMIT_FAILURES], now)
            || (name->issued == 0
                && !has_token(domain, &rates[ACME_LIMIT_DOMAIN], now))) {
            world->refused_there++;
            return fail_with(err, ACME_AT, "rateLimited", now + HOUR);
        }
        world->orders.left--;
    }
    if (happens(world, world->scenario->failing)) {
        unsigned how = (unsigned) between(world, 0, 20);

        if (how == 0) {
            return fail_with(err, ACME_AT, "busy",
                now + between(world, 1, 2 * HOUR));
        }
        if (how <= 10) {
            return fail_with(err, ACME_SOON, "serverInternal", 0);
        }
        name->failures.left--;
        return fail_with(err, ACME_SLOW, "unauthorized", 0);
    }
    if (!is_exempt(name, now)) {
        name->set.left--;
        domain->left -= name->issued == 0;
    }
    return 0;
}

/*
 * Around 2/3 of the life (1/2 of a short one), as Let's Encrypt has it; for
 * some a day in the past, as when they are to be revoked.
 */
static void
ca_names_window(struct world *world, struct name *name, int64_t now)
{
    int64_t life = name->not_after - name->not_before;
    int64_t middle = name->not_before + (life < 10 * DAY ? life / 2
                                                         : life * 2 / 3);
    struct acme_ari_window window = { .start = middle - life / 100,
        .end = middle + life / 100 };

    if ((name->issued + (unsigned) (name - world->names)) % 23 == 0
        && now > name->obtained_at + 3 * DAY) {
        window.end = name->obtained_at + 2 * DAY;
        window.start = window.end - DAY;
    }
    acme_ari_take(&name->plan.ari, &window, now + DAY, chance(world), now);
}

/* ---- what happens */

static void
note_expiry(struct world *world, const struct name *name, int64_t now)
{
    if (name->not_after == 0 || name->not_after > now) {
        return;
    }
    if (!name->told_to_wait && up_for(&world->helper, name->not_after) >= HOUR
        && up_for(&world->ca, name->not_after) >= HOUR) {
        fail_msg("%s: name %u expired after %u certificates, at %lld s, with "
            "%u failures, while helper and CA had been up for %lld and %lld "
            "s", world->scenario->what, (unsigned) (name - world->names),
            name->issued, (long long) (name->not_after - START),
            name->plan.failures,
            (long long) up_for(&world->helper, name->not_after),
            (long long) up_for(&world->ca, name->not_after));
    }
}

static void
obtain(struct world *world, struct name *name, int64_t now)
{
    char cert_id[32];

    note_expiry(world, name, now);
    name->told_to_wait = false;
    name->issued++;
    world->issued++;
    if (name->issued == 1 && world->issued >= world->scenario->names) {
        world->first_done_at = now;
    }
    name->not_before = now - HOUR;
    name->not_after = name->not_before + world->scenario->life;
    name->obtained_at = now;
    snprintf(name->serial, sizeof(name->serial), "%016llx",
        (unsigned long long) chance(world));
    acme_plan_succeeded(&name->plan);
    snprintf(cert_id, sizeof(cert_id), "a.%s", name->serial);
    acme_ari_about(&name->plan.ari, world->scenario->ari ? cert_id : "", now);
}

/* What was counted and has not come to pass is given back. */
static void
settle(struct world *world, struct name *name, bool exempt,
    enum acme_class class, const struct acme_error *err, int64_t now)
{
    if (class != 0 && !exempt) {
        give_back(world, ACME_LIMIT_SET, name->set_of, now);
        if (name->issued == 0) {
            give_back(world, ACME_LIMIT_DOMAIN, name->domain_of, now);
        }
    }
    if (class == 0 || strcmp(err->problem, "unauthorized") != 0) {
        give_back(world, ACME_LIMIT_FAILURES, name->set_of, now);
    }
    if (class == ACME_AT) {
        bool busy = strcmp(err->problem, "busy") == 0;
        struct acme_bucket held = bucket(world, busy ? ACME_LIMIT_CA
            : ACME_LIMIT_SET, busy ? "" : name->set_of);

        acme_limits_hold(&world->limits, &held, err->retry_at, now);
    }
}

static void
attempt(struct world *world, struct name *name, int64_t now)
{
    bool exempt = is_exempt(name, now);
    enum acme_class class;
    struct acme_error err;

    if (!helper_allows(world, name, now, &err)) {
        assert_true(err.retry_at > now);
        name->next_at = err.retry_at + 5;
        return;
    }
    if (!exempt) {
        count(world, ACME_LIMIT_ORDERS, "", now);
        count(world, ACME_LIMIT_SET, name->set_of, now);
        if (name->issued == 0) {
            count(world, ACME_LIMIT_DOMAIN, name->domain_of, now);
        }
    }
    count(world, ACME_LIMIT_FAILURES, name->set_of, now);
    world->hours[(now - START) / HOUR]++;
    class = ca_answers(world, name, now, &err);
    settle(world, name, exempt, class, &err, now);
    if (class == 0) {
        obtain(world, name, now);
    } else {
        name->told_to_wait |= err.retry_at > name->not_after - HOUR;
        acme_plan_failed(&name->plan, &err, class, name->not_after,
            (uint32_t) chance(world), now);
    }
    name->next_at = acme_plan_next(&name->plan, due_at(name, now), now);
}

static bool
asks(const struct world *world, const struct name *name)
{
    return world->scenario->ari && name->not_after != 0;
}

static void
wake(struct world *world, unsigned number, int64_t now)
{
    struct name *name = &world->names[number];
    int64_t then;

    if (!world->helper.up) {
        push(world, world->helper.at[world->helper.next], number);
        return;
    }
    if (name->epoch != world->helper.next) {
        name->epoch = world->helper.next;
        restart(name);
        name->next_at = acme_plan_next(&name->plan, due_at(name, now), now);
    }
    if (asks(world, name) && name->plan.ari.poll_at <= now
        && name->next_at > now) {
        if (world->ca.up && !happens(world, world->scenario->failing)) {
            ca_names_window(world, name, now);
        } else {
            acme_ari_failed(&name->plan.ari, 0, (uint32_t) chance(world), now);
        }
        name->next_at = acme_plan_next(&name->plan, due_at(name, now), now);
    }
    if (name->next_at <= now) {
        attempt(world, name, now);
    }
    then = name->next_at;
    if (asks(world, name) && name->plan.ari.poll_at < then) {
        then = name->plan.ari.poll_at;
    }
    push(world, then > now ? then : now + 1, number);
}

/* ---- worlds */

static void
make(struct world *world, const struct scenario *scenario, uint64_t seed)
{
    int64_t end = START + scenario->length;

    memset(world, 0, sizeof(*world));
    world->scenario = scenario;
    world->random = seed * 0x9e3779b97f4a7c15u;
    if (scenario->limited) {
        memcpy(world->rates, acme_ca_rates("https://acme-v02.api.letsencrypt."
            "org/directory"), sizeof(world->rates));
    }
    make_spans(world, &world->helper, end, HOUR, 4 * DAY,
        scenario->outages ? HOUR : 0, scenario->outages ? 4 * DAY : 0);
    make_spans(world, &world->ca, end, 10 * DAY, 40 * DAY, HOUR,
        scenario->failing > 0 ? 12 * HOUR : 0);
    world->names = calloc(scenario->names, sizeof(*world->names));
    world->domains = calloc(scenario->names / scenario->domain_size + 1,
        sizeof(*world->domains));
    world->heap = calloc(scenario->names + 1, sizeof(*world->heap));
    for (unsigned i = 0; i < scenario->names; i++) {
        struct name *name = &world->names[i];

        snprintf(name->set_of, sizeof(name->set_of), "%08x", i);
        snprintf(name->domain_of, sizeof(name->domain_of), "%u.test",
            i / scenario->domain_size);
        push(world, START, i);
    }
}

static void
run(struct world *world)
{
    int64_t end = START + world->scenario->length;

    while (world->heap[0].at < end) {
        struct event event = pop(world);

        advance(&world->helper, event.at);
        advance(&world->ca, event.at);
        wake(world, event.name, event.at);
    }
    for (unsigned i = 0; i < world->scenario->names; i++) {
        note_expiry(world, &world->names[i], end);
    }
}

static void
unmake(struct world *world)
{
    free(world->names);
    free(world->domains);
    free(world->heap);
    acme_limits_free(&world->limits);
    free(world);
}

/* The most orders in an hour, from some time after the start on. */
static unsigned
busiest_hour(const struct world *world, int64_t from)
{
    unsigned most = 0;

    for (int64_t i = from / HOUR; i < world->scenario->length / HOUR; i++) {
        most = world->hours[i] > most ? world->hours[i] : most;
    }
    return most;
}

static const struct scenario lives[] = {
    { "90 days", 90 * DAY, 100, 60, 5 * (int64_t) YEAR, false, true, true, 30 },
    { "64 days", 64 * DAY, 100, 60, 5 * (int64_t) YEAR, false, true, true, 30 },
    { "45 days", 45 * DAY, 100, 60, 5 * (int64_t) YEAR, false, true, true, 30 },
    { "160 hours", 160 * HOUR, 100, 60, 3 * (int64_t) YEAR, false, true, true,
        30 },
    { "90 days, windows", 90 * DAY, 100, 60, 3 * (int64_t) YEAR, true, true,
        true, 30 },
    { "64 days, windows", 64 * DAY, 100, 60, 3 * (int64_t) YEAR, true, true,
        true, 30 },
    { "45 days, windows", 45 * DAY, 100, 60, 3 * (int64_t) YEAR, true, true,
        true, 30 },
    { "160 hours, windows", 160 * HOUR, 100, 60, 2 * (int64_t) YEAR, true,
        true, true, 30 },
};

static void
no_certificate_expires_that_could_have_been_renewed(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct world *world = malloc(sizeof(*world));

            assert_non_null(world);
            make(world, &lives[i], seed);
            run(world);
            assert_int_equal(world->refused_there, 0);
            assert_true(world->first_done_at > 0);
            unmake(world);
        }
    }
}

static const struct crowd {
    struct scenario scenario;
    unsigned most;             /* orders in an hour, once all have theirs */
} crowds[] = {
    { { "10,000 at once", 90 * DAY, 10000, 1, 400 * DAY, false, false, false,
        0 }, 200 },
    { { "10,000 of 160 hours at once", 160 * HOUR, 10000, 1, 40 * DAY, false,
        false, false, 0 }, 2000 },
    { { "4,000 at once, failing", 90 * DAY, 4000, 1, 400 * DAY, false, false,
        false, 30 }, 400 },
    { { "10,000 at once, windows", 90 * DAY, 10000, 1, 200 * DAY, true, false,
        false, 0 }, 500 },
    { { "1,000 at once, limited", 90 * DAY, 1000, 10, 400 * DAY, false, true,
        true, 30 }, 400 },
};

static void
a_crowd_that_came_together_does_not_come_back_together(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++) {
        struct world *world = malloc(sizeof(*world));

        assert_non_null(world);
        make(world, &crowds[i].scenario, 7);
        run(world);
        assert_int_equal(world->refused_there, 0);
        assert_in_range(busiest_hour(world, world->first_done_at - START
            + HOUR), 1, crowds[i].most);
        unmake(world);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_certificate_expires_that_could_have_been_renewed),
        cmocka_unit_test(
            a_crowd_that_came_together_does_not_come_back_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
