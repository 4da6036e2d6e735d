/* What CAs count, counted before they do; and what their refusals hold. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "keeper/quota.h"
#include "keeper/registered_domain.h"
#include "scene.h"

#define LETSENCRYPT "https://acme-v02.api.letsencrypt.org/directory"

enum { HOUR = 3600, SET_S = 7 * DAY / 5 };

static int
make_limited(void **state)
{
    struct scene *scene;

    assert_int_equal(scene_make(state), 0);
    scene = *state;
    scene->ca.url = (char *) LETSENCRYPT;
    scene->cert.name_count = 2;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    return 0;
}

/* What the job's CA makes of it. */
static bool
allowed(struct scene *scene, struct acme_error *err)
{
    return quota_allows(&scene->job, &scene->account, &scene->keeper, err);
}

static void
begin_order(struct scene *scene)
{
    struct acme_error err;

    if (!quota_take(&scene->job, &scene->keeper, &err)
        || !quota_ordering(&scene->job, &scene->keeper, false, &err)) {
        fail_msg("%s", err.text);
    }
}

static void
issue(struct scene *scene)
{
    begin_order(scene);
    quota_finalizing(&scene->job);
    quota_ended(&scene->job, &scene->keeper, NULL, true);
}

static struct acme_error
failure(const char *problem, int status, const char *text, int64_t retry_at)
{
    struct acme_error err;

    acme_fail(&err, ACME_RETRY, "%s", text);
    snprintf(err.problem, sizeof(err.problem), "%s", problem);
    err.http_status = status;
    err.retry_at = retry_at;
    return err;
}

/* ---- certificates */

static void
the_sixth_certificate_of_a_set_waits_without_a_place(void **state)
{
    struct scene *scene = *state;
    char *first = scene->names[0];

    for (int i = 0; i < 5; i++) {
        issue(scene);
        assert_true(is_there(scene, "limits.json"));
        /* the order of the names makes no difference */
        scene->names[0] = scene->names[1];
        scene->names[1] = first;
        first = scene->names[0];
    }
    scene->line_count = 0;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->job.next_at, NOW + SET_S + 5);
    assert_int_equal(scene->job.plan.failures, 0);
    assert_true(logged(scene, "exact set of identifiers in the last 168h0m0s, "
        "retry after 2023-11-16T07:49:20Z; counted here, the CA was not "
        "asked; hint: certificates are being thrown away"));
    assert_non_null(strstr(content_of(scene, "plan/example.test.json"),
        "\"problem\":\"rateLimited\""));
    scene->job.next_at = NOW;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->line_count, 1);

    scene->keeper.now = NOW + SET_S + 5;
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
}

static void
an_order_without_a_certificate_is_only_an_order(void **state)
{
    struct acme_error why = failure("serverInternal", 500, "no", 0), err;
    struct scene *scene = *state;

    for (int i = 0; i < 300; i++) {
        begin_order(scene);
        quota_ended(&scene->job, &scene->keeper, &why, true);
    }
    assert_false(allowed(scene, &err));
    assert_non_null(strstr(err.text, "too many new orders (300)"));
    assert_string_equal(err.name, "");
    assert_int_equal(err.retry_at, NOW + 36);
}

/* One that did not even come to be an order is none. */
static void
what_was_never_asked_for_is_not_counted(void **state)
{
    struct acme_error why = failure("", 0, "the CA could not be reached", 0);
    struct scene *scene = *state;
    struct acme_error err;

    for (int i = 0; i < 400; i++) {
        assert_true(quota_take(&scene->job, &scene->keeper, &err));
        quota_ended(&scene->job, &scene->keeper, &why, false);
    }
    assert_true(allowed(scene, &err));
}

static void
an_order_is_counted_once_however_often_it_is_signed(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    scene->cert.name_count = 1;
    attempt_start(&scene->job, &scene->keeper);
    for (int i = 0; i < 20; i++) {
        assert_true(quota_ordering(&scene->job, &scene->keeper, false, &err));
        assert_true(quota_take(&scene->job, &scene->keeper, &err));
    }
    /* nor by the next keeper */
    for (int i = 0; i < 20; i++) {
        attempt_free(&scene->job);
        memset(&scene->job, 0, sizeof(scene->job));
        scene->keeper.active_count = 0;
        attempt_init(&scene->job, &scene->keeper, &scene->cert);
        attempt_start(&scene->job, &scene->keeper);
        assert_true(scene->job.counted);
        assert_int_equal(scene->job.state, JOB_READY);
    }
}

static void
another_ca_counts_by_itself(void **state)
{
    struct acme_settings_ca staging = { .name = (char *) "staging", .url =
        (char *) "https://acme-staging-v02.api.letsencrypt.org/directory" };
    struct account account = { .ca = &staging };
    struct scene *scene = *state;
    struct acme_error err;

    for (int i = 0; i < 5; i++) {
        issue(scene);
    }
    assert_false(allowed(scene, &err));
    assert_true(quota_allows(&scene->job, &account, &scene->keeper, &err));
    /* one that is not known counts nothing */
    scene->ca.url = (char *) BASE "/dir";
    for (int i = 0; i < 500; i++) {
        issue(scene);
    }
    assert_true(allowed(scene, &err));
}

/* ---- domains */

static void
put_in_service(struct scene *scene)
{
    struct acme_buffer chain = { 0 }, key = { 0 };
    struct acme_pair pair = { .meta_json = acme_bytes_of(
        "{\"ca\":\"" LETSENCRYPT "\"}") };
    struct acme_error err;
    unsigned number;

    make_pair(&chain, &key, NOW);
    pair.chain_pem = acme_buffer_bytes(&chain);
    pair.key_pem = acme_buffer_bytes(&key);
    assert_true(acme_store_install(scene->keeper.store, "example.test",
        acme_bytes_of("entry"), &pair, 1, NOW, &number, &err));
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
}

static void
fifty_certificates_of_a_domain_leave_room_for_renewals(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char name[64];

    scene->cert.name_count = 1;
    scene->names[0] = name;
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof(name), "n%d.example.test", i);
        issue(scene);
    }
    strcpy(name, "new.example.test");
    assert_false(allowed(scene, &err));
    assert_non_null(strstr(err.text, "too many certificates (50) already "
        "issued for \"example.test\""));
    assert_string_equal(err.name, "example.test");
    strcpy(name, "new.other.test");
    assert_true(allowed(scene, &err));
    strcpy(name, "example.test");
    assert_false(allowed(scene, &err));
    put_in_service(scene);
    assert_true(allowed(scene, &err));
    /* other names are no renewal of it */
    scene->cert.name_count = 2;
    assert_false(allowed(scene, &err));
}

static const struct {
    const char *name, *domain;
} domains[] = {
    { "example.com", "example.com" }, { "a.b.example.com", "example.com" },
    { "*.example.com", "example.com" }, { "a.example.co.uk", "example.co.uk" },
    { "co.uk", "co.uk" }, { "a.b.test", "b.test" },
    { "me.github.io", "me.github.io" }, { "x.me.github.io", "me.github.io" },
    { "xn--bcher-kva.example", "xn--bcher-kva.example" },
    { "192.0.2.7", "192.0.2.7" },
    { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
    { "2001:db8::1", "2001:db8::/64" },
};

static void
domains_are_what_somebody_registers(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        char out[ACME_NAME_MAX + 1];

        assert_string_equal(registered_domain(domains[i].name, out),
            domains[i].domain);
    }
}

/* ---- validations */

static void
respond(struct scene *scene)
{
    struct acme_error err;

    for (size_t i = 0; i < 2; i++) {
        char url[64];

        snprintf(url, sizeof(url), LETSENCRYPT "/%zu", i);
        assert_true(pending_add_proof(&scene->job, ACME_HTTP_01,
            scene->names[i], i == 0 ? "one" : "two", url, &err));
        quota_responding(&scene->job, &scene->keeper, scene->names[i]);
        pending_find_proof(&scene->job, url)->told = true;
    }
}

static void
only_the_name_that_failed_has_failed(void **state)
{
    struct acme_error why = failure("unauthorized", 403, "validation of "
        "example.test failed: http-01: unauthorized: 404", 0), err;
    struct scene *scene = *state;

    for (int i = 0; i < 5; i++) {
        assert_true(allowed(scene, &err));
        begin_order(scene);
        respond(scene);
        quota_ended(&scene->job, &scene->keeper, &why, true);
    }
    assert_false(allowed(scene, &err));
    assert_string_equal(err.name, "example.test");
    assert_int_equal(err.retry_at, NOW + 720);
    scene->names[0] = (char *) "a.www.example.test";
    assert_true(allowed(scene, &err));
}

static void
what_may_have_failed_counts(void **state)
{
    struct acme_error more = failure("unauthorized", 403, "validation of "
        "a.test and 3 more failed: no", 0);
    struct acme_error lost = failure("", 0, "the CA could not be reached", 0);
    struct acme_error err;
    struct scene *scene = *state;

    for (int i = 0; i < 5; i++) {
        begin_order(scene);
        respond(scene);
        quota_ended(&scene->job, &scene->keeper, i == 0 ? &lost : &more,
            i != 0);
    }
    assert_false(allowed(scene, &err));
    scene->names[0] = scene->names[1];
    assert_false(allowed(scene, &err));
    assert_string_equal(err.name, "www.example.test");
}

static void
a_certificate_gives_all_validations_back(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (int i = 0; i < 5; i++) {
        scene->keeper.now += SET_S;
        begin_order(scene);
        respond(scene);
        quota_finalizing(&scene->job);
        quota_ended(&scene->job, &scene->keeper, NULL, true);
    }
    scene->keeper.now += 1;
    begin_order(scene);
    assert_true(allowed(scene, &err));
}

/* ---- refusals */

enum whom { NOBODY = 0, US = 1, SAME_DOMAIN = 2, STRANGERS = 4, ALL = 7 };

static const struct {
    const char *what, *problem;
    int status;
    const char *text;
    unsigned held;
} refusals[] = {
    { "exact set", "rateLimited", 429, "rateLimited: too many certificates (5) "
        "already issued for this exact set of identifiers in the last "
        "168h0m0s", US },
    { "domain", "rateLimited", 429, "rateLimited: too many certificates (50) "
        "already issued for \"example.test\" in the last 168h0m0s",
        US | SAME_DOMAIN },
    { "a foreign domain", "rateLimited", 429, "rateLimited: too many "
        "certificates (50) already issued for \"ample.test\" in the last "
        "168h0m0s", US },
    { "failures", "rateLimited", 429, "rateLimited: too many failed "
        "authorizations (5) for \"www.example.test\" in the last 1h0m0s", US },
    { "orders", "rateLimited", 429, "rateLimited: too many new orders (300) "
        "from this account in the last 3h0m0s", ALL },
    { "registrations", "rateLimited", 429, "rateLimited: too many new "
        "registrations (10) from this IP address in the last 3h0m0s", ALL },
    { "paused", "rateLimited", 429, "rateLimited: Your account is temporarily "
        "prevented from requesting certificates for www.example.test", US },
    { "no words", "", 429, "the CA answered with HTTP status 429", ALL },
    { "a balancer", "", 503, "the CA answered with HTTP status 503", ALL },
    { "trouble", "serverInternal", 500, "serverInternal: no", US },
    { "a validation", "unauthorized", 403, "validation of example.test failed",
        US },
};

static void
a_refusal_holds_what_it_is_about(void **state)
{
    struct scene *scene = *state;
    char *ours = scene->names[0];
    struct acme_error err;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct acme_error why = failure(refusals[i].problem,
            refusals[i].status, refusals[i].text, NOW + 300);
        unsigned held = 0;

        begin_order(scene);
        quota_ended(&scene->job, &scene->keeper, &why, false);
        held |= allowed(scene, &err) ? 0 : US;
        scene->cert.name_count = 1;
        scene->names[0] = (char *) "other.example.test";
        held |= allowed(scene, &err) ? 0 : SAME_DOMAIN;
        scene->names[0] = (char *) "stranger.test";
        held |= allowed(scene, &err) ? 0 : STRANGERS;
        if (held != refusals[i].held) {
            fail_msg("%s: %u", refusals[i].what, held);
        }
        scene->keeper.now = NOW + 300;
        assert_true(allowed(scene, &err));
        scene->keeper.now = NOW;
        scene->names[0] = ours;
        scene->cert.name_count = 2;
        acme_limits_free(&scene->keeper.limits);
    }
}

static void
orders_that_wait_for_the_account_are_told_once_an_hour(void **state)
{
    struct acme_error why = failure("", 429, "busy", NOW + 8 * HOUR);
    struct scene *scene = *state;
    char *ours = scene->names[0];

    for (int i = 0; i < 40; i++) {
        struct acme_error err;

        quota_ended(&scene->job, &scene->keeper, &why, false);
        scene->names[0] = (char *) "stranger.test";
        attempt_start(&scene->job, &scene->keeper);
        assert_int_equal(scene->job.state, JOB_IDLE);
        assert_int_equal(scene->job.next_at, scene->keeper.now + 605);
        scene->keeper.now += 600;
        assert_true(quota_allows(&scene->job, &scene->account,
            &scene->keeper, &err));
        scene->names[0] = ours;
    }
    /* 400 minutes; the plan of a name has nothing to do with it */
    assert_int_equal(scene->line_count, 7);
    assert_true(logged(scene, "acme: ca.test: rateLimited: too many requests"));
    assert_false(is_there(scene, "plan/example.test.json"));
}

static void
a_certificate_near_its_end_does_not_wait_for_others(void **state)
{
    struct acme_error why = failure("", 429, "busy", NOW + HOUR), err;
    struct scene *scene = *state;

    begin_order(scene);
    quota_ended(&scene->job, &scene->keeper, &why, false);
    scene->job.not_after = NOW + 5000;
    assert_false(allowed(scene, &err));     /* it was told so itself */
    scene->names[0] = (char *) "stranger.test";
    assert_true(allowed(scene, &err));
    scene->job.not_after = NOW + 6000;
    assert_false(allowed(scene, &err));
    scene->job.not_after = NOW - 5;
    assert_false(allowed(scene, &err));
}

/* ---- the file */

static void
what_is_counted_survives_a_restart_and_damage_is_told(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    for (int i = 0; i < 5; i++) {
        issue(scene);
    }
    acme_limits_free(&scene->keeper.limits);
    assert_true(allowed(scene, &err));
    quota_load(&scene->keeper);
    assert_false(allowed(scene, &err));
    acme_limits_free(&scene->keeper.limits);
    scribble(scene, "limits.json", "{\"cas\":{\"a\":");
    quota_load(&scene->keeper);
    assert_true(logged(scene, "limits.json is damaged"));
    assert_true(allowed(scene, &err));
}

static void
without_its_count_on_disk_no_order_is_signed(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    assert_int_equal(mkdirat(scene->dir_fd, "limits.json", 0700), 0);
    assert_true(quota_take(&scene->job, &scene->keeper, &err));
    assert_false(quota_ordering(&scene->job, &scene->keeper, false, &err));
    assert_int_equal(err.verdict, ACME_LOCAL);
    scene->line_count = 0;
    quota_save_soon(&scene->keeper);
    quota_save_soon(&scene->keeper);
    assert_int_equal(scene->line_count, 1);
    assert_int_equal(unlinkat(scene->dir_fd, "limits.json", AT_REMOVEDIR), 0);
    assert_true(quota_ordering(&scene->job, &scene->keeper, false, &err));
    assert_true(is_there(scene, "limits.json"));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, make_limited, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_sixth_certificate_of_a_set_waits_without_a_place),
        TEST(an_order_without_a_certificate_is_only_an_order),
        TEST(what_was_never_asked_for_is_not_counted),
        TEST(an_order_is_counted_once_however_often_it_is_signed),
        TEST(another_ca_counts_by_itself),
        TEST(fifty_certificates_of_a_domain_leave_room_for_renewals),
        cmocka_unit_test(domains_are_what_somebody_registers),
        TEST(only_the_name_that_failed_has_failed),
        TEST(what_may_have_failed_counts),
        TEST(a_certificate_gives_all_validations_back),
        TEST(a_refusal_holds_what_it_is_about),
        TEST(orders_that_wait_for_the_account_are_told_once_an_hour),
        TEST(a_certificate_near_its_end_does_not_wait_for_others),
        TEST(what_is_counted_survives_a_restart_and_damage_is_told),
        TEST(without_its_count_on_disk_no_order_is_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
