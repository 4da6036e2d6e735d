/* Edit distance (Levenshtein) over short words. */

#include "settings/nearest.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
distance(const char *a, const char *b)
{
    size_t row[WORD_MAX + 1];
    size_t b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            row[j] = smaller(change, smaller(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *
acme_nearest(const char *text, const char *const *words, size_t count,
    char *out, size_t size)
{
    const char *best = NULL;
    size_t least = WORD_MAX;

    out[0] = '\0';
    if (strlen(text) > WORD_MAX) {
        return out;
    }
    for (size_t i = 0; i < count; i++) {
        size_t d = strlen(words[i]) <= WORD_MAX ? distance(text, words[i])
                                                : WORD_MAX;

        if (d < least && d <= (strlen(words[i]) + 2) / 3) {
            least = d;
            best = words[i];
        }
    }
    if (best != NULL) {
        snprintf(out, size, "; did you mean \"%s\"?", best);
    }
    return out;
}
