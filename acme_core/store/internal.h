/* What the files of store/ share; no other folder includes it. */

#ifndef ACME_STORE_INTERNAL_H
#define ACME_STORE_INTERNAL_H

#include "store/store.h"

struct acme_store {
    char *path;    /* acme_state_path */
    int fd;        /* of acme_state_path */
    int lock_fd;   /* or -1 */
    int64_t loaded_at;  /* by the server, unix seconds; 0 = not known */
};

/* Open certs/<folder>, made when it is missing. */
int acme_store_certs_folder(struct acme_store *store, const char *folder,
    struct acme_error *err);

#endif
