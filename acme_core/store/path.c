/* Opening the store's folders without following anything. */

#include "store/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool
acme_path_check(const char *folder, struct acme_error *err)
{
    size_t len = strlen(folder);

    if (len == 0 || len > 255 || folder[0] == '.'
        || strchr(folder, '/') != NULL) {
        return acme_fail(err, ACME_LOCAL, "not the name of a folder");
    }
    return true;
}

int
acme_path_open(int dir_fd, const char *name, struct acme_error *err)
{
    int fd = openat(dir_fd, name,
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) {
        acme_fail_sys(err, "opening %s", name);
    }
    return fd;
}

int
acme_path_open_state(const char *state_path, struct acme_error *err)
{
    int fd;

    if (state_path[0] != '/') {
        acme_fail(err, ACME_MISCONFIG, "acme_state_path \"%s\" is not an "
            "absolute path", state_path);
        return -1;
    }
    fd = open(state_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        acme_fail_sys(err, "opening acme_state_path %s", state_path);
    }
    return fd;
}
