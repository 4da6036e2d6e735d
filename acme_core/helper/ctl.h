/* An operator's command to the keeper that has a store. */

#ifndef ACME_HELPER_CTL_H
#define ACME_HELPER_CTL_H

/* Say the words and print the answer; returns the exit status, 0 or 1. */
int acme_ctl_run(const char *state_path, int count, char **words);

#endif
