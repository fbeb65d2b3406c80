/* Environments: opening with its checks, watching disk and readers, closing (store.h, DESIGN.md 6).
 * Reading is in store_view.c, writing in store_commit.c and store_writer.c. */

#include "store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cursor.h"
#include "directory.h"
#include "log.h"
#include "mem.h"

enum {
    READERS_EVERY_MS = 1000,
    DISK_EVERY_MS = 1000,
    FREE_AT_LEAST_MB = 16,     /* LMDB maps its lock file: no space for it is SIGBUS */
    META_TABLES = 1,
};
#define MAP_DEFAULT ((size_t)16 << 30)

static bool complain(const struct store *store, const char *event, const char *why)
{
    log_error(event, "peer", store->path, "why", why, NULL);
    return false;
}

/* ---- the directory ---- */

static bool make_directory(const struct store *store)
{
    return directory_make(store->path) || complain(store, "store_directory_refused", strerror(errno));
}

static int64_t free_mb(const struct store *store)
{
    struct statvfs fs;

    if (statvfs(store->path, &fs) != 0)
        return -1;
    return (int64_t)((uint64_t)fs.f_bavail * fs.f_frsize >> 20);
}

static int open_in(const struct store *store, const char *name, int flags)
{
    char *path = xprintf("%s/%s", store->path, name);
    int   fd = open(path, flags | O_CLOEXEC, 0600);

    free(path);
    return fd;
}

/* Migration, rollback and restore take this lock for themselves alone (DESIGN.md 6). */
static bool lock_owner(struct store *store)
{
    if (store->lock_fd < 0)
        store->lock_fd = open_in(store, "owner.lock", O_RDWR | O_CREAT);
    if (store->lock_fd < 0)
        return complain(store, "store_lock_failed", strerror(errno));
    if (flock(store->lock_fd, LOCK_SH | LOCK_NB) == 0)
        return true;
    return complain(store, "store_locked", "being migrated or restored");
}

/* ---- tables and schema ---- */

static int check_schema(struct store *store, MDB_txn *txn, uint32_t wanted)
{
    MDB_val key = { 6, (void *)"schema" }, value;
    uint8_t bytes[4];
    int     rc = mdb_get(txn, store->meta, &key, &value);

    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(wanted >> 8 * i);
    if (rc == MDB_NOTFOUND) {
        value = (MDB_val){ sizeof bytes, bytes };
        return mdb_put(txn, store->meta, &key, &value, 0);
    }
    if (rc != 0)
        return rc;
    if (value.mv_size == sizeof bytes && memcmp(value.mv_data, bytes, sizeof bytes) == 0)
        return 0;
    struct cursor c = { slice_of(value.mv_data, value.mv_size), false };
    uint32_t      found = take_u32(&c);
    log_error("store_schema_refused", "peer", store->path, "why",
              found > wanted ? "written by a newer version" : "older, and there is no migration from it",
              "have", log_num(found), "want", log_num(wanted), NULL);
    return MDB_VERSION_MISMATCH;
}

static bool has_rows(const struct store *store, MDB_txn *txn, MDB_dbi table)
{
    MDB_stat stat = { 0 };

    return mdb_stat(txn, table, &stat) == 0 && stat.ms_entries > 0;
}

/* Nothing in it, and no writer has ever committed: not what an environment that has held data looks
 * like, even when everything in it was deleted. (The schema row is put after this look.) */
static bool is_new(const struct store *store, MDB_txn *txn)
{
    MDB_val key = { 6, (void *)"schema" }, value;
    bool    schema = mdb_get(txn, store->meta, &key, &value) == 0;
    MDB_stat stat = { 0 };

    for (size_t i = 0; i < store->table_count; i++)
        if (has_rows(store, txn, store->tables[i]))
            return false;
    mdb_stat(txn, store->meta, &stat);
    return stat.ms_entries <= schema;
}

static int check_record(struct store *store, MDB_txn *txn)
{
    bool empty = is_new(store, txn);

    if (!empty && !record_found(store))
        record_make(store);
    store->recorded = !empty;
    if (!empty || !record_found(store))
        return 0;
    log_error("store_empty_refused", "peer", store->path, "why",
              "it is empty, and its record says that it held data: see that the right disk is mounted or "
              "restore a backup; to begin anew with nothing, remove the record", "have", store->record, NULL);
    return MDB_NOTFOUND;
}

static int open_tables(struct store *store, const struct store_spec *spec)
{
    MDB_txn *txn;
    int      rc = mdb_txn_begin(store->env, NULL, 0, &txn);

    if (rc != 0)
        return rc;
    rc = mdb_dbi_open(txn, "_meta", MDB_CREATE, &store->meta);
    for (size_t i = 0; rc == 0 && i < store->table_count; i++)
        rc = mdb_dbi_open(txn, spec->tables[i], MDB_CREATE, &store->tables[i]);
    if (rc == 0)
        rc = check_record(store, txn);
    if (rc == 0)
        rc = check_schema(store, txn, spec->schema);
    if (rc == 0)
        rc = numbers_get(store, txn, &store->found);
    if (rc == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static bool open_environment(struct store *store, const struct store_spec *spec)
{
    int rc = mdb_env_create(&store->env);

    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->env, (MDB_dbi)store->table_count + META_TABLES);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env, spec->map_bytes ? spec->map_bytes : MAP_DEFAULT);
    if (rc == 0)
        rc = mdb_env_open(store->env, store->path, MDB_NOTLS, 0600);
    while (rc == 0 && (rc = open_tables(store, spec)) == MDB_MAP_RESIZED)
        rc = mdb_env_set_mapsize(store->env, 0);
    return rc == 0 || complain(store, "store_open_failed", mdb_strerror(rc));
}

int store_remap(struct store *store, size_t at_least)
{
    MDB_envinfo info;

    pthread_mutex_lock(&store->gate);
    pthread_mutex_lock(&store->txn_gate);
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env, at_least > info.me_mapsize ? at_least : 0);
    map_pages_moved(&store->pages);
    pthread_mutex_unlock(&store->txn_gate);
    pthread_mutex_unlock(&store->gate);
    return rc;
}

/* ---- watching ---- */

static void look_at_disk(struct store *store)
{
    int64_t mb = free_mb(store);
    bool    low = mb >= 0 && mb < store->disk_floor_mb;

    if (low != store->low)
        log_event(low ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, low ? "disk_low" : "disk_recovered", "peer",
                  store->path, "bytes", log_num(mb << 20), NULL);
    store->low = low;
}

static void disk_due(void *arg)
{
    struct store *store = arg;

    look_at_disk(store);
    timer_arm(store->loop, &store->disk_timer, DISK_EVERY_MS);
}

/* A reader that died holding a snapshot would stop the reuse of pages for all. */
static void readers_due(void *arg)
{
    struct store *store = arg;
    int           dead = 0;

    if (mdb_reader_check(store->env, &dead) == 0 && dead > 0)
        log_info("store_readers_cleared", "peer", store->path, "count", log_num(dead), NULL);
    if (map_pages_due(&store->pages)) {
        pthread_mutex_lock(&store->gate);           /* it keeps the map where it is (store_remap) */
        map_pages_drop(&store->pages, store->env, store->path);
        pthread_mutex_unlock(&store->gate);
    }
    timer_arm(store->loop, &store->readers_timer, READERS_EVERY_MS);
}

bool store_low(const struct store *store)
{
    return store->low;
}

void store_figures(const struct store *store, struct store_figures *out)
{
    struct writer *w = (struct writer *)&store->writer;
    MDB_envinfo    info = { 0 };
    MDB_stat       stat = { 0 };

    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    pthread_mutex_lock(&w->mutex);
    uint64_t commits = w->commits;
    pthread_mutex_unlock(&w->mutex);
    *out = (struct store_figures){
        .commits = commits,
        .batches = store->batches,
        .failed = store->failed,
        .map_used = (info.me_last_pgno + 1) * stat.ms_psize,
        .map_bytes = info.me_mapsize,
        .pending_batches = store->pending_batches,
        .pending_bytes = store->pending_bytes,
    };
}

/* ---- open and close ---- */

static bool open_checked(struct store *store, const struct store_spec *spec)
{
    if (store->table_count > STORE_TABLES_MAX)
        return complain(store, "store_open_failed", "too many tables");
    if (!make_directory(store))
        return false;
    if (free_mb(store) < FREE_AT_LEAST_MB)
        return complain(store, "store_disk_full", "less than 16 MB free");
    if (!lock_owner(store) || !open_environment(store, spec))
        return false;
    return writer_start(store) || complain(store, "store_open_failed", "no thread");
}

struct store *store_open(struct loop *loop, const struct store_spec *spec)
{
    struct store *store = xcalloc(1, sizeof *store);

    store->loop = loop;
    store->path = xstrdup(spec->path);
    store->lock_fd = -1;
    store->disk_floor_mb = spec->disk_floor_mb;
    store->runs = spec->runs;
    store->live = spec->live;
    store->gather_ms = spec->gather_ms;
    store->owner_of = spec->owner_of;
    store->instance = spec->instance;
    store->writer_name = spec->writer ? xstrdup(spec->writer) : NULL;
    store->record = spec->record ? xstrdup(spec->record) : NULL;
    store->overlay = overlay_new();
    store->view.store = store;
    epoch_all(store);
    store->readers_timer = (struct timer){ .fire = readers_due, .arg = store };
    store->disk_timer = (struct timer){ .fire = disk_due, .arg = store };
    pthread_mutex_init(&store->gate, NULL);
    pthread_mutex_init(&store->txn_gate, NULL);
    while (spec->tables[store->table_count])
        store->table_count++;
    if (!open_checked(store, spec)) {
        store_close(&store);
        return NULL;
    }
    look_at_disk(store);
    timer_arm(loop, &store->disk_timer, DISK_EVERY_MS);
    timer_arm(loop, &store->readers_timer, READERS_EVERY_MS);
    return store;
}

void store_close(struct store **store)
{
    struct store *s = *store;

    if (!s)
        return;
    writer_stop(s);
    timer_disarm(&s->readers_timer);
    timer_disarm(&s->disk_timer);
    view_close(&s->view);
    if (s->env)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    overlay_free(&s->overlay);
    decided_free(&s->found);
    decided_free(&s->writer.decided);
    free(s->writer_name);
    free(s->record);
    pthread_mutex_destroy(&s->gate);
    pthread_mutex_destroy(&s->txn_gate);
    free(s->path);
    free(s);
    *store = NULL;
}
