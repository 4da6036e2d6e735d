/*
 * The other keeper may serve the old master of a binary upgrade, or another
 * server with the same acme_state_path. It reloads its own server only. A link
 * of live/ is made anew at each flip, so its time says when that was.
 */

#include "keeper/follow.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "keeper/deploy.h"

/* Nanoseconds since 1970, or 0 when nothing is live. */
static int64_t
flipped_at(const struct keeper *keeper, const struct acme_settings_cert *cert)
{
    char path[PATH_MAX];
    struct stat info;
    int len = snprintf(path, sizeof(path), "%s/live/%s",
        keeper->settings->state_path, cert->folder);

    if (len < 0 || (size_t) len >= sizeof(path) || lstat(path, &info) != 0) {
        return 0;
    }
    return (int64_t) info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec;
}

void
follow(struct keeper *keeper)
{
    int64_t newest = 0;

    for (size_t i = 0; i < keeper->settings->cert_count; i++) {
        int64_t at = flipped_at(keeper, &keeper->settings->certs[i]);

        newest = at > newest ? at : newest;
    }
    if (newest > keeper->followed_ns
        && newest / 1000000000 >= keeper->loaded_at) {
        deploy_landed(keeper);
    }
    keeper->followed_ns = newest;
    deploy_run(keeper);
}
