/* The pending writes (common/store_overlay.c) against a plain array: what counts of each key, and ranges in both
 * directions with prefixes of every length, while batches come, succeed, and fail. First the overlay alone,
 * then whole stores, where it lies over a snapshot that changes meanwhile. */

#include "store_fixture.h"
#include "store_inner.h"

enum { KEYS = 160, TABLES = 2, KEY_MOST = 20, BATCHES = 60, OPS_MOST = 6 };

/* All the keys there are, in order: few beginnings, and bytes at which an order goes wrong. */
static struct universe {
    uint8_t      bytes[KEYS][KEY_MOST];
    struct slice keys[KEYS];
} universe;

static uint64_t seed;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 16) % sides;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static struct slice draw_key(uint8_t *bytes)
{
    static const char    heads[][7] = { "\0\1alic", "\0\1alib", "\0\2\0\0\0\1", "\0\2\0\0\0\2", "\377\377\377\377\377\377" };
    static const uint8_t alphabet[] = { 0, 1, 'a', 0xFF };
    static const uint8_t lengths[] = { 1, 2, 5, 6, 7, 8, 13, 14, 15, 16, KEY_MOST };
    size_t               len = lengths[dice(COUNT_OF(lengths))];
    size_t               drawn = dice(4) ? 13 : 5;   /* most of what is drawn lies behind what is compared first */

    memcpy(bytes, heads[dice(COUNT_OF(heads))], 6);
    for (size_t i = 6; i < KEY_MOST; i++)
        bytes[i] = i < drawn ? 'a' : alphabet[dice(COUNT_OF(alphabet))];
    if (dice(8) == 0)
        bytes[dice(6)] = alphabet[dice(COUNT_OF(alphabet))];
    return slice_of(bytes, len);
}

static bool is_known(struct slice key, size_t among)
{
    for (size_t i = 0; i < among; i++)
        if (slice_eq(universe.keys[i], key))
            return true;
    return false;
}

static void universe_make(uint64_t with_seed)
{
    seed = with_seed * 0x9E3779B97F4A7C15;
    for (size_t i = 0; i < KEYS; i++)
        do
            universe.keys[i] = draw_key(universe.bytes[i]);
        while (is_known(universe.keys[i], i));
    qsort(universe.keys, KEYS, sizeof *universe.keys, by_bytes);
}

static size_t index_of(struct slice key)
{
    const struct slice *at = bsearch(&key, universe.keys, KEYS, sizeof key, by_bytes);

    assert_non_null(at);
    return (size_t)(at - universe.keys);
}

/* A range as asked for: a beginning of some key, and some key or none. */
struct question {
    struct slice prefix, from;
    bool         backwards;
};

static struct question draw_question(void)
{
    struct slice    key = universe.keys[dice(KEYS)];
    struct question q = { slice_cut(key, 0, dice((unsigned)key.len + 1)), universe.keys[dice(KEYS)], dice(2) };

    if (dice(3) == 0)
        q.from = slice_of(NULL, 0);
    return q;
}

/* Place in the universe of the first key of the answer at or behind `at`; KEYS: none. */
static size_t next_of(const struct question *q, size_t at, bool (*holds)(const void *arg, size_t key), const void *arg)
{
    size_t step = q->backwards ? (size_t)-1 : 1;

    for (; at < KEYS; at += step) {
        int order = q->from.p ? slice_cmp(universe.keys[at], q->from) : 0;
        bool there = !q->from.p || (q->backwards ? order < 0 : order >= 0);

        if (there && slice_starts(universe.keys[at], q->prefix) && holds(arg, at))
            return at;
    }
    return KEYS;
}

static size_t first_of(const struct question *q)
{
    return q->backwards ? KEYS - 1 : 0;
}

static size_t behind(const struct question *q, size_t at)
{
    return q->backwards ? (at ? at - 1 : KEYS) : at + 1;
}

/* ---- the overlay alone ---- */

struct pile {
    struct overlay     *overlay;
    struct store_batch *batches[BATCHES];     /* in the order they came */
    size_t              count;
    const struct store_op *latest[TABLES][KEYS];
};

static void pile_count(struct pile *p)
{
    memset(p->latest, 0, sizeof p->latest);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->batches[i]->op_count; j++) {
            const struct store_op *op = &p->batches[i]->ops[j];

            if (op->kind == OP_PUT || op->kind == OP_DELETE)
                p->latest[op->table][index_of(op->key)] = op;
        }
}

static void pile_add(struct pile *p)
{
    struct store_batch *b = store_batch(SLICE("owner"));

    if (p->count == BATCHES) {
        store_batch_free(&b);
        return;
    }
    for (unsigned left = dice(OPS_MOST + 1); left > 0; left--) {
        unsigned     table = dice(TABLES);
        struct slice key = universe.keys[dice(KEYS)];

        switch (dice(4)) {
        case 0:
            store_delete(b, table, key);
            break;
        case 1:
            store_expect_absent(b, table, key);
            break;
        default:
            store_put(b, table, key, SLICE("value"));
        }
    }
    batch_seal(b, TABLES);
    overlay_add(p->overlay, b);
    p->batches[p->count++] = b;
    pile_count(p);
}

static void pile_remove(struct pile *p, size_t place)
{
    overlay_remove(p->overlay, p->batches[place]);
    store_batch_free(&p->batches[place]);
    p->count--;
    memmove(&p->batches[place], &p->batches[place + 1], (p->count - place) * sizeof *p->batches);
    pile_count(p);
}

static bool is_pending(const void *arg, size_t key)
{
    return ((const struct store_op *const *)arg)[key] != NULL;
}

/* Where a walk begins: within what begins with the prefix, or right behind that. */
static struct slice start_of(const struct question *q, uint8_t end[2 * KEY_MOST])
{
    bool low = slice_cmp(q->from, q->prefix) < 0;

    if (!q->backwards)
        return low ? q->prefix : q->from;
    if (q->from.p && (low || slice_starts(q->from, q->prefix)))
        return q->from;
    memcpy(end, q->prefix.p, q->prefix.len);
    memset(end + q->prefix.len, 0xFF, KEY_MOST);
    return slice_of(end, q->prefix.len + KEY_MOST);
}

/* In the midst of it batches come: where it is it stays. */
static void pile_walk(struct pile *p)
{
    unsigned            table = dice(TABLES);
    struct question     q = draw_question();
    struct overlay_walk w;
    uint8_t             end[2 * KEY_MOST];
    size_t              at = next_of(&q, first_of(&q), is_pending, p->latest[table]);

    overlay_walk(&w, p->overlay, table, q.prefix, start_of(&q, end), q.backwards);
    while (at < KEYS) {
        if (dice(4) == 0)
            pile_add(p);
        assert_non_null(w.op);
        assert_ptr_equal(overlay_walk_op(&w), p->latest[table][at]);
        overlay_walk_step(&w);
        at = next_of(&q, behind(&q, at), is_pending, p->latest[table]);
    }
    assert_null(overlay_walk_op(&w));
    overlay_walk_end(&w);
}

static void pile_get(struct pile *p)
{
    size_t   key = dice(KEYS);
    unsigned table = dice(TABLES);

    assert_ptr_equal(overlay_get(p->overlay, table, universe.keys[key]), p->latest[table][key]);
}

static void a_pile_turns(uint64_t with_seed)
{
    struct pile p = { .overlay = overlay_new() };

    universe_make(with_seed);
    for (unsigned turn = 0; turn < 400; turn++) {
        if (dice(5) < 2)
            pile_add(&p);
        else if (dice(4) == 0 && p.count)
            pile_remove(&p, dice(3) ? 0 : dice((unsigned)p.count));
        pile_get(&p);
        pile_walk(&p);
    }
    while (p.count)
        pile_remove(&p, 0);
    pile_walk(&p);
    overlay_free(&p.overlay);
}

static void the_overlay_is_what_is_pending(void **state)
{
    (void)state;
    for (uint64_t with_seed = 1; with_seed <= 12; with_seed++)
        a_pile_turns(with_seed);
}

/* In any order, many of one group and many groups. */
static void thousands_of_keys_come_and_go(void **state)
{
    enum { MANY = 20000 };
    struct overlay            *o = overlay_new();
    static struct store_batch *batches[MANY];

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        unsigned n = i * 7919 % MANY;
        char     key[32];

        snprintf(key, sizeof key, n % 2 ? "one group %05u" : "%05u", n);
        batches[i] = store_batch(SLICE("owner"));
        store_put(batches[i], 0, slice_str(key), SLICE(""));
        batch_seal(batches[i], 1);
        overlay_add(o, batches[i]);
    }
    struct overlay_walk w;
    unsigned            seen = 0;
    uint8_t             last[32] = { 0 };
    overlay_walk(&w, o, 0, SLICE(""), SLICE(""), false);
    for (struct slice before = { last, 0 }; w.op; seen++, overlay_walk_step(&w)) {
        assert_true(slice_cmp(before, w.op->disk_key) < 0);
        before = w.op->disk_key;
    }
    overlay_walk_end(&w);
    assert_int_equal(seen, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        overlay_remove(o, batches[i]);
        store_batch_free(&batches[i]);
    }
    overlay_walk(&w, o, 0, SLICE(""), SLICE(""), false);
    assert_null(w.op);
    overlay_walk_end(&w);
    overlay_free(&o);
}

/* ---- over a snapshot ---- */

struct written {
    struct slice keys[OPS_MOST];       /* of FIRST */
    bool         gone[OPS_MOST];
    size_t       count;
    uint32_t     number;
    bool         fails, told;
};

enum { WRITTEN = 300 };

struct history {
    struct fixture  *f;
    struct written   batches[WRITTEN];
    unsigned         count, told;
    const struct written *values[KEYS];    /* who wrote it; NULL: not there */
};

static void tell(void *arg, enum zerr err)
{
    struct written *w = arg;

    assert_int_equal(err, w->fails ? ZE_CONFLICT : ZE_OK);
    w->told = true;
}

static void history_add(struct history *h)
{
    struct written     *w = &h->batches[h->count];
    struct slice        number = slice_of(&w->number, sizeof w->number);
    struct store_batch *b;

    w->number = h->count++;
    w->fails = dice(4) == 0;
    w->count = 1 + dice(OPS_MOST);
    b = store_batch(number);               /* one that fails takes no other with it */
    if (w->fails)
        store_expect_value(b, SECOND, SLICE("never there"), SLICE("value"));
    for (size_t i = 0; i < w->count; i++) {
        w->keys[i] = universe.keys[dice(KEYS)];
        w->gone[i] = dice(3) == 0;
        if (w->gone[i])
            store_delete(b, FIRST, w->keys[i]);
        else
            store_put(b, FIRST, w->keys[i], number);
    }
    store_commit(h->f->store, &b, tell, w);
}

/* What fails counts until that is told. */
static void history_count(struct history *h)
{
    memset(h->values, 0, sizeof h->values);
    for (unsigned i = 0; i < h->count; i++) {
        const struct written *w = &h->batches[i];

        for (size_t j = 0; j < w->count && !(w->fails && w->told); j++)
            h->values[index_of(w->keys[j])] = w->gone[j] ? NULL : w;
    }
}

static bool is_there(const void *arg, size_t key)
{
    return ((const struct history *)arg)->values[key] != NULL;
}

struct answer {
    struct history *history;
    struct question question;
    size_t          next;
};

static int check_row(void *arg, struct slice key, struct slice value)
{
    struct answer *a = arg;

    assert_true(a->next < KEYS);
    assert_true(slice_eq(key, universe.keys[a->next]));
    assert_memory_equal(value.p, &a->history->values[a->next]->number, sizeof(uint32_t));
    a->next = next_of(&a->question, behind(&a->question, a->next), is_there, a->history);
    return 0;
}

static void history_check(struct history *h)
{
    struct store_view *view = store_view(h->f->store);
    size_t             key = dice(KEYS);
    struct answer      a = { .history = h, .question = draw_question() };

    history_count(h);
    assert_int_equal(store_get(view, FIRST, universe.keys[key]).p != NULL, h->values[key] != NULL);
    a.next = next_of(&a.question, first_of(&a.question), is_there, h);
    assert_int_equal(store_each(view, FIRST, a.question.prefix, a.question.from, a.question.backwards, check_row, &a), 0);
    assert_int_equal(a.next, KEYS);
    store_view_end(&view);
}

static bool all_told(const struct history *h)
{
    for (unsigned i = 0; i < h->count; i++)
        if (!h->batches[i].told)
            return false;
    return true;
}

static void a_history_passes(uint64_t with_seed)
{
    struct fixture         f;
    static struct history  h;

    fixture_start(&f);
    fixture_open(&f);
    h = (struct history){ .f = &f };
    universe_make(with_seed);
    while (h.count < WRITTEN) {
        history_add(&h);
        history_check(&h);
        if (dice(10) == 0)
            uv_run(loop_uv(f.loop), UV_RUN_NOWAIT);
        history_check(&h);
    }
    while (!all_told(&h)) {
        uv_run(loop_uv(f.loop), UV_RUN_ONCE);
        history_check(&h);
    }
    fixture_end(&f);
}

static void views_are_the_snapshot_and_what_is_pending(void **state)
{
    (void)state;
    for (uint64_t with_seed = 1; with_seed <= 6; with_seed++)
        a_history_passes(with_seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_overlay_is_what_is_pending),
        cmocka_unit_test(thousands_of_keys_come_and_go),
        cmocka_unit_test(views_are_the_snapshot_and_what_is_pending),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
