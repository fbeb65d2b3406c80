#pragma once

/* Stream management (XEP-0198) of the sessions of this instance. The queue is made of kept frames
 * (proto/link.h): the row that a channel keeps until c2sd confirms it is the row that the session keeps
 * until the client acknowledges it; of a fan-out one row for all. c2sd only carries.
 *
 * h to the client counts what is true (DESIGN.md 2.6): a stanza is owed from the moment it was taken until
 * its outcome is committed, or, when it is a message that is stored nowhere, until the next daemon has
 * confirmed it. h = the last one before the first that is owed. */

#include "buf.h"
#include "cursor.h"
#include "frame.h"
#include "session.h"
#include "sm.h"
#include "told.h"

struct kept;
struct passage;
struct resume;                 /* session->resume; NULL: not enabled */
struct resumes;                /* sm->resumes */

struct resumes *resumes_new(struct sm *sm);
/* Frees what it keeps of all sessions as well. */
void            resumes_free(struct resumes **all);

/* Frame handlers. */
void on_manage(void *sm, const struct frame *f);
void on_resume_at(void *sm, const struct frame *f);

/* ---- enabling together with BIND (XEP-0198 10.1) ---- */

struct manage;
/* The answer, a MANAGE body, goes to the client in BOUND. */
void resume_enable_bound(struct sm *sm, struct session *s, const struct manage *asked, struct buf *managed);
/* The frame with the answer left: the queue begins behind it. Takes the reference; *kept NULL: it could not
 * leave, and the session ends with this turn. */
void resume_begins(struct session *s, struct kept **kept);

/* ---- to the client ---- */

/* A STANZA or FANOUT for clients leaves: through their sessions as they are now (where sender and list
 * name sessions). False: nothing was done, it goes as it is. */
bool resume_release(struct sm *sm, const struct frame *f);
/* A frame has left (or is kept) for this session: it joins the queue. Takes a reference. A queue over
 * limits.resume_queue_bytes or _stanzas ends the session at the end of the turn. */
void resume_sent(struct sm *sm, struct session *s, struct kept *k);
/* The client of `s` answered an IQ that is still in the queue: nobody else has to. */
void resume_answered(struct session *s, const struct stanza *reply);

/* ---- the socket ---- */

/* True: the session has no socket and waits for one; frames for it are kept, not sent. */
bool resume_hibernates(const struct session *s);
/* When the oldest stanza was sent that the client has not acknowledged; UINT64_MAX: none, or no stream
 * management. To the second. */
uint64_t resume_oldest_us(const struct session *s);
/* The socket is gone without a close of the stream: true when the session hibernates from now on, false
 * when it has to end. */
bool resume_lost_socket(struct sm *sm, struct session *s);
/* Address of the client after a resumption; empty: as at the beginning. */
struct slice resume_address(const struct session *s);
/* "", "on", "resumable", "hibernating": for control verbs. */
const char *resume_state(const struct session *s);
/* Stanzas that wait for the client's acknowledgement. */
unsigned resume_queued(const struct session *s);

/* ---- the end ---- */

/* Takes it from a session that ends for good; its id is remembered with the last h. NULL: nothing. */
struct resume *resume_leave(struct session *s);
/* What was unacknowledged goes on its way (XEP-0198 4, RFC 6121 8.5.3.2): to other resources, offline, or
 * back to its sender; never twice. After session_remove; `full` was the session's. */
void resume_end(struct passage *p, struct resume **left, struct slice full);
void resume_free(struct sm *sm, struct resume **r);
/* A stanza that was on its way to a session that is gone: once more to the account, in an outcome of its
 * own, without the features, which it has passed. */
struct again {
    bool          exists;          /* the account */
    uint32_t      epoch;           /* of its frame */
    uint64_t      sent_us, trace;
    enum told_who told;            /* which push services know of it: those of all, or of this client */
    struct slice  client;          /* resource */
};
void resume_again(struct sm *sm, struct stanza *s, const struct again *a);

/* ---- h ---- */

uint32_t resume_took(struct session *s);                        /* number of the stanza just taken; owed */
void     resume_paid(struct sm *sm, uint64_t session, uint32_t number);   /* session 0: nothing */
/* One more thing has to happen before that number is paid: as many resume_paid as these and resume_took
 * together. After a restart for what was owed then, before frames come. NULL: nothing. */
void     resume_owe_again(struct session *s, uint32_t number);

/* What a frame inside sm owes: written where its channel number will be. */
struct debt {
    uint64_t session;          /* 0: nothing */
    uint32_t number;
};
void        resume_debt_mark(struct frame *f, const struct debt *debt);
struct debt resume_debt_of(const struct frame *f);
/* spec.on_confirmed of the link. */
void resume_on_confirmed(struct sm *sm, const struct kept *k);
/* It came back instead: that is an end of it, too. */
void resume_returned(struct sm *sm, const struct frame *bounce, const struct frame *original);

/* ---- survival: what the live row of a session carries about this, and its queue ---- */

void      resume_row_put(struct buf *out, const struct session *s);
enum zerr resume_row_take(struct sm *sm, struct cursor *c, struct session *s);
/* Each kept frame after a restart, in order of serial, when all sessions stand again. */
void      resume_on_kept(struct sm *sm, struct kept *k);

/* ---- to another sm (handover.h): the queue, frame by frame; the rest is in the row ---- */
void      resume_move_put(struct buf *out, const struct session *s);
enum zerr resume_move_take(struct sm *sm, struct session *s, struct cursor *c);
void      resume_move_leave(struct sm *sm, struct session *s);
