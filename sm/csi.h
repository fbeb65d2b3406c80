#pragma once

/* XEP-0352 Client State Indication. While a client says that nobody looks at it, what is unimportant is held
 * back, presence and chat states collapsed to the latest of each sender, events of nodes (XEP-0060) to the latest of
 * each publisher, node and item (and of a node that keeps one item, to the latest), and leaves in order before the first
 * important stanza, when the client is active again, or when too much is held (limits.csi_*).
 *
 * What is held has not been sent: it is in no queue of stream management and counts in no h. It is a kept frame
 * like any other (proto/link.h), so it survives this process. It leaves, into the queue, before the session
 * hibernates, is resumed or moves; of a session that ends, its messages go another way (resume.h). */

#include "frame.h"
#include "session.h"
#include "sm.h"

struct held_list;              /* session->held */
struct kept;
struct passage;

/* By header and flags: it leaves at once. */
bool csi_important(const struct stanza *s);

/* What a stanza takes the place of, of the same sender. */
struct csi_place {
    uint64_t key;                  /* of sender and kind, of an event sender and node; 0: nothing */
    uint64_t item;                 /* of an event: its id */
    bool     all;                  /* whatever the id */
};
struct csi_place csi_place(struct sm *sm, const struct stanza *s);
bool             csi_takes(const struct csi_place *now, const struct csi_place *before);

/* The client said so. Active: what is held leaves. */
void csi_set(struct sm *sm, struct session *s, bool inactive);
/* A frame for clients is about to leave. True: it was seen to, all of it. */
bool csi_release(struct sm *sm, const struct frame *f);
/* What is held leaves now; the session stays as inactive as it is. */
void csi_flush(struct sm *sm, struct session *s);
/* Another stream, or none, holds it from now on: active (XEP-0352 5.2), and what was held leaves. */
void csi_wake(struct sm *sm, struct session *s);
/* When the oldest message that is held came; UINT64_MAX: none. To the second. */
uint64_t csi_oldest_us(const struct session *s);
unsigned csi_held(const struct session *s);

/* Takes it from a session that ends; then, after session_remove, its messages go another way. NULL: nothing. */
struct held_list *csi_leave(struct session *s);
void csi_end(struct passage *p, struct held_list **left, struct slice full);
/* Of a session that this process lets go of: the rows stay. */
void csi_forget(struct sm *sm, struct session *s);
/* After a restart: each kept frame, in order of serial. False: not one of these. */
bool csi_on_kept(struct sm *sm, struct kept *k);
