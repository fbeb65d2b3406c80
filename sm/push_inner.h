#pragma once

/* What push.c (registrations) and push_send.c (notifications) share. */

#include "push.h"
#include "push_rules.h"

/* Borrowed from the store view, or the arena. */
struct registration {
    struct slice service, node, resource, options;
};

/* What the notification is about. */
struct push_news {
    struct slice sender, body;
    unsigned     count;
};

/* Calls each() for those of `owner`; store views end inside. */
void push_each(struct sm *sm, struct slice owner, void (*each)(void *arg, const struct registration *r), void *arg);
/* The service wants no more of it, or the client said so: the row goes with the batch of `o`. */
void push_drop(struct outcome *o, const struct registration *r);

/* ---- push_send.c ---- */

/* The notification leaves with `o`, or after the one that is on its way. */
void push_notify(struct outcome *o, struct slice owner, const struct registration *r, const struct push_news *news,
                 const char *why);
/* An IQ result or error for the account: true when it answers a notification. */
bool push_answered(struct passage *p);
/* Forgets how it fared. */
void push_forget(struct sm *sm, struct slice owner, const struct registration *r);
/* For push_report. */
void push_note(struct sm *sm, struct slice owner, const struct registration *r, const char *what, const char *why);
void push_fares(struct sm *sm, struct slice owner, const struct registration *r, struct ctl_reply *out);
void push_notes(struct sm *sm, struct slice owner, struct ctl_reply *out);

extern uint64_t push_sent, push_accepted, push_failed, push_dropped;
