/*
 * acme-helper: one executable, six roles. The server starts the supervisor;
 * the supervisor starts the others. The first argument of exec names the role.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "helper/ctl.h"
#include "helper/helper.h"
#include "helper/logfile.h"
#include "helper/sandbox.h"
#include "keeper/check.h"
#include "keeper/event_run.h"
#include "keeper/keeper.h"
#include "keeper/keygen.h"
#include "serve/spawn.h"

enum { SETTINGS_MAX = 64 * 1024 * 1024 };

static int
give_up(const struct acme_log *log, const struct acme_error *err)
{
    acme_log_always(log, ACME_LOG_ALERT, "%s", err->text);
    return 1;
}

/* pread, because the descriptor's offset is shared with earlier keepers. */
static struct acme_settings *
read_settings(struct acme_error *err)
{
    struct acme_settings *settings;
    struct acme_bytes wire = { 0 };
    struct stat info;
    void *map;

    if (fstat(ACME_FD_SETTINGS, &info) != 0) {
        acme_fail_sys(err, "settings");
        return NULL;
    }
    if (info.st_size <= 0 || info.st_size > SETTINGS_MAX) {
        acme_fail(err, ACME_PEER_BROKE, "settings of %lld bytes",
            (long long) info.st_size);
        return NULL;
    }
    wire.len = (size_t) info.st_size;
    map = mmap(NULL, wire.len, PROT_READ, MAP_PRIVATE, ACME_FD_SETTINGS, 0);
    if (map == MAP_FAILED) {
        acme_fail_sys(err, "settings");
        return NULL;
    }
    wire.at = map;
    settings = acme_settings_read(wire, err);
    munmap(map, wire.len);
    return settings;
}

/*
 * The supervisor has no log: its new keeper says how the last one ended. One
 * that exits has said why.
 */
static void
log_death(const struct acme_log *log, int number)
{
    if (number > 0) {
        acme_log_always(log, ACME_LOG_WARN, "the keeper was ended by signal "
            "%d (%s); a new one goes on", number, strsignal(number));
    }
}

/*
 * The argument is "<inode of the lifetime pipe> <time of the last load>
 * <whether that was a reload> <signal that ended the last keeper, or 0>".
 */
static int
be_keeper(const char *argument)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_keeper_start start = { .supervisor_fd = ACME_FD_PARENT,
        .page_fd = ACME_FD_PAGE };
    struct acme_settings *settings;
    struct acme_error err;
    char *end;
    int status;

    settings = read_settings(&err);
    if (settings == NULL) {
        acme_while(&err, "the module and its helper do not fit together "
            "(restart the server after an upgrade)");
        return give_up(&log, &err);
    }
    log = acme_logfile(settings);
    if (!acme_sandbox_common(&err) || !acme_sandbox_keeper(&err)) {
        acme_settings_free(settings);
        return give_up(&log, &err);
    }
    start.life_inode = strtoull(argument, &end, 10);
    start.loaded_ms = strtoll(end, &end, 10);
    start.reloaded = strtol(end, &end, 10) != 0;
    log_death(&log, (int) strtol(end, NULL, 10));
    status = acme_keeper_run(settings, &start, &log);
    acme_settings_free(settings);
    return status;
}

static bool
enter_agent_sandbox(void)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_error err;

    if (!acme_sandbox_agent(&err)) {
        give_up(&log, &err);
        return false;
    }
    return true;
}

static int
be_agent(const char *user)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_error err;

    if (!acme_sandbox_user(user, &err) || !acme_sandbox_common(&err)) {
        return give_up(&log, &err);
    }
    return acme_agent_run(ACME_FD_PARENT, enter_agent_sandbox);
}

static int
be_keygen(const char *type)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_error err;

    if (!acme_sandbox_common(&err) || !acme_sandbox_keeper(&err)
        || !acme_keygen_run(ACME_FD_PARENT, type, &err)) {
        return give_up(&log, &err);
    }
    return 0;
}

static int
be_checker(const char *master)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_error err;

    return acme_check_run(ACME_FD_PARENT, master, &err) ? 0
        : give_up(&log, &err);
}

/* What it may run is the master's word: the keeper has none in that. */
static int
be_event(const char *argument)
{
    struct acme_log log = acme_logfile(NULL);
    struct acme_event_program program = { .limit_s = ACME_EVENT_LIMIT_S };
    struct acme_settings *settings;
    struct acme_error err;
    bool ok;

    (void) argument;
    settings = read_settings(&err);
    if (settings == NULL) {
        return give_up(&log, &err);
    }
    close(ACME_FD_SETTINGS);
    program.path = settings->event;
    program.user = settings->event_user;
    ok = program.path == NULL || acme_event_run(ACME_FD_PARENT, &program,
        &err);
    acme_settings_free(settings);
    return ok ? 0 : give_up(&log, &err);
}

static const struct role {
    const char *title;
    int (*run)(const char *argument);
} roles[] = {
    { ACME_TITLE_SUPERVISOR, acme_supervisor_run },
    { ACME_TITLE_KEEPER, be_keeper },
    { ACME_TITLE_AGENT, be_agent },
    { ACME_TITLE_KEYGEN, be_keygen },
    { ACME_TITLE_CHECK, be_checker },
    { ACME_TITLE_EVENT, be_event },
};

int
main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++) {
        if (argc >= 1 && strcmp(argv[0], roles[i].title) == 0) {
            return roles[i].run(argc >= 2 ? argv[1] : "");
        }
    }
    if (argc >= 4 && strcmp(argv[1], "ctl") == 0) {
        return acme_ctl_run(argv[2], argc - 3, argv + 3);
    }
    printf(ACME_HELPER_VERSION "\n"
        "Obtains certificates for the web server, which starts it by itself:\n"
        "write acme_domain in a server block.\n");
    return argc == 2 && strcmp(argv[1], "--version") == 0 ? 0 : 1;
}
