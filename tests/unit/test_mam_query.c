/* proto/mam with the ledger: every combination of form and set against a model that looks at all records. */

#include "sm_fixture.h"

#include "mam.h"
#include "ns.h"
#include "xml_stream.h"

#define OWNER "juliet@example.org"

enum { RECORDS = 6, NONE = -1, EMPTY = -2 };

static const struct xml_limits limits = { 262144, 64, 128, 1024 };
static struct arena           *arena, *names;
static struct ledger_id        ids[RECORDS];      /* of what is archived, oldest first */
static struct slice            texts[RECORDS];
static struct ledger           ledger;

static bool is_with_romeo(int n)
{
    return n % 2 == 0;
}

/* The third and the last that are written only wait. */
static struct ledger_id append(struct sm_fixture *f, unsigned at, unsigned views, const char *peer)
{
    static const struct ledger_limits wide = { 1000, 1 << 20 };
    struct ledger_record              r = {
        .views = views, .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .from = slice_str(peer),
                                    .to = SLICE(OWNER), .content = SLICE("<body>x</body>") },
    };
    struct store_batch *b = store_batch(SLICE(OWNER));
    struct outcome      o = { 0 };

    assert_int_equal(ledger_open(&ledger, sm_ledger(&f->store), store_view(f->store.archive), SLICE(OWNER)), ZE_OK);
    r.id = ledger_next_id(&ledger, 1000000 + at * 1000000);
    assert_int_equal(ledger_append(&ledger, b, &wide, &r), ZE_OK);
    store_view_end(&ledger.view);
    store_commit(f->store.archive, &b, note, &o);
    turn_until(f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    return r.id;
}

static struct ledger_id waiting;                   /* in no archive */

static int six(void **state)
{
    struct sm_fixture *f;
    char               text[LEDGER_ID_TEXT];

    arena = arena_new();
    names = arena_new();
    sm_start(state);
    f = *state;
    append(f, 0, LEDGER_OFFLINE, "romeo@m.net/a");
    for (int n = 0; n < RECORDS; n++) {
        ids[n] = append(f, (unsigned)n * 2 + 1, LEDGER_ARCHIVE, is_with_romeo(n) ? "romeo@m.net/a" : "nurse@c.org");
        ledger_id_write(text, ids[n]);
        texts[n] = arena_copy(names, slice_str(text));
        if (n == 2)
            waiting = append(f, 6, LEDGER_OFFLINE, "romeo@m.net/a");
    }
    append(f, 100, LEDGER_OFFLINE, "romeo@m.net/a");
    assert_int_equal(ledger_open(&ledger, sm_ledger(&f->store), store_view(f->store.archive), SLICE(OWNER)), ZE_OK);
    return 0;
}

static int end(void **state)
{
    store_view_end(&ledger.view);
    arena_free(&arena);
    arena_free(&names);
    return sm_end(state);
}

/* ---- the model ---- */

struct asked {
    int  after_id, before_id, after, before;       /* a record's number, NONE, for `before` also EMPTY */
    int  max;                                      /* or NONE */
    int  ids;                                      /* bits of records, or NONE */
    bool with, flip;
};

struct expected {
    int  sent[RECORDS], count;                     /* in the order of sending */
    int  first, last, set;                         /* set: how many there are on all pages */
    int  set_first;
    bool complete;
};

static bool in_set(const struct asked *a, int n)
{
    return (a->after_id == NONE || n > a->after_id) && (a->before_id == NONE || n < a->before_id) &&
           (!a->with || is_with_romeo(n)) && (a->ids == NONE || a->ids & 1 << n);
}

static struct expected expect(const struct asked *a)
{
    struct expected e = { .set_first = NONE };
    int             window[RECORDS], have = 0, max = a->max == NONE ? 100 : a->max, from;

    for (int n = 0; n < RECORDS; n++) {
        if (!in_set(a, n))
            continue;
        e.set++;
        if (e.set_first == NONE)
            e.set_first = n;
        if ((a->after == NONE || n > a->after) && (a->before < 0 || n < a->before))
            window[have++] = n;
    }
    e.count = have < max ? have : max;
    e.complete = have <= max;
    from = a->before == NONE ? 0 : have - e.count;
    for (int i = 0; i < e.count; i++)
        e.sent[a->flip ? e.count - 1 - i : i] = window[from + i];
    if (e.count) {
        e.first = window[from];
        e.last = window[from + e.count - 1];
    }
    return e;
}

/* ---- the same asked of the ledger ---- */

static struct slice name_of(int n)
{
    return n >= 0 ? texts[n] : slice_of("", 0);
}

static struct mam_request request_of(const struct asked *a)
{
    struct mam_request m = {
        .with = a->with ? SLICE("romeo@m.net") : slice_of(NULL, 0), .flip = a->flip,
        .after_id = name_of(a->after_id), .before_id = name_of(a->before_id),
        .rsm = { .has_max = a->max != NONE, .max = a->max == NONE ? 0 : (uint32_t)a->max,
                 .has_after = a->after != NONE, .after = name_of(a->after),
                 .has_before = a->before != NONE, .before = name_of(a->before) },
    };

    if (a->ids == NONE)
        return m;
    m.ids = arena_alloc(arena, 2 * RECORDS * sizeof(*m.ids));
    for (int n = 0; n < 2 * RECORDS; n++)              /* each twice, and not in order */
        if (a->ids & 1 << (n * 5 % RECORDS))
            m.ids[m.ids_count++] = texts[n * 5 % RECORDS];
    return m;
}

static const struct element *fin_of(const struct mam_request *m, const struct ledger_query *q,
                                    const struct ledger_page *page)
{
    struct buf            b = { 0 };
    struct xml_writer     w;
    const struct element *root;

    xml_begin(&w, &b, NS_CLIENT);
    mam_fin_write(&w, &ledger, m, q, page);
    root = xml_parse_content(arena, arena_copy(arena, buf_slice(&b)), NS_CLIENT, &limits);
    buf_free(&b);
    assert_non_null(root);
    return root->children;
}

static void check_fin(const struct asked *a, const struct expected *e, const struct element *fin)
{
    const struct element *set = element_child(fin, NS_RSM, "set"), *first = element_child(set, NULL, "first"),
                         *count = element_child(set, NULL, "count");
    char                  number[16];

    assert_int_equal(slice_is(element_attr(fin, "complete"), "true"), e->complete);
    assert_int_equal(first != NULL, e->count > 0);
    if (first) {
        assert_true(slice_eq(element_text(arena, first), texts[e->first]));
        assert_true(slice_eq(element_child_text(arena, set, "last"), texts[e->last]));
        if (element_attr(first, "index").len)
            assert_int_equal(e->first, e->set_first);
    }
    snprintf(number, sizeof number, "%d", e->set);
    if (count)
        assert_true(slice_is(element_text(arena, count), number));
    if (a->max == 0)
        assert_non_null(count);
}

static void check(const struct asked *a)
{
    struct expected     e = expect(a);
    struct mam_request  m = request_of(a);
    struct ledger_query q;
    struct ledger_page  page;

    assert_int_equal(mam_query(&ledger, &m, 100, arena, &q), ZE_OK);
    assert_int_equal(ledger_query(&ledger, &q, arena, &page), ZE_OK);
    assert_int_equal(page.count, e.count);
    for (int i = 0; i < e.count; i++)
        assert_int_equal(ledger_id_cmp(mam_nth(&m, &page, (unsigned)i)->id, ids[e.sent[i]]), 0);
    check_fin(a, &e, fin_of(&m, &q, &page));
    arena_reset(arena);
}

static void check_sets(struct asked a)
{
    static const int maxes[] = { NONE, 0, 1, 2, 6 }, some[] = { NONE, 0, 0x3F, 0x2D, 0x12 };

    for (size_t m = 0; m < COUNT_OF(maxes); m++)
        for (size_t i = 0; i < COUNT_OF(some); i++)
            for (int bits = 0; bits < 4; bits++) {
                a.max = maxes[m];
                a.ids = some[i];
                a.with = bits & 1;
                a.flip = bits & 2;
                check(&a);
            }
}

static void every_combination_is_as_the_model_says(void **state)
{
    struct asked a;

    (void)state;
    for (a.after_id = NONE; a.after_id < RECORDS; a.after_id++)
        for (a.before_id = NONE; a.before_id < RECORDS; a.before_id++)
            for (a.after = NONE; a.after < RECORDS; a.after += 2)
                for (a.before = EMPTY; a.before < RECORDS; a.before++)
                    check_sets(a);
}

/* ---- what is not there ---- */

static enum zerr asked(struct mam_request m)
{
    struct ledger_query q;

    return mam_query(&ledger, &m, 50, arena, &q);
}

static void an_id_of_nothing_archived_is_not_found(void **state)
{
    char         text[LEDGER_ID_TEXT];
    struct slice bad[3] = { SLICE("0000000000000000"), SLICE("nonsense") };

    (void)state;
    ledger_id_write(text, waiting);
    bad[2] = slice_str(text);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct slice two[2] = { texts[0], bad[i] };
        assert_int_equal(asked((struct mam_request){ .after_id = bad[i] }), ZE_NOT_FOUND);
        assert_int_equal(asked((struct mam_request){ .before_id = bad[i] }), ZE_NOT_FOUND);
        assert_int_equal(asked((struct mam_request){ .ids = two, .ids_count = 2 }), ZE_NOT_FOUND);
        assert_int_equal(asked((struct mam_request){ .rsm = { .has_after = true, .after = bad[i] } }), ZE_NOT_FOUND);
        assert_int_equal(asked((struct mam_request){ .rsm = { .has_before = true, .before = bad[i] } }), ZE_NOT_FOUND);
    }
    struct slice empty = slice_of("", 0);
    assert_int_equal(asked((struct mam_request){ .ids = &empty, .ids_count = 1 }), ZE_NOT_FOUND);
}

/* ---- metadata ---- */

static const char *metadata(void)
{
    struct buf        b = { 0 };
    struct xml_writer w;
    const char       *text;

    xml_begin(&w, &b, NS_CLIENT);
    assert_int_equal(mam_metadata_write(&w, &ledger, arena), ZE_OK);
    text = arena_str(arena, buf_slice(&b));
    buf_free(&b);
    return text;
}

static void metadata_names_both_ends(void **state)
{
    (void)state;
    assert_string_equal(metadata(), arena_printf(arena, "<metadata xmlns='urn:xmpp:mam:2'>"
        "<start id='%.*s' timestamp='1970-01-01T00:00:02Z'/><end id='%.*s' timestamp='1970-01-01T00:00:12Z'/></metadata>",
        SLICE_FMT(texts[0]), SLICE_FMT(texts[RECORDS - 1])));
}

static void of_an_empty_archive_it_is_empty(void **state)
{
    struct sm_fixture *f = *state;
    struct ledger      filled = ledger;

    assert_int_equal(ledger_open(&ledger, sm_ledger(&f->store), filled.view, SLICE("nobody@example.org")), ZE_OK);
    assert_string_equal(metadata(), "<metadata xmlns='urn:xmpp:mam:2'/>");
    ledger = filled;
}

#define SIX(name) cmocka_unit_test_setup_teardown(name, six, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIX(every_combination_is_as_the_model_says),
        SIX(an_id_of_nothing_archived_is_not_found),
        SIX(metadata_names_both_ends),
        SIX(of_an_empty_archive_it_is_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
