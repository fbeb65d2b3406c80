#pragma once

/* Counters and gauges as rows, printed by the control verb `stats` (name, value, help).
 * A module declares a static array ended by { 0 } and registers it once. */

#include <stdint.h>

struct stat_row {
    const char *name;       /* "frames_in" */
    const char *help;
    uint64_t   *value;
};

void stats_register(const struct stat_row *rows);
/* Calls each() for every row of every array, in order of registration. */
void stats_each(void (*each)(void *arg, const struct stat_row *row), void *arg);
