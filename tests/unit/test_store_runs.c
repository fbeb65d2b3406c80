/* Tables whose rows come at the end of runs: what is put is there, in order, and pages stay full. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "store_fixture.h"

enum { OWNERS = 300, ROWS = 60000, A_BATCH = 1000, VALUE = 215, SPREAD = 50 };

static uint32_t random_of(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static struct slice key_of(struct buf *key, uint32_t owner, uint32_t n)
{
    buf_reset(key, 64);
    buf_printf(key, "%c%c%08x%08x", 0, 0, owner * 2654435761u, n);
    return buf_slice(key);
}

static size_t value_len(uint32_t owner, uint32_t n)
{
    return VALUE - SPREAD + (owner * 31 + n * 17) % (2 * SPREAD);
}

static void fill(struct fixture *f, uint32_t *next)
{
    static uint8_t bytes[VALUE + SPREAD];
    struct buf     key = { 0 };
    uint32_t       seed = 7;

    for (int done = 0; done < ROWS; done += A_BATCH) {
        struct store_batch *b = store_batch(SLICE("owner"));
        struct outcome      o = { 0 };
        for (int i = 0; i < A_BATCH; i++) {
            uint32_t owner = random_of(&seed) % OWNERS, n = next[owner]++;
            memset(bytes, (int)(owner + n), sizeof(bytes));
            store_put(b, FIRST, key_of(&key, owner, n), slice_of(bytes, value_len(owner, n)));
        }
        store_commit(f->store, &b, note, &o);
        turn_until(f->loop, &o, 1);
        assert_int_equal(o.last, ZE_OK);
    }
    buf_free(&key);
}

static void expect_all(struct fixture *f, const uint32_t *next)
{
    struct store_view *view = store_view(f->store);
    struct buf         key = { 0 };

    for (uint32_t owner = 0; owner < OWNERS; owner++)
        for (uint32_t n = 0; n < next[owner]; n++) {
            struct slice value = store_get(view, FIRST, key_of(&key, owner, n));
            assert_int_equal(value.len, value_len(owner, n));
            assert_int_equal(value.p[0], (uint8_t)(owner + n));
            assert_int_equal(value.p[value.len - 1], (uint8_t)(owner + n));
        }
    store_view_end(&view);
    buf_free(&key);
}

static long file_bytes(const struct fixture *f)
{
    struct stat st;
    char        path[128];

    snprintf(path, sizeof path, "%s/data.mdb", f->path);
    assert_int_equal(stat(path, &st), 0);
    return (long)st.st_size;
}

/* Bytes of the environment when it is filled so. */
static long filled(uint64_t runs)
{
    static uint32_t next[OWNERS];
    struct fixture  f;

    memset(next, 0, sizeof(next));
    fixture_start(&f);
    f.spec.runs = runs;
    fixture_open(&f);
    fill(&f, next);
    expect_all(&f, next);
    long bytes = file_bytes(&f);
    fixture_end(&f);
    return bytes;
}

static void pages_stay_full(void **state)
{
    long halves = filled(0), packed = filled(1u << FIRST);

    (void)state;
    print_message("%ld bytes a row in half pages, %ld packed\n", halves / ROWS, packed / ROWS);
    assert_true(packed < halves * 85 / 100);
}

/* Rows over half a page lie elsewhere, keys come again, rows go. */
static void odd_rows_are_kept(void **state)
{
    static uint8_t large[10000];
    struct fixture f;
    struct buf     key = { 0 };

    (void)state;
    fixture_start(&f);
    f.spec.runs = 1u << FIRST;
    fixture_open(&f);
    for (uint32_t round = 0; round < 40; round++) {
        struct store_batch *b = store_batch(SLICE("owner"));
        struct outcome      o = { 0 };
        for (uint32_t owner = 0; owner < 5; owner++) {
            memset(large, (int)(round + owner), sizeof(large));
            store_put(b, FIRST, key_of(&key, owner, round), slice_of(large, round * 250 + owner));
            if (round > 3 && owner != 2)
                store_delete(b, FIRST, key_of(&key, owner, round - 3));
            if (round)
                store_put(b, FIRST, key_of(&key, owner, round - 1), slice_of(large, 100));
        }
        store_commit(f.store, &b, note, &o);
        turn_until(f.loop, &o, 1);
        assert_int_equal(o.last, ZE_OK);
    }
    struct store_view *view = store_view(f.store);
    for (uint32_t round = 0; round < 39; round++) {
        assert_int_equal(store_get(view, FIRST, key_of(&key, 2, round)).len, 100);
        assert_int_equal(store_get(view, FIRST, key_of(&key, 1, round)).p != NULL, round == 0 || round > 36);
    }
    store_view_end(&view);
    buf_free(&key);
    fixture_end(&f);
}

/* ---- any operations, beside a list that tells what must come of them ---- */

enum { KEYS = 400, BATCHES = 6000, A_TURN = 300, OPS = 5 };

struct model {
    uint32_t values[2][KEYS];      /* of each table; 0: absent */
    uint32_t seed;
};

struct told {
    unsigned *ran;
    enum zerr want;
};

static void as_told(void *arg, enum zerr err)
{
    struct told *told = arg;

    assert_int_equal(err, told->want);
    ++*told->ran;
}

static struct slice value_of(struct buf *value, uint32_t n)
{
    static uint8_t bytes[512];

    memset(bytes, (int)n, sizeof(bytes));
    buf_reset(value, 600);
    buf_put_u32(value, n);
    buf_put_slice(value, slice_of(bytes, n * 31 % sizeof(bytes)));
    return buf_slice(value);
}

/* Adds one operation, and what it does to `after`; false: a precondition that does not hold. */
static bool any_op(struct store_batch *b, const struct model *before, struct model *after)
{
    struct buf   key = { 0 }, value = { 0 };
    uint32_t     dice = random_of(&after->seed) % 100, table = random_of(&after->seed) % 2;
    uint32_t     k = random_of(&after->seed) % KEYS, now = before->values[table][k];
    struct slice name = key_of(&key, k % 7, k);
    bool         holds = true;

    if (dice < 25 && (now == 0 || dice == 0)) {
        store_expect_absent(b, table, name);
        holds = now == 0;
    } else if (dice < 25) {
        store_expect_value(b, table, name, value_of(&value, now + (dice == 1)));
        holds = dice != 1;
    } else if (dice < 40) {
        store_delete(b, table, name);
        after->values[table][k] = 0;
    }
    if (dice < 25 || dice >= 40) {
        after->values[table][k] = 1 + random_of(&after->seed) % 1000;
        store_put(b, table, name, value_of(&value, after->values[table][k]));
    }
    buf_free(&key);
    buf_free(&value);
    return holds;
}

static enum zerr any_batch(struct store_batch *b, struct model *m)
{
    struct model after = *m;
    bool         holds = true;

    for (int i = 0; i < OPS; i++)
        holds &= any_op(b, m, &after);
    if (!holds)
        memcpy(after.values, m->values, sizeof(after.values));
    *m = after;
    return holds ? ZE_OK : ZE_CONFLICT;
}

static void expect_model(struct fixture *f, const struct model *m)
{
    struct store_view *view = store_view(f->store);
    struct buf         key = { 0 }, value = { 0 };

    for (unsigned table = 0; table < 2; table++)
        for (uint32_t k = 0; k < KEYS; k++) {
            uint32_t     now = m->values[table][k];
            struct slice got = store_get(view, table, key_of(&key, k % 7, k));
            assert_true(now ? slice_eq(got, value_of(&value, now)) : got.p == NULL);
        }
    store_view_end(&view);
    buf_free(&key);
    buf_free(&value);
}

static void any_operations_do_what_each_alone_would(void **state)
{
    static struct told told[BATCHES];
    struct model       m = { .seed = 11 };
    struct fixture     f;
    unsigned           ran = 0, failed = 0;

    (void)state;
    fixture_start(&f);
    f.spec.runs = 1u << FIRST;
    fixture_open(&f);
    for (unsigned i = 0; i < BATCHES; i++) {
        char                owner[16];
        struct store_batch *b;
        snprintf(owner, sizeof(owner), "o%u", i);
        b = store_batch(slice_str(owner));
        told[i] = (struct told){ &ran, any_batch(b, &m) };
        failed += told[i].want != ZE_OK;
        store_commit(f.store, &b, as_told, &told[i]);
        while (i % A_TURN == A_TURN - 1 && ran <= i)
            uv_run(loop_uv(f.loop), UV_RUN_ONCE);
    }
    assert_true(failed > 50 && failed < BATCHES / 2);
    expect_model(&f, &m);
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_stay_full),
        cmocka_unit_test(odd_rows_are_kept),
        cmocka_unit_test(any_operations_do_what_each_alone_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
