#pragma once

/* Frames to stanzas to features to delivery. */

#include "feature.h"

extern const struct stat_row dispatch_stats[];

/* Frame handlers. */
void on_stanza(void *sm, const struct frame *f);
void on_fanout(void *sm, const struct frame *f);
void on_bounce(void *sm, const struct frame *f);
/* A frame of a client whose session is not there (any more), or not that connection's: its stream ends. */
void dispatch_stale(struct sm *sm, const struct frame *f);
/* A stanza of one of our owners for another: its origin is this instance. */
void dispatch_local(struct sm *sm, const struct frame *f);

/* The incoming pass of one stanza whose `to` (bare or full JID, or a domain) this instance answers for.
 * Errors go back to its sender. out's owner is the bare JID of the recipient. */
void dispatch_incoming(struct sm *sm, struct outcome *out, struct stanza *s);

/* Ends a session in an outcome of its own: contacts hear of it, the client's stream is closed with
 * `condition` (RFC 6120 4.9.3; NULL: c2sd knows already). */
void dispatch_end_session(struct sm *sm, struct session **s, const char *condition, const char *text,
                          uint64_t trace);
/* As above within p->out: the stream is closed when `when` says. */
void dispatch_close_session(struct passage *p, struct session **s, enum when when, const char *condition,
                            const char *text);
