/* proto/ledger_query, ledger_remove: pages of the archive in every form, filters, bounds, retention. */

#include "sm_fixture.h"

#include "ledger.h"

#define OWNER "juliet@example.org"

enum { START = 1000, STEP = 10 };            /* microseconds: messages at 1000, 1010, ... */

static struct arena *arena;

static void commit(struct sm_fixture *f, struct store_batch *b)
{
    struct outcome o = { 0 };

    store_commit(f->store.archive, &b, note, &o);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
}

static void open_ledger(struct sm_fixture *f, struct ledger *l)
{
    assert_int_equal(ledger_open(l, sm_ledger(&f->store), store_view(f->store.archive), SLICE(OWNER)), ZE_OK);
}

/* Number n, from or to somebody. */
static struct ledger_record message(unsigned n, const char *peer, unsigned views, char text[8])
{
    bool in = n % 2 == 0;

    snprintf(text, 8, "%u", n);
    return (struct ledger_record){
        .views = views, .direction = in ? LEDGER_IN : LEDGER_OUT,
        .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .content = slice_str(text),
                    .from = in ? slice_str(peer) : SLICE(OWNER "/b"), .to = in ? SLICE(OWNER) : slice_str(peer) },
    };
}

static struct ledger_id append(struct sm_fixture *f, unsigned n, const char *peer, unsigned views)
{
    static const struct ledger_limits wide = { 100000, 1 << 30 };
    struct store_batch               *b = store_batch(SLICE(OWNER));
    struct ledger                     l;
    char                              text[8];
    struct ledger_record              r = message(n, peer, views, text);

    open_ledger(f, &l);
    r.id = ledger_next_id(&l, START + n * STEP);
    assert_int_equal(ledger_append(&l, b, &wide, &r), ZE_OK);
    store_view_end(&l.view);
    commit(f, b);
    return r.id;
}

static int begin(void **state)
{
    arena = arena_new();
    return sm_start(state);
}

static int end(void **state)
{
    arena_free(&arena);
    return sm_end(state);
}

/* Ten: 0 3 6 9 with romeo (three resources), 1 4 7 with the nurse, 2 5 8 with tybalt. */
static struct ledger_id ids[10];

static int ten(void **state)
{
    static const char *const peers[] = { "romeo@m.net/orchard", "nurse@c.org", "tybalt@c.org/x" };

    begin(state);
    for (unsigned i = 0; i < 10; i++)
        ids[i] = append(*state, i, i == 6 ? "romeo@m.net" : i == 9 ? "romeo@m.net/tomb" : peers[i % 3],
                        LEDGER_ARCHIVE);
    return 0;
}

static char page_text[256];

static const char *page_of(struct sm_fixture *f, struct ledger_query q)
{
    struct ledger_page page;
    struct ledger      l;
    size_t             len = 0;

    if (!q.max)
        q.max = 100;
    if (!q.bytes_max)
        q.bytes_max = 1 << 20;
    open_ledger(f, &l);
    assert_int_equal(ledger_query(&l, &q, arena, &page), ZE_OK);
    page_text[0] = 0;
    for (unsigned i = 0; i < page.count; i++) {
        assert_int_equal(ledger_unpack(&page.records[i], arena), ZE_OK);
        len += (size_t)snprintf(page_text + len, sizeof page_text - len, "%.*s ",
                                SLICE_FMT(page.records[i].stanza.content));
    }
    snprintf(page_text + len, sizeof page_text - len, "%s%s", page.complete ? "." : "...",
             page.unfinished ? "?" : "");
    store_view_end(&l.view);
    arena_reset(arena);
    return page_text;
}

#define PAGE(...) page_of(f, (struct ledger_query){ __VA_ARGS__ })

static void pages_forwards_and_backwards(void **state)
{
    struct sm_fixture *f = *state;

    assert_string_equal(PAGE(.max = 10), "0 1 2 3 4 5 6 7 8 9 .");
    assert_string_equal(PAGE(.max = 4), "0 1 2 3 ...");
    assert_string_equal(PAGE(.max = 4, .after = ids[3]), "4 5 6 7 ...");
    assert_string_equal(PAGE(.max = 4, .after = ids[7]), "8 9 .");
    assert_string_equal(PAGE(.max = 4, .after = ids[9]), ".");
    assert_string_equal(PAGE(.max = 4, .backwards = true), "6 7 8 9 ...");
    assert_string_equal(PAGE(.max = 4, .backwards = true, .before = ids[6]), "2 3 4 5 ...");
    assert_string_equal(PAGE(.max = 4, .backwards = true, .before = ids[2]), "0 1 .");
    assert_string_equal(PAGE(.max = 2, .backwards = true, .before = ids[2]), "0 1 .");
    assert_string_equal(PAGE(.max = 4, .backwards = true, .before = ids[0]), ".");
    assert_string_equal(PAGE(.max = 4, .before = ids[6]), "0 1 2 3 ...");
    assert_string_equal(PAGE(.after = ids[2], .before = ids[5]), "3 4 .");
    assert_string_equal(PAGE(.after = ids[5], .before = ids[2]), ".");
}

static void filters(void **state)
{
    struct sm_fixture *f = *state;

    assert_string_equal(PAGE(.with = SLICE("romeo@m.net")), "0 3 6 9 .");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net/orchard")), "0 3 .");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net"), .max = 2, .backwards = true), "6 9 ...");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net"), .max = 2, .after = ids[1]), "3 6 ...");
    assert_string_equal(PAGE(.with = SLICE("nurse@c.org/any")), ".");
    assert_string_equal(PAGE(.with = SLICE("m.net")), ".");
    assert_string_equal(PAGE(.with = SLICE(OWNER)), ".");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net"), .unindexed = true), "0 3 6 9 .");
    assert_string_equal(PAGE(.start_us = START + 4 * STEP), "4 5 6 7 8 9 .");
    assert_string_equal(PAGE(.end_us = START + 4 * STEP), "0 1 2 3 4 .");
    assert_string_equal(PAGE(.end_us = START + 4 * STEP - 1), "0 1 2 3 .");
    assert_string_equal(PAGE(.start_us = START + 3 * STEP, .end_us = START + 6 * STEP, .with = SLICE("tybalt@c.org")),
                        "5 .");
    assert_string_equal(PAGE(.start_us = START + 3 * STEP, .after = ids[6], .max = 2), "7 8 ...");
    assert_string_equal(PAGE(.start_us = START + 9 * STEP + 1), ".");
    append(f, 10, "icq.c.org", LEDGER_ARCHIVE);                     /* a domain writes */
    append(f, 11, "icq.c.org/registered", LEDGER_ARCHIVE);
    append(f, 12, OWNER "/other", LEDGER_ARCHIVE);                  /* to oneself */
    assert_string_equal(PAGE(.with = SLICE("icq.c.org")), "10 11 .");
    assert_string_equal(PAGE(.with = SLICE("icq.c.org/registered")), "11 .");
    assert_string_equal(PAGE(.with = SLICE(OWNER)), "12 .");
}

static void what_only_waits_is_not_in_the_archive(void **state)
{
    struct sm_fixture *f = *state;

    append(f, 10, "romeo@m.net", LEDGER_OFFLINE);
    append(f, 11, "romeo@m.net", LEDGER_OFFLINE | LEDGER_ARCHIVE);
    assert_string_equal(PAGE(.after = ids[9]), "11 .");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net"), .after = ids[9]), "11 .");
}

static void a_page_is_bounded_in_bytes(void **state)
{
    struct sm_fixture *f = *state;

    assert_string_equal(PAGE(.bytes_max = 110), "0 1 2 ...");
    append(f, 100, "romeo@m.net", LEDGER_ARCHIVE);
    assert_string_equal(PAGE(.bytes_max = 2, .after = ids[9]), "100 .");   /* one always fits */
}

static void an_empty_archive_is_complete(void **state)
{
    struct sm_fixture *f = *state;

    assert_string_equal(PAGE(.max = 10), ".");
    assert_string_equal(PAGE(.max = 10, .backwards = true, .with = SLICE("romeo@m.net")), ".");
}

static void counting(void **state)
{
    struct sm_fixture  *f = *state;
    struct ledger_query all = { 0 }, his = { .with = SLICE("romeo@m.net/orchard") },
                        late = { .start_us = START + 4 * STEP };
    struct ledger       l;
    uint64_t            count;

    open_ledger(f, &l);
    assert_true(ledger_count(&l, &all, &count));
    assert_int_equal(count, 10);
    assert_true(ledger_count(&l, &his, &count));
    assert_int_equal(count, 2);
    assert_true(ledger_count(&l, &late, &count));
    assert_int_equal(count, 6);
    store_view_end(&l.view);
}

/* A filter that nothing matches stops in time and says how far it came. */
static void a_long_search_goes_on_later(void **state)
{
    static const struct ledger_limits wide = { 100000, 1 << 30 };
    struct sm_fixture                *f = *state;
    struct store_batch               *b = store_batch(SLICE(OWNER));
    struct ledger_query               q = { .with = SLICE("romeo@m.net/tower"), .max = 5, .bytes_max = 1 << 20 };
    struct ledger_page                page;
    struct ledger                     l;
    char                              text[8];
    uint64_t                          count;
    unsigned                          calls = 0;

    append(f, 0, "romeo@m.net/tower", LEDGER_ARCHIVE);
    open_ledger(f, &l);
    for (unsigned i = 1; i <= LEDGER_COUNT_MOST; i++) {
        struct ledger_record r = message(i, "romeo@m.net/orchard", LEDGER_ARCHIVE, text);
        r.id = ledger_next_id(&l, START + i * STEP);
        assert_int_equal(ledger_append(&l, b, &wide, &r), ZE_OK);
    }
    store_view_end(&l.view);
    commit(f, b);
    append(f, 99999, "romeo@m.net/tower", LEDGER_ARCHIVE);
    open_ledger(f, &l);
    assert_false(ledger_count(&l, &q, &count));
    do {
        assert_int_equal(ledger_query(&l, &q, arena, &page), ZE_OK);
        assert_int_equal(page.count, calls == 0 || !page.unfinished);
        q.after = page.reached;
        calls++;
    } while (page.unfinished);
    assert_int_equal(calls, LEDGER_COUNT_MOST / LEDGER_SCAN + 1);
    assert_true(page.complete);
    store_view_end(&l.view);
}

/* ---- the clock ---- */

static void a_clock_set_back_keeps_the_order(void **state)
{
    struct sm_fixture *f = *state;
    struct ledger_id   id;

    memset(&f->store.ledger, 0, sizeof f->store.ledger);            /* a new process, years earlier */
    struct ledger l;
    open_ledger(f, &l);
    id = ledger_next_id(&l, 5);
    store_view_end(&l.view);
    assert_true(ledger_id_cmp(id, ids[9]) > 0);
}

/* ---- retention ---- */

static unsigned expire(struct sm_fixture *f, uint64_t before_us, unsigned most)
{
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct ledger       l;

    open_ledger(f, &l);
    unsigned did = ledger_expire(&l, b, before_us, most);
    store_view_end(&l.view);
    if (did)
        commit(f, b);
    else
        store_batch_free(&b);
    return did;
}

static int count_row(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned rows_in(struct sm_fixture *f, unsigned table)
{
    struct store_view *view = store_view(f->store.archive);
    unsigned           rows = 0;

    assert_int_equal(store_each(view, table, SLICE(""), SLICE(""), false, count_row, &rows), 0);
    store_view_end(&view);
    return rows;
}

static void old_records_go_in_small_steps(void **state)
{
    struct sm_fixture *f = *state;

    assert_int_equal(expire(f, START + 5 * STEP, 3), 3);
    assert_string_equal(PAGE(.max = 10), "3 4 5 6 7 8 9 .");
    assert_int_equal(expire(f, START + 5 * STEP, 3), 2);
    assert_int_equal(expire(f, START + 5 * STEP, 3), 0);
    assert_string_equal(PAGE(.max = 10), "5 6 7 8 9 .");
    assert_string_equal(PAGE(.with = SLICE("romeo@m.net")), "6 9 .");
    assert_int_equal(rows_in(f, A_LEDGER), 5);
    assert_int_equal(rows_in(f, A_CONTACT), 5);
}

static void what_waits_stays_until_it_was_delivered(void **state)
{
    struct sm_fixture  *f = *state;
    struct ledger_id    id = append(f, 10, "romeo@m.net", LEDGER_OFFLINE | LEDGER_ARCHIVE);
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct ledger       l;

    assert_int_equal(expire(f, START + 100 * STEP, 100), 11);
    assert_string_equal(PAGE(.max = 10), ".");
    assert_int_equal(rows_in(f, A_LEDGER), 1);
    open_ledger(f, &l);
    assert_int_equal(ledger_waiting(&l), ZE_OK);
    assert_int_equal(l.offline_count, 1);
    assert_int_equal(ledger_offline_take(&l, b, id), ZE_OK);
    store_view_end(&l.view);
    commit(f, b);
    assert_int_equal(rows_in(f, A_LEDGER), 0);
    assert_int_equal(rows_in(f, A_OFFLINE) + rows_in(f, A_OFFLINE_SUM), 0);
}

/* ---- the offline view and the mark ---- */

static int list_content(void *arg, struct ledger_record *r)
{
    assert_int_equal(ledger_unpack(r, arena), ZE_OK);
    buf_printf(arg, "%.*s ", SLICE_FMT(r->stanza.content));
    return 0;
}

static void expect_waiting(struct sm_fixture *f, const char *list, unsigned count)
{
    struct buf    text = { 0 };
    struct ledger l;

    open_ledger(f, &l);
    assert_int_equal(ledger_offline_each(&l, (struct ledger_id){ 0 }, list_content, &text), 0);
    assert_int_equal(ledger_waiting(&l), ZE_OK);
    assert_int_equal(l.offline_count, count);
    store_view_end(&l.view);
    buf_put_u8(&text, 0);
    assert_string_equal((char *)text.bytes, list);
    buf_free(&text);
}

static void an_archived_record_waits_again(void **state)
{
    struct sm_fixture  *f = *state;
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct ledger       l;

    open_ledger(f, &l);
    assert_int_equal(ledger_offline_again(&l, b, ids[4]), ZE_OK);
    assert_int_equal(ledger_offline_again(&l, b, ids[2]), ZE_OK);
    assert_int_equal(ledger_offline_again(&l, b, (struct ledger_id){ 77, 7 }), ZE_NOT_FOUND);
    store_view_end(&l.view);
    commit(f, b);
    expect_waiting(f, "2 4 ", 2);
    open_ledger(f, &l);
    b = store_batch(SLICE(OWNER));
    assert_int_equal(ledger_offline_again(&l, b, ids[4]), ZE_OK);   /* waits already */
    assert_true(store_batch_empty(b));
    assert_int_equal(ledger_offline_take(&l, b, ids[2]), ZE_OK);
    assert_int_equal(ledger_offline_take(&l, b, ids[3]), ZE_OK);    /* does not wait */
    store_view_end(&l.view);
    commit(f, b);
    expect_waiting(f, "4 ", 1);
    assert_string_equal(PAGE(.max = 10), "0 1 2 3 4 5 6 7 8 9 .");
}

static void the_mark_is_kept(void **state)
{
    struct sm_fixture  *f = *state;
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct ledger_id    id;
    struct ledger       l;

    open_ledger(f, &l);
    assert_int_equal(ledger_delivered(&l, &id), ZE_OK);
    assert_true(id.time_us == 0 && id.tie == 0);
    ledger_delivered_put(&l, b, ids[7]);
    store_view_end(&l.view);
    commit(f, b);
    open_ledger(f, &l);
    assert_int_equal(ledger_delivered(&l, &id), ZE_OK);
    assert_int_equal(ledger_id_cmp(id, ids[7]), 0);
    assert_int_equal(ledger_id_cmp(ledger_newest(&l), ids[9]), 0);
    store_view_end(&l.view);
}

#define WITH(setup, name) cmocka_unit_test_setup_teardown(name, setup, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(ten, pages_forwards_and_backwards),
        WITH(ten, filters),
        WITH(ten, what_only_waits_is_not_in_the_archive),
        WITH(ten, a_page_is_bounded_in_bytes),
        WITH(begin, an_empty_archive_is_complete),
        WITH(ten, counting),
        WITH(begin, a_long_search_goes_on_later),
        WITH(ten, a_clock_set_back_keeps_the_order),
        WITH(ten, old_records_go_in_small_steps),
        WITH(ten, what_waits_stays_until_it_was_delivered),
        WITH(ten, an_archived_record_waits_again),
        WITH(ten, the_mark_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
