/* Building subjectAltName from structures, never from a configuration text:
 * a name is data and must not be parsed as one. */

#include "crypto/san.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

static GENERAL_NAME *
make_name(const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(V_ASN1_IA5STRING);
    unsigned char address[16];
    const void *data = text;
    int type = GEN_DNS;
    int len = (int) strlen(text);

    if (inet_pton(AF_INET, text, address) == 1
        || inet_pton(AF_INET6, text, address) == 1) {
        ASN1_STRING_free(value);
        value = ASN1_STRING_type_new(V_ASN1_OCTET_STRING);
        data = address;
        len = strchr(text, ':') != NULL ? 16 : 4;
        type = GEN_IPADD;
    }
    if (name == NULL || value == NULL
        || ASN1_STRING_set(value, data, len) != 1) {
        GENERAL_NAME_free(name);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return name;
}

X509_EXTENSION *
acme_san_new(const char *const *names, size_t name_count)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    X509_EXTENSION *extension = NULL;

    if (list == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < name_count; i++) {
        GENERAL_NAME *name = make_name(names[i]);

        if (name == NULL || sk_GENERAL_NAME_push(list, name) <= 0) {
            GENERAL_NAME_free(name);
            goto out;
        }
    }
    extension = X509V3_EXT_i2d(NID_subject_alt_name, 0, list);

out:
    GENERAL_NAMES_free(list);
    return extension;
}
