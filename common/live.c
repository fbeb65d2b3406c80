/* The live environment (live.h): one LMDB write transaction, opened by the first use in a loop turn and
 * committed at its end. Nothing is ever flushed to the disk: the kernel's page cache is the memory that
 * outlives the process. Only one process and one thread use it, so LMDB's lock file (mapped, and SIGBUS
 * on a full disk) is left out; owner.lock keeps a second process away. */

#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "directory.h"
#include "log.h"
#include "map_pages.h"
#include "mem.h"

enum { TABLES_MAX = 32, BOOT_ID_LEN = 36 };
enum { PAGES_MS = 1000 };
#define MAP_DEFAULT     ((size_t)4 << 30)
#define RESERVE_DEFAULT ((size_t)16 << 20)

struct live {
    struct loop         *loop;
    char                *path;
    MDB_env             *env;
    MDB_txn             *txn;          /* of this turn; NULL: none yet */
    MDB_dbi              tables[TABLES_MAX];
    size_t               table_count;
    int                  lock_fd;
    size_t               page_bytes, map_bytes, reserve_bytes;
    size_t               reserved;     /* bytes of the file the disk has set aside */
    bool                 found, written, dirty, frozen, no_reserve;
    struct list          before, after;  /* struct live_hook */
    struct deferred      turn_end;
    struct live_figures  figures;
    struct map_pages     pages;
    struct timer         pages_timer;
};

static bool complain(const struct live *live, const char *event, const char *why)
{
    log_error(event, "peer", live->path, "why", why, NULL);
    return false;
}

/* Half a turn is worse than none: the process ends here and comes back as it was after the last one. */
static void must(const struct live *live, int rc)
{
    if (rc != 0)
        fatal("live_write_failed", "peer", live->path, "why", mdb_strerror(rc), NULL);
}

/* ---- the boot stamp ---- */

static int open_in(const struct live *live, const char *name, int flags)
{
    char *path = xprintf("%s/%s", live->path, name);
    int   fd = open(path, flags | O_CLOEXEC, 0600);

    free(path);
    return fd;
}

static bool read_stamp(int fd, char out[BOOT_ID_LEN])
{
    ssize_t got = fd < 0 ? -1 : read(fd, out, BOOT_ID_LEN);

    if (fd >= 0)
        close(fd);
    return got == BOOT_ID_LEN;
}

static bool write_stamp(const struct live *live, const char boot[BOOT_ID_LEN])
{
    int  fd = open_in(live, "boot_id", O_WRONLY | O_CREAT | O_TRUNC);
    bool written = fd >= 0 && write(fd, boot, BOOT_ID_LEN) == BOOT_ID_LEN;

    if (fd >= 0)
        close(fd);
    return written || complain(live, "live_stamp_failed", strerror(errno));
}

static bool discard(const struct live *live, const char *why)
{
    char *path = xprintf("%s/data.mdb", live->path);
    int   err = unlink(path) == 0 ? 0 : errno;

    free(path);
    if (err && err != ENOENT)
        return complain(live, "live_not_discarded", strerror(err));
    if (!err)
        log_info("live_discarded", "peer", live->path, "why", why, NULL);
    return true;
}

/* The stamp is written when nothing of an earlier boot is left, so that a crash in between is harmless. */
static bool check_stamp(const struct live *live)
{
    char boot[BOOT_ID_LEN], stamp[BOOT_ID_LEN];

    if (!read_stamp(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), boot))
        return complain(live, "live_stamp_failed", "the kernel tells no boot id");
    if (read_stamp(open_in(live, "boot_id", O_RDONLY), stamp) && memcmp(boot, stamp, BOOT_ID_LEN) == 0)
        return true;
    return discard(live, "another boot") && write_stamp(live, boot);
}

static bool take_lock(struct live *live)
{
    live->lock_fd = open_in(live, "owner.lock", O_RDWR | O_CREAT);
    if (live->lock_fd < 0)
        return complain(live, "live_lock_failed", strerror(errno));
    if (flock(live->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return complain(live, "live_locked", "in use by another process");
    return true;
}

/* ---- the environment ---- */

static int open_tables(struct live *live, const char *const *names)
{
    MDB_txn *txn;
    MDB_stat stat;
    int      rc = mdb_txn_begin(live->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < live->table_count; i++) {
        rc = mdb_dbi_open(txn, names[i], MDB_CREATE, &live->tables[i]);
        if (rc == 0)
            rc = mdb_stat(txn, live->tables[i], &stat);
        if (rc == 0 && stat.ms_entries > 0)
            live->found = true;
    }
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int open_environment(struct live *live, const char *const *tables)
{
    int rc = mdb_env_create(&live->env);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(live->env, (MDB_dbi)live->table_count);
    if (rc == 0)
        rc = mdb_env_set_mapsize(live->env, live->map_bytes);
    if (rc == 0)
        rc = mdb_env_open(live->env, live->path, MDB_NOSYNC | MDB_NOLOCK | MDB_NOTLS, 0600);
    return rc ? rc : open_tables(live, tables);
}

static bool is_damage(int rc)
{
    return rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_VERSION_MISMATCH || rc == MDB_PAGE_NOTFOUND;
}

/* What cannot be read is as void as after a power cut: what was acknowledged is in the synced stores. */
static bool open_or_discard(struct live *live, const char *const *tables)
{
    int rc = open_environment(live, tables);

    if (is_damage(rc)) {
        mdb_env_close(live->env);
        live->env = NULL;
        live->found = false;
        log_warn("live_damaged", "peer", live->path, "why", mdb_strerror(rc), NULL);
        rc = discard(live, "damaged") ? open_environment(live, tables) : EIO;
    }
    return rc == 0 || complain(live, "live_open_failed", mdb_strerror(rc));
}

/* Disk space is taken ahead of what is used, so that a disk filled by others is felt late; the map grows
 * while no transaction is open. Both are looked at after each commit and act rarely. */
static void keep_ahead(struct live *live)
{
    MDB_envinfo info;
    mdb_filehandle_t fd;

    mdb_env_info(live->env, &info);
    live->figures.used_bytes = (info.me_last_pgno + 1) * live->page_bytes;
    if (live->figures.used_bytes > live->map_bytes / 2) {
        live->map_bytes *= 2;
        must(live, mdb_env_set_mapsize(live->env, live->map_bytes));
        map_pages_moved(&live->pages);
    }
    size_t wanted = live->figures.used_bytes + live->reserve_bytes;
    if (live->no_reserve || live->reserved + live->reserve_bytes / 2 >= wanted)
        return;
    mdb_env_get_fd(live->env, &fd);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)wanted) != 0) {
        live->no_reserve = errno == EOPNOTSUPP;
        log_info("live_not_reserved", "peer", live->path, "bytes", log_num((int64_t)wanted), "why",
                 strerror(errno), NULL);
    }
    live->reserved = wanted;       /* said once a step, also when the disk has no more */
}

static void on_turn_end(void *arg)
{
    live_commit(arg);
}

static bool open_checked(struct live *live, const char *const *tables)
{
    MDB_stat stat;

    if (live->table_count > TABLES_MAX)
        return complain(live, "live_open_failed", "too many tables");
    if (!directory_make(live->path))
        return complain(live, "live_directory_refused", strerror(errno));
    if (!take_lock(live) || !check_stamp(live) || !open_or_discard(live, tables))
        return false;
    mdb_env_stat(live->env, &stat);
    live->page_bytes = stat.ms_psize;
    keep_ahead(live);
    return true;
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
    list_init(&live->after);
    while (spec->tables[live->table_count])
        live->table_count++;
    if (open_checked(live, spec->tables))
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
    must(live, mdb_drop(turn(live), table_of(live, table), 0));
    live->written = true;
}

void live_clear(struct live *live)
{
    for (unsigned i = 0; i < live->table_count; i++)
        live_forget(live, i);
}

void live_put(struct live *live, unsigned table, struct slice key, struct slice value)
{
    MDB_val k = to_mdb(key), v = to_mdb(value);

    if (live->frozen)
        return;
    must(live, mdb_put(turn(live), table_of(live, table), &k, &v, 0));
    live->written = true;
    live->figures.puts++;
    live->figures.bytes += key.len + value.len;
}

void live_delete(struct live *live, unsigned table, struct slice key)
{
    MDB_val k = to_mdb(key);

    if (live->frozen)
        return;
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
    if (!live->written)
        return;
    live->written = false;
    live->figures.commits++;
    keep_ahead(live);
}

void live_commit(struct live *live)
{
    bool something = live->written || live->dirty;

    if (something)
        run_hooks(&live->before);
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
