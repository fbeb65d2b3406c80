#pragma once

/* An sm (sm_rig.h) that is killed at a certain place of a commit. */

#include "sm_rig.h"

#include <lmdb.h>
#include <sys/prctl.h>
#include <sys/socket.h>

/* Durable, and no callback has run: the loop stands. */
RIG void until_durable(struct store *store, uint64_t batches)
{
    struct store_figures f;

    do {
        usleep(500);
        store_figures(store, &f);
    } while (f.commits < batches);
}

/* Another process holds LMDB's write lock of the accounts from here on, and dies with this one. */
RIG int lock_holder(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || fork() > 0)
        return ends[0];
    MDB_env *env;
    MDB_txn *txn;
    char     path[128], byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof(path), "%s/accounts", rig_dir);
    if (read(ends[1], &byte, 1) == 1 && mdb_env_create(&env) == 0 && mdb_env_open(env, path, MDB_NOTLS, 0600) == 0 &&
        mdb_txn_begin(env, NULL, 0, &txn) == 0 && write(ends[1], &byte, 1) == 1)
        pause();
    _exit(1);
}

RIG void lock_now(int holder)
{
    char byte = 0;

    if (write(holder, &byte, 1) != 1 || read(holder, &byte, 1) != 1)
        _exit(5);
}

RIG unsigned times(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

RIG int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}
