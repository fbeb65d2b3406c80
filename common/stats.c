/* Counters as rows (stats.h). */

#include "stats.h"

#include <stddef.h>

#include "log.h"

enum { ARRAYS_MAX = 64 };

static const struct stat_row *arrays[ARRAYS_MAX];
static size_t                 array_count;

void stats_register(const struct stat_row *rows)
{
    for (size_t i = 0; i < array_count; i++)
        if (arrays[i] == rows)
            return;
    if (array_count == ARRAYS_MAX)
        fatal("stats_full", NULL);
    arrays[array_count++] = rows;
}

void stats_each(void (*each)(void *arg, const struct stat_row *row), void *arg)
{
    for (size_t i = 0; i < array_count; i++)
        for (const struct stat_row *row = arrays[i]; row->name; row++)
            each(arg, row);
}
