/*
 * Any path, any server name, against a page with one token and one name: only
 * that very path and that name are ours.
 */

#include <assert.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "serve/serve.h"

#define PATH "/.well-known/acme-challenge/token-1_A"
#define NAME "a.test"
#define SERVER_NAME "\0\x09\0\0\x06" NAME

static const struct acme_page_alpn pair = { 4, 3, "cert", "key" };

static struct acme_page *
make_page(void)
{
    struct acme_page *page;
    struct acme_error err;
    int fd;

    assert(acme_page_make(&fd, &err));
    page = acme_page_map_writer(fd, &err);
    assert(page != NULL && acme_page_publish(page,
        acme_bytes_of("token-1_A"), acme_bytes_of("print"), &err));
    assert(acme_page_publish_alpn(page, acme_bytes_of(NAME),
        acme_bytes_of("token-1_A"), &pair, &err));
    close(fd);
    return page;
}

static void
ask_for_path(const struct acme_page *page, const uint8_t *data, size_t size)
{
    char body[ACME_KEY_AUTH_MAX + 1];
    size_t len;

    if (acme_serve_http01(page, (const char *) data, size, body, &len)) {
        assert(size == strlen(PATH) && memcmp(data, PATH, size) == 0);
        assert(strcmp(body, "print") == 0);
    } else {
        assert(size != strlen(PATH) || memcmp(data, PATH, size) != 0);
    }
}

static void
ask_for_name(const struct acme_page *page, const uint8_t *data, size_t size)
{
    static const uint8_t offer[] = "\0\x0b\x0a" "acme-tls/1";
    struct acme_hello hello = { { data, size }, { offer, sizeof(offer) - 1 } };
    struct acme_page_alpn found;

    if (acme_serve_alpn01(page, &hello, &found)) {
        assert(size == sizeof(SERVER_NAME) - 1
            && strncasecmp((const char *) data + 5, NAME, strlen(NAME)) == 0);
        assert(found.cert_len == 4 && memcmp(found.cert, "cert", 4) == 0);
        assert(found.key_len == 3 && memcmp(found.key, "key", 3) == 0);
    } else {
        assert(size != sizeof(SERVER_NAME) - 1
            || memcmp(data, SERVER_NAME, size) != 0);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acme_page *page;

    page = page != NULL ? page : make_page();
    ask_for_path(page, data, size);
    ask_for_name(page, data, size);
    return 0;
}
