#pragma once

/* The environments of sm and their tables (DESIGN.md 6). Table numbers are places in these lists. */

#include "store.h"

/* X(NAME): accounts environment, <data>/accounts. Key layouts are said in the owning .h/.c. */
#define ACCOUNT_TABLES(X)                                                        \
    X(ACCOUNT)       /* sm/account.c: bare JID -> created, state */              \
    X(CREDENTIALS)   /* sm/credentials.c: bare JID -> stored keys */             \
    X(SECRET)        /* sm/secrets.c: name -> server secrets */                  \
    X(ROSTER)        /* sm/roster.c: owner NUL contact -> item */                \
    X(ROSTER_VERSION)/* sm/roster.c: owner -> version */                         \
    X(PENDING)       /* sm/subscription.c: owner NUL contact -> waiting subscribe */ \
    X(VCARD)         /* sm/vcard.c: owner -> XML */                              \
    X(PRIVATE)       /* sm/private.c: owner NUL ns NUL name -> XML */            \
    X(ACCOUNT_META)  /* whole-environment facts */

/* Archive environment, <data>/archive. */
#define ARCHIVE_TABLES(X)                                                        \
    X(INTERN)        /* sm/ledger.c: JID -> id within its slot */                \
    X(LEDGER)        /* sm/ledger.c: owner, time -> the one record of a message */ \
    X(OFFLINE)       /* sm/ledger.c: owner, time -> waits for delivery */        \
    X(OFFLINE_SUM)   /* sm/ledger.c: owner -> count, bytes */                    \
    X(OUTBOX)        /* responsibility taken and not yet handed on */            \
    X(ARCHIVE_META)  /* whole-environment facts */

enum account_table {
#define X(name) T_##name,
    ACCOUNT_TABLES(X)
#undef X
};
enum archive_table {
#define X(name) A_##name,
    ARCHIVE_TABLES(X)
#undef X
};

struct sm_store {
    struct store *accounts;
    struct store *archive;
    uint64_t      ledger_last_us;      /* sm/ledger.c: the id given out last in this process */
    uint16_t      ledger_last_tie;
};
