#pragma once

/* What the files of the store share (store.h is the outside). Threads: everything belongs to the
 * loop's thread but the members of struct writer below `mutex`, and the LMDB write transaction, which
 * belongs to the writer. */

#include <lmdb.h>
#include <pthread.h>

#include "buf.h"
#include "cursor.h"
#include "list.h"
#include "map_pages.h"
#include "live.h"
#include "store.h"

enum { STORE_KEY_MAX = 511, STORE_TABLES_MAX = 64 };

/* ---- keys (store_key.c) ----
 * LMDB takes keys of 511 bytes; a bare JID may have 2,047. A key is two bytes of slot, then at most
 * five runs parted by NUL. A run longer than FOLD_ABOVE is kept on disk as its first FOLD_KEEP bytes,
 * 0xFF, and the SHA-256 of the whole run in hexadecimal: FOLD_LEN bytes, a length no run kept as it is
 * has. So folding is one to one, a prefix that ends with NUL stays a prefix, and everything of one
 * owner stays together. The value of such a row begins with the sized whole key. Order within a table
 * is the order of folded keys. */
enum { FOLD_KEEP = 32, FOLD_LEN = FOLD_KEEP + 1 + 64, FOLD_ABOVE = FOLD_LEN - 1 };

struct folded {
    size_t  len;
    uint8_t bytes[STORE_KEY_MAX];
};

/* Most keys: kept as they are whatever is in them. */
bool is_short_key(struct slice key);
/* False: no way to keep such a key (empty, or too many long runs). */
bool fold_key(struct slice key, struct folded *out);
/* The part of the folded form that all keys with this prefix have in common. True in *exact when
 * every key that begins with it also begins with `prefix`. */
bool fold_prefix(struct slice prefix, struct folded *out, bool *exact);
/* A stored row as its writer gave it. False: the row is damaged. */
bool unfold(struct slice disk_key, struct slice disk_value, struct slice *key, struct slice *value);
bool is_folded(struct slice disk_key);

/* ---- batches (store_batch.c) ---- */
enum store_op_kind { OP_PUT = 1, OP_DELETE = 2, OP_ABSENT = 3, OP_VALUE = 4 };

struct pending_group;

struct store_op {
    uint8_t               kind;
    uint8_t               table;
    size_t                key_at;      /* where its key begins in the batch's bytes */
    struct slice          key, value;  /* in the batch's bytes; until it is sealed only their lengths */
    struct slice          disk_key;    /* = key, or in `folded` */
    struct folded        *folded;      /* own; NULL: key is stored as it is */
    struct pending_group *group;       /* store_groups.h; NULL: not pending */
    struct store_op      *older, *newer;   /* the pending ones of the same key beside it */
};

enum { BATCH_FEW = 4 };

struct store_batch {
    /* u8 format 1, sized owner, then ops: u8 kind, u8 table, sized key[, sized value] */
    struct buf           bytes;
    struct store_op     *ops;          /* `few`, or own */
    size_t               op_count, op_room;
    struct slice         owner;        /* in bytes; until it is sealed only its length */
    /* From store_commit on: */
    bool                 bad;          /* cannot be written at all: a table or key out of range */
    uint64_t             seq;          /* its number: order of handing in */
    enum zerr            err;          /* outcome, set by the writer */
    int                  code;         /* LMDB's or errno, for the log; 0: none */
    void               (*done)(void *arg, enum zerr err);
    void                *arg;
    struct store_batch  *next;
    struct store_batch  *failed_before;   /* in its group, while the transaction is open */
    struct store_op      few[BATCH_FEW];
};

/* Nothing is added any more: the ops get their keys and values, for overlay and writer. */
void batch_seal(struct store_batch *b, size_t table_count);

/* ---- numbers (store_numbers.c) ----
 * What is decided of one writer's numbers: all up to `last`, and of those the refused ones are named as
 * long as the process that handed them in may not have heard of it. */
struct decided {
    uint64_t  last;
    uint64_t *refused;                 /* ascending */
    size_t    count, room;
};

void decided_refuse(struct decided *d, uint64_t number);
/* Forgets refusals up to this one. */
void decided_told(struct decided *d, uint64_t number);
void decided_free(struct decided *d);
/* The writer's row, in the environment's table of its own: u8 format 1, u64 last, u64 refused... */
int  numbers_get(struct store *store, MDB_txn *txn, struct decided *out);
int  numbers_put(struct store *store, MDB_txn *txn, const struct decided *d);
/* The file that says that the environment has held data (store_spec.record). */
bool record_found(const struct store *store);
void record_make(struct store *store);

/* ---- overlay (store_overlay.c): pending writes by (table, disk key) ---- */
struct overlay;

struct overlay *overlay_new(void);
void            overlay_free(struct overlay **o);
/* A sealed batch's; it stays where it is until it is removed. */
void            overlay_add(struct overlay *o, struct store_batch *b);
void            overlay_remove(struct overlay *o, struct store_batch *b);
/* The operation that counts of a key; NULL. */
const struct store_op *overlay_get(const struct overlay *o, unsigned table, struct slice disk_key);

/* A walk in order over the pending keys of a table that begin with `prefix`. Meanwhile operations may be
 * added, none removed. */
struct overlay_walk {
    const struct overlay  *overlay;
    unsigned               table;
    struct slice           prefix;     /* borrowed */
    bool                   backwards;
    struct pending_group **groups;     /* in order; `only`, or own */
    struct pending_group  *only;
    size_t                 group_count, group_at, key_at;
    uint64_t               changes;    /* of the overlay, when the place was looked up */
    const struct store_op *op;         /* one of the key it is at; NULL: at the end */
};

/* At the first key not below `from`, or backwards the last one below it (from.p NULL: the last of the
 * table). Keys outside the prefix may not lie between them. */
void overlay_walk(struct overlay_walk *w, const struct overlay *o, unsigned table, struct slice prefix,
                  struct slice from, bool backwards);
void overlay_walk_step(struct overlay_walk *w);
void overlay_walk_end(struct overlay_walk *w);
/* The operation that counts of the key it is at; NULL: at the end. */
const struct store_op *overlay_walk_op(const struct overlay_walk *w);

/* ---- views (store_view.c) ---- */
struct store_view {
    struct store *store;
    unsigned      depth;
    MDB_txn      *txn;
};

void view_close(struct store_view *view);

/* ---- writer (store_writer.c) ---- */
/* An owner of failed batches: his others fail as well while a callback of those has yet to run
 * (untold), and up to seq `until`, those handed in before the last such callback. */
struct failed_owner {
    struct list  link;
    unsigned     untold;
    uint64_t     until;
    struct slice owner;                /* own copy behind */
};

struct writer {
    pthread_t           thread;
    bool                started;
    uv_async_t         *async;         /* freed by its close callback */
    pthread_mutex_t     mutex;
    pthread_cond_t      wake;
    bool                stopping;
    struct store_batch *queue, **queue_end;
    size_t              queued, queued_bytes;
    unsigned            gather_ms;     /* store_spec.gather_ms */
    bool                large;         /* the group taken last was */
    uint64_t            began_ms;      /* when it was taken; monotonic */
    struct store_batch *finished, **finished_end;
    struct list         failed;        /* struct failed_owner */
    uint64_t            seen_seq;      /* highest seq decided */
    uint64_t            told_seq;      /* highest whose callback ran in a loop turn that is over */
    struct decided      decided;       /* the thread's own: what its row says */
    uint64_t            commits;
};

/* store_gather.c: the way from the loop to the thread, with the condition it sleeps on. */
void gather_init(struct writer *w, unsigned gather_ms);
/* A chain by `next`, not empty. */
void gather_add(struct writer *w, struct store_batch *first);
/* Waits for what goes into the next transaction. NULL: stopping and nothing left. */
struct store_batch *gather_group(struct writer *w);

/* store_failed.c; the first two want the mutex held. */
void failing_add(struct writer *w, struct slice owner);
void failing_purge(struct writer *w);
/* The owner is about to hear of it. */
void failing_told(struct store *store, const struct store_batch *b);
/* Has somebody failed in an earlier group? Only the thread adds to them, so that a no is good for a whole group. */
bool failed_any(struct store *store);
/* Has he failed before b: among those of this group (a chain by failed_before), or, when there are any, earlier? */
bool owner_failed(struct store *store, bool any, const struct store_batch *failed_here, const struct store_batch *b);

/* The thread, until `stopping` and nothing is left; `store` is its struct store. */
void *writer_main(void *store);
/* The chain is decided: the loop takes it from there. */
void writer_finished(struct writer *w, struct store_batch *group);

/* store_commit.c */
bool writer_start(struct store *store);
/* Writes what was handed in, ends the thread, runs the callbacks. */
void writer_stop(struct store *store);

/* ---- whose slots (store_claim.c) ---- */
enum { CLAIM_SLOTS = 4096 };           /* what is kept for; others are asked for each time */

/* What holds in one transaction. */
struct claim {
    struct store_members members;
    uint64_t             asked[CLAIM_SLOTS / 64], ours[CLAIM_SLOTS / 64];   /* bit of each slot */
};

/* The record, or, when that is older, what this process has claimed, which is recorded then. `out` is all zero. An LMDB
 * code. */
int  claim_check(struct store *store, MDB_txn *txn, struct claim *out);
/* The record in this snapshot, all zero when there is none. An LMDB code. */
int  claim_read(const struct store *store, MDB_txn *txn, struct store_members *found);
/* By its own claim this process is the owner, and no change is under way. Loop's thread. */
bool claim_holds(const struct store *store, unsigned slot);
bool claim_allows(const struct store *store, struct claim *claim, const struct store_batch *b);

/* ---- what may be kept of a table (store_epoch.c) ---- */
struct epochs {
    uint64_t all;                      /* drawn when any table may have changed */
    uint64_t of[STORE_TABLES_MAX];     /* the same of one table */
    size_t   looked_at;                /* the snapshot that `recorded` is of */
    struct store_members recorded;
};

/* The batch's writes begin to be seen, or are not seen any more. */
void epoch_wrote(struct store *store, const struct store_batch *b);
/* Anything may have changed. */
void epoch_all(struct store *store);

struct store {
    struct loop       *loop;
    char              *path;
    MDB_env           *env;
    MDB_dbi            tables[STORE_TABLES_MAX];
    size_t             table_count;
    uint64_t           runs;           /* store_spec.runs */
    MDB_dbi            meta;           /* "schema", "members", and for each writer "writer" NUL name */
    char              *writer_name;    /* NULL: numbers are not kept */
    char              *record;         /* NULL: none */
    bool               recorded;
    struct live       *live;           /* NULL: none */
    struct live_hook   turn_over;
    struct store_batch *held, **held_end;   /* handed in during this turn */
    unsigned           gather_ms;
    uint32_t         (*owner_of)(const uint32_t *members, size_t count, unsigned slot);
    uint32_t           instance;       /* our key among the members */
    struct store_members claim;        /* under writer.mutex; generation 0: nothing yet */
    struct decided     found;          /* what an earlier process of this writer left */
    int                lock_fd;
    long               disk_floor_mb;
    bool               low, closing;
    struct timer       readers_timer, disk_timer;
    /* Growing the map moves it, which no open transaction of this process survives. A view holds
     * `gate` while it is open, the writer `txn_gate` during its transaction; who grows takes both, in
     * this order. */
    pthread_mutex_t    gate, txn_gate;
    struct store_view  view;
    struct overlay    *overlay;
    struct epochs      epochs;
    struct writer      writer;
    uint64_t           seq;            /* number given out last */
    uint64_t           delivered_seq;  /* number of the last callback run */
    uint64_t           batches, failed, pending_batches, pending_bytes;
    struct map_pages   pages;
};

/* Takes the size another process gave the map; `at_least` 0, or makes it that large. Caller: no open
 * transaction of its own, neither gate held. */
int store_remap(struct store *store, size_t at_least);

/* mdb_cursor_put of a row that comes at the end of a run (store_runs.c). `behind`: the cursor stands where MDB_SET_RANGE
 * of this key leaves it. */
int store_put_run(MDB_cursor *cursor, MDB_val *key, MDB_val *value, bool behind);
