/* Preloaded into the daemons (LD_PRELOAD) by the test of power cuts: writes down what goes to every
 * data.mdb below ZUBR_RECORD and when it was flushed, so that replay.py can build what a disk may hold
 * after a cut at any instant. Never part of the suite.
 *
 * One file a process, $ZUBR_RECORD/PID.log, of records in the byte order of the machine: struct record,
 * the path, the bytes written. A write is on the record after it returned; `begin` and `end` enclose the
 * system call (CLOCK_MONOTONIC, ns), so a write that nobody flushed may have reached the disk from
 * `begin` on, and one that ended before a barrier began is certain once the barrier has ended. A write
 * through a descriptor with O_DSYNC is its own barrier, for its own bytes alone. */

#undef _FILE_OFFSET_BITS        /* both names of each call are defined below */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 4096, PARTS_MAX = 1024 };
enum { WRITE = 'W', DURABLE_WRITE = 'D', BARRIER = 'B', TRUNCATE = 'T' };

struct record {
    uint64_t kind, begin, end, offset;
    uint32_t path_len, len;
};

/* What a descriptor was when last looked at; another inode under the same number is looked at again. */
struct file {
    dev_t device;
    ino_t inode;
    char *path;                 /* NULL: not ours */
};
static struct file     files[FILES_MAX];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;
static int             log_fd = -1;
static pid_t           log_pid;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static char *path_of(int fd)
{
    const char *suffix = "/data.mdb";
    char        link[64], path[PATH_MAX];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n < (ssize_t)strlen(suffix))
        return NULL;
    path[n] = 0;
    return strcmp(path + n - strlen(suffix), suffix) == 0 ? strdup(path) : NULL;
}

/* The path when it is one of ours. */
static const char *ours(int fd)
{
    struct stat st;
    const char *dir = getenv("ZUBR_RECORD");
    int         saved = errno;

    if (!dir || fd < 0 || fd >= FILES_MAX || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        errno = saved;
        return NULL;
    }
    pthread_mutex_lock(&files_lock);
    struct file *f = &files[fd];
    if (f->inode != st.st_ino || f->device != st.st_dev)
        *f = (struct file){ st.st_dev, st.st_ino, path_of(fd) };
    if (f->path && (log_fd < 0 || log_pid != getpid())) {
        char name[PATH_MAX];
        snprintf(name, sizeof(name), "%s/%d.log", dir, (int)getpid());
        log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        log_pid = getpid();
    }
    const char *path = f->path;
    pthread_mutex_unlock(&files_lock);
    errno = saved;
    return path;
}

/* The record goes out in one call; the log of a process that is killed ends with a whole record. */
static void note(const struct record *head, const char *path, const struct iovec *parts, int count)
{
    static struct iovec out[PARTS_MAX + 2];
    size_t              left = head->len, total = sizeof(*head) + head->path_len + head->len;
    int                 n = 2, saved = errno;

    pthread_mutex_lock(&files_lock);
    out[0] = (struct iovec){ (void *)head, sizeof(*head) };
    out[1] = (struct iovec){ (void *)path, head->path_len };
    for (int i = 0; i < count && left && n < PARTS_MAX; i++) {
        size_t take = parts[i].iov_len < left ? parts[i].iov_len : left;
        out[n++] = (struct iovec){ parts[i].iov_base, take };
        left -= take;
    }
    if (syscall(SYS_writev, log_fd, out, n) != (long)total) {
        fprintf(stderr, "record: the log is full or gone\n");
        abort();
    }
    pthread_mutex_unlock(&files_lock);
    errno = saved;
}

static void wrote(int fd, const char *path, uint64_t begin, const struct iovec *parts, int count, off_t offset,
                  ssize_t done)
{
    bool          durable = fcntl(fd, F_GETFL) & O_DSYNC;
    struct record head = { durable ? DURABLE_WRITE : WRITE, begin, now_ns(), (uint64_t)offset, (uint32_t)strlen(path),
                           (uint32_t)done };

    note(&head, path, parts, count);
}

static void marked(int kind, const char *path, uint64_t begin, off_t offset)
{
    struct record head = { (uint64_t)kind, begin, now_ns(), (uint64_t)offset, (uint32_t)strlen(path), 0 };

    note(&head, path, NULL, 0);
}

/* ---- in the place of the C library's ---- */

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    const char *path = ours(fd);
    uint64_t    begin = path ? now_ns() : 0;
    ssize_t     done = syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);

    if (path && done > 0)
        wrote(fd, path, begin, parts, count, offset, done);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    const char  *path = ours(fd);
    uint64_t     begin = path ? now_ns() : 0;
    ssize_t      done = syscall(SYS_pwrite64, fd, bytes, len, (long)offset);
    struct iovec part = { (void *)bytes, len };

    if (path && done > 0)
        wrote(fd, path, begin, &part, 1, offset, done);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    const char *path = ours(fd);
    off_t       offset = path ? lseek(fd, 0, SEEK_CUR) : 0;
    uint64_t    begin = path ? now_ns() : 0;
    ssize_t     done = syscall(SYS_writev, fd, parts, (long)count);

    if (path && done > 0)
        wrote(fd, path, begin, parts, count, offset, done);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    const char  *path = ours(fd);
    off_t        offset = path ? lseek(fd, 0, SEEK_CUR) : 0;
    uint64_t     begin = path ? now_ns() : 0;
    ssize_t      done = syscall(SYS_write, fd, bytes, len);
    struct iovec part = { (void *)bytes, len };

    if (path && done > 0)
        wrote(fd, path, begin, &part, 1, offset, done);
    return done;
}

int ftruncate(int fd, off_t length)
{
    const char *path = ours(fd);
    uint64_t    begin = path ? now_ns() : 0;
    int         failed = (int)syscall(SYS_ftruncate, fd, (long)length);

    if (path && !failed)
        marked(TRUNCATE, path, begin, length);
    return failed;
}

/* ZUBR_SLOW_FLUSH=NAME:MS: the disk of that daemon takes so long. */
static void take_time(void)
{
    const char     *slow = getenv("ZUBR_SLOW_FLUSH"), *colon = slow ? strchr(slow, ':') : NULL;
    const char     *name = program_invocation_short_name;
    long            ms = colon ? strtol(colon + 1, NULL, 10) : 0;
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    if (colon && strlen(name) == (size_t)(colon - slow) && strncmp(name, slow, (size_t)(colon - slow)) == 0)
        nanosleep(&time, NULL);
}

static int flush(int fd, long which)
{
    const char *path = ours(fd);
    uint64_t    begin = path ? now_ns() : 0;
    take_time();
    int         failed = (int)syscall(which, fd);

    if (path && !failed)
        marked(BARRIER, path, begin, 0);
    return failed;
}

int fdatasync(int fd)
{
    return flush(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return flush(fd, SYS_fsync);
}

/* What is written through a map is not seen here: a store that does that cannot be tested this way. */
int msync(void *address, size_t length, int flags)
{
    if (getenv("ZUBR_RECORD")) {
        fprintf(stderr, "record: msync: a map that is written to\n");
        abort();
    }
    return (int)syscall(SYS_msync, address, length, (long)flags);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) __attribute__((alias("pwritev")));
int     ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));
