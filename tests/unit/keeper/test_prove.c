/* Whether a server serves what it was reloaded for, and what is said of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/shown.h"
#include "keeper/deploy.h"
#include "keeper/prove.h"
#include "scene.h"

#define OTHER "0123456789abcdef0123456789abcdef" \
    "0123456789abcdef0123456789abcdef"
#define PLAN "plan/example.test.json"

enum { MANY = 40 };

/* ---- a certificate that has landed */

static char live[ACME_KEYS_MAX][ACME_FINGERPRINT_SIZE];

static unsigned
install(struct scene *scene, const char *folder, size_t count)
{
    struct acme_buffer chain[ACME_KEYS_MAX] = { { 0 } };
    struct acme_buffer key[ACME_KEYS_MAX] = { { 0 } };
    struct acme_pair pairs[ACME_KEYS_MAX];
    struct acme_shown shown;
    struct acme_error err;
    unsigned generation;

    for (size_t i = 0; i < count; i++) {
        make_pair(&chain[i], &key[i], NOW);
        pairs[i] = (struct acme_pair) { acme_buffer_bytes(&chain[i]),
            acme_buffer_bytes(&key[i]), acme_bytes_of("{}") };
        assert_true(acme_shown_read(pairs[i].chain_pem, &shown, &err));
        strcpy(live[i], shown.fingerprint);
    }
    assert_true(acme_store_install(scene->keeper.store, folder,
        acme_bytes_of("entry"), pairs, count, NOW, &generation, &err));
    for (size_t i = 0; i < count; i++) {
        acme_buffer_free(&chain[i]);
        acme_buffer_wipe(&key[i]);
    }
    return generation;
}

static void
land(struct scene *scene, size_t count)
{
    prove_landed(&scene->job, install(scene, "example.test", count));
}

static void
load(struct scene *scene)
{
    prove_loaded(&scene->keeper);
    prove_run(&scene->keeper);
}

/* What an operator sees at level info. */
static void
keep_info(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    if (level <= ACME_LOG_INFO) {
        keep_line(ctx, level, always, line);
    }
}

static int
setup(void **state)
{
    struct scene *scene;

    scene_make(state);
    scene = *state;
    scene->keeper.log.sink = keep_info;
    scene->cert.listener = (struct acme_settings_listener) {
        (char *) "www.example.test", (char *) "127.0.0.1", 8443, true };
    scene->keeper.deploy.check_fd = -1;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    prove_init(&scene->job, &scene->keeper, true);
    prove_run(&scene->keeper);
    return 0;
}

/* ---- the agent's side */

struct asked {
    unsigned count;             /* how many have come */
    uint32_t id, port, flags;   /* of the last one */
    char name[300], address[64];
};

static struct asked
questions(struct scene *scene)
{
    struct asked asked = { 0 };
    struct acme_message message;
    struct acme_error err;
    bool got = true;

    while (acme_channel_next(scene->agent, &message, &got, &err) && got) {
        assert_int_equal(message.type, ACME_MESSAGE_PROBE);
        asked.count++;
        asked.id = message.id;
        asked.port = message.number;
        asked.flags = message.status;
        assert_true(acme_message_text(&message, 0, asked.name,
            sizeof(asked.name)));
        assert_true(acme_message_text(&message, 1, asked.address,
            sizeof(asked.address)));
    }
    return asked;
}

static bool
answer(struct scene *scene, uint32_t id, enum acme_message_type type,
    const char *text, const char *subject)
{
    struct acme_message message = { .type = type, .id = id, .fd = -1,
        .at = NOW + DAY, .text = { acme_bytes_of(text),
        acme_bytes_of(subject), acme_bytes_of("CN = An issuer"),
        acme_bytes_of("0a1b") } };
    struct acme_error err = { 0 };
    bool ok;

    if (type == ACME_MESSAGE_NOT_SERVED) {
        message.text[1] = message.text[2] = message.text[3]
            = acme_bytes_of("");
    }
    assert_true(prove_is_answer(&message));
    ok = prove_take_answer(&scene->keeper, &message, &err);
    assert_true(ok || err.verdict == ACME_PEER_BROKE);
    prove_run(&scene->keeper);
    return ok;
}

/* The next probe, which must have been sent, finds this. */
static void
find(struct scene *scene, const char *fingerprint)
{
    struct asked asked = questions(scene);

    assert_int_equal(asked.count, 1);
    assert_true(answer(scene, asked.id, ACME_MESSAGE_SERVED, fingerprint,
        "CN = other"));
}

static void
at(struct scene *scene, int64_t seconds)
{
    scene->keeper.now = NOW + seconds;
    prove_run(&scene->keeper);
}

/* Whatever is asked until then finds another certificate, or nothing. */
static unsigned
find_other_until(struct scene *scene, int64_t seconds, const char *why)
{
    unsigned count = 0;

    for (int64_t now = scene->keeper.now - NOW; now <= seconds; now++) {
        struct asked asked;

        at(scene, now);
        asked = questions(scene);
        assert_true(asked.count <= 1);
        if (asked.count == 1) {
            assert_true(answer(scene, asked.id, why != NULL
                ? ACME_MESSAGE_NOT_SERVED : ACME_MESSAGE_SERVED,
                why != NULL ? why : OTHER, "CN = \"other\"\n"));
            count++;
        }
    }
    return count;
}

static void
restart(struct scene *scene, bool loaded)
{
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    memset(&scene->keeper.prove, 0, sizeof(scene->keeper.prove));
    scene->line_count = 0;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    prove_init(&scene->job, &scene->keeper, loaded);
    prove_run(&scene->keeper);
}

/* ---- served */

static void
nothing_is_looked_at_before_the_server_has_loaded_it(void **state)
{
    struct scene *scene = *state;
    struct asked asked;

    load(scene);
    assert_int_equal(questions(scene).count, 0);
    land(scene, 1);
    prove_run(&scene->keeper);
    assert_int_equal(questions(scene).count, 0);
    assert_false(prove_wants_agent(&scene->keeper));
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);

    load(scene);
    asked = questions(scene);
    assert_int_equal(asked.count, 1);
    assert_string_equal(asked.name, "www.example.test");
    assert_string_equal(asked.address, "127.0.0.1");
    assert_int_equal(asked.port, 8443);
    assert_int_equal(asked.flags, 1);
    assert_true(prove_waits_for_agent(&scene->keeper));
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);
}

static void
what_is_served_is_said_once_and_not_again_after_a_restart(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    find(scene, live[0]);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "example.test: installed: the server shows the "
        "certificate on 127.0.0.1, port 8443"));
    assert_int_equal(scene->job.installed.state, INSTALL_SEEN);
    assert_non_null(strstr(content_of(scene, PLAN), "\"installed\":"));
    assert_false(prove_wants_agent(&scene->keeper));
    load(scene);
    restart(scene, true);
    load(scene);
    assert_int_equal(questions(scene).count, 0);
    assert_int_equal(scene->job.installed.state, INSTALL_SEEN);
    assert_false(logged(scene, "installed"));

    /* the next one is another one */
    land(scene, 1);
    load(scene);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

static void
a_keeper_that_ended_in_between_goes_on_looking(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    restart(scene, false);
    assert_int_equal(questions(scene).count, 0);
    load(scene);
    assert_int_equal(questions(scene).count, 1);
    restart(scene, true);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

static void
either_of_two_pairs_will_do(void **state)
{
    struct scene *scene = *state;

    for (size_t i = 0; i < ACME_KEYS_MAX; i++) {
        land(scene, ACME_KEYS_MAX);
        load(scene);
        find(scene, live[i]);
        assert_int_equal(scene->job.installed.state, INSTALL_SEEN);
    }
}

/* Old processes answer for a while. */
static void
a_minute_of_something_else_is_nothing_to_speak_of(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    assert_int_equal(find_other_until(scene, 59, NULL), 6);
    assert_int_equal(scene->line_count, 0);
    assert_int_equal(prove_wake_at(&scene->keeper), NOW + 60);
    at(scene, 60);
    find(scene, live[0]);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "installed"));
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
}

static void
any_label_stands_for_a_wildcard(void **state)
{
    struct scene *scene = *state;
    struct asked asked;

    scene->cert.listener.name = (char *) "*.example.test";
    land(scene, 1);
    load(scene);
    asked = questions(scene);
    assert_int_equal(strncmp(asked.name, "acme-", 5), 0);
    assert_string_equal(strchr(asked.name, '.'), ".example.test");
}

/* ---- not served */

static void
what_is_not_served_is_an_error_with_a_hint_and_reloaded_again(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    find_other_until(scene, 60, NULL);
    assert_int_equal(scene->job.installed.state, INSTALL_MISSED);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "not served, 60 seconds after the server has "
        "loaded it: 127.0.0.1, port 8443 shows another one (subject "
        "\"CN = \\x22other\\x22\\x0a\", issuer \"CN = An issuer\", serial "
        "0a1b, valid until "));
    assert_true(logged(scene, "for www.example.test; hint: "));
    assert_true(logged(scene, "a reload is asked for again at "));

    /* it is looked at less often, and nothing is said again */
    assert_true(find_other_until(scene, 89, NULL) <= 1);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
    assert_int_equal(scene->line_count, 1);
    at(scene, 90);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_GATHERING);
    assert_int_equal(scene->keeper.deploy.landed, 1);

    /* that reload is in vain, too: the next one comes later */
    scene->keeper.deploy.state = DEPLOY_IDLE;
    load(scene);
    find_other_until(scene, 151, NULL);
    assert_int_equal(scene->line_count, 2);
    assert_int_equal(scene->keeper.prove.reload_at, NOW + 150 + 60);

    /* mended, and an operator has reloaded */
    load(scene);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
    assert_int_equal(scene->keeper.prove.reload_at, 0);
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);
    at(scene, 7200);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
}

static void
a_reload_for_another_reason_has_its_minute(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    find_other_until(scene, 70, NULL);
    assert_int_equal(scene->keeper.prove.reload_at, NOW + 90);
    load(scene);
    find_other_until(scene, 129, NULL);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
    find_other_until(scene, 131, NULL);
    assert_int_equal(scene->keeper.prove.reload_at, NOW + 130 + 60);
}

static void
it_is_seen_without_a_reload_too(void **state)
{
    struct scene *scene = *state;
    unsigned count;

    land(scene, 1);
    load(scene);
    find_other_until(scene, 60, NULL);
    scene->settings.reload = false;
    scene->keeper.prove.reload_at = 0;
    count = find_other_until(scene, 6 * 3600, NULL);
    assert_in_range(count, 6 * 6 - 2, 6 * 6 + 4);
    scene->keeper.now = prove_wake_at(&scene->keeper);
    prove_run(&scene->keeper);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

static void
the_placeholder_is_called_by_its_name(void **state)
{
    static const char subject[] = "O = ACME placeholder, CN = a.test";
    struct scene *scene = *state;
    struct acme_message message = { .type = ACME_MESSAGE_SERVED, .fd = -1,
        .text = { acme_bytes_of(OTHER), acme_bytes_of(subject),
        acme_bytes_of(subject) } };
    struct acme_error err;

    land(scene, 1);
    load(scene);
    assert_true(find_other_until(scene, 59, NULL) > 3);
    at(scene, 60);
    message.id = questions(scene).id;
    assert_true(prove_take_answer(&scene->keeper, &message, &err));
    assert_true(logged(scene, "port 8443 shows the placeholder for "));
}

static void
with_acme_reload_off_nobody_is_asked_to_reload(void **state)
{
    struct scene *scene = *state;

    scene->settings.reload = false;
    land(scene, 1);
    load(scene);
    find_other_until(scene, 7200, NULL);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "; acme_reload is off, so it waits for yours"));
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
}

/* What landed while the server reloaded comes by the next reload. */
static void
a_reload_that_is_due_is_waited_for(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    deploy_landed(&scene->keeper, false, 0);
    load(scene);
    find_other_until(scene, 200, NULL);
    assert_int_equal(scene->line_count, 0);
    assert_int_equal(scene->job.installed.state, INSTALL_PROBED);
    scene->keeper.deploy.state = DEPLOY_IDLE;
    load(scene);
    find_other_until(scene, 259, NULL);
    assert_int_equal(scene->line_count, 0);
    find_other_until(scene, 260, NULL);
    assert_int_equal(scene->line_count, 1);
}

/* Others land all the time, and each of them is loaded. */
static void
reloads_for_others_put_off_no_alarm(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    for (int i = 1; i <= 2; i++) {
        find_other_until(scene, 25 * i - 1, NULL);
        assert_int_equal(scene->line_count, 0);
        scene->keeper.now = NOW + 25 * i;
        load(scene);
    }
    find_other_until(scene, 65, NULL);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "is not served"));
    assert_int_equal(scene->job.installed.state, INSTALL_MISSED);
}

static void
what_can_be_looked_at_no_more_has_some_time_after_each_reload(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    find_other_until(scene, 50, NULL);
    scene->keeper.now = NOW + 59;
    load(scene);
    find_other_until(scene, 61, "no way");
    assert_int_equal(scene->job.installed.state, INSTALL_PROBED);
    find_other_until(scene, 70, "no way");
    assert_int_equal(scene->job.installed.state, INSTALL_UNCHECKED);
}

/* One look is no minute, whatever the clock says. */
static void
a_clock_that_is_set_forward_is_no_alarm(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    scene->keeper.now += DAY;
    find(scene, OTHER);
    assert_int_equal(scene->job.installed.state, INSTALL_PROBED);
    at(scene, DAY + 2);
    find(scene, live[0]);
    assert_int_equal(scene->job.installed.state, INSTALL_SEEN);
}

static void
a_clock_that_is_set_back_moves_all_of_it(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    find_other_until(scene, 60, NULL);
    scene->keeper.now -= DAY;
    prove_clock_set_back(&scene->keeper, DAY);
    prove_run(&scene->keeper);
    assert_int_equal(prove_wake_at(&scene->keeper), NOW + 90 - DAY);
    assert_int_equal(scene->job.installed.since, NOW - DAY);
}

/* ---- not checked */

static void
what_nobody_can_look_at_is_no_error(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    assert_int_equal(find_other_until(scene, 59, "no\nway"), 6);
    assert_int_equal(scene->line_count, 0);
    find_other_until(scene, 60, "no\nway");
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "example.test: not checked whether the server "
        "shows the certificate: 127.0.0.1, port 8443: no\\x0away"));
    assert_int_equal(scene->job.installed.state, INSTALL_UNCHECKED);
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);

    /* the next reload is a chance, not worth another minute or word */
    load(scene);
    assert_int_equal(find_other_until(scene, 200, "no way"), 1);
    assert_int_equal(scene->line_count, 1);
    load(scene);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

static void
what_has_no_listener_is_not_asked_about(void **state)
{
    struct scene *scene = *state;

    scene->cert.listener.name = NULL;
    land(scene, 1);
    load(scene);
    assert_int_equal(questions(scene).count, 0);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "not checked whether the server shows the "
        "certificate: no listener with TLS is known"));
    load(scene);
    assert_int_equal(scene->line_count, 1);
}

/* ---- the agent */

static void
nobody_else_answers(void **state)
{
    struct scene *scene = *state;
    uint32_t id;

    land(scene, 1);
    load(scene);
    id = questions(scene).id;
    assert_false(answer(scene, id + 1, ACME_MESSAGE_SERVED, live[0], ""));
    assert_false(answer(scene, 1, ACME_MESSAGE_NOT_SERVED, "", ""));
    assert_true(answer(scene, id, ACME_MESSAGE_SERVED, live[0], ""));
    assert_false(answer(scene, id, ACME_MESSAGE_SERVED, live[0], ""));
}

static void
a_fingerprint_is_one_or_the_agent_is_broken(void **state)
{
    static const char *const broken[] = { "", "0a", OTHER "00",
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef" };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        land(scene, 1);
        load(scene);
        assert_false(answer(scene, questions(scene).id, ACME_MESSAGE_SERVED,
            broken[i], ""));
    }
    assert_int_equal(scene->line_count, 0);
}

static void
an_answer_about_the_generation_before_is_nothing(void **state)
{
    struct scene *scene = *state;
    char before[ACME_FINGERPRINT_SIZE];
    struct asked asked;

    land(scene, 1);
    strcpy(before, live[0]);
    load(scene);
    asked = questions(scene);
    land(scene, 1);
    scene->keeper.now += 100;
    assert_true(answer(scene, asked.id, ACME_MESSAGE_SERVED, before, ""));
    assert_int_equal(scene->line_count, 0);
    assert_int_equal(scene->job.installed.state, INSTALL_AWAITED);
    load(scene);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

/* Two answers to two questions about the same are one certificate. */
static void
a_reload_in_mid_probe_says_nothing_twice(void **state)
{
    struct scene *scene = *state;
    uint32_t first, second;

    land(scene, 1);
    load(scene);
    first = questions(scene).id;
    load(scene);
    second = questions(scene).id;
    assert_true(second > first);
    assert_true(answer(scene, second, ACME_MESSAGE_SERVED, live[0], ""));
    assert_true(answer(scene, first, ACME_MESSAGE_SERVED, OTHER, ""));
    assert_int_equal(scene->line_count, 1);
    assert_int_equal(scene->job.installed.state, INSTALL_SEEN);
}

static void
an_agent_that_ends_is_replaced(void **state)
{
    struct scene *scene = *state;

    land(scene, 1);
    load(scene);
    assert_int_equal(questions(scene).count, 1);
    prove_agent_lost(&scene->keeper);
    assert_false(prove_waits_for_agent(&scene->keeper));
    at(scene, 1);
    assert_true(prove_wants_agent(&scene->keeper));
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

/* What ends agents is not to be found out for ever: orders have them, too. */
static void
what_ends_one_agent_after_the_other_is_let_be(void **state)
{
    struct scene *scene = *state;
    unsigned count = 0;

    land(scene, 1);
    load(scene);
    for (int i = 0; i <= 200; i++) {
        at(scene, i);
        if (questions(scene).count > 0) {
            prove_agent_lost(&scene->keeper);
            count++;
        }
    }
    assert_int_equal(count, 7);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "not checked"));
    assert_true(logged(scene, "the agent has ended"));
}

static void
without_an_agent_one_is_wanted_and_waited_for(void **state)
{
    struct scene *scene = *state;
    struct acme_channel *agent = scene->keeper.agent;

    land(scene, 1);
    scene->keeper.agent = NULL;
    load(scene);
    assert_true(prove_wants_agent(&scene->keeper));
    assert_false(prove_waits_for_agent(&scene->keeper));
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);
    scene->keeper.agent = agent;
    at(scene, 3);
    find(scene, live[0]);
    assert_true(logged(scene, "installed"));
}

/* ---- many */

struct many {
    struct job jobs[MANY];
    struct acme_settings_cert certs[MANY];
    char folders[MANY][32];
    char fingerprints[MANY][ACME_FINGERPRINT_SIZE];
};

static struct many *
make_many(struct scene *scene)
{
    struct many *many = calloc(1, sizeof(*many));

    scene->keeper.jobs = many->jobs;
    scene->keeper.job_count = MANY;
    for (int i = 0; i < MANY; i++) {
        snprintf(many->folders[i], sizeof(many->folders[i]), "%d.test", i);
        many->certs[i] = scene->cert;
        many->certs[i].folder = many->folders[i];
        many->certs[i].listener.name = many->folders[i];
        many->jobs[i].cert = &many->certs[i];
        many->jobs[i].name_log = (struct acme_log) {
            .parent = &scene->keeper.log, .label = many->folders[i] };
        prove_landed(&many->jobs[i], install(scene, many->folders[i], 1));
        strcpy(many->fingerprints[i], live[0]);
    }
    return many;
}

/* Answer all questions there are: by what is live, or by something else. */
static unsigned
answer_all(struct scene *scene, const struct many *many, bool right)
{
    unsigned count = 0, most = 0;

    for (;;) {
        struct acme_message message;
        struct acme_error err;
        uint32_t ids[MANY];
        char name[300];
        int number[MANY];
        unsigned n = 0;
        bool got;

        while (acme_channel_next(scene->agent, &message, &got, &err) && got) {
            assert_true(acme_message_text(&message, 0, name, sizeof(name)));
            assert_true(n < MANY);
            number[n] = atoi(name);
            ids[n++] = message.id;
        }
        if (n == 0) {
            break;
        }
        most = n > most ? n : most;
        assert_true(n <= PROBES_MAX);
        for (unsigned i = 0; i < n; i++) {
            assert_true(answer(scene, ids[i], ACME_MESSAGE_SERVED, right
                ? many->fingerprints[number[i]] : OTHER, ""));
        }
        count += n;
    }
    assert_int_equal(most, PROBES_MAX);
    return count;
}

static void
many_are_looked_at_few_at_a_time_and_told_in_one_line(void **state)
{
    struct scene *scene = *state;
    struct many *many = make_many(scene);

    load(scene);
    assert_int_equal(answer_all(scene, many, true), MANY);
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "installed: the server shows 40 certificates"));
    assert_int_equal(prove_wake_at(&scene->keeper), INT64_MAX);
    scene->keeper.jobs = &scene->job;
    scene->keeper.job_count = 1;
    free(many);
}

static void
of_many_that_are_not_served_the_first_few_are_named(void **state)
{
    struct scene *scene = *state;
    struct many *many = make_many(scene);

    load(scene);
    for (int i = 60; i <= 64; i += 2) {
        scene->line_count = 0;
        at(scene, i);
        answer_all(scene, many, false);
    }
    assert_true(logged(scene, "35 more certificates are not served"));
    at(scene, 95);
    assert_int_equal(scene->keeper.deploy.landed, MANY);
    scene->keeper.jobs = &scene->job;
    scene->keeper.job_count = 1;
    free(many);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_looked_at_before_the_server_has_loaded_it),
        TEST(what_is_served_is_said_once_and_not_again_after_a_restart),
        TEST(a_keeper_that_ended_in_between_goes_on_looking),
        TEST(either_of_two_pairs_will_do),
        TEST(a_minute_of_something_else_is_nothing_to_speak_of),
        TEST(any_label_stands_for_a_wildcard),
        TEST(what_is_not_served_is_an_error_with_a_hint_and_reloaded_again),
        TEST(a_reload_for_another_reason_has_its_minute),
        TEST(it_is_seen_without_a_reload_too),
        TEST(the_placeholder_is_called_by_its_name),
        TEST(with_acme_reload_off_nobody_is_asked_to_reload),
        TEST(a_reload_that_is_due_is_waited_for),
        TEST(reloads_for_others_put_off_no_alarm),
        TEST(what_can_be_looked_at_no_more_has_some_time_after_each_reload),
        TEST(a_clock_that_is_set_forward_is_no_alarm),
        TEST(a_clock_that_is_set_back_moves_all_of_it),
        TEST(what_nobody_can_look_at_is_no_error),
        TEST(what_has_no_listener_is_not_asked_about),
        TEST(nobody_else_answers),
        TEST(a_fingerprint_is_one_or_the_agent_is_broken),
        TEST(an_answer_about_the_generation_before_is_nothing),
        TEST(a_reload_in_mid_probe_says_nothing_twice),
        TEST(an_agent_that_ends_is_replaced),
        TEST(what_ends_one_agent_after_the_other_is_let_be),
        TEST(without_an_agent_one_is_wanted_and_waited_for),
        TEST(many_are_looked_at_few_at_a_time_and_told_in_one_line),
        TEST(of_many_that_are_not_served_the_first_few_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
