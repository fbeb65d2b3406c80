#pragma once

/* What the files of SASL share (sasl.h is the outside). */

#include "credentials.h"
#include "jid.h"
#include "list.h"
#include "sasl.h"

enum { SASL_BYTES_MAX = 8192, SASL_EXCHANGES_MAX = 10000, SASL_PATIENCE_MS = 60000 };

struct sasl {
    struct sm_store *store;
    struct loop     *loop;
    struct list      exchanges;
    unsigned         count;
    bool             allow_clear;
    struct login_throttle *throttle;
    struct login_rules     rules;
    sasl_admit_fn         *admit;          /* NULL: no ANONYMOUS */
    void                  *admit_arg;
};

struct sasl_mechanism {
    const char     *name;
    bool            plus, clear;         /* binds to the channel; carries the password itself */
    bool            guessable;           /* what is proven is a password: refusals and delays are for right ones, too */
    bool            binary;              /* messages are no UTF-8 */
    bool            certified;           /* proven by the client's certificate, before it began */
    bool            anonymous;           /* there is no account, and nothing is proven */
    enum scram_hash hash;
    /* Takes one message of the client. Answers by exchange_continue or exchange_end, or later. */
    void          (*take)(struct sasl_exchange *x, struct slice bytes);
};

struct sasl_exchange {
    struct list                  link;
    struct sasl                 *sasl;
    const struct sasl_mechanism *mechanism;
    void                        *own;          /* of the mechanism (exchange_own) */
    void                       (*own_free)(void *own);
    struct timer                 patience;
    sasl_answer_fn              *answer;
    void                        *arg;
    bool                        *ended;        /* set when it ends inside sasl_begin */
    bool                         over;
    struct auth_start            start;        /* what it began with, but for the initial response */
    struct buf                   start_bytes;  /* where its slices point to */
    struct sasl_answer           held;         /* the outcome, when it is told later than it is known */
    struct buf                   held_bytes;
    struct jid                   jid;          /* len 0: no name that could be an account's */
    bool                         known;        /* keys are an account's, not plausible ones */
    struct scram_keys            keys;
    struct derivation           *derivation;   /* PLAIN only */
    enum token_verdict           token;        /* HT only */
};

void exchange_continue(struct sasl_exchange *x, struct slice challenge);
/* Frees x. */
void exchange_fail(struct sasl_exchange *x, const char *condition);
/* The same, no guess, with a text for people or NULL. */
void exchange_fail_with(struct sasl_exchange *x, const char *condition, const char *text);
/* What the mechanism keeps between two messages. */
void exchange_own(struct sasl_exchange *x, void *own, void (*own_free)(void *own));
/* The client proved that it knows the password: the account decides the rest. Frees x. */
void exchange_succeed(struct sasl_exchange *x, struct slice data);

/* Sets x->jid, keys and known for this name. */
void exchange_user(struct sasl_exchange *x, struct slice name);
/* Empty, or the user himself (RFC 6120 6.3.8), who is also the one of the stream's `from` (XEP-0388 2.3). */
bool authzid_ok(const struct sasl_exchange *x, struct slice authzid);

void scram_take(struct sasl_exchange *x, struct slice bytes);      /* sasl_scram.c */
void plain_take(struct sasl_exchange *x, struct slice bytes);      /* sasl_plain.c */
void ht_take(struct sasl_exchange *x, struct slice bytes);         /* sasl_ht.c */
void anonymous_take(struct sasl_exchange *x, struct slice bytes);  /* sasl_anonymous.c */
void external_take(struct sasl_exchange *x, struct slice bytes);   /* sasl_external.c */
