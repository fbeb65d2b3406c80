#pragma once

/* LMDB environments (DESIGN.md 6). A write batch is data; one writer thread a process commits; a
 * commit's callback runs on the loop. Handlers never touch LMDB.
 *
 * Keys begin with the owner's slot (u16 big-endian), so that everything one slot owns is a
 * contiguous range of each table: build them with store_key(). Values carry a format byte of their
 * own as the first byte (the owner module's business). Behind the slot a key may be any bytes; names
 * in it are parted by NUL, and no more than five of them may be longer than 96 bytes: those are kept
 * folded (store_inner.h), which shows only in the order of keys. */

#include "buf.h"
#include "err.h"
#include "loop.h"
#include "slice.h"

struct store;
struct store_view;
struct store_batch;

struct store_spec {
    const char *path;              /* directory */
    const char *const *tables;     /* NULL-ended; a table's number is its place here */
    uint32_t schema;               /* version of the layout; newer on disk: refused */
    uint64_t runs;                 /* bit N: new rows of table N mostly come at the end of runs with a common
                                      prefix; they are packed more closely (store_runs.c) */
    size_t   map_bytes;            /* 0: 16 GiB */
    /* Name of the instance that writes ("sm-1"): the number of its last batch is kept in the environment,
     * by the transaction of that batch. NULL: numbers are good within this process only. */
    const char *writer;
    /* Live memory of this process: what is handed in during a loop turn waits for the end of that turn
     * (live_commit), so that nothing is durable that a killed process would do again. NULL: waits for
     * nothing. Must stay open longer than the store. */
    struct live *live;
    /* Under load (a transaction of many batches was just begun) the next one begins only so long after it, so that
     * more go into it, or as soon as nothing more comes for a sixteenth of that: done() is called so much later at
     * most. Who is alone never waits, nor does the end. 0: a transaction begins when the one before it is over. */
    unsigned gather_ms;
    /* By which member a slot is owned (proto/routes.h), and who we are: batches for slots that by the
     * recorded members are another's are refused with ZE_STALE. NULL: everything is ours. Called by the
     * writer's thread. */
    uint32_t (*owner_of)(const uint32_t *members, size_t count, unsigned slot);
    uint32_t instance;
    /* A file that says that this environment has held data; made when it first does. An environment that is
     * empty although its record is there is refused. NULL: no record. */
    const char *record;
    long     disk_floor_mb;        /* free space below which store_low is true */
};

/* Opens (makes) it, starts the writer thread. Checks free space before it opens (a full disk is
 * SIGBUS for LMDB). Runs mdb_reader_check each second. NULL: logged why. */
struct store *store_open(struct loop *loop, const struct store_spec *spec);
/* Waits for the batches handed in; whoever waits for one is told. What is handed in from then on is refused (ZE_STORE);
 * the store can still be read. True: somebody was told, who may have handed in to another store. For a process with
 * several stores: all are finished before the first is closed. */
bool store_finish(struct store *store);
/* Finishes it, then closes. */
void store_close(struct store **store);
/* Free disk below the floor: writers of archive and offline data must refuse with ZE_FULL. */
bool store_low(const struct store *store);
/* The members that own the slots since this generation, and while it is under way those before it: recorded
 * with the next commit unless a newer generation is there, or the same one without a before. From then on
 * nobody else can write for their slots, whatever he believes. */
enum { STORE_MEMBERS_MAX = 64 };
struct store_members {
    uint32_t generation;
    size_t   count, before_count;      /* before_count 0: settled */
    uint32_t keys[STORE_MEMBERS_MAX], before[STORE_MEMBERS_MAX];
};
void store_claim(struct store *store, const struct store_members *members);

/* ---- reading: the snapshot plus the pending batches of this process. Values borrowed until the
 * view is closed, and views end within the loop turn. ---- */
struct store_view *store_view(struct store *store);
void               store_view_end(struct store_view **view);
/* Empty slice with p == NULL: no such key. (An empty value has p != NULL.) */
struct slice store_get(struct store_view *view, unsigned table, struct slice key);
/* Calls each() for the keys from `from` on (inclusive) that begin with `prefix`, in key order (or
 * backwards from below `from` when `backwards`; an empty `from` = the respective end of the prefix).
 * Stops at its first non-zero and returns that; else 0 or ZE_STORE. */
int store_each(struct store_view *view, unsigned table, struct slice prefix, struct slice from,
               bool backwards, int (*each)(void *arg, struct slice key, struct slice value), void *arg);

/* What was read of a slot's rows in one table may be kept beyond the view as long as this number stays the same: any
 * other one says that they may have changed since. It changes when a batch that writes to the table is handed in or
 * fails, and when the members that own slots change (store_claim, or what is recorded); while they do, and for a slot
 * that is not ours, no call gives the same. Numbers of two stores never meet, and none is 0. Ask and read in one
 * view. */
uint64_t store_epoch(struct store_view *view, unsigned table, unsigned slot);

/* ---- writing ---- */
/* `owner`: the bare JID (or room) on whose behalf: when one batch of an owner fails, that owner's
 * batches already handed in behind it fail too (ZE_CONFLICT or ZE_STORE). Copied. */
struct store_batch *store_batch(struct slice owner);
void store_put(struct store_batch *b, unsigned table, struct slice key, struct slice value);
void store_delete(struct store_batch *b, unsigned table, struct slice key);
/* Preconditions, checked inside the transaction: the key is absent / has exactly this value. */
void store_expect_absent(struct store_batch *b, unsigned table, struct slice key);
void store_expect_value(struct store_batch *b, unsigned table, struct slice key, struct slice value);
bool store_batch_empty(const struct store_batch *b);
/* A batch made again of store_batch_bytes. NULL: they are no batch. */
struct store_batch *store_batch_from(struct slice bytes);
void store_batch_free(struct store_batch **b);
/* The encoded batch (operations in order): what replication will ship. Borrowed. */
struct slice store_batch_bytes(const struct store_batch *b);

/* Takes the batch (the pointer is cleared). From now on this process's views see it. Once it is
 * durable (synced) done(arg, ZE_OK) runs on the loop; if it failed done(arg, ZE_CONFLICT) for a
 * precondition, ZE_STALE when the slot is another's (store_claim), ZE_FULL for disk or map full, ZE_STORE else, and its effects vanish from the views.
 * Callbacks of one store run in the order of the commits. There is no way to wait.
 * Returns the batch's number: each is higher than all of this writer before it, over restarts too. */
uint64_t store_commit(struct store *store, struct store_batch **b, void (*done)(void *arg, enum zerr err),
                      void *arg);

/* The number given last, and whether all batches handed in up to a number are decided: durable or failed. */
uint64_t store_last(const struct store *store);
bool     store_decided(const struct store *store, uint64_t number);

/* After a restart: what became of a batch that an earlier process of this writer handed in. */
enum store_fate { STORE_UNDECIDED, STORE_COMMITTED, STORE_REFUSED };
enum store_fate store_fate(const struct store *store, uint64_t number);
/* Hands an undecided one in again under its old number; before any new one, in order of the numbers. */
void store_commit_again(struct store *store, struct store_batch **b, uint64_t number,
                        void (*done)(void *arg, enum zerr err), void *arg);

/* Owner's slot in two bytes big-endian, then `rest` as given. Appends to `out`. */
void store_key(struct buf *out, unsigned slot, struct slice rest);

/* Counters for stats: commits, batches, bytes, map use. */
struct store_figures {
    uint64_t commits, batches, failed, map_used, map_bytes, pending_batches, pending_bytes;
};
void store_figures(const struct store *store, struct store_figures *out);
