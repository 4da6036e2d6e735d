/*
 * The messages between keeper and agent: one table, one writer, one reader.
 * Knows no descriptor and no process. The two ends may be of different
 * builds after an upgrade, hence the version in each message.
 */

#include "ipc/message.h"

#include <string.h>

#include "protocol/request.h"

enum { WIRE_VERSION = 3 };

/* In front of the texts, which follow one another without separators. */
struct wire_header {
    int64_t at;
    uint16_t version;
    uint16_t type;
    uint32_t id;
    uint32_t number;
    uint32_t status;
    uint32_t len[ACME_MESSAGE_TEXTS];
};

_Static_assert(sizeof(struct wire_header) == 56, "no padding goes out");

enum {
    WORD = 64,
    NAME = 256,
    TOKEN = 128,
    NONCE = 256,
    WORDS = 1024,
    PROXY = 1000,
    URL = ACME_URL_MAX,
    NAMES = 40 * 1024,
    URLS = 16 * 1024,
    SIGNED_BODY = 60 * 1024,
    CHAIN_PEM = 60 * 1024
};

struct message_rule {
    const char *name;
    enum acme_message_end sender;
    bool has_fd;
    uint32_t max[ACME_MESSAGE_TEXTS];  /* bytes of each text */
};

#define KEEPER ACME_END_KEEPER
#define AGENT ACME_END_AGENT

static const struct message_rule rules[] = {
    /* type                         name            sender  fd     texts */
    [ACME_MESSAGE_CA]           = { "CA",           KEEPER, true,
                                    { URL, URL, WORDS, PROXY, NAME, URL } },
    [ACME_MESSAGE_ORDER]        = { "ORDER",        KEEPER, false,
                                    { NAMES, URL, WORD, NAME } },
    [ACME_MESSAGE_CANCEL]       = { "CANCEL",       KEEPER, false, { 0 } },
    [ACME_MESSAGE_SIGNED]       = { "SIGNED",       KEEPER, false,
                                    { SIGNED_BODY, 0, 0, 0 } },
    [ACME_MESSAGE_DONE]         = { "DONE",         KEEPER, false, { 0 } },
    [ACME_MESSAGE_REFUSED]      = { "REFUSED",      KEEPER, false,
                                    { WORDS, NAME, 0, 0 } },
    [ACME_MESSAGE_RENEWAL_INFO] = { "RENEWAL_INFO", KEEPER, false,
                                    { NAME, 0, 0, 0 } },
    [ACME_MESSAGE_TASK]         = { "TASK",         KEEPER, false, { 0 } },
    [ACME_MESSAGE_PROBE]        = { "PROBE",        KEEPER, false,
                                    { NAME, WORD, 0, 0 } },
    [ACME_MESSAGE_DIRECTORY]    = { "DIRECTORY",    AGENT,  false,
                                    { URL, URLS, URL, URL, WORDS, URL, URL } },
    [ACME_MESSAGE_SAVE_ACCOUNT] = { "SAVE_ACCOUNT", AGENT,  false,
                                    { URL, 0, 0, 0 } },
    [ACME_MESSAGE_KEY]          = { "KEY",          AGENT,  false,
                                    { URL, 0, 0, 0 } },
    [ACME_MESSAGE_BINDING]      = { "BINDING",      AGENT,  false,
                                    { NAME, NAME, 0, 0 } },
    [ACME_MESSAGE_UPDATED]      = { "UPDATED",      AGENT,  false,
                                    { WORDS, 0, 0, 0 } },
    [ACME_MESSAGE_SIGN]         = { "SIGN",         AGENT,  false,
                                    { URL, NONCE, 0, 0 } },
    [ACME_MESSAGE_SAVE_ORDER]   = { "SAVE_ORDER",   AGENT,  false,
                                    { URL, 0, 0, 0 } },
    [ACME_MESSAGE_PUBLISH]      = { "PUBLISH",      AGENT,  false,
                                    { NAME, TOKEN, URL, WORD } },
    [ACME_MESSAGE_CHAIN]        = { "CHAIN",        AGENT,  false,
                                    { CHAIN_PEM, 0, 0, 0 } },
    [ACME_MESSAGE_TASK_DONE]    = { "TASK_DONE",    AGENT,  false, { 0 } },
    [ACME_MESSAGE_FAILED]       = { "FAILED",       AGENT,  false,
                                    { NAME, NAME, WORDS, NAME, WORD } },
    [ACME_MESSAGE_LOG]          = { "LOG",          AGENT,  false,
                                    { WORDS, 0, 0, 0 } },
    [ACME_MESSAGE_RENEWAL_WINDOW] = { "RENEWAL_WINDOW", AGENT, false,
                                    { TOKEN, TOKEN, URL, 0 } },
    [ACME_MESSAGE_NO_RENEWAL_INFO] = { "NO_RENEWAL_INFO", AGENT, false,
                                    { 0 } },
    [ACME_MESSAGE_RENEWAL_FAILED] = { "RENEWAL_FAILED", AGENT, false,
                                    { WORDS, 0, 0, 0 } },
    [ACME_MESSAGE_SERVED]       = { "SERVED",       AGENT,  false,
                                    { WORD, NAME, NAME, WORD } },
    [ACME_MESSAGE_NOT_SERVED]   = { "NOT_SERVED",   AGENT,  false,
                                    { WORDS, 0, 0, 0 } },
};

#undef KEEPER
#undef AGENT

_Static_assert(sizeof(struct wire_header) + CHAIN_PEM <= ACME_MESSAGE_MAX
    && sizeof(struct wire_header) + SIGNED_BODY <= ACME_MESSAGE_MAX
    && sizeof(struct wire_header) + NAMES + URL + WORD + NAME
        <= ACME_MESSAGE_MAX
    && sizeof(struct wire_header) + URLS + 5 * URL + WORDS
        <= ACME_MESSAGE_MAX,
    "every message that the table allows is a datagram");

/* NULL for a type that is none of ours. */
static const struct message_rule *
find_rule(unsigned type)
{
    if (type >= sizeof(rules) / sizeof(rules[0])
        || rules[type].name == NULL) {
        return NULL;
    }
    return &rules[type];
}

const char *
acme_message_name(enum acme_message_type type)
{
    const struct message_rule *rule = find_rule(type);

    return rule != NULL ? rule->name : "?";
}

bool
acme_message_has_fd(enum acme_message_type type)
{
    const struct message_rule *rule = find_rule(type);

    return rule != NULL && rule->has_fd;
}

static bool
holds_nul(struct acme_bytes text)
{
    return text.len > 0 && memchr(text.at, '\0', text.len) != NULL;
}

/* ---- writing */

static bool
check_for_writing(const struct acme_message *message,
    const struct message_rule *rule, struct acme_error *err)
{
    if (message->fd != -1 && !rule->has_fd) {
        return acme_fail(err, ACME_LOCAL, "message %s takes no descriptor",
            rule->name);
    }
    for (unsigned i = 0; i < ACME_MESSAGE_TEXTS; i++) {
        if (message->text[i].len > rule->max[i]) {
            return acme_fail(err, ACME_LOCAL,
                "message %s: text %u has %zu bytes, at most %u", rule->name,
                i, message->text[i].len, rule->max[i]);
        }
        if (holds_nul(message->text[i])) {
            return acme_fail(err, ACME_LOCAL,
                "message %s: text %u holds a NUL", rule->name, i);
        }
    }
    return true;
}

bool
acme_message_write(const struct acme_message *message,
    struct acme_buffer *out, struct acme_error *err)
{
    const struct message_rule *rule = find_rule(message->type);
    struct wire_header header = {
        .at = message->at,
        .version = WIRE_VERSION,
        .type = (uint16_t) message->type,
        .id = message->id,
        .number = message->number,
        .status = message->status,
    };
    size_t before = out->len;
    bool added;

    if (rule == NULL) {
        return acme_fail(err, ACME_LOCAL, "message of unknown type %u",
            (unsigned) message->type);
    }
    if (!check_for_writing(message, rule, err)) {
        return false;
    }
    for (unsigned i = 0; i < ACME_MESSAGE_TEXTS; i++) {
        header.len[i] = (uint32_t) message->text[i].len;
    }
    added = acme_buffer_add(out, &header, sizeof(header));
    for (unsigned i = 0; added && i < ACME_MESSAGE_TEXTS; i++) {
        added = acme_buffer_add(out, message->text[i].at,
            message->text[i].len);
    }
    if (!added) {
        out->len = before;
        if (out->at != NULL) {
            out->at[before] = '\0';
        }
        return acme_fail_memory(err);
    }
    return true;
}

/* ---- reading */

static bool
check_header(const struct wire_header *header, size_t datagram_len,
    enum acme_message_end end, struct acme_error *err)
{
    const struct message_rule *rule = find_rule(header->type);
    size_t total = sizeof(*header);

    if (header->version != WIRE_VERSION) {
        return acme_fail(err, ACME_PEER_BROKE,
            "message of version %u, ours is %u", header->version,
            WIRE_VERSION);
    }
    if (rule == NULL || rule->sender == end) {
        return acme_fail(err, ACME_PEER_BROKE,
            "message of a type (%u) that is not for us", header->type);
    }
    for (unsigned i = 0; i < ACME_MESSAGE_TEXTS; i++) {
        if (header->len[i] > rule->max[i]) {
            return acme_fail(err, ACME_PEER_BROKE,
                "message %s: text %u has %u bytes, at most %u", rule->name,
                i, header->len[i], rule->max[i]);
        }
        total += header->len[i];
    }
    if (total != datagram_len) {
        return acme_fail(err, ACME_PEER_BROKE,
            "message %s of %zu bytes speaks of %zu", rule->name,
            datagram_len, total);
    }
    return true;
}

bool
acme_message_read(struct acme_bytes datagram, enum acme_message_end end,
    struct acme_message *message, struct acme_error *err)
{
    struct wire_header header;
    const uint8_t *at;

    if (datagram.len < sizeof(header)) {
        return acme_fail(err, ACME_PEER_BROKE,
            "message of %zu bytes is too short", datagram.len);
    }
    memcpy(&header, datagram.at, sizeof(header));
    if (!check_header(&header, datagram.len, end, err)) {
        return false;
    }
    *message = (struct acme_message) {
        .type = header.type,
        .id = header.id,
        .number = header.number,
        .status = header.status,
        .at = header.at,
        .fd = -1,
    };
    at = datagram.at + sizeof(header);
    for (unsigned i = 0; i < ACME_MESSAGE_TEXTS; i++) {
        message->text[i].at = at;
        message->text[i].len = header.len[i];
        at += header.len[i];
        if (holds_nul(message->text[i])) {
            return acme_fail(err, ACME_PEER_BROKE,
                "message %s: text %u holds a NUL",
                acme_message_name(message->type), i);
        }
    }
    return true;
}

bool
acme_message_text(const struct acme_message *message, unsigned index,
    char *out, size_t size)
{
    struct acme_bytes text;

    if (index >= ACME_MESSAGE_TEXTS || message->text[index].len >= size) {
        return false;
    }
    text = message->text[index];
    if (text.len > 0) {
        memcpy(out, text.at, text.len);
    }
    out[text.len] = '\0';
    return true;
}
