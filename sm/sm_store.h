#pragma once

/* The environments of sm and their tables (DESIGN.md 6). Table numbers are places in these lists. */

#include "ledger.h"
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
    X(ACCOUNT_META)  /* whole-environment facts */                               \
    X(NODE)          /* sm/pep_store.c: owner NUL node -> configuration, counts */ \
    X(ITEM)          /* sm/pep_store.c: owner NUL node NUL order -> item */        \
    X(ITEM_ID)       /* sm/pep_store.c: owner NUL node NUL id -> order */          \
    X(NODE_SUB)      /* sm/pep_store.c: owner NUL node NUL subscriber -> state */  \
    X(CAPS)          /* sm/caps.c: verification string -> features with +notify */ \
    X(BLOCK)         /* sm/blocking.c: owner NUL jid -> when */                    \
    X(TOKEN)         /* sm/tokens.c: owner NUL client -> FAST tokens */            \
    X(CLIENT)        /* sm/clients.c: owner NUL client -> what was seen of it */   \
    X(PUSH)          /* sm/push.c: owner NUL service NUL node -> registration */   \
    X(LAST)          /* sm/last.c: owner -> end of the last session */             \
    X(PREFERENCE)    /* sm/preferences.c: owner -> what is archived, how long */ \
    X(HANDED)        /* sm/outbox.c: what was said and the other has yet to store */ \
    X(NOTICE)        /* sm/notices.c: domain NUL name -> text; owner NUL name -> told */ \
    X(GROUP)         /* sm/groups.h: shared roster groups, their members */

/* Archive environment, <data>/archive. */
#define ARCHIVE_TABLES(X)                                                        \
    X(INTERN)        /* proto/ledger.h, as all of the ledger's: owner -> id */    \
    X(LEDGER)        /* owner, time -> the one record of a message */             \
    X(OFFLINE)       /* owner, time -> waits for delivery */                      \
    X(OFFLINE_SUM)   /* owner -> count, bytes */                                  \
    X(OUTBOX)        /* responsibility taken and not yet handed on */            \
    X(ARCHIVE_META)  /* whole-environment facts */                               \
    X(CONTACT)       /* the ledger's: owner, contact, time */                     \
    X(OWNER)         /* the ledger's: owner -> delivered up to */             \
    X(PUSH_DUE)      /* sm/push.h: owner NUL service NUL node -> what is due */

/* Names, in order, ended by NULL; what is recorded in the environments as their format. */
extern const char *const sm_account_tables[];
extern const char *const sm_archive_tables[];
enum { ACCOUNTS_SCHEMA = 1, ARCHIVE_SCHEMA = 1 };

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

/* store_spec.runs: the newest record of an account is the last of its rows. */
#define ARCHIVE_RUNS (UINT64_C(1) << A_LEDGER)

struct sm_store {
    struct store       *accounts;
    struct store       *archive;
    struct ledger_place ledger;        /* sm_ledger() */
};

/* The accounts' ledger, in s->archive. */
static inline struct ledger_place *sm_ledger(struct sm_store *s)
{
    static const struct ledger_tables tables = {
        .intern = A_INTERN, .ledger = A_LEDGER, .contact = A_CONTACT, .offline = A_OFFLINE,
        .offline_sum = A_OFFLINE_SUM, .owner = A_OWNER,
    };

    s->ledger.store = s->archive;
    s->ledger.tables = &tables;
    return &s->ledger;
}
