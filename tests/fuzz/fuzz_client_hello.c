/* Any bytes as a client's first message; names stay within their bounds. */

#include <assert.h>
#include <string.h>

#include "format/client_hello.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acme_hello hello;
    char name[ACME_SERVER_NAME_MAX + 1];
    size_t len;

    if (!acme_hello_read((struct acme_bytes) { data, size }, &hello)) {
        /* then the bytes are the bodies of the extensions */
        hello.alpn = hello.server_name = (struct acme_bytes) { data, size };
    }
    if (acme_hello_is_challenge(&hello)) {
        assert(memcmp(hello.alpn.at + 3, "acme-tls/1", 10) == 0);
    }
    if (acme_hello_name(&hello, name, &len)) {
        assert(len > 0 && len <= ACME_SERVER_NAME_MAX && strlen(name) == len);
        assert(strpbrk(name, " \r\n\tABCXYZ") == NULL);
    }
    return 0;
}
