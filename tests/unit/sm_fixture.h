#pragma once

/* The two environments of sm in a directory of their own, and a loop turned by hand. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop.h"
#include "mem.h"
#include "sm_store.h"

struct sm_fixture {
    struct loop    *loop;
    struct sm_store store;
    char            path[64];
};

struct outcome {
    unsigned  ran;
    enum zerr last;
};

static inline void note(void *arg, enum zerr err)
{
    struct outcome *o = arg;

    o->ran++;
    o->last = err;
}

static inline void turn_until(struct loop *loop, const struct outcome *o, unsigned ran)
{
    while (o->ran < ran)
        uv_run(loop_uv(loop), UV_RUN_ONCE);
}

static inline struct store *sm_fixture_environment(struct sm_fixture *f, const char *name, const char *const *tables)
{
    char *path = xprintf("%s/%s", f->path, name);

    struct store_spec spec = { .path = path, .tables = tables, .schema = 1 };
    struct store     *store = store_open(f->loop, &spec);
    assert_non_null(store);
    free(path);
    return store;
}

static inline int sm_start(void **state)
{
    static struct sm_fixture f;

    memset(&f, 0, sizeof f);
    snprintf(f.path, sizeof(f.path), "/tmp/zubr-sm-XXXXXX");
    assert_non_null(mkdtemp(f.path));
    f.loop = loop_new();
    f.store.accounts = sm_fixture_environment(&f, "accounts", sm_account_tables);
    f.store.archive = sm_fixture_environment(&f, "archive", sm_archive_tables);
    *state = &f;
    return 0;
}

static inline void sm_fixture_remove(const char *dir, const char *environment)
{
    static const char *const files[] = { "data.mdb", "lock.mdb", "owner.lock" };
    char                     path[128];

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s/%s/%s", dir, environment, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/%s", dir, environment);
    rmdir(path);
}

static inline int sm_end(void **state)
{
    struct sm_fixture *f = *state;

    store_close(&f->store.accounts);
    store_close(&f->store.archive);
    loop_free(&f->loop);
    sm_fixture_remove(f->path, "accounts");
    sm_fixture_remove(f->path, "archive");
    assert_int_equal(rmdir(f->path), 0);
    return 0;
}
