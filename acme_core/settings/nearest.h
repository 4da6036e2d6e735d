/* "did you mean": the nearest right spelling. */

#ifndef ACME_SETTINGS_NEAREST_H
#define ACME_SETTINGS_NEAREST_H

#include <stddef.h>

/*
 * Write "; did you mean \"x\"?" for the nearest of the words, or "" when none
 * is near (more than a third of its letters differ). Returns out.
 */
const char *acme_nearest(const char *text, const char *const *words,
    size_t count, char *out, size_t size);

#endif
