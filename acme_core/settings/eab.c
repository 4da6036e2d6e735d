/* Reading the secret that ties an account to a contract with the CA. */

#include "settings/eab.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/base64url.h"

enum { FILE_MAX = 4096 };

static bool
check_file(int fd, const char *path, struct acme_error *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0) {
        return acme_fail_sys(err, "acme_eab \"%s\"", path);
    }
    if (!S_ISREG(info.st_mode)) {
        return acme_fail(err, ACME_MISCONFIG, "acme_eab \"%s\" is not a "
            "plain file", path);
    }
    if ((info.st_mode & 007) != 0) {
        return acme_fail(err, ACME_MISCONFIG, "acme_eab \"%s\" can be read "
            "by all users (mode %o): chmod 0600 %s", path,
            (unsigned) info.st_mode & 07777, path);
    }
    return true;
}

bool
acme_eab_read(const char *path, struct acme_buffer *key,
    struct acme_error *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char text[FILE_MAX + 1];
    ssize_t len;
    bool ok;

    if (fd < 0) {
        return acme_fail_sys(err, "acme_eab \"%s\"", path);
    }
    if (!check_file(fd, path, err)) {
        close(fd);
        return false;
    }
    len = read(fd, text, sizeof(text));
    if (len < 0) {
        acme_fail_sys(err, "acme_eab \"%s\"", path);
        close(fd);
        return false;
    }
    close(fd);
    ok = len <= FILE_MAX && acme_base64_decode(key, (struct acme_bytes) {
            (const uint8_t *) text, (size_t) len }) && key->len > 0;
    explicit_bzero(text, sizeof(text));
    return ok || acme_fail(err, ACME_MISCONFIG, "acme_eab \"%s\" does not "
        "hold the HMAC key in base64 or base64url, and nothing else", path);
}
