#pragma once

/* SASL exchanges (DESIGN.md 4). One exchange a connection; c2sd carries the bytes.
 * Pure towards the network: it answers through the callback, at once or after the thread pool. */

#include "account.h"
#include "jid.h"
#include "login.h"
#include "login_throttle.h"
#include "tokens.h"

struct sasl;             /* all exchanges of this sm */
struct sasl_exchange;

struct sasl *sasl_new(struct sm_store *s, struct loop *loop);
/* Exchanges that still run end without a callback. */
void         sasl_free(struct sasl **sasl);
/* PLAIN without TLS is refused (encryption-required) unless this was said (server.require_tls = false). */
void         sasl_allow_clear(struct sasl *sasl, bool allow);

/* How failed logins are counted (login_throttle.h); copied. Without it nothing is. */
void         sasl_rules(struct sasl *sasl, const struct login_rules *rules);

/* Who a login by ANONYMOUS becomes: *out, bare. Else the condition that refuses it and, or NULL, *text for people.
 * Until it is given there is no such mechanism. */
typedef const char *sasl_admit_fn(void *arg, const struct auth_start *start, struct jid *out, const char **text);
void         sasl_admit(struct sasl *sasl, sasl_admit_fn *admit, void *arg);

enum sasl_outcome { SASL_CONTINUE, SASL_OK, SASL_FAILED };

struct sasl_answer {
    enum sasl_outcome outcome;
    struct slice      bytes;          /* challenge, or additional data with success */
    struct slice      jid;            /* bare, on SASL_OK */
    const char       *condition;      /* RFC 6120 6.5, on SASL_FAILED */
    const char       *text;           /* for people, on SASL_FAILED; or NULL */
    const struct auth_start *start;   /* what the exchange began with, on SASL_OK */
    bool              by_password;    /* on SASL_OK: the password was proven, not something in its place */
    enum token_verdict token;         /* which token it was, on SASL_OK by one */
};

/* May run before the call returns. After OK or FAILED the exchange is gone. Slices borrow until it returns. */
typedef void sasl_answer_fn(void *arg, const struct sasl_answer *answer);

/* NULL when it ended at once (the callback has run with SASL_FAILED). */
struct sasl_exchange *sasl_begin(struct sasl *sasl, const struct auth_start *start, sasl_answer_fn *answer,
                                 void *arg);
void sasl_step(struct sasl_exchange *x, struct slice bytes);
/* The connection went away: no callback will run any more. */
void sasl_abort(struct sasl_exchange **x);

/* Mechanism names to offer, strongest first, NULL-ended: with or without the -PLUS ones. Shared with
 * c2sd by value only: c2sd keeps its own copy of the list in proto/login.h's allow-list. */
extern const char *const sasl_mechanisms[];

/* ---- tickets (HMAC over JID, c2sd instance, incarnation, handle, expiry, nonce; the key lies in T_SECRET) ---- */
struct ticket_claim {
    struct slice jid;
    uint32_t     instance;
    uint64_t     incarnation, handle;
};
void      ticket_make(struct sm_store *s, const struct ticket_claim *claim, uint64_t now_us,
                      struct buf *ticket);
/* ZE_NOT_AUTHORIZED when forged, for somebody else, expired (60 s) or used before (in this process). */
enum zerr ticket_check(struct sm_store *s, struct slice ticket, const struct ticket_claim *claim,
                       uint64_t now_us);
/* The same, and it may be used afterwards: for a resumption that fails, which leaves it for BIND. */
enum zerr ticket_look(struct sm_store *s, struct slice ticket, const struct ticket_claim *claim,
                      uint64_t now_us);
