#pragma once

/* What the files of push share: push.c (registrations), push_decide.c (who is told), push_send.c (notifications
 * on their way), push_write.c (what they say), push_due.c (what is due, over a restart), push_notes.c (for the
 * operator). */

#include "encode.h"
#include "push.h"
#include "push_rules.h"

/* Borrowed from the store view, or the arena. */
struct registration {
    struct slice service, node, resource, options;
};

/* What the notification is about. */
struct push_news {
    struct slice sender, body;     /* of the last message; either may be empty */
    unsigned     count;            /* messages */
    unsigned     requests;         /* subscription requests that wait; 0: it is not about them */
};

/* What is due to one registration. */
struct pushing {
    struct sm   *sm;
    struct timer timer;            /* for the answer, or the next attempt */
    bool         on_its_way;
    bool         more, asked;      /* something, a subscription request, came after the one on its way */
    unsigned     failures;         /* in a row */
    unsigned     waiting;          /* messages not accepted yet */
    unsigned     told;             /* of them, by the one on its way */
    unsigned     requests;
    uint64_t     failing_ms;       /* for how long, all waits together: clocks jump */
    uint64_t     due_us;           /* wall clock: end of the wait for the answer, or the next attempt */
    char         id[RANDOM_ID];    /* of the one on its way */
    struct buf   key, sender, body;          /* key: owner NUL service NUL node; the others of the last message */
    struct slice owner, service, node;       /* in key */
};

struct push {
    struct table *targets;         /* struct pushing by key */
    struct table *by_id;           /* the same, of those on their way */
    struct table *notes;           /* push_notes.c: by owner */
    uint32_t      generation;      /* of the routes when what is due was last looked for */
    bool          looking, walking;      /* for those; a walk does so */
    bool          looked;          /* all were found */
    struct buf    at;              /* key from which the walk goes on */
    unsigned      found;           /* by it */
    bool          live_was_void;
};

/* ---- push.c ---- */

/* Calls each() for those of `owner`; store views end inside. */
void push_each(struct sm *sm, struct slice owner, void (*each)(void *arg, const struct registration *r), void *arg);
/* The service wants no more of it, or the client said so: the row goes with the batch of `o`. */
void push_drop(struct outcome *o, const struct registration *r);

/* ---- push_decide.c ---- */

/* Its client is here, and looked at. */
bool push_client_awake(const struct sm *sm, struct slice owner, const struct registration *r);

/* ---- push_send.c ---- */

/* The notification leaves with `o`, of that owner, or after the one that is on its way. */
void push_notify(struct outcome *o, const struct registration *r, const struct push_news *news, const char *why);
/* An IQ result or error for the account: true when it answers a notification. */
bool push_answered(struct passage *p);
/* Nothing is due to it any more, from the commit of `o` on. */
void push_forget(struct outcome *o, const struct registration *r);
/* NULL: nothing is due. */
struct pushing *push_find(struct sm *sm, struct slice owner, const struct registration *r);
/* The same, as far as what is due has been read. */
struct pushing *push_known(const struct sm *sm, struct slice owner, const struct registration *r);
/* As push_known, or a new one. */
struct pushing *push_enter(struct sm *sm, struct slice owner, const struct registration *r);
/* This instance has nothing more to do with it; what is stored stays. */
void            push_let_go(struct pushing *t);

/* ---- push_write.c ---- */

/* Content of the IQ. */
void push_write(struct buf *content, const struct pushing *t, struct slice options);

/* ---- push_due.c ---- */

/* With the batch of `o`. */
void due_put(struct outcome *o, const struct pushing *t);
void due_delete(struct outcome *o, const struct pushing *t);
/* What is due to that account is known from now on, if the walk over all rows has not come to it yet. */
void due_read(struct sm *sm, struct slice owner);
enum { DUE_STEP = 500 };           /* rows in a step of that walk: about a millisecond */

/* ---- push_notes.c ---- */

/* The last decisions of each account; for push_report. */
enum { NOTE_TEXT = 64 };
void push_note(struct sm *sm, struct slice owner, const struct registration *r, const char *what, const char *why);
void push_notes(struct sm *sm, struct slice owner, struct ctl_reply *out);
void push_notes_free(struct push *all);
/* How a registration fares. */
void push_fares(struct sm *sm, struct slice owner, const struct registration *r, struct ctl_reply *out);

extern uint64_t push_sent, push_accepted, push_failed, push_dropped, push_found;
