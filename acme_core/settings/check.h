/* The check of each directive's arguments, and their values. */

#ifndef ACME_SETTINGS_CHECK_H
#define ACME_SETTINGS_CHECK_H

#include "settings/settings.h"

/* Check the arguments; the error does not name the directive. */
bool acme_check_arguments(enum acme_directive directive, size_t argc,
    const char *const *argv, struct acme_error *err);

/* Values of arguments that passed the check. */
bool acme_value_flag(const char *argument);
unsigned acme_value_delay(size_t argc, const char *const *argv,
    unsigned otherwise);
void acme_value_ports(size_t argc, const char *const *argv, unsigned *http,
    unsigned *https);
/* The types of acme_key, ECDSA first; [1] is ACME_KEY_NONE when it is one. */
void acme_value_keys(size_t argc, const char *const *argv,
    enum acme_key_type types[ACME_KEYS_MAX]);
/* The user of acme_event, borrowed; NULL = not given */
const char *acme_value_event_user(size_t argc, const char *const *argv);
/* "30%" and "30d"; both 0 for auto. */
void acme_value_renew(const char *argument, unsigned *percent,
    unsigned *days);
/* NULL = off */
const char *acme_value_proxy(const char *argument);
/* A contact as URL: malloc'ed, NULL when memory ends. */
char *acme_value_contact(const char *argument);

#endif
