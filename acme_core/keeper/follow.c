/*
 * The other keeper may serve the old master of a binary upgrade, or another
 * server with the same acme_state_path. It reloads its own server only. A link
 * of live/ is made anew at each flip, so its time says when that was; the time
 * of live/ itself says whether there was any.
 */

#include "keeper/follow.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "keeper/deploy.h"

enum { STRANGER_S = 20, TICK_MS = 20 };

/*
 * Nanoseconds since 1970 of live/ (folder = ""), or of a link in it; or 0. A
 * link is made before it is renamed to its place: that changes its ctime.
 */
static int64_t
changed_at(const struct keeper *keeper, const char *folder)
{
    char path[PATH_MAX];
    struct stat info;
    int len = snprintf(path, sizeof(path), "%s/live/%s",
        keeper->settings->state_path, folder);

    if (len < 0 || (size_t) len >= sizeof(path) || lstat(path, &info) != 0) {
        return 0;
    }
    return (int64_t) info.st_ctim.tv_sec * 1000000000 + info.st_ctim.tv_nsec;
}

/* The file system's clock lags behind by a tick. */
static bool
is_since_load(const struct keeper *keeper, int64_t at_ns)
{
    return at_ns / 1000000 >= keeper->loaded_ms - TICK_MS;
}

bool
follow_landed_since_load(const struct keeper *keeper,
    const struct acme_settings_cert *cert)
{
    return is_since_load(keeper, changed_at(keeper, cert->folder));
}

/* A clock that was set back makes the next flip older than the last one. */
static void
look_for_flips(struct keeper *keeper)
{
    const struct acme_settings *settings = keeper->settings;
    int64_t dir_at = changed_at(keeper, "");
    int64_t newest = 0;
    uint64_t sum = 0;

    if (dir_at == keeper->followed_dir_ns) {
        return;
    }
    keeper->followed_dir_ns = dir_at;
    for (size_t i = 0; i < settings->cert_count; i++) {
        int64_t at = changed_at(keeper, settings->certs[i].folder);

        newest = at > newest ? at : newest;
        sum += (uint64_t) at;
    }
    if (sum != keeper->followed_ns && is_since_load(keeper, newest)) {
        deploy_landed(keeper, true, 0);
    }
    keeper->followed_ns = sum;
}

/* Certificates of ours that the other keeper has not even begun to obtain. */
static void
tell_strangers(struct keeper *keeper)
{
    const struct acme_settings *settings = keeper->settings;

    keeper->strangers_told = true;
    for (size_t i = 0; i < settings->cert_count; i++) {
        const char *folder = settings->certs[i].folder;
        struct acme_buffer entry = ACME_BUFFER(ACME_STORE_FILE_MAX);
        struct acme_error err;

        if (!acme_store_entry_read(settings->state_path, folder, &entry, &err)
            && err.sys == ENOENT) {
            acme_log_always(&keeper->log, ACME_LOG_ERROR, "%s: no certificate "
                "is obtained, since the helper that has the store does not "
                "look after it: name it there too, or use another "
                "acme_state_path", folder);
        }
        acme_buffer_free(&entry);
    }
}

void
follow(struct keeper *keeper)
{
    if (keeper->followed_at == 0) {
        keeper->followed_at = keeper->now;
    }
    look_for_flips(keeper);
    if (!keeper->strangers_told
        && keeper->now >= keeper->followed_at + STRANGER_S) {
        tell_strangers(keeper);
    }
    deploy_run(keeper);
}
