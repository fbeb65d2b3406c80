/* common/store: what a reader sees while batches are pending, ranges, and long keys. */

#include "store_fixture.h"
#include "store_inner.h"

static int start(void **state)
{
    static struct fixture f;

    fixture_start(&f);
    fixture_open(&f);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    fixture_end(*state);
    return 0;
}

static void a_batch_is_seen_before_it_is_durable_and_after(void **state)
{
    struct fixture     *f = *state;
    struct store_batch *b = store_batch(SLICE("owner"));
    struct outcome      o = { 0 };

    put(b, FIRST, "key", "value");
    put(b, FIRST, "empty", "");
    expect(f, "key", NULL);
    store_commit(f->store, &b, note, &o);
    assert_null(b);
    assert_int_equal(o.ran, 0);
    expect(f, "key", "value");
    expect(f, "empty", "");
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    expect(f, "key", "value");
    expect(f, "empty", "");
    expect(f, "nothing", NULL);
}

static void the_latest_pending_write_counts(void **state)
{
    struct fixture *f = *state;
    struct outcome  o = { 0 };

    put_now(f, "key", "old");
    for (int i = 0; i < 3; i++) {
        struct store_batch *b = store_batch(SLICE("owner"));
        if (i == 1)
            store_delete(b, FIRST, SLICE("key"));
        else
            put(b, FIRST, "key", i == 0 ? "new" : "newest");
        store_commit(f->store, &b, note, &o);
        expect(f, "key", i == 0 ? "new" : i == 1 ? NULL : "newest");
    }
    turn_until(f->loop, &o, 3);
    expect(f, "key", "newest");
}

static void ranges_merge_stored_and_pending_rows(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct store_batch *b;

    put_now(f, "aa", "0");
    put_now(f, "p1", "1");
    put_now(f, "p3", "3");
    put_now(f, "p5", "5");
    put_now(f, "q", "9");
    b = store_batch(SLICE("owner"));
    put(b, FIRST, "p0", "new0");
    put(b, FIRST, "p3", "new3");
    put(b, FIRST, "p4", "new4");
    store_delete(b, FIRST, SLICE("p5"));
    put(b, FIRST, "p6", "new6");
    put(b, SECOND, "p2", "other table");
    store_commit(f->store, &b, note, &o);
    for (int durable = 0; durable < 2; durable++) {
        expect_list(f, "p", NULL, false, "p0=new0 p1=1 p3=new3 p4=new4 p6=new6");
        expect_list(f, "p", NULL, true, "p6=new6 p4=new4 p3=new3 p1=1 p0=new0");
        expect_list(f, "p", "p3", false, "p3=new3 p4=new4 p6=new6");
        expect_list(f, "p", "p3", true, "p1=1 p0=new0");
        expect_list(f, "p", "p31", true, "p3=new3 p1=1 p0=new0");
        expect_list(f, "p", "p7", false, "");
        expect_list(f, "p", "p7", true, "p6=new6 p4=new4 p3=new3 p1=1 p0=new0");
        expect_list(f, "p", "z", true, "p6=new6 p4=new4 p3=new3 p1=1 p0=new0");
        expect_list(f, "p", "a", false, "p0=new0 p1=1 p3=new3 p4=new4 p6=new6");
        expect_list(f, "p", "a", true, "");
        expect_list(f, "", NULL, true, "q=9 p6=new6 p4=new4 p3=new3 p1=1 p0=new0 aa=0");
        turn_until(f->loop, &o, 1);
    }
}

static void a_range_of_pending_rows_only(void **state)
{
    struct fixture     *f = *state;
    struct store_batch *b = store_batch(SLICE("owner"));
    struct outcome      o = { 0 };

    put(b, FIRST, "\xff\xff", "last");
    put(b, FIRST, "b", "2");
    put(b, FIRST, "a", "1");
    store_commit(f->store, &b, note, &o);
    expect_list(f, "", NULL, false, "a=1 b=2 \xff\xff=last");
    expect_list(f, "", NULL, true, "\xff\xff=last b=2 a=1");
    expect_list(f, "\xff\xff", NULL, true, "\xff\xff=last");
    turn_until(f->loop, &o, 1);
    expect_list(f, "\xff\xff", NULL, true, "\xff\xff=last");
}

static void a_walk_stops_when_told(void **state)
{
    struct fixture    *f = *state;
    struct listing     l = { .stop_after = 2 };
    struct store_view *view;

    put_now(f, "a", "1");
    put_now(f, "b", "2");
    put_now(f, "c", "3");
    view = store_view(f->store);
    assert_int_equal(store_each(view, FIRST, SLICE(""), SLICE(""), false, list_row, &l), 7);
    assert_string_equal(l.text, "a=1 b=2");
    assert_int_equal(store_each(view, 2, SLICE(""), SLICE(""), false, list_row, &l), ZE_STORE);
    store_view_end(&view);
    assert_null(view);
}

/* A view that is open while others commit keeps its rows. */
static void an_open_view_survives_a_commit_behind_it(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct store_view  *view, *inner;
    struct slice        before;
    struct store_batch *b = store_batch(SLICE("owner"));

    put_now(f, "key", "old");
    view = store_view(f->store);
    before = store_get(view, FIRST, SLICE("key"));
    put(b, FIRST, "key", "new");
    store_commit(f->store, &b, note, &o);
    usleep(50000);
    inner = store_view(f->store);
    assert_true(slice_is(store_get(inner, FIRST, SLICE("key")), "new"));
    store_view_end(&inner);
    assert_true(slice_is(before, "old"));
    store_view_end(&view);
    turn_until(f->loop, &o, 1);
    expect(f, "key", "new");
}

static void many_pending_keys_stay_in_order(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct store_batch *b = store_batch(SLICE("owner"));
    struct store_view  *view;
    struct listing      l = { .stop_after = 3 };
    char                key[16];

    for (unsigned i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "k%04u", i * 7919 % 5000);
        put(b, FIRST, key, "");
    }
    store_commit(f->store, &b, note, &o);
    view = store_view(f->store);
    store_each(view, FIRST, SLICE("k"), SLICE("k4321"), false, list_row, &l);
    store_view_end(&view);
    assert_string_equal(l.text, "k4321= k4322= k4323=");
    turn_until(f->loop, &o, 1);
}

/* ---- long keys ---- */

static void long_key(struct buf *key, char fill, size_t len, const char *rest, size_t rest_len)
{
    struct buf name = { 0 };

    memset(buf_reserve(&name, len), fill, len);
    buf_added(&name, len);
    buf_put(&name, rest, rest_len);
    buf_reset(key, 0);
    store_key(key, 0x0141, buf_slice(&name));
    buf_free(&name);
}

static int count_long(void *arg, struct slice key, struct slice value)
{
    unsigned *count = arg;

    assert_int_equal(key.len, 2 + 2000 + 1 + 2000);
    assert_memory_equal(key.p, "\x01\x41qqqq", 6);
    assert_int_equal(value.p[0], key.p[2003]);
    ++*count;
    return 0;
}

/* Two owners whose names of 2,000 bytes differ in the last byte only, with contacts as long. */
static void names_of_2000_bytes_are_kept_apart_and_found_by_owner(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct store_batch *b = store_batch(SLICE("owner"));
    struct buf          key = { 0 }, contact = { 0 };

    for (char c = 'a'; c <= 'e'; c++) {
        memset(buf_reserve(&contact, 2001), c, 2001);
        contact.bytes[0] = 0;
        long_key(&key, 'q', 2000, (const char *)contact.bytes, 2001);
        store_put(b, FIRST, buf_slice(&key), slice_of(&c, 1));
    }
    long_key(&key, 'q', 1999, "x\0friend", 8);
    store_put(b, FIRST, buf_slice(&key), SLICE("of the other"));
    store_commit(f->store, &b, note, &o);
    for (int durable = 0; durable < 2; durable++) {
        struct store_view *view = store_view(f->store);
        for (int backwards = 0; backwards < 2; backwards++) {
            unsigned count = 0;
            long_key(&key, 'q', 2000, "", 1);
            assert_int_equal(store_each(view, FIRST, buf_slice(&key), SLICE(""), backwards, count_long, &count), 0);
            assert_int_equal(count, 5);
            count = 0;                    /* a prefix that ends inside the name */
            long_key(&key, 'q', 2000, "", 0);
            assert_int_equal(store_each(view, FIRST, buf_slice(&key), SLICE(""), backwards, count_long, &count), 0);
            assert_int_equal(count, 5);
        }
        long_key(&key, 'q', 1999, "x\0friend", 8);
        assert_true(slice_is(store_get(view, FIRST, buf_slice(&key)), "of the other"));
        long_key(&key, 'q', 1999, "y\0friend", 8);
        assert_null(store_get(view, FIRST, buf_slice(&key)).p);
        store_view_end(&view);
        turn_until(f->loop, &o, 1);
    }
    buf_free(&key);
    buf_free(&contact);
}

static void preconditions_work_on_long_keys(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 };
    struct buf          key = { 0 };
    struct store_batch *b = store_batch(SLICE("a"));

    long_key(&key, 'q', 2000, "", 0);
    store_expect_absent(b, FIRST, buf_slice(&key));
    store_put(b, FIRST, buf_slice(&key), SLICE("one"));
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    b = store_batch(SLICE("a"));
    store_expect_value(b, FIRST, buf_slice(&key), SLICE("one"));
    store_delete(b, FIRST, buf_slice(&key));
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 2);
    assert_int_equal(o.last, ZE_OK);
    b = store_batch(SLICE("a"));
    store_expect_value(b, FIRST, buf_slice(&key), SLICE("one"));
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 3);
    assert_int_equal(o.last, ZE_CONFLICT);
    buf_free(&key);
}

static void keys_that_cannot_be_kept_fail_alone(void **state)
{
    struct fixture     *f = *state;
    struct outcome      o = { 0 }, other = { 0 };
    struct buf          key = { 0 };
    struct store_batch *b = store_batch(SLICE("a")), *good = store_batch(SLICE("b"));

    for (int i = 0; i < 8; i++) {
        memset(buf_reserve(&key, 200), 'a' + i, 200);
        buf_added(&key, 200);
        buf_put_u8(&key, 0);
    }
    store_put(b, FIRST, buf_slice(&key), SLICE("x"));
    put(good, FIRST, "fine", "yes");
    store_commit(f->store, &b, note, &o);
    store_commit(f->store, &good, note, &other);
    b = store_batch(SLICE("c"));
    put(b, 2, "no such table", "x");
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 2);
    turn_until(f->loop, &other, 1);
    assert_int_equal(o.last, ZE_STORE);
    assert_int_equal(other.last, ZE_OK);
    expect(f, "fine", "yes");
    buf_free(&key);
}

/* KB of the file that are mapped into this process. */
static long mapped_kb(const struct fixture *f)
{
    char  path[128], line[512];
    bool  ours = false;
    long  kb = -1;
    FILE *maps = fopen("/proc/self/smaps", "r");

    assert_non_null(maps);
    snprintf(path, sizeof(path), "%s/data.mdb\n", f->path);
    while (kb < 0 && fgets(line, sizeof(line), maps)) {
        ours |= strstr(line, path) != NULL;
        if (ours)
            sscanf(line, "Rss: %ld", &kb);
    }
    fclose(maps);
    return kb;
}

static int take_note(void *arg, struct slice key, struct slice value)
{
    *(size_t *)arg += key.len && value.len ? 1 : 0;
    return 0;
}

static size_t rows_of(const struct fixture *f)
{
    size_t             rows = 0;
    struct store_view *view = store_view(f->store);

    store_each(view, FIRST, (struct slice){ 0 }, (struct slice){ 0 }, false, take_note, &rows);
    store_view_end(&view);
    return rows;
}

static void pages_that_were_read_are_unmapped_and_come_back(void **state)
{
    struct fixture     *f = *state;
    struct store_batch *b = store_batch(SLICE("owner"));
    struct outcome      o = { 0 };
    char                key[16], value[1001];

    memset(value, 'v', 1000);
    value[1000] = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        put(b, FIRST, key, value);
    }
    store_commit(f->store, &b, note, &o);
    turn_until(f->loop, &o, 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(rows_of(f), 1000);
        assert_true(mapped_kb(f) > 1000);
        map_pages_drop(&f->store->pages, f->store->env, f->path);
        assert_true(mapped_kb(f) < 100);
    }
    assert_int_equal(store_remap(f->store, (size_t)32 << 30), 0);      /* one that moved is found again */
    assert_int_equal(rows_of(f), 1000);
    map_pages_drop(&f->store->pages, f->store->env, f->path);
    assert_true(mapped_kb(f) < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_is_seen_before_it_is_durable_and_after, start, end),
        cmocka_unit_test_setup_teardown(the_latest_pending_write_counts, start, end),
        cmocka_unit_test_setup_teardown(ranges_merge_stored_and_pending_rows, start, end),
        cmocka_unit_test_setup_teardown(a_range_of_pending_rows_only, start, end),
        cmocka_unit_test_setup_teardown(a_walk_stops_when_told, start, end),
        cmocka_unit_test_setup_teardown(an_open_view_survives_a_commit_behind_it, start, end),
        cmocka_unit_test_setup_teardown(many_pending_keys_stay_in_order, start, end),
        cmocka_unit_test_setup_teardown(names_of_2000_bytes_are_kept_apart_and_found_by_owner, start, end),
        cmocka_unit_test_setup_teardown(preconditions_work_on_long_keys, start, end),
        cmocka_unit_test_setup_teardown(keys_that_cannot_be_kept_fail_alone, start, end),
        cmocka_unit_test_setup_teardown(pages_that_were_read_are_unmapped_and_come_back, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
