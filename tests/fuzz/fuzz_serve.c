/* Any path, against a page with one token: only that very path is ours. */

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "serve/serve.h"

#define PATH "/.well-known/acme-challenge/token-1_A"

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
    close(fd);
    return page;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acme_page *page;
    char body[ACME_KEY_AUTH_MAX + 1];
    size_t len;

    page = page != NULL ? page : make_page();
    if (acme_serve_http01(page, (const char *) data, size, body, &len)) {
        assert(size == strlen(PATH) && memcmp(data, PATH, size) == 0);
        assert(strcmp(body, "print") == 0);
    } else {
        assert(size != strlen(PATH) || memcmp(data, PATH, size) != 0);
    }
    return 0;
}
