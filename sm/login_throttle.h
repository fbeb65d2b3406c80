#pragma once

/* Failed logins (DESIGN.md 4): guessing gets slow, and nobody can keep the owner of an account out of it.
 *
 *   one account from one address    refused there for a while, longer with each further failure
 *   one address, whichever account  the same; but not an account that has logged in from there
 *   one account, from everywhere    never refused: logins from addresses it was not used from are answered late
 *
 * What is counted for a name is the same whether such an account exists or not. Memory of this process only, at most
 * LOGIN_ENTRIES of them; what failed longest ago is forgotten first. Pure: time is an argument. */

#include "slice.h"

enum { LOGIN_ENTRIES = 30000 };

/* Counts: 0 = no limit. */
struct login_rules {
    long     pair_max;           /* failures of one account from one address */
    long     address_max;        /* of one address */
    long     account_max;        /* of one account */
    uint64_t refuse_ms;          /* the first refusal; each failure after it doubles it */
    uint64_t refuse_max_ms;      /* the longest; after as long without a failure all is forgotten */
    uint64_t delay_max_ms;
};

struct login_try {
    struct slice address;        /* text, as c2sd says it; IPv6 counts by /64 */
    struct slice jid;            /* bare; empty: no name that could be an account's */
};

struct login_throttle;
struct login_throttle *login_throttle_new(void);
void                   login_throttle_free(struct login_throttle **t);

/* True: it may go on. A try that is refused is not counted. */
bool     login_allowed(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                       uint64_t now_ms);
/* Milliseconds the outcome is to be held back, whichever it is. */
uint64_t login_delay(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                     uint64_t now_ms);
void     login_failed(struct login_throttle *t, const struct login_try *who, const struct login_rules *rules,
                      uint64_t now_ms);
/* Its own count begins anew; that of the address stays, or a guesser would clear it by an account of his. */
void     login_succeeded(struct login_throttle *t, const struct login_try *who, uint64_t now_ms);
size_t   login_throttle_count(const struct login_throttle *t);
