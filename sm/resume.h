#pragma once

/* Stream management (XEP-0198) of the sessions of this instance. The queue is made of kept frames
 * (proto/link.h): the row that a channel keeps until c2sd confirms it is the row that the session keeps
 * until the client acknowledges it; of a fan-out one row for all. c2sd only carries.
 *
 * h to the client counts what is true (DESIGN.md 2.6): a stanza is owed from the moment it was taken until
 * its outcome is committed, or, when it is a message that is stored nowhere, until the next daemon has
 * confirmed it. h = the last one before the first that is owed. */

#include "cursor.h"
#include "link.h"
#include "session.h"
#include "sm.h"

struct passage;
struct resume;                 /* session->resume; NULL: not enabled */

/* Frame handlers. */
void on_manage(void *sm, const struct frame *f);
void on_resume_at(void *sm, const struct frame *f);

/* A frame has left (or is kept) for this session: it joins the queue. Takes a reference. A queue over
 * limits.resume_queue_bytes ends the session. */
void resume_sent(struct sm *sm, struct session *s, struct kept *k);
/* True: the session has no socket and waits for one; frames for it are kept, not sent. */
bool resume_hibernates(const struct session *s);
/* The socket is gone without a close of the stream: true when the session hibernates from now on, false
 * when it has to end. */
bool resume_lost_socket(struct sm *sm, struct session *s);
/* The session ends for good: what is unacknowledged goes on its way (XEP-0198 5, RFC 6121 8.5.3.2): to
 * other resources, offline, or back to its sender; never twice. Before session_remove. */
void resume_end(struct passage *p, struct session *s);
void resume_free(struct sm *sm, struct session *s);

/* ---- h ---- */
uint32_t resume_took(struct session *s);                        /* number of the stanza just taken; owed */
void     resume_paid(struct sm *sm, uint64_t session, uint32_t number);
void     resume_owe_again(struct session *s, uint32_t number);  /* after a restart, before frames come */

/* ---- survival: what the live row of a session carries about this, and its queue ---- */
void      resume_row_put(struct buf *out, const struct session *s);
enum zerr resume_row_take(struct cursor *c, struct session *s);
/* Each kept frame after a restart, in order of serial, when all sessions stand again. */
void      resume_on_kept(struct sm *sm, struct kept *k);
