/*
 * Puts a tls-alpn-01 challenge on the page of a running server, as its keeper
 * does, or takes it back:
 *
 *     alpn_entry STATE_PATH publish IDENTIFIER TOKEN KEY_AUTHORIZATION
 *     alpn_entry STATE_PATH withdraw IDENTIFIER TOKEN
 *
 * So a test sees what a CA would see, without one.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crypto/alpn_cert.h"
#include "page/page.h"
#include "serve/neighbour.h"

static bool
publish(struct acme_page *page, const char *identifier, struct acme_bytes name,
    struct acme_bytes token, const char *key_auth, struct acme_error *err)
{
    struct acme_buffer cert = ACME_BUFFER(ACME_PAGE_CERT_MAX);
    struct acme_buffer key = ACME_BUFFER(ACME_PAGE_KEY_MAX);
    struct acme_page_alpn pair;
    bool ok = acme_alpn_cert_write(identifier, acme_bytes_of(key_auth),
        time(NULL), &cert, &key, err);

    if (ok) {
        pair.cert_len = cert.len;
        pair.key_len = key.len;
        memcpy(pair.cert, cert.at, cert.len);
        memcpy(pair.key, key.at, key.len);
        ok = acme_page_publish_alpn(page, name, token, &pair, err);
    }
    acme_buffer_free(&cert);
    acme_buffer_wipe(&key);
    return ok;
}

int
main(int argc, char **argv)
{
    char name[ACME_SERVER_NAME_MAX + 1];
    struct acme_error err = { 0 };
    struct acme_page *page;
    struct acme_bytes token;
    bool ok = true;
    int fd;

    if (argc < 5 || !acme_server_name_of(argv[3], name)) {
        fprintf(stderr, "usage: alpn_entry STATE_PATH publish|withdraw "
            "IDENTIFIER TOKEN [KEY_AUTHORIZATION]\n");
        return 2;
    }
    token = acme_bytes_of(argv[4]);
    fd = acme_neighbour_page(argv[1]);
    page = fd >= 0 ? acme_page_map_writer(fd, &err) : NULL;
    if (page == NULL) {
        fprintf(stderr, "no page: %s\n", err.text);
        return 1;
    }
    if (argc == 6) {
        ok = publish(page, argv[3], acme_bytes_of(name), token, argv[5],
            &err);
    } else {
        acme_page_withdraw_alpn(page, acme_bytes_of(name), token);
    }
    if (!ok) {
        fprintf(stderr, "%s\n", err.text);
    }
    acme_page_unmap(page);
    close(fd);
    return ok ? 0 : 1;
}
