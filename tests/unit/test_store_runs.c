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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_stay_full),
        cmocka_unit_test(odd_rows_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
