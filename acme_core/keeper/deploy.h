/*
 * A new certificate goes live by a graceful reload; several that land
 * together are one reload.
 */

#ifndef ACME_KEEPER_DEPLOY_H
#define ACME_KEEPER_DEPLOY_H

#include "keeper/state.h"

/*
 * A certificate has landed in live/.
 *   urgent   what is served lacks a name, has expired or is a placeholder;
 *            otherwise the new one only renews it
 *   latest   unix seconds: what is served has lost a tenth of its life then,
 *            or all of it, and no other one is waited for; 0 = it can wait
 */
void deploy_landed(struct keeper *keeper, bool urgent, int64_t latest);

/* The server has reloaded, and serves something else: so many certificates. */
void deploy_again(struct keeper *keeper, unsigned missed);

/* Has the server what live/ has, as far as reloads go? */
bool deploy_is_done(const struct keeper *keeper);

/*
 * Reload when it is time: as soon as no order is under way, at the latest
 * acme_reload's delay after the first certificate landed, and never within
 * that delay (for renewals: a minute) after the last reload. For the other
 * half of a certificate that was renewed it is waited longer. What is served
 * and can wait no longer puts an end to all of that. Asked again, with a
 * warning, when the server did not answer: a configuration on disk
 * that does not pass -t is not loaded.
 */
void deploy_run(struct keeper *keeper);

/*
 * The check of the configuration was started (fd, taken over; -1: it could not
 * be) / its verdict is there, or not yet.
 */
void deploy_watch_check(struct keeper *keeper, int fd);
void deploy_take_check(struct keeper *keeper);

/* When deploy_run wants to be called again; INT64_MAX = nothing to do. */
int64_t deploy_wake_at(const struct keeper *keeper);

/*
 * The clock was set back by so many seconds (ahead, when less than 0); .now is
 * the new time.
 */
void deploy_clock_set_back(struct keeper *keeper, int64_t by);

/*
 * The server told of a reload with equal settings. True when it was
 * an operator's and not the one that we asked for: that comes soon after.
 */
bool deploy_reloaded(struct keeper *keeper);

#endif
