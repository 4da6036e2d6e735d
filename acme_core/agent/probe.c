/*
 * Probes, by libcurl: connect, a handshake without verification, and that is
 * all. The certificate is the answer, so that there must be one each time: no
 * session is resumed. A PROXY header is libcurl's (version 1, with the
 * addresses that the connection really has): nginx and httpd take either
 * version, and what it says is true.
 */

#include "agent/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sender.h"
#include "crypto/shown.h"

enum { TIMEOUT_S = 5, ADDRESS_MAX = 64 };

struct probe {
    struct probe *next;
    uint32_t id;
    CURL *easy;
    struct curl_slist *connect_to;
    char curl_error[CURL_ERROR_SIZE];
};

static void
free_probe(struct probe *probe)
{
    curl_easy_cleanup(probe->easy);
    curl_slist_free_all(probe->connect_to);
    free(probe);
}

/* ---- begin */

/* A chain of setopt calls that stops at the first failure. */
#define SET(option, value) \
    (curl_easy_setopt(probe->easy, (option), (value)) == CURLE_OK)

/* Host and port as a URL has them. */
static void
write_authority(char *out, size_t size, const char *host, unsigned port)
{
    bool v6 = strchr(host, ':') != NULL;

    snprintf(out, size, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
        port);
}

/* The hello has the URL's name, if it is one; the address is of its own. */
static bool
set_target(struct probe *probe, const struct acme_message *message)
{
    char name[300], address[ADDRESS_MAX + 1], authority[320];
    char url[340], connect_to[340];

    if (!acme_message_text(message, 0, name, sizeof(name))
        || !acme_message_text(message, 1, address, sizeof(address))) {
        return false;
    }
    write_authority(authority, sizeof(authority), name, message->number);
    snprintf(url, sizeof(url), "https://%s/", authority);
    write_authority(authority, sizeof(authority), address, message->number);
    snprintf(connect_to, sizeof(connect_to), "::%s", authority);
    probe->connect_to = curl_slist_append(NULL, connect_to);
    return probe->connect_to != NULL
        && SET(CURLOPT_URL, url)
        && SET(CURLOPT_CONNECT_TO, probe->connect_to)
        && SET(CURLOPT_HAPROXYPROTOCOL, (message->status & 1) != 0 ? 1L : 0L);
}

static bool
set_up(struct probe *probe, const struct acme_message *message)
{
    return SET(CURLOPT_ERRORBUFFER, probe->curl_error)
        && SET(CURLOPT_PRIVATE, probe)
        && SET(CURLOPT_NOSIGNAL, 1L)
        && SET(CURLOPT_PROTOCOLS_STR, "https")
        && SET(CURLOPT_PROXY, "")
        && SET(CURLOPT_NOPROXY, "*")
        && SET(CURLOPT_CONNECTTIMEOUT, (long) TIMEOUT_S)
        && SET(CURLOPT_TIMEOUT, (long) TIMEOUT_S)
        && SET(CURLOPT_CONNECT_ONLY, 1L)
        && SET(CURLOPT_FRESH_CONNECT, 1L)
        && SET(CURLOPT_FORBID_REUSE, 1L)
        && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L)
        && SET(CURLOPT_SSL_VERIFYPEER, 0L)
        && SET(CURLOPT_SSL_VERIFYHOST, 0L)
        && SET(CURLOPT_CERTINFO, 1L)
        && SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS)
        && set_target(probe, message);
}

void
agent_probe_begin(struct agent *agent, const struct acme_message *message)
{
    struct probe *probe = calloc(1, sizeof(*probe));

    if (probe != NULL) {
        probe->id = message->id;
        probe->easy = curl_easy_init();
        if (probe->easy != NULL && set_up(probe, message)
            && acme_fetch_join(agent->fetch, probe->easy)) {
            probe->next = agent->probes;
            agent->probes = probe;
            return;
        }
        free_probe(probe);
    }
    tell_text(agent, ACME_MESSAGE_NOT_SERVED, message->id,
        "the probe cannot be begun");
}

/* ---- end */

/* The certificate of the server itself, as PEM; "" when there is none. */
static const char *
leaf_of(struct probe *probe)
{
    struct curl_certinfo *chain = NULL;

    if (curl_easy_getinfo(probe->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK
        || chain == NULL || chain->num_of_certs < 1) {
        return "";
    }
    for (struct curl_slist *line = chain->certinfo[0]; line != NULL;
         line = line->next) {
        if (strncmp(line->data, "Cert:", 5) == 0) {
            return line->data + 5;
        }
    }
    return "";
}

static void
tell_shown(struct agent *agent, const struct probe *probe,
    const struct acme_shown *shown)
{
    struct acme_message message = { .type = ACME_MESSAGE_SERVED,
        .id = probe->id, .at = shown->not_after, .fd = -1, .text = {
        acme_bytes_of(shown->fingerprint), acme_bytes_of(shown->subject),
        acme_bytes_of(shown->issuer), acme_bytes_of(shown->serial) } };

    tell(agent, &message);
}

static void
tell_outcome(struct agent *agent, struct probe *probe, CURLcode code)
{
    struct acme_shown shown;
    struct acme_error err;
    char text[600];

    if (code != CURLE_OK) {
        acme_log_sentence(text, sizeof(text),
            acme_bytes_of(probe->curl_error[0] != '\0' ? probe->curl_error
                : curl_easy_strerror(code)));
        tell_text(agent, ACME_MESSAGE_NOT_SERVED, probe->id, text);
    } else if (!acme_shown_read(acme_bytes_of(leaf_of(probe)), &shown,
            &err)) {
        tell_text(agent, ACME_MESSAGE_NOT_SERVED, probe->id,
            "the server shows no certificate that can be read");
    } else {
        tell_shown(agent, probe, &shown);
    }
}

void
agent_probe_finish(struct agent *agent)
{
    CURLcode code;
    CURL *easy;

    while ((easy = acme_fetch_next_guest(agent->fetch, &code)) != NULL) {
        for (struct probe **at = &agent->probes; *at != NULL;
             at = &(*at)->next) {
            struct probe *probe = *at;

            if (probe->easy == easy) {
                *at = probe->next;
                tell_outcome(agent, probe, code);
                free_probe(probe);
                break;
            }
        }
    }
}

void
agent_probe_free(struct agent *agent)
{
    while (agent->probes != NULL) {
        struct probe *probe = agent->probes;

        agent->probes = probe->next;
        acme_fetch_leave(agent->fetch, probe->easy);
        free_probe(probe);
    }
}
