#pragma once

/* Login frames: SASL exchanges, BIND, SESSION_END (DESIGN.md 4, proto/login.h). */

#include "login.h"
#include "outcome.h"

struct logins *logins_new(void);
void           logins_free(struct logins **l);
/* Exchanges under way. */
size_t         logins_count(const struct logins *l);

/* Frame handlers. */
void on_auth_start(void *sm, const struct frame *f);
void on_auth_step(void *sm, const struct frame *f);
void on_auth_abort(void *sm, const struct frame *f);
void on_bind(void *sm, const struct frame *f);
void on_session_end(void *sm, const struct frame *f);
void on_announce(void *sm, const struct frame *f);
/* Everything bound to that life of a c2sd is over: exchanges and sessions. */
void login_peer_lost(struct sm *sm, const struct address *life);

/* Whether the connection that sent f (BIND, RESUME_AT) may begin a session of f->stanza.to. use: the ticket
 * is good for nothing else then. */
enum zerr login_may_begin(struct sm *sm, const struct frame *f, struct slice ticket, bool use);
/* Records the frame that closes a client's stream. */
void login_end_stream(struct outcome *o, enum when when, const struct address *c2sd, uint64_t conn,
                      const struct session_end *end);
