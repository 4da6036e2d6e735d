/*
 * The keeper against an agent that may be anybody: what is signed, published
 * and written, and what is refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "scene.h"
#include "keeper/answer.h"
#include "keeper/quota.h"

#define TOKEN "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define CHALLENGE BASE "/chalZ/1"

static void
set_directory(struct scene *scene)
{
    char urls[] = BASE "/nonce\n" BASE "/sign-me-up\n" BASE "/order-plz";
    struct acme_error err;

    assert_true(account_set_directory(&scene->account, BASE "/dir", urls,
        BASE "/sign-me-up", BASE "/order-plz", &err));
    assert_true(account_set_offers(&scene->account, BASE "/rollover",
        BASE "/revoke", false, &err));
}

/* One account and one job that the agent works on. */
static int
setup(void **state)
{
    struct scene *scene;
    struct acme_error err;

    scene_make(state);
    scene = *state;
    scene->cert.name_count = 2;
    attempt_init(&scene->job, &scene->keeper, &scene->cert);
    attempt_start(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_READY);
    attempt_order(&scene->job, &scene->keeper);
    assert_int_equal(scene->job.state, JOB_ORDERING);
    set_directory(scene);
    assert_true(account_save_url(&scene->account, &scene->keeper,
        BASE "/my-account/1", &err));
    return 0;
}

/* Say something as the agent; false when the keeper wants to be rid of us. */
static bool
say(struct scene *scene, enum acme_message_type type, uint32_t id,
    uint32_t number, const char *first, const char *second, const char *third)
{
    struct acme_message message = { .type = type, .id = id, .number = number,
        .fd = -1, .text = { acme_bytes_of(first), acme_bytes_of(second),
        acme_bytes_of(third) } };
    struct acme_error err;

    if (type == ACME_MESSAGE_PUBLISH) {
        message.text[3] = acme_bytes_of("http-01");
    }
    return answer_message(&scene->keeper, &message, &err);
}

static uint32_t
job_id(const struct scene *scene)
{
    return scene->job.id;
}

static void
urls_of_the_directory_are_signed_and_others_are_not(void **state)
{
    static const struct {
        const char *what;
        bool of_job;
        enum acme_kind kind;
        const char *url;
        bool is_signed;
    } rows[] = {
        { "newAccount", false, ACME_KIND_NEW_ACCOUNT, BASE "/sign-me-up", true },
        { "newAccount to newOrder's URL", false, ACME_KIND_NEW_ACCOUNT, BASE "/order-plz", false },
        { "newAccount of a job", true, ACME_KIND_NEW_ACCOUNT, BASE "/sign-me-up", false },
        { "newOrder", true, ACME_KIND_NEW_ORDER, BASE "/order-plz", true },
        { "newOrder of a session", false, ACME_KIND_NEW_ORDER, BASE "/order-plz", false },
        { "newOrder elsewhere", true, ACME_KIND_NEW_ORDER, BASE "/my-account/1", false },
        { "POST-as-GET", true, ACME_KIND_POST_AS_GET, BASE "/authZ/7", true },
        { "foreign host", true, ACME_KIND_POST_AS_GET, "https://evil.test/authZ/7", false },
        { "foreign port", true, ACME_KIND_POST_AS_GET, "https://ca.test/authZ/7", false },
        { "plain http", true, ACME_KIND_POST_AS_GET, "http://ca.test:14000/authZ/7", false },
        { "userinfo", true, ACME_KIND_POST_AS_GET, "https://ca.test:14000@evil.test/", false },
        { "unpublished challenge", true, ACME_KIND_RESPOND, CHALLENGE, false },
        { "finalize", true, ACME_KIND_FINALIZE, BASE "/finalize/1", true },
        { "finalize elsewhere", true, ACME_KIND_FINALIZE, "https://evil.test/f", false },
        { "deactivation", true, ACME_KIND_DEACTIVATE, BASE "/authZ/7", true },
        { "deactivation elsewhere", true, ACME_KIND_DEACTIVATE, "https://evil.test/authZ/7", false },
        { "deactivation of a session", false, ACME_KIND_DEACTIVATE, BASE "/authZ/7", false },
        { "closing the account", true, ACME_KIND_DEACTIVATE, BASE "/my-account/1", false },
        { "closing it with a slash", true, ACME_KIND_DEACTIVATE, BASE "/my-account/1/", false },
        { "closing it with a query", true, ACME_KIND_DEACTIVATE, BASE "/my-account/1?x", false },
        { "closing it by escapes", true, ACME_KIND_DEACTIVATE, BASE "/my%2daccount/1", false },
        { "closing it by dots", true, ACME_KIND_DEACTIVATE, BASE "/x/../my-account/1", false },
        { "closing it by slashes", true, ACME_KIND_DEACTIVATE, BASE "//my-account/1", false },
        { "closing it by another spelling of the host", true, ACME_KIND_DEACTIVATE, "HTTPS://CA.test:014000/my-account/1", false },
        { "closing it in capitals", true, ACME_KIND_DEACTIVATE, BASE "/My-Account/1", false },
        { "another one of nearly that name", true, ACME_KIND_DEACTIVATE, BASE "/my-account/12", true },
        { "a look-up", false, ACME_KIND_FIND_ACCOUNT, BASE "/sign-me-up", true },
        { "a look-up of a job", true, ACME_KIND_FIND_ACCOUNT, BASE "/sign-me-up", false },
        { "a look-up elsewhere", false, ACME_KIND_FIND_ACCOUNT, BASE "/order-plz", false },
        { "a look-up by a key that there is not", false, ACME_KIND_TRY_NEW_KEY, BASE "/sign-me-up", false },
        { "an update", false, ACME_KIND_UPDATE_ACCOUNT, BASE "/my-account/1", true },
        { "an update of a job", true, ACME_KIND_UPDATE_ACCOUNT, BASE "/my-account/1", false },
        { "an update of another account", false, ACME_KIND_UPDATE_ACCOUNT, BASE "/my-account/2", false },
        { "keyChange of a session", false, ACME_KIND_KEY_CHANGE, BASE "/rollover", false },
        { "keyChange of a job", true, ACME_KIND_KEY_CHANGE, BASE "/rollover", false },
        { "revokeCert of a session", false, ACME_KIND_REVOKE, BASE "/revoke", false },
        { "revokeCert of a job", true, ACME_KIND_REVOKE, BASE "/revoke", false },
        { "no kind", true, 0, BASE "/order-plz", false },
        { "unknown kind", true, 77, BASE "/order-plz", false },
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        enum acme_message_type word;

        assert_true(say(scene, ACME_MESSAGE_SIGN,
            rows[i].of_job ? job_id(scene) : 1, rows[i].kind, rows[i].url,
            "bm9uY2U", NULL));
        word = last_word(scene, NULL, 0);
        if (word != (rows[i].is_signed ? ACME_MESSAGE_SIGNED
                                       : ACME_MESSAGE_REFUSED)) {
            fail_msg("%s: %s", rows[i].what, acme_message_name(word));
        }
    }
}

static void
a_malformed_nonce_is_not_signed(void **state)
{
    struct scene *scene = *state;

    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_NEW_ORDER, BASE "/order-plz", "no\"nce", NULL));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);
}

/* The job began at a CA without limits, and is asked for at one with some. */
static void
what_a_ca_counts_is_on_disk_before_it_is_signed(void **state)
{
    struct scene *scene = *state;

    scene->ca.url = (char *) "https://acme-v02.api.letsencrypt.org/directory";
    scene->job.counted = false;
    for (int i = 0; i < 2; i++) {
        assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
            ACME_KIND_NEW_ORDER, BASE "/order-plz", "bm9uY2U", NULL));
        assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_SIGNED);
        /* once: 36 s until the bucket of 300 in 3 hours is full again */
        assert_non_null(strstr(content_of(scene, "limits.json"),
            "\"orders\":{\"\":1700000036000}"));
    }
    assert_non_null(strstr(content_of(scene, "limits.json"), "\"sets\":{\""));
    assert_true(scene->job.ordered);

    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "example.test", TOKEN, CHALLENGE));
    for (int i = 0; i < 2; i++) {
        assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
            ACME_KIND_RESPOND, CHALLENGE, "bm9uY2U", NULL));
        quota_save_soon(&scene->keeper);
        assert_non_null(strstr(content_of(scene, "limits.json"),
            "\"failures\":{\"example.test\":1700000720000}"));
    }
    assert_false(scene->job.finalized);
    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_FINALIZE, BASE "/finalize/1", "bm9uY2U", NULL));
    assert_true(scene->job.finalized);

    /* where it cannot be written nothing is signed */
    scene->job.counted = false;
    assert_int_equal(unlinkat(scene->dir_fd, "limits.json", 0), 0);
    assert_int_equal(mkdirat(scene->dir_fd, "limits.json", 0700), 0);
    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_NEW_ORDER, BASE "/order-plz", "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);
}

static void
a_challenge_is_answered_once_it_is_published(void **state)
{
    struct scene *scene = *state;
    char text[ACME_KEY_AUTH_MAX + 1];
    size_t len;

    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "WWW.example.test", TOKEN, CHALLENGE));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_DONE);
    assert_true(acme_page_find(scene->keeper.page, acme_bytes_of(TOKEN), text,
        &len));
    assert_memory_equal(text, TOKEN ".", strlen(TOKEN) + 1);
    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_RESPOND, CHALLENGE, "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_SIGNED);
}

static void
that_the_ca_was_told_survives_the_keeper(void **state)
{
    struct scene *scene = *state;
    struct job again = { 0 };

    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "example.test", TOKEN, CHALLENGE));
    attempt_init(&again, &scene->keeper, &scene->cert);
    assert_false(again.proofs[0].told);
    attempt_free(&again);

    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_RESPOND, CHALLENGE, "bm9uY2U", NULL));
    memset(&again, 0, sizeof(again));
    attempt_init(&again, &scene->keeper, &scene->cert);
    assert_true(again.proofs[0].told);
    attempt_free(&again);
}

static void
an_agent_hears_that_the_ca_was_told(void **state)
{
    struct scene *scene = *state;

    for (unsigned told = 0; told < 2; told++) {
        struct acme_message message;
        struct acme_error err;
        bool got;

        assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
            "example.test", TOKEN, CHALLENGE));
        do {
            assert_true(acme_channel_next(scene->agent, &message, &got, &err));
        } while (got && message.type != ACME_MESSAGE_DONE);
        assert_true(got);
        assert_int_equal(message.number, told);
        assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
            ACME_KIND_RESPOND, CHALLENGE, "bm9uY2U", NULL));
    }
}

static void
a_proof_for_a_foreign_name_is_refused(void **state)
{
    struct scene *scene = *state;

    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "bank.test", TOKEN, CHALLENGE));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);
    assert_false(acme_page_has_proofs(scene->keeper.page));
}

static void
a_token_that_is_a_path_ends_the_agent(void **state)
{
    struct scene *scene = *state;

    assert_false(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "example.test", "../../etc/passwd", CHALLENGE));
    assert_false(acme_page_has_proofs(scene->keeper.page));
}

static void
words_out_of_turn_end_the_agent(void **state)
{
    struct scene *scene = *state;
    static const enum acme_message_type of_jobs[] = {
        ACME_MESSAGE_SAVE_ORDER, ACME_MESSAGE_PUBLISH, ACME_MESSAGE_CHAIN,
        ACME_MESSAGE_FAILED, ACME_MESSAGE_SIGN
    };

    for (size_t i = 0; i < sizeof(of_jobs) / sizeof(*of_jobs); i++) {
        assert_false(say(scene, of_jobs[i], 999, 0, NULL, NULL, NULL));
    }
    assert_false(say(scene, ACME_MESSAGE_CHAIN, 1, 0, "x", NULL, NULL));
    assert_false(say(scene, ACME_MESSAGE_DIRECTORY, job_id(scene), 0, NULL,
        NULL, NULL));
    assert_false(say(scene, ACME_MESSAGE_SAVE_ACCOUNT, job_id(scene), 0, NULL,
        NULL, NULL));
}

static void
a_last_log_line_of_an_ended_job_is_no_crime(void **state)
{
    assert_true(say(*state, ACME_MESSAGE_LOG, 999, ACME_LOG_INFO, "bye", NULL,
        NULL));
}

static void
log_lines_cannot_forge_others(void **state)
{
    struct scene *scene = *state;

    scene->line_count = 0;
    assert_true(say(scene, ACME_MESSAGE_LOG, job_id(scene), ACME_LOG_INFO,
        "x\n2026/01/01 [emerg] all is lost", NULL, NULL));
    assert_int_equal(scene->line_count, 1);
    assert_null(strchr(scene->lines[0], '\n'));
    assert_non_null(strstr(scene->lines[0], "acme: example.test: ca.test: "));
}

/* ---- the account */

/* The keeper's one word, with its number and second text. */
static struct acme_message
word(struct scene *scene)
{
    struct acme_message message;
    struct acme_error err;
    bool got;

    assert_true(acme_channel_next(scene->agent, &message, &got, &err));
    assert_true(got);
    return message;
}

static void
hear_all(struct scene *scene)
{
    last_word(scene, NULL, 0);
}

static void
a_ca_that_demands_a_binding_is_not_asked_without(void **state)
{
    struct scene *scene = *state;
    struct acme_message refused;
    struct acme_error err;
    char text[500];

    hear_all(scene);
    assert_true(account_set_offers(&scene->account, "", "", true, &err));
    assert_true(say(scene, ACME_MESSAGE_SIGN, 1, ACME_KIND_NEW_ACCOUNT,
        BASE "/sign-me-up", "bm9uY2U", NULL));
    refused = word(scene);
    assert_int_equal(refused.type, ACME_MESSAGE_REFUSED);
    assert_int_equal(refused.number, ACME_MISCONFIG);
    assert_true(acme_message_text(&refused, 0, text, sizeof(text)));
    assert_non_null(strstr(text, "add \"acme_eab " BASE "/dir KID FILE;\""));
    assert_true(acme_message_text(&refused, 1, text, sizeof(text)));
    assert_string_equal(text, "externalAccountRequired");
    /* a look-up needs none */
    assert_true(say(scene, ACME_MESSAGE_SIGN, 1, ACME_KIND_FIND_ACCOUNT,
        BASE "/sign-me-up", "bm9uY2U", NULL));
    assert_int_equal(word(scene).type, ACME_MESSAGE_SIGNED);
}

static char *const contacts[] = { (char *) "mailto:a@a.test" };

/* A CA that gives a binding out for a mail address. */
static void
want_binding(struct scene *scene)
{
    scene->settings.contacts = (char **) contacts;
    scene->settings.contact_count = 1;
    scene->ca.url = (char *) "https://acme.zerossl.com/v2/DV90";
}

static void
a_binding_got_by_mail_is_used_and_forgotten(void **state)
{
    struct scene *scene = *state;
    char with[8192], without[8192];

    assert_true(say(scene, ACME_MESSAGE_SIGN, 1, ACME_KIND_NEW_ACCOUNT,
        BASE "/sign-me-up", "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, without, sizeof(without)),
        ACME_MESSAGE_SIGNED);
    want_binding(scene);
    assert_true(say(scene, ACME_MESSAGE_BINDING, 1, 0, "kid", "AAAA", NULL));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_DONE);
    assert_true(say(scene, ACME_MESSAGE_SIGN, 1, ACME_KIND_NEW_ACCOUNT,
        BASE "/sign-me-up", "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, with, sizeof(with)),
        ACME_MESSAGE_SIGNED);
    assert_true(strlen(with) > strlen(without) + 300);
    assert_true(say(scene, ACME_MESSAGE_SAVE_ACCOUNT, 1, 1, BASE
        "/my-account/2", NULL, NULL));
    assert_string_equal(scene->account.binding.kid, "");
    assert_string_equal(scene->account.binding.key, "");
}

static void
a_binding_that_is_none_is_refused(void **state)
{
    static const struct { const char *kid, *key; } rows[] = {
        { "", "AAAA" }, { "kid", "" }, { "k d", "AAAA" }, { "kid", "A!" },
    };
    struct scene *scene = *state;

    want_binding(scene);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        assert_true(say(scene, ACME_MESSAGE_BINDING, 1, 0, rows[i].kid,
            rows[i].key, NULL));
        assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);
        assert_string_equal(scene->account.binding.kid, "");
    }
}

/* It would make the account one of somebody else's contract. */
static void
a_binding_that_nobody_asked_for_is_refused(void **state)
{
    struct scene *scene = *state;
    struct acme_settings_ca own = scene->ca;

    scene->settings.contacts = (char **) contacts;
    scene->settings.contact_count = 1;
    assert_false(say(scene, ACME_MESSAGE_BINDING, 1, 0, "kid", "AAAA", NULL));
    want_binding(scene);
    scene->ca.eab_kid = (char *) "ours";
    assert_false(say(scene, ACME_MESSAGE_BINDING, 1, 0, "kid", "AAAA", NULL));
    scene->ca = own;
    assert_string_equal(scene->account.binding.kid, "");
}

static void
contacts_went_along_with_a_new_account_only(void **state)
{
    struct scene *scene = *state;

    scene->settings.contacts = (char **) contacts;
    scene->settings.contact_count = 1;
    hear_all(scene);
    assert_true(say(scene, ACME_MESSAGE_SAVE_ACCOUNT, 1, 1, BASE
        "/my-account/2", NULL, NULL));
    assert_int_equal(word(scene).number, 0);
    assert_true(say(scene, ACME_MESSAGE_SAVE_ACCOUNT, 1, 0, BASE
        "/my-account/2", NULL, NULL));
    assert_int_equal(word(scene).number, 1);
    assert_true(say(scene, ACME_MESSAGE_UPDATED, 1, 0, "", NULL, NULL));
    assert_int_equal(word(scene).type, ACME_MESSAGE_DONE);
    assert_false(account_wants_update(&scene->account, &scene->settings));
}

static void
refused_contacts_are_one_warning_in_the_words_of_the_ca(void **state)
{
    struct scene *scene = *state;

    scene->settings.contacts = (char **) contacts;
    scene->settings.contact_count = 1;
    scene->line_count = 0;
    assert_true(say(scene, ACME_MESSAGE_UPDATED, 1, 0,
        "invalidContact: not\nso", NULL, NULL));
    assert_int_equal(scene->line_count, 1);
    assert_true(logged(scene, "the CA does not take acme_contact: "
        "invalidContact: not\\x0Aso; ")
        || logged(scene, "invalidContact: not\\x0aso; "));
    assert_false(account_wants_update(&scene->account, &scene->settings));
}

static void
a_key_is_not_taken_when_none_is_in_doubt(void **state)
{
    struct scene *scene = *state;

    assert_false(say(scene, ACME_MESSAGE_KEY, 1, 1, BASE "/my-account/1",
        NULL, NULL));
    assert_false(say(scene, ACME_MESSAGE_KEY, 1, 0, "", NULL, NULL));
    assert_non_null(scene->account.key);
}

/* Nor while it is changed; the change of another account's is no reason. */
static void
a_key_in_doubt_is_settled_while_another_account_has_a_task(void **state)
{
    struct scene *scene = *state;
    struct account other = { .ca = &scene->ca };
    struct acme_error err;

    assert_true(account_make_new_key(&scene->account, scene->keeper.store,
        &err));
    scene->keeper.task = (struct task) { .kind = ACME_KIND_KEY_CHANGE,
        .made_key = true, .account = &scene->account, .client_fd = -1 };
    assert_false(say(scene, ACME_MESSAGE_KEY, 1, 0, "", NULL, NULL));
    scene->keeper.task.account = &other;
    assert_true(say(scene, ACME_MESSAGE_KEY, 1, 0, "", NULL, NULL));
    assert_null(scene->account.new_key);
}

static void
a_closed_account_is_named_with_its_folder(void **state)
{
    struct scene *scene = *state;

    scene->line_count = 0;
    assert_true(say(scene, ACME_MESSAGE_FAILED, job_id(scene),
        ACME_MISCONFIG, "unauthorized", "",
        "the CA says the account is deactivated"));
    assert_true(logged(scene, "/accounts/ca.test_14000-"));
    assert_true(logged(scene, "hint: this account is deactivated or revoked: "
        "move its folder in accounts/ away"));
    assert_true(scene->job.next_at >= NOW + DAY * 9 / 10);
}

static void
a_chain_that_is_not_ours_is_not_written(void **state)
{
    struct scene *scene = *state;
    char path[128];
    struct stat info;

    assert_true(say(scene, ACME_MESSAGE_CHAIN, job_id(scene), 0,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        NULL, NULL));
    snprintf(path, sizeof(path), "%s/live/example.test", scene->path);
    assert_int_equal(lstat(path, &info), -1);
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->keeper.active_count, 0);
    assert_int_equal(scene->keeper.deploy.state, DEPLOY_IDLE);
}

static void
a_failure_is_logged_once_with_the_next_attempt(void **state)
{
    struct scene *scene = *state;

    scene->line_count = 0;
    assert_true(say(scene, ACME_MESSAGE_FAILED, job_id(scene), ACME_RETRY,
        "connection", "www.example.test",
        "authorization of www.example.test: Connection refused"));
    assert_int_equal(scene->line_count, 1);
    assert_non_null(strstr(scene->lines[0], "Connection refused"));
    assert_non_null(strstr(scene->lines[0], "the next is at 2023-11-14T"));
    assert_int_equal(scene->job.plan.failures, 1);
    assert_in_range(scene->job.next_at, 1700000000 + 540, 1700000000 + 660);
}

static void
a_failed_order_takes_its_proofs_back(void **state)
{
    struct scene *scene = *state;

    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "example.test", TOKEN, CHALLENGE));
    assert_true(acme_page_has_proofs(scene->keeper.page));
    assert_true(say(scene, ACME_MESSAGE_FAILED, job_id(scene), ACME_REFUSED,
        "unauthorized", NULL, "no"));
    assert_false(acme_page_has_proofs(scene->keeper.page));
}

static void
an_order_survives_the_keeper(void **state)
{
    struct scene *scene = *state;
    struct job again = { 0 };

    assert_true(say(scene, ACME_MESSAGE_SAVE_ORDER, job_id(scene), 0,
        BASE "/my-order/1", NULL, NULL));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_DONE);
    assert_true(say(scene, ACME_MESSAGE_PUBLISH, job_id(scene), 0,
        "example.test", TOKEN, CHALLENGE));
    acme_page_withdraw(scene->keeper.page, acme_bytes_of(TOKEN));

    attempt_init(&again, &scene->keeper, &scene->cert);
    assert_non_null(again.key);
    assert_string_equal(again.order_url, BASE "/my-order/1");
    assert_int_equal(again.proof_count, 1);
    assert_true(acme_page_has_proofs(scene->keeper.page));
    attempt_free(&again);
}

static void
when_the_order_expires_goes_to_the_next_agent(void **state)
{
    struct scene *scene = *state;
    struct acme_message message = { .type = ACME_MESSAGE_SAVE_ORDER,
        .id = job_id(scene), .at = NOW + 3600, .fd = -1,
        .text = { acme_bytes_of(BASE "/my-order/1") } };
    struct acme_error err;
    bool got = true;

    assert_true(answer_message(&scene->keeper, &message, &err));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_DONE);
    attempt_agent_lost(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    do {
        assert_true(acme_channel_next(scene->agent, &message, &got, &err));
        assert_true(got);
    } while (message.type != ACME_MESSAGE_ORDER);
    assert_int_equal(message.at, NOW + 3600);
}

static void
an_order_for_other_names_is_dropped(void **state)
{
    struct scene *scene = *state;
    struct acme_settings_cert cert = scene->cert;
    struct job again = { 0 };

    assert_true(say(scene, ACME_MESSAGE_SAVE_ORDER, job_id(scene), 0,
        BASE "/my-order/1", NULL, NULL));
    cert.name_count = 1;
    attempt_init(&again, &scene->keeper, &cert);
    assert_null(again.key);
    assert_null(again.order_url);
    attempt_free(&again);
}

static void
a_vanished_order_is_ordered_anew_once(void **state)
{
    struct scene *scene = *state;

    assert_true(say(scene, ACME_MESSAGE_SAVE_ORDER, job_id(scene), 0,
        BASE "/my-order/1", NULL, NULL));
    attempt_agent_lost(&scene->job, &scene->keeper);
    attempt_order(&scene->job, &scene->keeper);
    assert_true(say(scene, ACME_MESSAGE_FAILED, job_id(scene), ACME_REFUSED,
        "orderGone", NULL, "gone"));
    assert_int_equal(scene->job.state, JOB_READY);
    assert_int_equal(scene->job.plan.failures, 0);

    attempt_order(&scene->job, &scene->keeper);
    assert_true(say(scene, ACME_MESSAGE_FAILED, job_id(scene), ACME_REFUSED,
        "orderGone", NULL, "gone"));
    assert_int_equal(scene->job.state, JOB_IDLE);
    assert_int_equal(scene->job.plan.failures, 1);
}

static void
a_directory_with_foreign_urls_is_refused(void **state)
{
    struct scene *scene = *state;

    assert_true(say(scene, ACME_MESSAGE_DIRECTORY, 1, 0,
        "http://ca.test:14000/dir", BASE "/nonce", BASE "/sign-me-up"));
    assert_int_equal(last_word(scene, NULL, 0), ACME_MESSAGE_REFUSED);
}

/* A hundred names of 253 bytes, at a CA that is fond of long URLs. */
static void
the_longest_request_fits_into_a_message(void **state)
{
    static char texts[ACME_NAMES_MAX][ACME_NAME_MAX + 1];
    static char body[ACME_MESSAGE_MAX];
    char url[ACME_URL_MAX + 1] = BASE "/";
    char *names[ACME_NAMES_MAX];
    struct scene *scene = *state;
    struct acme_error err;

    memset(url + strlen(url), 'u', ACME_URL_MAX - strlen(url));
    url[ACME_URL_MAX] = '\0';
    for (size_t i = 0; i < ACME_NAMES_MAX; i++) {
        memset(texts[i], 'a', ACME_NAME_MAX);
        for (size_t dot = 3; dot < ACME_NAME_MAX; dot += 50) {
            texts[i][dot] = '.';
        }
        snprintf(texts[i], 3, "%02zu", i);
        texts[i][2] = 'n';
        names[i] = texts[i];
    }
    scene->cert.names = names;
    scene->cert.name_count = ACME_NAMES_MAX;
    assert_true(account_save_url(&scene->account, &scene->keeper, url,
        &err));
    assert_true(say(scene, ACME_MESSAGE_SIGN, job_id(scene),
        ACME_KIND_FINALIZE, url, "bm9uY2U", NULL));
    assert_int_equal(last_word(scene, body, sizeof(body)),
        ACME_MESSAGE_SIGNED);
    assert_true(strlen(body) > 48 * 1024);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, scene_remove)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(urls_of_the_directory_are_signed_and_others_are_not),
        TEST(a_malformed_nonce_is_not_signed),
        TEST(what_a_ca_counts_is_on_disk_before_it_is_signed),
        TEST(a_challenge_is_answered_once_it_is_published),
        TEST(that_the_ca_was_told_survives_the_keeper),
        TEST(an_agent_hears_that_the_ca_was_told),
        TEST(a_proof_for_a_foreign_name_is_refused),
        TEST(a_token_that_is_a_path_ends_the_agent),
        TEST(words_out_of_turn_end_the_agent),
        TEST(a_last_log_line_of_an_ended_job_is_no_crime),
        TEST(log_lines_cannot_forge_others),
        TEST(a_ca_that_demands_a_binding_is_not_asked_without),
        TEST(a_binding_got_by_mail_is_used_and_forgotten),
        TEST(a_binding_that_is_none_is_refused),
        TEST(a_binding_that_nobody_asked_for_is_refused),
        TEST(contacts_went_along_with_a_new_account_only),
        TEST(refused_contacts_are_one_warning_in_the_words_of_the_ca),
        TEST(a_key_is_not_taken_when_none_is_in_doubt),
        TEST(a_key_in_doubt_is_settled_while_another_account_has_a_task),
        TEST(a_closed_account_is_named_with_its_folder),
        TEST(a_chain_that_is_not_ours_is_not_written),
        TEST(the_longest_request_fits_into_a_message),
        TEST(a_failure_is_logged_once_with_the_next_attempt),
        TEST(a_failed_order_takes_its_proofs_back),
        TEST(an_order_survives_the_keeper),
        TEST(when_the_order_expires_goes_to_the_next_agent),
        TEST(an_order_for_other_names_is_dropped),
        TEST(a_vanished_order_is_ordered_anew_once),
        TEST(a_directory_with_foreign_urls_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
