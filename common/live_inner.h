#pragma once

/* Between live.c (turns, rows) and live_open.c (the environment and the disk below it). */

#include <lmdb.h>

#include "live.h"
#include "map_pages.h"

enum { LIVE_TABLES_MAX = 32 };

struct live {
    struct loop         *loop;
    char                *path;
    MDB_env             *env;
    MDB_txn             *txn;          /* of this turn; NULL: none yet */
    MDB_dbi              tables[LIVE_TABLES_MAX];
    size_t               table_count;
    int                  lock_fd;
    size_t               page_bytes, map_bytes, reserve_bytes;
    size_t               reserved;     /* bytes of the file the disk has set aside */
    size_t               complained;   /* up to which use the lack of it was said */
    size_t               turn_bytes;   /* this turn may take up at most */
    bool                 found, written, dirty, frozen, no_reserve;
    struct list          before, last, after;  /* struct live_hook */
    struct deferred      turn_end;
    struct live_figures  figures;
    struct map_pages     pages;
    struct timer         pages_timer;
};

/* Locks the directory, discards what another boot left, opens tables, reserves room. False: logged why. */
bool live_open_checked(struct live *live, const char *const *tables);
/* After each commit, no transaction open: the map grows, room on the disk is taken ahead of what is used. */
void live_keep_ahead(struct live *live);
/* Before each change of a turn, `bytes` of key and value. Ends the process when the disk has no room. */
void live_charge_turn(struct live *live, size_t bytes);
