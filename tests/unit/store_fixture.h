#pragma once

/* A store in a directory of its own, and a loop turned by hand until the callbacks asked for have run. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "store.h"

enum { FIRST, SECOND };

static const char *const fixture_tables[] = { "first", "second", NULL };

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

struct fixture {
    struct loop      *loop;
    struct store     *store;
    struct store_spec spec;
    char              path[64];
};

static inline void fixture_open(struct fixture *f)
{
    f->store = store_open(f->loop, &f->spec);
    assert_non_null(f->store);
}

static inline void fixture_start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    snprintf(f->path, sizeof(f->path), "/tmp/zubr-store-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    f->loop = loop_new();
    f->spec = (struct store_spec){ .path = f->path, .tables = fixture_tables, .schema = 1 };
}

static inline void fixture_unlink(const char *dir, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

static inline void fixture_end(struct fixture *f)
{
    static const char *const files[] = { "data.mdb", "lock.mdb", "owner.lock", "boot_id" };

    store_close(&f->store);
    loop_free(&f->loop);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        fixture_unlink(f->path, files[i]);
    assert_int_equal(rmdir(f->path), 0);
}

static inline void put(struct store_batch *b, unsigned table, const char *key, const char *value)
{
    store_put(b, table, slice_str(key), slice_str(value));
}

/* Commits `key` = `value` on behalf of "owner" and waits. NULL value: deletes. */
static inline void put_now(struct fixture *f, const char *key, const char *value)
{
    struct store_batch *b = store_batch(SLICE("owner"));
    struct outcome      o = { 0 };

    if (value)
        put(b, FIRST, key, value);
    else
        store_delete(b, FIRST, slice_str(key));
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
}

static inline void expect(struct fixture *f, const char *key, const char *value)
{
    struct store_view *view = store_view(f->store);
    struct slice       got = store_get(view, FIRST, slice_str(key));

    if (!value)
        assert_null(got.p);
    else
        assert_true(got.p && slice_is(got, value));
    store_view_end(&view);
}

/* Keys and values of a range as "k=v k=v". */
struct listing {
    char     text[4096];
    size_t   len;
    unsigned rows, stop_after;
};

static inline int list_row(void *arg, struct slice key, struct slice value)
{
    struct listing *l = arg;

    l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "%s%.*s=%.*s", l->rows ? " " : "",
                               SLICE_FMT(key), SLICE_FMT(value));
    return ++l->rows == l->stop_after ? 7 : 0;
}

static inline void expect_list(struct fixture *f, const char *prefix, const char *from, bool backwards,
                               const char *rows)
{
    struct store_view *view = store_view(f->store);
    struct listing     l = { 0 };

    assert_int_equal(store_each(view, FIRST, slice_str(prefix), slice_str(from), backwards, list_row, &l), 0);
    assert_string_equal(l.text, rows);
    store_view_end(&view);
}
