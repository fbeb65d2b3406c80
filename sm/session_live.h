#pragma once

/* Sessions outlive this process: each is a row in live memory, written at the end of the loop turn that
 * changed it. */

#include "cursor.h"
#include "session.h"
#include "sm.h"

/* Brings back the sessions of the earlier life of this instance, and writes changes from now on. Once,
 * before the link connects. */
void sessions_live_start(struct sm *sm);
void sessions_live_stop(struct sm *sm);

/* A session as bytes, for its row and for another sm (handover.h). handle: the one it had here, or 0: a
 * new one. NULL: unreadable. */
void            session_row_put(struct buf *row, const struct session *s);
struct session *session_row_take(struct sm *sm, uint64_t handle, struct cursor *c);
