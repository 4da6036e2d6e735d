/*
 * An operator's command to the keeper, by control.sock. acmectl will be its
 * user; until then there is "acme-helper ctl STATE_PATH WORD...".
 */

#include "helper/ctl.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "serve/neighbour.h"

enum { PATIENCE_MS = 150 * 1000, LINE_MAX = 500, ANSWER_MAX = 4096 };

static bool
write_line(int fd, int count, char **words)
{
    struct acme_buffer line = ACME_BUFFER(LINE_MAX);
    bool ok = count > 0;

    for (int i = 0; ok && i < count; i++) {
        ok = words[i][strcspn(words[i], " \n")] == '\0'
            && acme_buffer_printf(&line, "%s%s", i > 0 ? " " : "", words[i]);
    }
    ok = ok && acme_buffer_add_text(&line, "\n")
        && send(fd, line.at, line.len, MSG_NOSIGNAL) == (ssize_t) line.len;
    acme_buffer_free(&line);
    return ok;
}

/* One line, without its end. The descriptor of the greeting is not taken. */
static bool
read_line(int fd, char *out, size_t size)
{
    struct pollfd wait = { fd, POLLIN, 0 };
    size_t len = 0;

    while (len < size - 1 && poll(&wait, 1, PATIENCE_MS) > 0
           && recv(fd, out + len, 1, 0) == 1) {
        if (out[len] == '\n') {
            out[len] = '\0';
            return true;
        }
        len++;
    }
    return false;
}

int
acme_ctl_run(const char *state_path, int count, char **words)
{
    char answer[ANSWER_MAX];
    int fd = acme_neighbour_connect(state_path);
    bool ok;

    if (fd < 0) {
        fprintf(stderr, "error: no helper of ours runs for %s\n", state_path);
        return 1;
    }
    ok = read_line(fd, answer, sizeof(answer))
        && write_line(fd, count, words)
        && read_line(fd, answer, sizeof(answer));
    close(fd);
    if (!ok) {
        fprintf(stderr, "error: the helper gave no answer\n");
        return 1;
    }
    ok = strcmp(answer, "ok") == 0;
    fprintf(ok ? stdout : stderr, "%s\n", answer);
    return ok ? 0 : 1;
}
