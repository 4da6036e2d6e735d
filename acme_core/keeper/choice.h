/*
 * Which CA an attempt is at: the first of the certificate's list that can
 * help, or for practice its staging directory. plan/choice.c reckons it.
 */

#ifndef ACME_KEEPER_CHOICE_H
#define ACME_KEEPER_CHOICE_H

#include "keeper/state.h"

/* At the first CA; without an attempt that is where a job is. */
void choice_reset(struct job *job, struct keeper *keeper);

/*
 * At the CA with this directory, of a saved order. False when the list has it
 * no more, or nothing is to be practised there any more.
 */
bool choice_resume(struct job *job, struct keeper *keeper, const char *url,
    bool staging);

/*
 * An idle job is due: to where? One with a saved order is there already, one
 * with a key alone when that CA may be asked. False when no CA of its list
 * may: it waits, as attempt_wait says.
 */
bool choice_begin(struct job *job, struct keeper *keeper);

/* An attempt begins there: say why it is not for practice, as was planned. */
void choice_tell(const struct job *job, struct keeper *keeper);

/* How the certificate is ordered where the attempt is. */
struct acme_settings_choice choice_settings(const struct job *job);

/* The index of the CA where the attempt is, into settings->cas. */
size_t choice_ca(const struct job *job, const struct keeper *keeper);

/*
 * Is the order not one to go back to: of another CA than the first, of one
 * that has failed and is not alone in the list, or for practice, now or next?
 */
bool choice_leaves_order(const struct job *job, const struct keeper *keeper);

/*
 * The order, or what was to be its beginning, has failed. The attempt goes on
 * elsewhere when that is for trouble of the CA's own, or ends.
 */
void choice_failed(struct job *job, struct keeper *keeper,
    const struct acme_error *err, const char *step);

/* The validation has passed on the staging directory: now for good. */
void choice_practised(struct job *job, struct keeper *keeper);

/*
 * An attempt has failed with err, or all CAs of the list have: by which of
 * their errors its pause is reckoned.
 */
struct acme_error choice_verdict(const struct job *job,
    struct keeper *keeper, const struct acme_error *err);

#endif
