#pragma once

/* A control verb (verbs.h) run where it belongs, for an administrator who asks from a client: in the sm that
 * owns the account, or in each. Accounts are in the store that all share, but their sessions are with their
 * owner, and only the owner writes for them.
 *
 * ERRAND       sm -> sm: frame.sender = errand; body: u8 words, then each sized. Only another sm is believed.
 * ERRAND_DONE  sm -> sm: frame.handle = errand; body: i32 enum zerr, sized reason, the rows (ctl_run).
 *
 * What concerns all daemons is routerd's: PLAN and PLANNED (routerd/shutdown.h) are the same for the one verb that
 * it lets administrators ask. */

#include "err.h"
#include "frame.h"
#include "sm.h"

struct link;
struct errands;
struct errands *errands_new(struct link *link);     /* NULL: none to routerd */
void            errands_free(struct errands **e);

/* Once, after the call below returned. rows, reason: as of ctl_run (common/ctl.h). ZE_UNAVAILABLE: that instance
 * is not there; ZE_TIMEOUT: it did not answer, and nobody knows whether it has done it. */
typedef void errand_done(void *arg, struct slice rows, enum zerr err, const char *reason);

/* words: the verb and its arguments, copied. */
void errand_run(struct sm *sm, const struct route_instance *where, int count, const struct slice *words,
                errand_done *done, void *arg);

/* The same of routerd. */
void errand_run_router(struct sm *sm, int count, const struct slice *words, errand_done *done, void *arg);

void on_errand(void *sm, const struct frame *f);
void on_errand_done(void *sm, const struct frame *f);
void on_planned(void *sm, const struct frame *f);
