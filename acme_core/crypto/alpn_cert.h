/*
 * What a server shows to a CA that validates by tls-alpn-01 (RFC 8737 3,
 * RFC 8738 for IP addresses), and by which name the CA asks for it.
 */

#ifndef ACME_CRYPTO_ALPN_CERT_H
#define ACME_CRYPTO_ALPN_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "format/client_hello.h"

/*
 * The name in the SNI extension of the CA's hello: a DNS name in lower case;
 * for an IP address its reverse name (RFC 8738 6). False when the identifier
 * is empty or too long.
 */
bool acme_server_name_of(const char *identifier,
    char name[ACME_SERVER_NAME_MAX + 1]);

/*
 * Append a self-signed certificate (DER) and the key that was made for it and
 * is for nothing else (PKCS#8 DER, ECDSA P-256): one name, the identifier,
 * and the critical acmeIdentifier extension.
 *   identifier   DNS name or IP address
 *   key_auth     the key authorization; its SHA-256 is in the extension
 *   now          unix seconds; valid from an hour before it for 30 days
 * Wipe the key's buffer after use.
 */
bool acme_alpn_cert_write(const char *identifier, struct acme_bytes key_auth,
    int64_t now, struct acme_buffer *cert_der, struct acme_buffer *key_der,
    struct acme_error *err);

#endif
