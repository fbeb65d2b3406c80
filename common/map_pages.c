/* Pages of the map that this process has touched count as its memory, and LMDB has no way to let go of
 * them. They are page cache: a read brings them back without a disk. So what was read is unmapped again,
 * a step of the map each second: madvise(MADV_DONTNEED) on a shared map of a file takes page
 * table entries away and nothing else: what was written to it stays in the page cache. Readers and the writer may go on meanwhile. Measured: 0.1 us a
 * page to unmap, 2.5 us the minor fault that maps sixteen neighbours again; a full step is 0.4 ms and
 * brings 0.6 ms of faults, a thousandth of a core however much is read. */

#include "map_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem.h"

#define MAP_STEP ((size_t)16 << 20)

/* "7f12000-7f34000 r--s 00000000 fe:01 1234    /path": `path` from its beginning, shared. */
static bool is_map_of(const char *line, const char *path, uintptr_t *from, uintptr_t *to)
{
    unsigned long begin, end, offset;
    char          rights[5];
    int           at = 0;

    if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %n", &begin, &end, rights, &offset, &at) != 4 || at == 0)
        return false;
    *from = begin;
    *to = end;
    return rights[0] == 'r' && rights[3] == 's' && offset == 0 && slice_eq(slice_str(line + at), slice_str(path));
}

static void search_maps(struct map_pages *m, const char *path)
{
    FILE     *maps = fopen("/proc/self/maps", "re");
    char     *line = NULL;
    size_t    room = 0;
    uintptr_t from, to;

    while (maps && !m->at && getline(&line, &room, maps) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (!is_map_of(line, path, &from, &to))
            continue;
        m->at = (uint8_t *)from;
        m->len = to - from;
    }
    free(line);
    if (maps)
        fclose(maps);
}

/* Where it cannot be found it is not looked for again until it moves: its pages stay mapped then. */
static bool find_map(struct map_pages *m, const char *dir)
{
    if (!m->sought) {
        char *path = xprintf("%s/data.mdb", dir), *real = realpath(path, NULL);

        m->sought = true;
        if (real)
            search_maps(m, real);
        free(real);
        free(path);
    }
    return m->at != NULL;
}

void map_pages_moved(struct map_pages *m)
{
    *m = (struct map_pages){ .touched = m->touched };
}

/* Bytes at the hand of the clock, so that a big map is not walked at once. */
static size_t next_step(const struct map_pages *m, MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat    stat;

    if (mdb_env_info(env, &info) || mdb_env_stat(env, &stat))
        return 0;
    size_t used = (info.me_last_pgno + 1) * stat.ms_psize;
    size_t end = used < m->len ? used : m->len;
    size_t left = m->hand < end ? end - m->hand : 0;
    return left < MAP_STEP ? left : MAP_STEP;
}

void map_pages_drop(struct map_pages *m, MDB_env *env, const char *dir)
{
    m->touched &= m->hand > 0;          /* what is touched from here on is for the next round */
    size_t step = find_map(m, dir) ? next_step(m, env) : 0;
    if (step)
        madvise(m->at + m->hand, step, MADV_DONTNEED);
    m->hand = step == MAP_STEP ? m->hand + step : 0;
}
