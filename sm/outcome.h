#pragma once

/* What one dispatched frame (or verb, or callback) brings about: a store batch and frames. Handlers
 * record; nothing else in sm sends or commits (DESIGN.md 2.6: an acknowledgement tells what is
 * already true).
 *
 *   AHEAD         depends on nothing stored: leaves when the outcome is settled
 *   AFTER_COMMIT  replies, pushes, subscription presence: leave after the commit of the batch; not at
 *                 all when it failed, then whoever asked gets an error
 *
 * While an owner has an outcome whose frames wait for a commit, everything later of that owner waits behind
 * it, so that the order between two entities stays (RFC 6120 10.1); where nothing but a record waits, what
 * goes AHEAD leaves, and what goes AFTER_COMMIT is behind it. Outcomes of different owners do not wait
 * for each other. Slices given to an outcome must live until the end of the dispatch (arena). */

#include "afters.h"
#include "sm.h"
#include "session.h"
#include "stanza.h"

enum when { AHEAD, AFTER_COMMIT };

struct error_detail;
struct kept;

/* The way out (proto/link.h); in tests a fake one. */
struct outlet {
    /* To f->dest. `tag` is kept with it; *kept (may be NULL) is a reference for the caller. */
    enum zerr (*send)(void *arg, struct frame *f, uint64_t tag, struct kept **kept);
    struct kept *(*keep)(void *arg, struct frame *f, uint64_t tag);          /* without sending it */
    void (*unref)(void *arg, struct kept **kept);
    uint64_t (*serial)(void *arg);                 /* of the frame kept last */
    void (*bounce)(void *arg, const struct frame *f, enum zerr why);
    void *arg;
};

/* `local` takes a frame whose destination is this instance itself (one owner's stanza for another). */
struct ways *ways_new(const struct outlet *outlet, void (*local)(struct sm *sm, const struct frame *f));
void         ways_free(struct ways **w);
/* Brings back what waited in an earlier process of this instance: hands in again what is not decided. After
 * the sessions, before the link connects. */
void         ways_restore(struct sm *sm);
/* The first route table is here: from now on what waited may leave. Later calls do nothing, and return false. */
bool         ways_begin(struct sm *sm);
/* The end of the process, while all of sm is still there: nothing leaves any more, what waits is in live memory, and
 * whoever waits for an outcome here (outcome_then) hears ZE_UNAVAILABLE. */
void         ways_end(struct sm *sm);
/* Outcomes that wait for a commit. */
size_t       ways_waiting(const struct ways *w);
/* Does one of an owner that `which` names? */
bool         ways_wait_for(const struct sm *sm, bool (*which)(void *arg, struct slice owner), void *arg);
/* How many outcomes have waited until now; does one of the first so many still wait? */
uint64_t     ways_recorded(const struct sm *sm);
bool         ways_wait_up_to(const struct sm *sm, uint64_t number);

/* For stream management (resume.h), whose frames belong to no outcome: as in struct outlet. */
enum zerr    ways_send(struct ways *w, struct frame *f, uint64_t tag, struct kept **kept);
struct kept *ways_keep(struct ways *w, struct frame *f, uint64_t tag);
void         ways_unref(struct ways *w, struct kept **kept);
uint64_t     ways_serial(const struct ways *w);

struct outcome;

/* owner: bare JID on whose behalf, borrowed; empty: nobody's (never waits, may not store). */
struct outcome *outcome_new(struct sm *sm, struct slice owner, uint64_t trace);
/* The stanza that asked: its sender gets the error when the commit fails. */
void outcome_request(struct outcome *o, const struct stanza *s);
/* The outcome is of that stanza of a session with stream management (resume_took), which is paid when
 * the frames left and the batch is committed; its message to another daemon, when that confirmed it. */
void outcome_owes(struct outcome *o, uint64_t session, uint32_t number);
/* The batch of this outcome, made at the first call. */
struct store_batch *outcome_accounts(struct outcome *o);
struct store_batch *outcome_archive(struct outcome *o);
uint64_t outcome_trace(const struct outcome *o);
struct sm   *outcome_sm(const struct outcome *o);
struct slice outcome_owner(const struct outcome *o);
/* True: what is recorded here leaves later, behind something of its owner that waits for a commit. */
bool outcome_held(const struct outcome *o);
/* The nodes that were changed with this outcome (pep_change.c); NULL at first. */
void **outcome_nodes(struct outcome *o);
/* True: something of that owner waits for a commit, so that what comes later must wait behind it. */
bool outcome_waits(const struct sm *sm, struct slice owner);

/* To the client of a session; `to` is the session's full JID when the stanza has none. */
void outcome_session(struct outcome *o, enum when when, const struct session *s, const struct stanza *stanza);
/* To wherever stanza->to lives; what nobody serves comes back to stanza->from as an error. */
void outcome_route(struct outcome *o, enum when when, const struct stanza *stanza);
/* Any frame; f->dest is set, its slices live until the end of the dispatch. */
void outcome_frame(struct outcome *o, enum when when, const struct frame *f);
/* Of what was held back (csi.h): leaves now. */
void outcome_release(struct sm *sm, const struct frame *f);
/* The frame goes back where it came from. Only for frames in hand. */
void outcome_bounce(struct sm *sm, const struct frame *f, enum zerr why);
/* The error reply of `s`, if it may be answered. text may be NULL. */
void outcome_refuse(struct outcome *o, enum when when, const struct stanza *s, enum zerr err,
                    const char *text);
/* What else an error reply of this outcome says (proto/stanza_error.h): an extension's own condition, a text.
 * Its strings live until the end of the dispatch. */
void outcome_detail(struct outcome *o, const struct error_detail *detail);
/* Only the payload of such a reply; what outcome_detail said before stays. */
void outcome_error_payload(struct outcome *o, struct slice payload);
/* Bytes made by a handler: the buffer is emptied, its bytes live until the end of the dispatch. */
struct slice outcome_keep(struct outcome *o, struct buf *bytes);
/* Runs after the frames left (ZE_OK) or the commit failed; then it may make and settle an outcome of its own. With
 * ZE_UNAVAILABLE the process ends: it only frees, and answers who asked. It dies with the process, also with one that is
 * killed: for who waits in this process only (a control connection, a login, the next step of a walk). */
void outcome_then(struct outcome *o, void (*run)(void *arg, enum zerr err), void *arg);
/* Runs then too, before those, in this process or in the next one: what has to follow the commit (afters.h). The slices
 * are copied. */
void outcome_after(struct outcome *o, enum after what, struct slice a, struct slice b);
/* The handler failed: its batches and what depended on them are dropped. */
void outcome_abandon(struct outcome *o);
/* Sends, commits, and delivers what is for this instance itself. The pointer is cleared. */
void outcome_settle(struct outcome **o);

/* A frame of ours could not be passed on: its stanza comes back to its sender as an error, by who owns him now. */
void outcome_undeliverable(struct sm *sm, const struct frame *f, enum zerr why);
