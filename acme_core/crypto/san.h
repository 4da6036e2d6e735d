/* The subjectAltName extension; shared by the files of crypto/ only. */

#ifndef ACME_CRYPTO_SAN_H
#define ACME_CRYPTO_SAN_H

#include <openssl/x509.h>
#include <stddef.h>

/* One dNSName or iPAddress a name; NULL when OpenSSL or memory fails. */
X509_EXTENSION *acme_san_new(const char *const *names, size_t name_count);

#endif
