/* Where a certificate is looked at, and which name is asked for there. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "settings/listener.h"

static void
an_address_is_where_it_is_reached_from_here(void **state)
{
    static const struct { const char *bound, *reached; } rows[] = {
        { "0.0.0.0", "127.0.0.1" }, { "127.0.0.2", "127.0.0.2" },
        { "198.51.100.7", "198.51.100.7" }, { "::", "::1" },
        { "2001:db8::7", "2001:db8::7" },
    };
    struct sockaddr_un path = { .sun_family = AF_UNIX };
    char text[ACME_ADDRESS_SIZE];

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct sockaddr_in v4 = { .sin_family = AF_INET };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        bool is_v4 = inet_pton(AF_INET, rows[i].bound, &v4.sin_addr) == 1;

        assert_true(is_v4
            || inet_pton(AF_INET6, rows[i].bound, &v6.sin6_addr) == 1);
        assert_true(acme_listener_address(is_v4 ? (struct sockaddr *) &v4
            : (struct sockaddr *) &v6, text));
        assert_string_equal(text, rows[i].reached);
    }
    assert_false(acme_listener_address((struct sockaddr *) &path, text));
}

/* Which of its names a certificate is looked at by; NULL: not there. */
static const char *
chosen(const char *const *names, const char *const *server_names,
    bool is_default)
{
    static char name[256];
    struct acme_settings_cert cert = { .names = (char **) names };
    struct acme_settings settings = { .certs = &cert, .cert_count = 1 };
    struct acme_listener listener = { .address = "127.0.0.1", .port = 443,
        .proxy_protocol = true, .is_default = is_default,
        .names = server_names };

    while (names[cert.name_count] != NULL) {
        cert.name_count++;
    }
    while (server_names[listener.name_count] != NULL) {
        listener.name_count++;
    }
    acme_settings_add_listener(&settings, 0, &listener);
    if (cert.listener.name == NULL) {
        assert_null(cert.listener.address);
        return NULL;
    }
    assert_string_equal(cert.listener.address, "127.0.0.1");
    assert_int_equal(cert.listener.port, 443);
    assert_true(cert.listener.proxy_protocol);
    strcpy(name, cert.listener.name);
    free(cert.listener.name);
    free(cert.listener.address);
    return name;
}

#define NAMES(...) (const char *const[]) { __VA_ARGS__, NULL }

static void
a_name_is_asked_for_that_the_server_knows(void **state)
{
    static const struct {
        const char *cert[3], *server[3];
        bool is_default;
        const char *name;
    } rows[] = {
        { { "a.test" }, { "a.test" }, false, "a.test" },
        { { "a.test", "b.test" }, { "B.test" }, false, "b.test" },
        { { "a.test", "b.test" }, { "B.test" }, true, "b.test" },
        { { "a.test" }, { "_" }, false, NULL },
        { { "a.test" }, { "_" }, true, "a.test" },
        { { "a.test" }, { "~a.test" }, false, NULL },
        { { "x.a.test" }, { "*.a.test" }, false, "x.a.test" },
        { { "x.y.a.test" }, { "*.a.test" }, false, "x.y.a.test" },
        { { "a.test" }, { "*.a.test" }, false, NULL },
        { { "a.test" }, { ".a.test" }, false, "a.test" },
        { { "x.a.test" }, { ".a.test" }, false, "x.a.test" },
        { { "xa.test" }, { ".a.test" }, false, NULL },
        { { "www.test" }, { "www.*" }, false, "www.test" },
        { { "*.a.test" }, { "*.a.test" }, false, "*.a.test" },
        { { "a.test" }, { "[a].test" }, false, NULL },
        /* clients that want an address name nobody */
        { { "192.0.2.1" }, { "192.0.2.1" }, false, NULL },
        { { "192.0.2.1", "a.test" }, { "a.test" }, true, "a.test" },
        { { "192.0.2.1" }, { "a.test" }, true, "192.0.2.1" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *name = chosen(rows[i].cert, rows[i].server,
            rows[i].is_default);

        if (rows[i].name == NULL ? name != NULL
            : name == NULL || strcmp(name, rows[i].name) != 0) {
            fail_msg("row %zu: %s", i, name != NULL ? name : "none");
        }
    }
}

static void
the_first_listener_is_the_one_or_that_of_the_world(void **state)
{
    struct acme_settings_cert cert = { .names = (char *[]) { "a.test" },
        .name_count = 1 };
    struct acme_settings settings = { .certs = &cert, .cert_count = 1,
        .port_https = 4 };
    struct acme_listener listener = { .address = "127.0.0.1", .port = 1,
        .names = NAMES("b.test"), .name_count = 1 };

    (void) state;
    acme_settings_add_listener(&settings, 0, &listener);
    assert_null(cert.listener.name);
    listener.is_default = true;
    listener.port = 2;
    acme_settings_add_listener(&settings, 0, &listener);
    listener.port = 3;
    acme_settings_add_listener(&settings, 0, &listener);
    assert_int_equal(cert.listener.port, 2);
    listener.port = 4;
    acme_settings_add_listener(&settings, 0, &listener);
    assert_int_equal(cert.listener.port, 4);
    listener.address = "127.0.0.2";
    acme_settings_add_listener(&settings, 0, &listener);
    assert_string_equal(cert.listener.address, "127.0.0.1");
    free(cert.listener.name);
    free(cert.listener.address);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_where_it_is_reached_from_here),
        cmocka_unit_test(a_name_is_asked_for_that_the_server_knows),
        cmocka_unit_test(the_first_listener_is_the_one_or_that_of_the_world),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
