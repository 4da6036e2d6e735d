/*
 * The session of a CA, driven: directory, account, nonces. What comes next is
 * protocol/session.c's word; knows no job.
 */

#include "agent/ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sender.h"

struct ca *
ca_find(const struct agent *agent, uint32_t id)
{
    for (size_t i = 0; i < agent->ca_count; i++) {
        if (agent->cas[i]->sender.id == id) {
            return agent->cas[i];
        }
    }
    return NULL;
}

/* ---- new, replaced, free */

/* Not the operator's roots means none, never the system's. */
static bool
read_trust(struct ca *ca, int fd)
{
    struct acme_buffer *trust = &ca->trust;
    char part[16 * 1024];
    ssize_t len;

    while ((len = pread(fd, part, sizeof(part), (off_t) trust->len)) > 0) {
        if (!acme_buffer_add(trust, part, (size_t) len)) {
            return acme_fail(&ca->why, ACME_LOCAL,
                "acme_ca_certificate: the file is larger than %d bytes",
                TRUST_MAX);
        }
    }
    if (len < 0) {
        return acme_fail_sys(&ca->why, "acme_ca_certificate");
    }
    return trust->len > 0 || acme_fail(&ca->why, ACME_LOCAL,
        "acme_ca_certificate: the file is empty");
}

static bool
fill(struct ca *ca, const struct acme_message *message)
{
    char directory[ACME_URL_MAX + 1], account[ACME_URL_MAX + 1];
    char server[1024 + 1], mail[256 + 1], bind_url[ACME_URL_MAX + 1];

    if (!acme_message_text(message, 0, directory, sizeof(directory))
        || !acme_message_text(message, 1, account, sizeof(account))
        || !acme_message_text(message, 2, server, sizeof(server))
        || !acme_message_text(message, 3, ca->proxy, sizeof(ca->proxy))
        || !acme_message_text(message, 4, mail, sizeof(mail))
        || !acme_message_text(message, 5, bind_url, sizeof(bind_url))) {
        return false;
    }
    ca->sender.id = message->id;
    snprintf(ca->user_agent, sizeof(ca->user_agent), "acme-helper/1 %s",
        server);
    ca->trust.limit = TRUST_MAX;
    ca->unusable = message->fd != -1 && !read_trust(ca, message->fd);
    ca->session = acme_session_new(directory,
        account[0] != '\0' ? account : NULL);
    if (ca->session == NULL) {
        return false;
    }
    acme_session_hint(ca->session, message->number);
    return bind_url[0] == '\0'
        || acme_session_bind_by_mail(ca->session, bind_url, mail);
}

/* What is still under way for an earlier CA of this id is not for us. */
static bool
place(struct agent *agent, struct ca *ca)
{
    uint32_t id = ca->sender.id;

    acme_fetch_cancel(agent->fetch, tag_of(FOR_SENDER, id));
    acme_fetch_cancel(agent->fetch, tag_of(FOR_NONCE, id));
    for (size_t i = 0; i < agent->ca_count; i++) {
        if (agent->cas[i]->sender.id == id) {
            ca_free(agent->cas[i]);
            agent->cas[i] = ca;
            return true;
        }
    }
    if (agent->ca_count == CAS_MAX) {
        return false;
    }
    agent->cas[agent->ca_count++] = ca;
    return true;
}

bool
ca_take(struct agent *agent, const struct acme_message *message,
    struct acme_error *err)
{
    struct ca *ca = calloc(1, sizeof(*ca));

    if (ca != NULL && fill(ca, message) && place(agent, ca)) {
        return true;
    }
    ca_free(ca);
    return acme_fail(err, ACME_LOCAL, "no room for another CA");
}

void
ca_free(struct ca *ca)
{
    if (ca == NULL) {
        return;
    }
    acme_session_free(ca->session);
    acme_buffer_free(&ca->trust);
    explicit_bzero(ca->proxy, sizeof(ca->proxy));
    free(ca);
}

/* ---- what comes next */

bool
ca_is_ready(const struct ca *ca)
{
    const char *url;

    return acme_session_next(ca->session, &url) == ACME_SESSION_READY;
}

const char *
ca_step(const struct ca *ca)
{
    switch (ca->doing) {
    case ACME_SESSION_TRY_NEW_KEY:
    case ACME_SESSION_SAY_KEY:
    case ACME_SESSION_FIND_ACCOUNT:
        return "account look-up";
    case ACME_SESSION_GET_BINDING:
    case ACME_SESSION_SAY_BINDING:
        return "account binding";
    case ACME_SESSION_NEW_ACCOUNT:
    case ACME_SESSION_SAVE_ACCOUNT:
        return "newAccount";
    case ACME_SESSION_UPDATE_ACCOUNT:
    case ACME_SESSION_SAVE_UPDATE:
        return "account update";
    case ACME_SESSION_GET_DIRECTORY:
    case ACME_SESSION_SAY_DIRECTORY:
    case ACME_SESSION_READY:
        break;
    }
    return "directory";
}

static unsigned
offers_of(const struct acme_session *session)
{
    return (acme_session_renewal_info_url(session) != NULL
            ? ACME_OFFERS_RENEWAL_INFO : 0)
        | (acme_session_external_account_required(session)
            ? ACME_DEMANDS_BINDING : 0);
}

static void
say_directory(struct agent *agent, struct ca *ca)
{
    const struct acme_session *session = ca->session;
    struct acme_message message = { .type = ACME_MESSAGE_DIRECTORY,
        .id = ca->sender.id, .fd = -1,
        .number = offers_of(session), .text = {
        acme_bytes_of(acme_session_directory(session)),
        acme_bytes_of(acme_session_urls(session)),
        acme_bytes_of(acme_session_new_account_url(session)),
        acme_bytes_of(acme_session_new_order_url(session)),
        acme_bytes_of(acme_session_profiles(session)),
        acme_bytes_of(acme_session_key_change_url(session)),
        acme_bytes_of(acme_session_revoke_url(session)) } };

    ca->sender.state = ASKING;
    tell(agent, &message);
    tell_log(agent, ca->sender.id, ACME_LOG_INFO, "directory read from %s",
        acme_session_directory(session));
}

/* What the keeper is to know or to save; its DONE comes back. */
static void
ask_keeper(struct agent *agent, struct ca *ca, enum acme_message_type type,
    bool number, const char *first, const char *second)
{
    struct acme_message message = { .type = type, .id = ca->sender.id,
        .number = number, .fd = -1,
        .text = { acme_bytes_of(first), acme_bytes_of(second) } };

    ca->sender.state = ASKING;
    tell(agent, &message);
}

static void
sign_and_send(struct agent *agent, struct ca *ca, enum acme_kind kind,
    const char *url)
{
    sender_begin(&ca->sender, kind, url);
    tell_log(agent, ca->sender.id, ACME_LOG_INFO, "%s sent",
        acme_kind_name(kind));
}

static bool
get_binding(struct agent *agent, struct ca *ca, const char *url,
    struct acme_error *err)
{
    struct acme_buffer form = ACME_BUFFER(1024);
    bool ok;

    ok = acme_binding_form(acme_session_mail(ca->session), &form, err)
        && sender_post_form(agent, ca, &ca->sender, url,
            acme_buffer_bytes(&form), err);
    acme_buffer_free(&form);
    if (ok) {
        tell_log(agent, ca->sender.id, ACME_LOG_INFO, "asking %s for an "
            "account binding", url);
    }
    return ok;
}

static bool
begin(struct agent *agent, struct ca *ca, const char *url,
    struct acme_error *err)
{
    const struct acme_session *session = ca->session;
    const struct acme_binding *binding = acme_session_binding(session);

    switch (ca->doing) {
    case ACME_SESSION_READY:
        break;
    case ACME_SESSION_GET_DIRECTORY:
        return sender_get(agent, ca, &ca->sender, url, err);
    case ACME_SESSION_SAY_DIRECTORY:
        say_directory(agent, ca);
        break;
    case ACME_SESSION_TRY_NEW_KEY:
        sign_and_send(agent, ca, ACME_KIND_TRY_NEW_KEY, url);
        break;
    case ACME_SESSION_SAY_KEY:
        ask_keeper(agent, ca, ACME_MESSAGE_KEY,
            acme_session_new_key_is_known(session),
            acme_session_account(session), NULL);
        break;
    case ACME_SESSION_FIND_ACCOUNT:
        sign_and_send(agent, ca, ACME_KIND_FIND_ACCOUNT, url);
        break;
    case ACME_SESSION_GET_BINDING:
        return get_binding(agent, ca, url, err);
    case ACME_SESSION_SAY_BINDING:
        ask_keeper(agent, ca, ACME_MESSAGE_BINDING, false, binding->kid,
            binding->key);
        break;
    case ACME_SESSION_NEW_ACCOUNT:
        sign_and_send(agent, ca, ACME_KIND_NEW_ACCOUNT, url);
        break;
    case ACME_SESSION_SAVE_ACCOUNT:
        ask_keeper(agent, ca, ACME_MESSAGE_SAVE_ACCOUNT,
            acme_session_account_is_new(session),
            acme_session_account(session), NULL);
        break;
    case ACME_SESSION_UPDATE_ACCOUNT:
        sign_and_send(agent, ca, ACME_KIND_UPDATE_ACCOUNT, url);
        break;
    case ACME_SESSION_SAVE_UPDATE:
        ask_keeper(agent, ca, ACME_MESSAGE_UPDATED, false,
            acme_session_update_refused(session), NULL);
        break;
    }
    return true;
}

bool
ca_pump(struct agent *agent, struct ca *ca, struct acme_error *err)
{
    const char *url;

    if (ca->sender.state != IDLE) {
        return true;
    }
    if (ca->unusable) {
        *err = ca->why;
        return false;
    }
    ca->doing = acme_session_next(ca->session, &url);
    if (!begin(agent, ca, url, err)) {
        ca->sender.state = IDLE;
        return false;
    }
    return true;
}

/* ---- replies */

/*
 * Did the session come to need something else meanwhile, as when an order
 * found the directory outdated? Then what was asked for is asked again later.
 */
static bool
was_overtaken(const struct ca *ca)
{
    const char *url;

    return acme_session_next(ca->session, &url) != ca->doing;
}

/* Has the session another way, or the CA's memory been lost? */
static bool
can_go_on(struct agent *agent, struct ca *ca, const struct acme_error *why)
{
    if (acme_session_failed(ca->session, ca->doing, why)) {
        if (ca->doing == ACME_SESSION_UPDATE_ACCOUNT) {
            tell_log(agent, ca->sender.id, ACME_LOG_INFO,
                "account update: %s", why->text);
        }
        return true;
    }
    return ca->doing == ACME_SESSION_UPDATE_ACCOUNT
        && strcmp(why->problem, "accountDoesNotExist") == 0
        && ca_forget_account(agent, ca);
}

bool
ca_take_reply(struct agent *agent, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err)
{
    if (ca->doing == ACME_SESSION_GET_BINDING) {
        ca->sender.state = IDLE;  /* this is not ACME: no nonce, no problem */
        return was_overtaken(ca)
            || acme_session_reply(ca->session, agent->now_ms, reply, err);
    }
    switch (sender_read(agent, ca, &ca->sender, reply, err)) {
    case ACME_READ_OK:
        return was_overtaken(ca)
            || acme_session_reply(ca->session, agent->now_ms, reply, err);
    case ACME_READ_REPEAT:
        return true;
    case ACME_READ_FAILED:
        break;
    }
    return can_go_on(agent, ca, err);
}

bool
ca_take_nonce_reply(struct agent *agent, struct ca *ca,
    const struct acme_reply *reply, struct acme_error *err)
{
    ca->nonces_coming--;
    if (acme_session_read(ca->session, agent->now_ms, reply, err)
        != ACME_READ_OK) {
        return acme_while(err, "newNonce");
    }
    return reply->headers.nonce[0] != '\0' || acme_fail(err, ACME_PEER_BROKE,
        "the CA's reply to newNonce brings no nonce");
}

bool
ca_forget_account(struct agent *agent, struct ca *ca)
{
    if (!acme_session_forget_account(ca->session, agent->now_ms)) {
        return false;
    }
    ca->accounts_lost++;
    tell_log(agent, ca->sender.id, ACME_LOG_WARN,
        "the CA does not know our account: registering again");
    return true;
}

/* ---- the keeper's answers */

bool
ca_take_signed(struct agent *agent, struct ca *ca, struct acme_bytes body,
    struct acme_error *err)
{
    if (ca->sender.state != SIGNING
        || sender_post(agent, ca, &ca->sender, body, err)) {
        return true;
    }
    ca->sender.state = IDLE;
    return false;
}

void
ca_take_done(struct ca *ca, bool update)
{
    if (ca->sender.state == ASKING) {
        if (!was_overtaken(ca)) {
            acme_session_done(ca->session);
            acme_session_hint(ca->session, update ? ACME_ACCOUNT_UPDATE : 0);
        }
        ca->sender.state = IDLE;
    }
}

bool
ca_take_refused(struct ca *ca, const struct acme_message *message,
    struct acme_error *err)
{
    if (ca->sender.state != ASKING && ca->sender.state != SIGNING) {
        return true;
    }
    ca->sender.state = IDLE;
    refusal_read(message, err);
    return false;
}
