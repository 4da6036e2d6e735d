/*
 * Where a certificate can be looked at once it is in service: adapters say at
 * which addresses their servers listen, here one of them is chosen.
 */

#ifndef ACME_SETTINGS_LISTENER_H
#define ACME_SETTINGS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "settings/settings.h"

enum { ACME_ADDRESS_SIZE = 46 };  /* an address as text, with its NUL */

/*
 * The address at which a listener is reached from this machine, as text: for
 * all addresses ("*") the loopback of its family. False for what is no IP
 * address.
 */
bool acme_listener_address(const struct sockaddr *address,
    char text[ACME_ADDRESS_SIZE]);

/* One TLS listener of one server that has a certificate. */
struct acme_listener {
    const char *address;        /* as acme_listener_address has it */
    unsigned port;
    bool proxy_protocol;
    bool is_default;            /* the server answers there to other names
                                   than its own, and to clients without any */
    const char *const *names;   /* of the server, patterns ("*.a.test",
                                   ".a.test", "www.a.*") among them */
    size_t name_count;
};

/*
 * Note the listener as the place to look at the certificate, unless there is
 * one as good, or none of the certificate's names leads to that server.
 */
void acme_settings_add_listener(struct acme_settings *settings, size_t cert,
    const struct acme_listener *listener);

#endif
