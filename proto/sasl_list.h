#pragma once

/* The SASL mechanisms of this house, strongest first, and when each may be offered (RFC 6120 6.3.3).
 * The one place that says so; c2sd offers by it, sm accepts by it. */

#include "login.h"

struct sasl_mechanism {
    const char *name;
    bool        binds;          /* needs a channel binding */
    bool        in_clear;       /* shows the password to whoever reads the stream */
    bool        certified;      /* proven by the client's certificate */
    bool        anonymous;      /* proves nothing: a session without an account (XEP-0175) */
};

/* Ended by a NULL name. */
extern const struct sasl_mechanism sasl_list[];

struct sasl_stream {
    bool secure;                /* TLS is up */
    bool binding;               /* a channel binding is at hand */
    bool clear_allowed;         /* server.require_tls is off */
    bool certificate;           /* the client showed a good one that names an account of the domain */
    bool anonymous;             /* the domain takes logins without an account */
};

bool sasl_may(const struct sasl_mechanism *m, const struct sasl_stream *s);
/* NULL: unknown, or not offered on such a stream. */
const struct sasl_mechanism *sasl_find(struct slice name, const struct sasl_stream *s);

/* XEP-0480 3: the tasks, in the order of sm's enum scram_hash. */
enum { SASL_UPGRADES = 2 };
extern const char *const sasl_upgrades[SASL_UPGRADES];

/* XEP-0474 4.1 steps 1 to 4: what such a stream offers, sorted and joined. */
void sasl_advertised(struct buf *out, struct sasl_stream s, const struct auth_binding *binding, unsigned count);
/* The same of any two lists; both are sorted in place. bindings 0: XEP-0440 is not used. */
void sasl_advertised_of(struct buf *out, struct slice *mechanism, size_t mechanisms, struct slice *binding,
                        size_t bindings);
