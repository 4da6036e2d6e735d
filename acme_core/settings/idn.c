/*
 * Internationalized names, by libidn2; the only file that includes it. What
 * the ASCII form may be is name.c's business.
 */

#include "settings/idn.h"

#include <idn2.h>
#include <stdio.h>
#include <string.h>

/* A name of 253 bytes has no more than so many in UTF-8. */
enum { UTF8_MAX = 4 * ACME_NAME_MAX };

bool
acme_idn_is(const char *name)
{
    for (; *name != '\0'; name++) {
        if ((unsigned char) *name >= 0x80) {
            return true;
        }
    }
    return false;
}

bool
acme_idn_to_ascii(const char *name, char ascii[ACME_NAME_MAX + 2],
    const char **why_out)
{
    char *found = NULL;
    int code = IDN2_TOO_BIG_DOMAIN;

    if (strnlen(name, UTF8_MAX + 1) <= UTF8_MAX) {
        code = idn2_to_ascii_8z(name, &found,
            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    }
    if (code == IDN2_OK && strlen(found) > ACME_NAME_MAX + 1) {
        code = IDN2_TOO_BIG_DOMAIN;
    }
    if (code == IDN2_OK) {
        snprintf(ascii, ACME_NAME_MAX + 2, "%s", found);
    } else {
        *why_out = idn2_strerror(code);
    }
    idn2_free(found);
    return code == IDN2_OK;
}
