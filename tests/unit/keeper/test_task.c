/* What an operator asks for, and an agent that may be anybody. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../chain_of.h"
#include "format/base64url.h"
#include "format/json.h"
#include "keeper/answer.h"
#include "keeper/task.h"
#include "protocol/jws.h"
#include "scene.h"

static int client_fd;          /* the operator's end */

/* A certificate in service, and an account that the agent knows of. */
static int
setup(void **state)
{
    struct acme_buffer chain = { 0 }, key = { 0 };
    char urls[] = BASE "/nonce";
    struct acme_pair pair;
    struct acme_error err;
    struct scene *scene;
    unsigned number;

    scene_make(state);
    scene = *state;
    scene->keeper.task.client_fd = -1;
    make_pair(&chain, &key, NOW);
    pair = (struct acme_pair) { acme_buffer_bytes(&chain),
        acme_buffer_bytes(&key), acme_bytes_of("{}") };
    assert_true(acme_store_install(scene->keeper.store, "example.test",
        acme_bytes_of("entry"), &pair, 1, NOW, &number, &err));
    acme_buffer_free(&chain);
    acme_buffer_wipe(&key);
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_true(account_load(&scene->account, scene->keeper.store, &err));
    assert_true(account_set_directory(&scene->account, BASE "/dir", urls,
        BASE "/new", BASE "/order", &err));
    assert_true(account_set_offers(&scene->account, BASE "/rollover",
        BASE "/revoke", false, &err));
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/acct/1", &err));
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    task_forget(&scene->keeper);
    close(client_fd);
    return scene_remove(state);
}

static void
ask(struct scene *scene, const char *line)
{
    int pair[2];

    if (client_fd > 0) {
        close(client_fd);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    client_fd = pair[0];
    task_begin(&scene->keeper, line, pair[1]);
    task_hand_over(&scene->keeper);
}

/* The line that the operator got; "" = none yet. */
static const char *
answered(void)
{
    static char line[2000];
    ssize_t len = recv(client_fd, line, sizeof(line) - 1, MSG_DONTWAIT);

    line[len > 0 ? len : 0] = '\0';
    return line;
}

static bool
say(struct scene *scene, enum acme_message_type type, uint32_t number,
    const char *first, const char *second, const char *third)
{
    struct acme_message message = { .type = type, .number = number,
        .id = scene->keeper.task.id, .fd = -1, .text = {
        acme_bytes_of(first), acme_bytes_of(second), acme_bytes_of(third) } };
    struct acme_error err;

    return answer_message(&scene->keeper, &message, &err);
}

static bool
signs(struct scene *scene, enum acme_kind kind, const char *url)
{
    assert_true(say(scene, ACME_MESSAGE_SIGN, kind, url, "bm9uY2U", NULL));
    return last_word(scene, NULL, 0) == ACME_MESSAGE_SIGNED;
}

static bool
has_file(struct scene *scene, const char *name)
{
    char path[400];

    snprintf(path, sizeof(path), "accounts/%s/default/%s",
        scene->account.folder, name);
    return is_there(scene, path);
}

/* ---- another key */

static void
a_key_change_is_signed_by_both_keys(void **state)
{
    struct acme_buffer part = ACME_BUFFER(64 * 1024);
    struct acme_buffer thumbprint = ACME_BUFFER(64);
    struct scene *scene = *state;
    struct acme_error err;
    cJSON *outer, *inner;
    char body[16384];

    ask(scene, "rollover ca.test");
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_TASK);
    assert_true(say(scene, ACME_MESSAGE_SIGN, ACME_KIND_KEY_CHANGE,
        BASE "/rollover", "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, body, sizeof(body)),
        ACME_MESSAGE_SIGNED);
    assert_true(has_file(scene, "account.key.new"));
    outer = acme_json_parse(acme_bytes_of(body), &err);
    assert_non_null(outer);
    assert_true(acme_base64url_decode(&part, acme_bytes_of(
        acme_json_text(outer, "protected", 9999))));
    assert_non_null(strstr(acme_buffer_text(&part),
        "\"kid\":\"" BASE "/acct/1\""));
    acme_buffer_clear(&part);
    assert_true(acme_base64url_decode(&part, acme_bytes_of(
        acme_json_text(outer, "payload", 9999))));
    inner = acme_json_parse(acme_buffer_bytes(&part), &err);
    assert_non_null(inner);
    acme_buffer_clear(&part);
    assert_true(acme_base64url_decode(&part, acme_bytes_of(
        acme_json_text(inner, "protected", 9999))));
    assert_non_null(strstr(acme_buffer_text(&part),
        "\"url\":\"" BASE "/rollover\",\"jwk\":{"));
    assert_null(strstr(acme_buffer_text(&part), "nonce"));
    cJSON_Delete(inner);
    cJSON_Delete(outer);

    assert_true(acme_jws_thumbprint(scene->account.new_key, &thumbprint,
        &err));
    assert_string_equal(answered(), "");
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    assert_string_equal(answered(), "ok\n");
    assert_false(has_file(scene, "account.key.new"));
    acme_buffer_clear(&part);
    assert_true(acme_jws_thumbprint(scene->account.key, &part, &err));
    assert_string_equal(acme_buffer_text(&part),
        acme_buffer_text(&thumbprint));
    assert_string_equal(scene->account.url, BASE "/acct/1");
    acme_buffer_free(&thumbprint);
    acme_buffer_free(&part);
}

static void
the_same_new_key_is_signed_for_with_another_nonce(void **state)
{
    struct scene *scene = *state;
    const struct acme_key *key;

    ask(scene, "rollover " BASE "/dir");
    assert_true(signs(scene, ACME_KIND_KEY_CHANGE, BASE "/rollover"));
    key = scene->account.new_key;
    assert_true(signs(scene, ACME_KIND_KEY_CHANGE, BASE "/rollover"));
    assert_ptr_equal(scene->account.new_key, key);
}

static void
a_failed_key_change_leaves_both_keys_in_doubt(void **state)
{
    struct scene *scene = *state;

    ask(scene, "rollover ca.test");
    assert_true(scene->account.announced);
    assert_true(signs(scene, ACME_KIND_KEY_CHANGE, BASE "/rollover"));
    assert_true(say(scene, ACME_MESSAGE_FAILED, ACME_RETRY, "", "",
        "the CA could not be reached: cut off"));
    assert_memory_equal(answered(), "error: ", 7);
    assert_true(has_file(scene, "account.key.new"));
    assert_true(has_file(scene, "account.key"));
    assert_non_null(scene->account.new_key);
    assert_false(scene->account.announced);  /* the next session asks */
    assert_int_equal(scene->keeper.task.kind, 0);

    /* not settled yet: no third key */
    ask(scene, "rollover ca.test");
    assert_false(signs(scene, ACME_KIND_KEY_CHANGE, BASE "/rollover"));
}

static void
a_change_that_was_not_signed_is_not_believed(void **state)
{
    struct scene *scene = *state;
    const struct acme_key *key = scene->account.key;

    ask(scene, "rollover ca.test");
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    assert_memory_equal(answered(), "error: ", 7);
    assert_ptr_equal(scene->account.key, key);
}

static void
no_key_is_changed_while_an_order_is_under_way(void **state)
{
    struct scene *scene = *state;

    scene->keeper.active[scene->keeper.active_count++] = &scene->job;
    ask(scene, "rollover ca.test");
    assert_string_equal(answered(), "error: an order is under way at "
        "ca.test: ask again when it is done\n");
    scene->keeper.active_count = 0;
    ask(scene, "rollover ca.test");
    assert_true(attempt_must_wait(&scene->job, &scene->keeper));
}

static void
no_account_is_registered_for_a_task(void **state)
{
    struct scene *scene = *state;

    free(scene->account.url);
    scene->account.url = NULL;
    ask(scene, "rollover ca.test");
    assert_string_equal(answered(),
        "error: there is no account at ca.test yet\n");
    ask(scene, "revoke example.test");
    assert_string_equal(answered(),
        "error: there is no account at ca.test yet\n");
}

/* ---- revocation */

static void
a_revoked_certificate_is_due(void **state)
{
    struct scene *scene = *state;

    assert_true(scene->job.fits);
    assert_true(scene->job.next_at > NOW);
    ask(scene, "revoke example.test keyCompromise");
    assert_int_equal(scene->keeper.task.reason, 1);
    assert_true(signs(scene, ACME_KIND_REVOKE, BASE "/revoke"));
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    assert_string_equal(answered(), "ok\n");
    assert_true(scene->job.served);
    assert_false(scene->job.fits);
    assert_int_equal(scene->job.next_at, NOW);

    /* and stays so for the keeper that comes next */
    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    assert_true(scene->job.served);
    assert_false(scene->job.fits);
    assert_int_equal(scene->job.next_at, NOW);
}

static void
one_that_is_revoked_already_is_due_too(void **state)
{
    struct scene *scene = *state;

    ask(scene, "revoke example.test");
    assert_true(say(scene, ACME_MESSAGE_FAILED, ACME_REFUSED,
        "alreadyRevoked", "", "alreadyRevoked: it is"));
    assert_string_equal(answered(), "ok\n");
    assert_false(scene->job.fits);
}

static void
a_refused_revocation_changes_nothing(void **state)
{
    struct scene *scene = *state;

    ask(scene, "revoke example.test");
    assert_true(say(scene, ACME_MESSAGE_FAILED, ACME_REFUSED, "unauthorized",
        "", "unauthorized: not yours\n\x1b[1m"));
    assert_non_null(strstr(answered(), "unauthorized: not yours\\x0"));
    assert_true(scene->job.fits);
    assert_true(scene->job.next_at > NOW);
}

static void
a_certificate_of_another_ca_is_not_revoked(void **state)
{
    struct scene *scene = *state;

    scribble(scene, "live/example.test/meta.json",
        "{\"ca\":\"https://other.test/\"}");
    ask(scene, "revoke example.test");
    assert_non_null(strstr(answered(), "of another CA than ca.test"));
    assert_int_equal(scene->keeper.task.kind, 0);
}

/* The first half, or what acme_key asks for now, may not be there yet. */
static void
what_is_served_is_revoked_whatever_its_key(void **state)
{
    struct scene *scene = *state;
    struct job halves[2] = { { 0 }, { 0 } };

    attempt_free(&scene->job);
    memset(&scene->job, 0, sizeof(scene->job));
    scene->cert.key_types[0] = ACME_KEY_RSA_2048;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    ask(scene, "revoke example.test");
    assert_true(signs(scene, ACME_KIND_REVOKE, BASE "/revoke"));
    task_forget(&scene->keeper);

    /* of two halves, the one that is served in place of the other */
    scene->keeper.jobs = halves;
    scene->keeper.job_count = 2;
    for (size_t i = 0; i < 2; i++) {
        halves[i].half = i;
        halves[i].other = &halves[1 - i];
    }
    scene->cert.key_types[1] = ACME_KEY_ECDSA_256;
    attempt_init(&halves[0], &scene->keeper, &scene->cert);
    attempt_init(&halves[1], &scene->keeper, &scene->cert);
    ask(scene, "revoke example.test");
    assert_ptr_equal(scene->keeper.task.job, &halves[1]);
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    assert_string_equal(answered(), "ok\n");
    assert_false(halves[1].fits);
    attempt_free(&halves[0]);
    attempt_free(&halves[1]);
    scene->keeper.jobs = &scene->job;
    scene->keeper.job_count = 1;
}

static void
an_operator_hears_of_the_half_that_is_not_revoked(void **state)
{
    struct scene *scene = *state;
    struct job halves[2] = { { 0 }, { .half = 1 } };
    struct acme_pair pairs[2];
    struct acme_buffer chains[2], pems[2];
    struct acme_error err;
    unsigned number;

    for (size_t i = 0; i < 2; i++) {
        struct acme_key *key = acme_key_new(i == 0 ? ACME_KEY_ECDSA_256
            : ACME_KEY_RSA_2048, &err);

        chains[i] = chain_of(key, "example.test", NOW, NOW + 90 * DAY);
        pems[i] = pem_of(key);
        pairs[i] = (struct acme_pair) { acme_buffer_bytes(&chains[i]),
            acme_buffer_bytes(&pems[i]), acme_bytes_of("{}") };
        halves[i].other = &halves[1 - i];
        acme_key_free(key);
    }
    pairs[1].meta_json = acme_bytes_of("{\"ca\":\"https://other.test/\"}");
    assert_true(acme_store_install(scene->keeper.store, "example.test",
        acme_bytes_of("entry"), pairs, 2, NOW, &number, &err));
    scene->cert.key_types[1] = ACME_KEY_RSA_2048;
    scene->keeper.jobs = halves;
    scene->keeper.job_count = 2;
    attempt_init(&halves[0], &scene->keeper, &scene->cert);
    attempt_init(&halves[1], &scene->keeper, &scene->cert);

    ask(scene, "revoke example.test");
    assert_ptr_equal(scene->keeper.task.job, &halves[0]);
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    assert_non_null(strstr(answered(), "error: one of two is revoked, not the "
        "rsa:2048 one: the certificate is of another CA"));
    assert_int_equal(scene->keeper.task.kind, 0);
    assert_false(halves[0].fits);
    for (size_t i = 0; i < 2; i++) {
        attempt_free(&halves[i]);
        acme_buffer_free(&chains[i]);
        acme_buffer_wipe(&pems[i]);
    }
    scene->keeper.jobs = &scene->job;
    scene->keeper.job_count = 1;
}

/* Whoever has the key has the next certificate's, too, if it is the same. */
static void
no_certificate_is_finalized_with_a_key_that_was_revoked(void **state)
{
    struct scene *scene = *state;
    struct acme_message message = { .type = ACME_MESSAGE_SIGN, .fd = -1,
        .number = ACME_KIND_FINALIZE, .text = {
        acme_bytes_of(BASE "/finalize/1"), acme_bytes_of("bm9uY2U") } };
    struct acme_error err;

    scene->cert.reuse_key = true;
    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    message.id = scene->job.id;
    assert_true(answer_message(&scene->keeper, &message, &err));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_SIGNED);

    ask(scene, "revoke example.test keyCompromise");
    assert_true(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    (void) last_word(scene, NULL, 0);
    assert_true(answer_message(&scene->keeper, &message, &err));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);

    /* nor is one served that was finalized before */
    attempt_installed(&scene->job, &scene->keeper, acme_bytes_of(
        content_of(scene, "live/example.test/fullchain.pem")));
    assert_int_equal(scene->job.plan.failures, 1);
    assert_true(logged(scene, "its key is of a certificate that was "
        "revoked"));
    assert_false(is_there(scene, "pending/example.test"));

    attempt_start(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    message.id = scene->job.id;
    assert_true(answer_message(&scene->keeper, &message, &err));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_SIGNED);
}

/* ---- both */

static void
nothing_else_is_signed_for_a_task(void **state)
{
    static const struct {
        const char *line;
        enum acme_kind kind;
        const char *url;
    } rows[] = {
        { "rollover ca.test", ACME_KIND_REVOKE, BASE "/revoke" },
        { "rollover ca.test", ACME_KIND_KEY_CHANGE, BASE "/revoke" },
        { "rollover ca.test", ACME_KIND_NEW_ORDER, BASE "/order" },
        { "rollover ca.test", ACME_KIND_POST_AS_GET, BASE "/rollover" },
        { "rollover ca.test", ACME_KIND_NEW_ACCOUNT, BASE "/new" },
        { "revoke example.test", ACME_KIND_KEY_CHANGE, BASE "/rollover" },
        { "revoke example.test", ACME_KIND_REVOKE, BASE "/revoke/2" },
        { "revoke example.test", ACME_KIND_UPDATE_ACCOUNT, BASE "/acct/1" },
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        ask(scene, rows[i].line);
        if (signs(scene, rows[i].kind, rows[i].url)) {
            fail_msg("%s: %s %s", rows[i].line, acme_kind_name(rows[i].kind),
                rows[i].url);
        }
        task_forget(&scene->keeper);
    }
    assert_false(has_file(scene, "account.key.new"));
}

static void
a_ca_that_offers_neither_gets_no_request(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;
    char urls[] = BASE "/nonce";

    assert_true(account_set_directory(&scene->account, BASE "/dir", urls,
        BASE "/new", BASE "/order", &err));
    assert_true(account_set_offers(&scene->account, "",
        "https://evil.test/revoke", false, &err));
    ask(scene, "rollover ca.test");
    assert_false(signs(scene, ACME_KIND_KEY_CHANGE, ""));
    task_forget(&scene->keeper);
    ask(scene, "revoke example.test");
    assert_false(signs(scene, ACME_KIND_REVOKE, "https://evil.test/revoke"));
}

static void
one_command_at_a_time(void **state)
{
    struct scene *scene = *state;
    uint32_t id;

    ask(scene, "revoke example.test");
    id = scene->keeper.task.id;
    ask(scene, "rollover ca.test");
    assert_string_equal(answered(), "error: another command is under way: "
        "ask again when it is done\n");
    assert_int_equal(scene->keeper.task.id, id);
}

static void
words_for_a_task_that_is_over_end_the_agent(void **state)
{
    struct scene *scene = *state;

    assert_false(say(scene, ACME_MESSAGE_TASK_DONE, 0, NULL, NULL, NULL));
    ask(scene, "revoke example.test");
    assert_false(say(scene, ACME_MESSAGE_SAVE_ORDER, 0, BASE "/o/1", NULL,
        NULL));
    assert_false(say(scene, ACME_MESSAGE_CHAIN, 0, "x", NULL, NULL));
    assert_false(say(scene, ACME_MESSAGE_SAVE_ACCOUNT, 0, BASE "/acct/2",
        NULL, NULL));
}

static void
an_operator_hears_of_an_agent_that_is_lost(void **state)
{
    struct scene *scene = *state;
    struct acme_error err;

    acme_fail(&err, ACME_PEER_BROKE, "it crashed");
    ask(scene, "revoke example.test");
    task_agent_lost(&scene->keeper, &err);
    assert_string_equal(answered(), "error: revokeCert: it crashed\n");
    task_agent_lost(&scene->keeper, &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_change_is_signed_by_both_keys),
        TEST(the_same_new_key_is_signed_for_with_another_nonce),
        TEST(a_failed_key_change_leaves_both_keys_in_doubt),
        TEST(a_change_that_was_not_signed_is_not_believed),
        TEST(no_key_is_changed_while_an_order_is_under_way),
        TEST(no_account_is_registered_for_a_task),
        TEST(a_revoked_certificate_is_due),
        TEST(one_that_is_revoked_already_is_due_too),
        TEST(a_refused_revocation_changes_nothing),
        TEST(a_certificate_of_another_ca_is_not_revoked),
        TEST(what_is_served_is_revoked_whatever_its_key),
        TEST(an_operator_hears_of_the_half_that_is_not_revoked),
        TEST(no_certificate_is_finalized_with_a_key_that_was_revoked),
        TEST(nothing_else_is_signed_for_a_task),
        TEST(a_ca_that_offers_neither_gets_no_request),
        TEST(one_command_at_a_time),
        TEST(words_for_a_task_that_is_over_end_the_agent),
        TEST(an_operator_hears_of_an_agent_that_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
