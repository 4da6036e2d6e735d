/* The first message of a TLS client: nothing in it is trusted. */

#include "format/client_hello.h"

#include <string.h>

enum {
    CLIENT_HELLO = 1,        /* type of the handshake message */
    SERVER_NAME = 0,         /* types of extensions */
    ALPN = 16,
    HOST_NAME = 0,           /* type of a server name */
    VERSION_AND_RANDOM = 2 + 32
};

/* ---- vectors: a length of some bytes, then as many bytes */

static bool
take(struct acme_bytes *rest, size_t len, struct acme_bytes *out)
{
    if (rest->len < len) {
        return false;
    }
    *out = (struct acme_bytes) { rest->at, len };
    rest->at += len;
    rest->len -= len;
    return true;
}

static bool
take_number(struct acme_bytes *rest, size_t width, size_t *out)
{
    struct acme_bytes digits;

    if (!take(rest, width, &digits)) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < width; i++) {
        *out = *out << 8 | digits.at[i];
    }
    return true;
}

static bool
take_vector(struct acme_bytes *rest, size_t width, struct acme_bytes *out)
{
    size_t len;

    return take_number(rest, width, &len) && take(rest, len, out);
}

/* ---- the message */

static bool
read_extensions(struct acme_bytes rest, struct acme_hello *hello)
{
    while (rest.len > 0) {
        struct acme_bytes body, *known;
        size_t type;

        if (!take_number(&rest, 2, &type) || !take_vector(&rest, 2, &body)) {
            return false;
        }
        known = type == SERVER_NAME ? &hello->server_name
            : type == ALPN ? &hello->alpn : NULL;
        if (known == NULL) {
            continue;
        }
        if (known->at != NULL) {
            return false;
        }
        *known = body;
    }
    return true;
}

bool
acme_hello_read(struct acme_bytes message, struct acme_hello *hello)
{
    struct acme_bytes body, skipped, extensions = { 0 };
    size_t type;

    *hello = (struct acme_hello) { 0 };
    return take_number(&message, 1, &type) && type == CLIENT_HELLO
        && take_vector(&message, 3, &body) && message.len == 0
        && take(&body, VERSION_AND_RANDOM, &skipped)
        && take_vector(&body, 1, &skipped)      /* session id */
        && take_vector(&body, 2, &skipped)      /* cipher suites */
        && take_vector(&body, 1, &skipped)      /* compression */
        && (body.len == 0 || take_vector(&body, 2, &extensions))
        && body.len == 0 && read_extensions(extensions, hello);
}

/* ---- what is in the extensions */

bool
acme_hello_is_challenge(const struct acme_hello *hello)
{
    static const uint8_t only[] = "\0\x0b\x0a" "acme-tls/1";

    return hello->alpn.len == sizeof(only) - 1
        && memcmp(hello->alpn.at, only, sizeof(only) - 1) == 0;
}

/* Lower case, or NUL for what no name in a certificate has. */
static char
name_byte(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return (char) (byte - 'A' + 'a');
    }
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9')
        || byte == '-' || byte == '.' || byte == '_' ? (char) byte : '\0';
}

bool
acme_hello_name(const struct acme_hello *hello,
    char name[ACME_SERVER_NAME_MAX + 1], size_t *len_out)
{
    struct acme_bytes rest = hello->server_name, list, host;
    size_t type;

    if (!take_vector(&rest, 2, &list) || rest.len != 0
        || !take_number(&list, 1, &type) || type != HOST_NAME
        || !take_vector(&list, 2, &host) || list.len != 0
        || host.len == 0 || host.len > ACME_SERVER_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        name[i] = name_byte(host.at[i]);
        if (name[i] == '\0') {
            return false;
        }
    }
    name[host.len] = '\0';
    *len_out = host.len;
    return true;
}
