#pragma once

/* Emptying the archive of an account, step by step, each in a batch of its own. A process that dies does not go on with
 * it: nobody was told that it is done, and a client gets the error that was promised (iq.c). */

#include "sm.h"

/* A date, "2026-11-21" (its beginning, UTC) or as XEP-0082 2.2 has it with a time. */
bool archive_date(struct slice text, uint64_t *us);
/* Takes all that was archived before `before_us` out of the archive of `owner` (an account of ours). What waits for
 * its owner goes on waiting. done: once, later; count: messages removed, also when err tells that some remain. */
void archive_purge(struct sm *sm, struct slice owner, uint64_t before_us,
                   void (*done)(void *arg, enum zerr err, uint64_t count), void *arg);
