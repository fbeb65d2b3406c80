#pragma once

/* Questions sent to somebody else and not yet answered (STYLE.md C11). The answer, the deadline or
 * the death of the asker ends a wait: exactly one of them, exactly once.
 * why is ZE_OK when answer is set, else answer is NULL and why says ZE_TIMEOUT. */

#include "err.h"
#include "loop.h"

struct pending;

typedef void answer_fn(void *owner, const void *answer, enum zerr why);

struct pending *pending_new(struct loop *loop);
void            pending_free(struct pending **p);
/* Returns a number never used before: the first of a process is random, later ones count on from there. */
uint64_t pending_add(struct pending *p, void *owner, answer_fn *then, uint64_t ms);
/* The same for a question that was asked before a restart, under its number (not 0, not waiting). */
void pending_again(struct pending *p, uint64_t id, void *owner, answer_fn *then, uint64_t ms);
/* False: too late, or never asked. */
bool   pending_answer(struct pending *p, uint64_t id, const void *answer);
void   pending_forget(struct pending *p, const void *owner);
size_t pending_count(const struct pending *p);
