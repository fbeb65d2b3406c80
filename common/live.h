#pragma once

/* Memory that outlives the process and not the machine (DESIGN.md 2.8): one LMDB environment an
 * instance, MDB_NOSYNC, stamped with the boot id; what another boot left behind is discarded. It belongs
 * to the loop's thread. Whatever is put during a loop turn becomes true together, at the end of that turn
 * and before any byte of that turn leaves for another daemon: a process that is killed comes back as it
 * was at the end of its last turn. Writes that fail (a full disk) end the process: half a turn is worse.
 *
 * Keys: at most 511 bytes, as given. u64 keys are big-endian, so that key order is their order. */

#include "loop.h"
#include "slice.h"

struct live;

struct live_spec {
    const char        *path;            /* directory */
    const char *const *tables;          /* NULL-ended; a table's number is its place here */
    size_t             map_bytes;       /* 0: 4 GiB of address space */
    size_t             reserve_bytes;   /* of disk taken in advance, so that a full disk is not felt; 0: 16 MiB */
};

/* NULL: logged why. */
struct live *live_open(struct loop *loop, const struct live_spec *spec);
/* Commits and closes. */
void live_close(struct live **live);
/* True: it holds what an earlier process of this boot left. */
bool live_found(const struct live *live);
/* Commits; from now on puts and deletes do nothing. At an orderly end, before things are freed: what is
 * freed then is not forgotten, and the next process finds it. */
void live_freeze(struct live *live);
/* Forgets everything (an operator's stop, tests). */
void live_clear(struct live *live);

void live_put(struct live *live, unsigned table, struct slice key, struct slice value);
void live_delete(struct live *live, unsigned table, struct slice key);
void live_put_u64(struct live *live, unsigned table, uint64_t key, struct slice value);
/* The same; cheaper where the key is above all others of the table, as a new serial is. */
void live_append_u64(struct live *live, unsigned table, uint64_t key, struct slice value);
void live_delete_u64(struct live *live, unsigned table, uint64_t key);
/* What this turn has put is seen. Borrowed until the next put, delete or commit. p == NULL: none. */
struct slice live_get(struct live *live, unsigned table, struct slice key);
/* In key order; each() must not put or delete. Stops at its first non-zero and returns it. */
int live_each(struct live *live, unsigned table, int (*each)(void *arg, struct slice key, struct slice value),
              void *arg);
uint64_t live_key_u64(struct slice key);

/* Forgets the rows of one table. */
void live_forget(struct live *live, unsigned table);

/* Makes true what was put since the last time: called by the link before it flushes, and by itself at
 * the end of the turn. Nothing to do: costs nothing. */
void live_commit(struct live *live);
/* `run` is called at the beginning of each commit that has something to write, or after live_dirty: for
 * state that changes often and is written once a turn. */
struct live_hook {
    struct list link;
    void      (*run)(void *arg);
    void       *arg;
};
void live_before_commit(struct live *live, struct live_hook *hook);
/* The same after all those: for what they put together. */
void live_last_before_commit(struct live *live, struct live_hook *hook);
/* `run` is called after each such commit: for what may only begin when the turn is true. */
void live_after_commit(struct live *live, struct live_hook *hook);
/* The next live_commit shall run the hooks, and one shall come at the end of this turn. */
void live_dirty(struct live *live);

struct live_figures { uint64_t commits, puts, bytes, used_bytes; };
void live_figures(const struct live *live, struct live_figures *out);
