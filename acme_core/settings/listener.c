/*
 * The listener at which a certificate is looked at. Which server answers is
 * decided by the name in the hello: a name of the certificate is taken that
 * the server itself knows, since another server may have the others.
 */

#include "settings/listener.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "settings/name.h"

bool
acme_listener_address(const struct sockaddr *address,
    char text[ACME_ADDRESS_SIZE])
{
    struct in6_addr v6;
    struct in_addr v4;

    if (address->sa_family == AF_INET) {
        v4 = ((const struct sockaddr_in *) address)->sin_addr;
        if (v4.s_addr == htonl(INADDR_ANY)) {
            v4.s_addr = htonl(INADDR_LOOPBACK);
        }
        return inet_ntop(AF_INET, &v4, text, ACME_ADDRESS_SIZE) != NULL;
    }
    if (address->sa_family == AF_INET6) {
        v6 = ((const struct sockaddr_in6 *) address)->sin6_addr;
        if (IN6_IS_ADDR_UNSPECIFIED(&v6)) {
            v6 = in6addr_loopback;
        }
        return inet_ntop(AF_INET6, &v6, text, ACME_ADDRESS_SIZE) != NULL;
    }
    return false;
}

/* "*.a.test" is every name below a.test, ".a.test" that and a.test too. */
static bool
is_known_as(const char *name, const char *server_name)
{
    size_t len = strlen(name), server_len = strlen(server_name);

    if (server_name[0] == '~') {
        return false;
    }
    if (server_name[0] == '.') {
        return strcasecmp(name, server_name + 1) == 0
            || (len > server_len && strcasecmp(name + len - server_len,
                server_name) == 0);
    }
    return strcasecmp(name, server_name) == 0
        || (strpbrk(server_name, "*?") != NULL
            && fnmatch(server_name, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0);
}

static bool
server_has(const struct acme_listener *listener, const char *name)
{
    for (size_t i = 0; i < listener->name_count; i++) {
        if (is_known_as(name, listener->names[i])) {
            return true;
        }
    }
    return false;
}

/* A client that wants an address names nobody. */
static const char *
choose_name(const struct acme_settings_cert *cert,
    const struct acme_listener *listener)
{
    for (size_t i = 0; i < cert->name_count; i++) {
        if (!acme_name_is_ip(cert->names[i])
            && server_has(listener, cert->names[i])) {
            return cert->names[i];
        }
    }
    return listener->is_default ? cert->names[0] : NULL;
}

/* Rather the port to which the world comes, else the first one. */
static bool
is_better(const struct acme_settings *settings, unsigned port,
    const struct acme_settings_listener *than)
{
    return than->name == NULL || (port == settings->port_https
        && than->port != settings->port_https);
}

void
acme_settings_add_listener(struct acme_settings *settings, size_t cert,
    const struct acme_listener *listener)
{
    struct acme_settings_cert *to = &settings->certs[cert];
    const char *name = choose_name(to, listener);
    struct acme_settings_listener new = { 0 };

    if (name == NULL || !is_better(settings, listener->port,
            &to->listener)) {
        return;
    }
    new.name = strdup(name);
    new.address = strdup(listener->address);
    new.port = listener->port;
    new.proxy_protocol = listener->proxy_protocol;
    if (new.name == NULL || new.address == NULL) {
        free(new.name);     /* it is served all the same, and not looked at */
        free(new.address);
        return;
    }
    free(to->listener.name);
    free(to->listener.address);
    to->listener = new;
}
