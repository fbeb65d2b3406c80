/* The live environment (live.h): one LMDB write transaction, opened by the first use in a loop turn and
 * committed at its end. Nothing is ever flushed to the disk: the kernel's page cache is the memory that
 * outlives the process. Only one process and one thread use it, so LMDB's lock file (mapped, and SIGBUS
 * on a full disk) is left out; owner.lock keeps a second process away.
 * The map is written to (MDB_WRITEMAP): a turn of four rows costs 1.3 us so and 9.7 with a write call a page.
 * A process killed in a turn leaves pages that the last root does not name. Two dangers come with it: a
 * page that the disk has no room for is SIGBUS, so room is taken before a turn can reach it; and a
 * stray write of ours could damage the map: what cannot be read is void, as after a power cut. */

#include "live_inner.h"

#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { PAGES_MS = 1000 };
#define MAP_DEFAULT     ((size_t)4 << 30)
#define RESERVE_DEFAULT ((size_t)16 << 20)

/* Half a turn is worse than none: the process ends here and comes back as it was after the last one. */
static void must(const struct live *live, int rc)
{
    if (rc != 0)
        fatal("live_write_failed", "peer", live->path, "why", mdb_strerror(rc), NULL);
}

static void on_turn_end(void *arg)
{
    live_commit(arg);
}

static void drop_pages(void *arg)
{
    struct live *live = arg;

    map_pages_drop(&live->pages, live->env, live->path);
    if (map_pages_due(&live->pages))
        timer_arm(live->loop, &live->pages_timer, PAGES_MS);
}

struct live *live_open(struct loop *loop, const struct live_spec *spec)
{
    struct live *live = xcalloc(1, sizeof(*live));

    live->loop = loop;
    live->path = xstrdup(spec->path);
    live->lock_fd = -1;
    live->map_bytes = spec->map_bytes ? spec->map_bytes : MAP_DEFAULT;
    live->reserve_bytes = spec->reserve_bytes ? spec->reserve_bytes : RESERVE_DEFAULT;
    live->turn_end = (struct deferred){ .run = on_turn_end, .arg = live };
    live->pages_timer = (struct timer){ .fire = drop_pages, .arg = live };
    list_init(&live->before);
    list_init(&live->last);
    list_init(&live->after);
    while (spec->tables[live->table_count])
        live->table_count++;
    if (live_open_checked(live, spec->tables))
        return live;
    live_close(&live);
    return NULL;
}

void live_close(struct live **lp)
{
    struct live *live = *lp;

    if (!live)
        return;
    live_commit(live);
    loop_undefer(&live->turn_end);
    timer_disarm(&live->pages_timer);
    if (live->env)
        mdb_env_close(live->env);
    if (live->lock_fd >= 0)
        close(live->lock_fd);
    free(live->path);
    free(live);
    *lp = NULL;
}

bool live_found(const struct live *live)
{
    return live->found;
}

/* ---- a turn ---- */

static MDB_txn *turn(struct live *live)
{
    if (live->txn)
        return live->txn;
    must(live, mdb_txn_begin(live->env, NULL, 0, &live->txn));
    loop_defer(live->loop, &live->turn_end);
    return live->txn;
}

static MDB_val to_mdb(struct slice s)
{
    return (MDB_val){ s.len, (void *)s.p };
}

static MDB_dbi table_of(const struct live *live, unsigned table)
{
    if (table >= live->table_count)
        fatal("live_no_such_table", "peer", live->path, "count", log_num(table), NULL);
    return live->tables[table];
}

void live_forget(struct live *live, unsigned table)
{
    if (live->frozen)
        return;
    live_charge_turn(live, 0);
    must(live, mdb_drop(turn(live), table_of(live, table), 0));
    live->written = true;
}

void live_clear(struct live *live)
{
    for (unsigned i = 0; i < live->table_count; i++)
        live_forget(live, i);
}

/* With MDB_APPEND no place is looked for, and a full page stays full: 0.08 us a row instead of 0.15. */
static void put(struct live *live, unsigned table, struct slice key, struct slice value, unsigned flags)
{
    MDB_val k = to_mdb(key), v = to_mdb(value);

    if (live->frozen)
        return;
    live_charge_turn(live, key.len + 2 * value.len);
    int rc = mdb_put(turn(live), table_of(live, table), &k, &v, flags);

    if (rc == MDB_KEYEXIST)             /* not above all others */
        rc = mdb_put(turn(live), table_of(live, table), &k, &v, 0);
    must(live, rc);
    live->written = true;
    live->figures.puts++;
    live->figures.bytes += key.len + value.len;
}

void live_put(struct live *live, unsigned table, struct slice key, struct slice value)
{
    put(live, table, key, value, 0);
}

void live_delete(struct live *live, unsigned table, struct slice key)
{
    MDB_val k = to_mdb(key);

    if (live->frozen)
        return;
    live_charge_turn(live, 0);
    int rc = mdb_del(turn(live), table_of(live, table), &k, NULL);

    if (rc == MDB_NOTFOUND)
        return;
    must(live, rc);
    live->written = true;
}

static struct slice u64_key(uint8_t room[8], uint64_t key)
{
    for (unsigned i = 0; i < 8; i++)
        room[i] = (uint8_t)(key >> (56 - 8 * i));
    return slice_of(room, 8);
}

uint64_t live_key_u64(struct slice key)
{
    uint64_t number = 0;

    for (size_t i = 0; i < key.len && i < 8; i++)
        number = number << 8 | key.p[i];
    return number;
}

void live_put_u64(struct live *live, unsigned table, uint64_t key, struct slice value)
{
    uint8_t room[8];

    live_put(live, table, u64_key(room, key), value);
}

void live_append_u64(struct live *live, unsigned table, uint64_t key, struct slice value)
{
    uint8_t room[8];

    put(live, table, u64_key(room, key), value, MDB_APPEND);
}

void live_delete_u64(struct live *live, unsigned table, uint64_t key)
{
    uint8_t room[8];

    live_delete(live, table, u64_key(room, key));
}

struct slice live_get(struct live *live, unsigned table, struct slice key)
{
    MDB_val k = to_mdb(key), v;
    int     rc = mdb_get(turn(live), table_of(live, table), &k, &v);

    if (rc == MDB_NOTFOUND)
        return slice_of(NULL, 0);
    must(live, rc);
    return slice_of(v.mv_data, v.mv_size);
}

int live_each(struct live *live, unsigned table, int (*each)(void *arg, struct slice key, struct slice value),
              void *arg)
{
    MDB_cursor *cursor;
    MDB_val     k, v;
    int         rc, stopped = 0;

    must(live, mdb_cursor_open(turn(live), table_of(live, table), &cursor));
    while (!stopped && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) != MDB_NOTFOUND) {
        must(live, rc);
        stopped = each(arg, slice_of(k.mv_data, k.mv_size), slice_of(v.mv_data, v.mv_size));
    }
    mdb_cursor_close(cursor);
    return stopped;
}

/* ---- its end ---- */

void live_before_commit(struct live *live, struct live_hook *hook)
{
    list_append(&live->before, &hook->link);
}

void live_last_before_commit(struct live *live, struct live_hook *hook)
{
    list_append(&live->last, &hook->link);
}

void live_after_commit(struct live *live, struct live_hook *hook)
{
    list_append(&live->after, &hook->link);
}

void live_dirty(struct live *live)
{
    live->dirty = true;
    loop_defer(live->loop, &live->turn_end);
}

static void run_hooks(struct list *hooks)
{
    LIST_EACH(hooks, node) {
        struct live_hook *hook = LIST_OWNER(node, struct live_hook, link);
        hook->run(hook->arg);
    }
}

static void end_turn(struct live *live)
{
    if (!live->txn)
        return;
    must(live, mdb_txn_commit(live->txn));     /* without a write it only ends */
    live->txn = NULL;
    live->turn_bytes = 0;
    if (!live->written)
        return;
    live->written = false;
    live->figures.commits++;
    live_keep_ahead(live);
}

void live_commit(struct live *live)
{
    bool something = live->written || live->dirty;

    if (something) {
        run_hooks(&live->before);
        run_hooks(&live->last);
    }
    live->dirty = false;
    end_turn(live);
    if (something)
        run_hooks(&live->after);
    if (something && !timer_armed(&live->pages_timer))
        timer_arm(live->loop, &live->pages_timer, PAGES_MS);
    live->pages.touched |= something;
}

void live_freeze(struct live *live)
{
    live_commit(live);
    live->frozen = true;
}

void live_figures(const struct live *live, struct live_figures *out)
{
    *out = live->figures;
}
