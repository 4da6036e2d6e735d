/*
 * What an operator asks for by control.sock: another account key (RFC 8555
 * 7.3.5), the revocation of a certificate (7.6). One at a time; whoever asked
 * gets one line.
 */

#ifndef ACME_KEEPER_TASK_H
#define ACME_KEEPER_TASK_H

#include "keeper/state.h"

/*
 * "rollover CA" or "revoke FOLDER [REASON]". Takes the client over: it is
 * answered now when that cannot be done, else when it is.
 */
void task_begin(struct keeper *keeper, const char *line, int client_fd);

/* Give it to the agent, once there is one. */
void task_hand_over(struct keeper *keeper);

/* The payload that the agent may have signed for it. */
bool task_sign(struct keeper *keeper, enum acme_kind kind, const char *url,
    struct acme_buffer *payload, struct acme_error *err);

/* Its end: by the CA, or with err. Nothing without a task. */
void task_done(struct keeper *keeper);
void task_failed(struct keeper *keeper, const struct acme_error *err,
    const char *step);

/* The agent that worked on it is gone. */
void task_agent_lost(struct keeper *keeper, const struct acme_error *why);

/* The keeper ends: whoever waits is told to ask again. */
void task_forget(struct keeper *keeper);

#endif
