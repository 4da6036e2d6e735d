/*
 * Writing log lines as the server does. The server's own reopening of logs
 * calls no module, so rotation is noticed here, by inode.
 */

#include "helper/logfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *
level_name(enum acme_log_level level)
{
    switch (level) {
    case ACME_LOG_ALERT:
        return "alert";
    case ACME_LOG_ERROR:
        return "error";
    case ACME_LOG_WARN:
        return "warn";
    case ACME_LOG_NOTICE:
        return "notice";
    case ACME_LOG_INFO:
        return "info";
    case ACME_LOG_DEBUG:
        break;
    }
    return "debug";
}

static void
follow_rotation(const char *path)
{
    struct stat ours, theirs;
    int fd;

    if (fstat(STDERR_FILENO, &ours) != 0 || !S_ISREG(ours.st_mode)) {
        return;
    }
    if (stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino
        && ours.st_dev == theirs.st_dev) {
        return;
    }
    /* Not created here: it appears, with its owner, when the server reopens. */
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        dup2(fd, STDERR_FILENO);
        close(fd);
    }
}

/* 2026/11/25 09:49:04 [notice] 123#0: ... */
static void
write_for_nginx(enum acme_log_level level, const struct timespec *now,
    const char *line)
{
    char stamp[32];
    struct tm tm;

    localtime_r(&now->tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%Y/%m/%d %H:%M:%S", &tm);
    dprintf(STDERR_FILENO, "%s [%s] %d#0: %s\n", stamp, level_name(level),
        (int) getpid(), line);
}

/* [Wed Nov 25 09:49:04.123456 2026] [acme:notice] [pid 123] ... */
static void
write_for_httpd(enum acme_log_level level, const struct timespec *now,
    const char *line)
{
    char text[LINE_MAX_BYTES], stamp[32];
    struct tm tm;

    localtime_r(&now->tv_sec, &tm);
    strftime(stamp, sizeof(stamp), "%a %b %d %H:%M:%S", &tm);
    dprintf(STDERR_FILENO, "[%s.%06ld %d] [acme:%s] [pid %d] %s\n", stamp,
        now->tv_nsec / 1000, tm.tm_year + 1900, level_name(level),
        (int) getpid(),
        acme_spell(ACME_DIALECT_HTTPD, line, text, sizeof(text)));
}

static void
write_line(void *ctx, enum acme_log_level level, bool always, const char *line)
{
    const struct acme_settings *settings = ctx;
    int limit = settings != NULL ? settings->log_level : ACME_LOG_NOTICE;
    struct timespec now;

    if (!always && (int) level > limit) {
        return;
    }
    if (settings != NULL && settings->log_path != NULL) {
        follow_rotation(settings->log_path);
    }
    clock_gettime(CLOCK_REALTIME, &now);
    if (settings == NULL || settings->dialect == ACME_DIALECT_NGINX) {
        write_for_nginx(level, &now, line);
    } else {
        write_for_httpd(level, &now, line);
    }
}

struct acme_log
acme_logfile(const struct acme_settings *settings)
{
    struct acme_log log = { .sink = write_line, .ctx = (void *) settings };

    return log;
}
