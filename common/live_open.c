/* The environment below live memory (live.h): the stamp of the boot, the lock, room on the disk. */

#include "live_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "directory.h"
#include "log.h"
#include "mem.h"

enum { BOOT_ID_LEN = 36, PAGES_OF_A_CHANGE = 8 };

static bool complain(const struct live *live, const char *event, const char *why)
{
    log_error(event, "peer", live->path, "why", why, NULL);
    return false;
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
        rc = mdb_env_open(live->env, live->path, MDB_NOSYNC | MDB_WRITEMAP | MDB_NOLOCK | MDB_NOTLS, 0600);
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


/* ---- room on the disk ---- */

/* The disk sets aside the first `wanted` bytes of the file. ENOSPC and the like: it has no more. A file system
 * that cannot do this is trusted. */
static int reserve(struct live *live, size_t wanted)
{
    mdb_filehandle_t fd;

    if (live->no_reserve || wanted <= live->reserved)
        return 0;
    mdb_env_get_fd(live->env, &fd);
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)wanted) != 0) {
        live->no_reserve = errno == EOPNOTSUPP;
        return live->no_reserve ? 0 : errno;
    }
    live->reserved = wanted;
    return 0;
}

/* Disk space is taken ahead of what is used, so that a disk filled by others is felt late; the map grows
 * while no transaction is open. Both are looked at after each commit and act rarely. */
void live_keep_ahead(struct live *live)
{
    MDB_envinfo info;

    mdb_env_info(live->env, &info);
    live->figures.used_bytes = (info.me_last_pgno + 1) * live->page_bytes;
    if (live->figures.used_bytes > live->map_bytes / 2) {
        live->map_bytes *= 2;
        int rc = mdb_env_set_mapsize(live->env, live->map_bytes);
        if (rc != 0)
            fatal("live_write_failed", "peer", live->path, "why", mdb_strerror(rc), NULL);
        map_pages_moved(&live->pages);
    }
    size_t wanted = live->figures.used_bytes + live->reserve_bytes;
    if (live->reserved + live->reserve_bytes / 2 >= wanted || live->figures.used_bytes < live->complained)
        return;
    int err = reserve(live, wanted);
    if (err) {
        live->complained = live->figures.used_bytes + live->reserve_bytes / 2;        /* once a step */
        log_info("live_not_reserved", "peer", live->path, "bytes", log_num((int64_t)wanted), "why", strerror(err), NULL);
    }
}

/* A change copies the pages from the root to its row, and may split each. A turn that could leave what is
 * reserved takes more first; when there is no more, it ends here (as `must`) and not in the middle of a page. */
void live_charge_turn(struct live *live, size_t bytes)
{
    size_t reach = live->figures.used_bytes + (live->turn_bytes += bytes + PAGES_OF_A_CHANGE * live->page_bytes);

    if (reach <= live->reserved || live->no_reserve)
        return;
    int err = reserve(live, reach + live->reserve_bytes / 2);
    if (err)
        err = reserve(live, reach);
    if (err)
        fatal("live_write_failed", "peer", live->path, "why", strerror(err), NULL);
}

bool live_open_checked(struct live *live, const char *const *tables)
{
    MDB_stat stat;

    if (live->table_count > LIVE_TABLES_MAX)
        return complain(live, "live_open_failed", "too many tables");
    if (!directory_make(live->path))
        return complain(live, "live_directory_refused", strerror(errno));
    if (!take_lock(live) || !check_stamp(live) || !open_or_discard(live, tables))
        return false;
    mdb_env_stat(live->env, &stat);
    live->page_bytes = stat.ms_psize;
    live_keep_ahead(live);
    return true;
}
