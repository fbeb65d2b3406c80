/* proto/ledger: one record a message; the offline view in order, its sums and limits; damaged rows. */

#include "sm_fixture.h"

#include "ledger.h"
#include "ledger_pack.h"
#include "routes.h"

#define OWNER "juliet@example.org"
#define NOW   1795230000000000

static const struct ledger_limits wide = { 1000, 1 << 20 };

static struct ledger_record message(const char *body, unsigned views)
{
    return (struct ledger_record){
        .id = { .time_us = NOW },
        .views = views,
        .direction = LEDGER_IN,
        .stanza = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .flags = STANZA_HAS_BODY,
                    .from = SLICE("romeo@example.net/orchard"), .to = SLICE(OWNER), .content = slice_str(body) },
    };
}

static void open_ledger(struct sm_fixture *f, struct ledger *l, const char *owner)
{
    struct store_view *view = store_view(f->store.archive);

    assert_int_equal(ledger_open(l, sm_ledger(&f->store), view, slice_str(owner)), ZE_OK);
}

static enum zerr commit(struct sm_fixture *f, struct store_batch *b)
{
    struct outcome o = { 0 };

    store_commit(f->store.archive, &b, note, &o);
    turn_until(f->loop, &o, 1);
    return o.last;
}

static enum zerr append_to(struct ledger *l, struct store_batch *b, const struct ledger_limits *limits,
                           const struct ledger_record *in, struct ledger_id *id)
{
    struct ledger_record r = *in;

    r.id = *id = ledger_next_id(l, in->id.time_us);
    return ledger_append(l, b, limits, &r);
}

static struct ledger_id append(struct sm_fixture *f, const char *owner, const struct ledger_record *in)
{
    struct store_batch *b = store_batch(slice_str(owner));
    struct ledger_id    id;
    struct ledger       l;

    open_ledger(f, &l, owner);
    assert_int_equal(append_to(&l, b, &wide, in, &id), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    return id;
}

static int list_content(void *arg, struct ledger_record *record)
{
    struct arena *arena = arena_new();
    struct buf   *out = arg;

    assert_int_equal(ledger_unpack(record, arena), ZE_OK);
    buf_printf(out, "%.*s ", SLICE_FMT(record->stanza.content));
    arena_free(&arena);
    return 0;
}

static void expect_offline(struct sm_fixture *f, const char *owner, const char *contents, uint32_t count)
{
    struct buf    list = { 0 };
    struct ledger l;

    open_ledger(f, &l, owner);
    assert_int_equal(ledger_offline_each(&l, (struct ledger_id){ 0 }, list_content, &list), 0);
    buf_put_u8(&list, 0);
    assert_string_equal((char *)list.bytes, contents);
    assert_int_equal(ledger_waiting(&l), ZE_OK);
    assert_int_equal(l.offline_count, count);
    assert_true((l.offline_bytes == 0) == (count == 0));
    store_view_end(&l.view);
    buf_free(&list);
}

static void expect_same(struct slice a, struct slice b)
{
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.len ? a.p : (const uint8_t *)"", b.len ? b.p : (const uint8_t *)"", a.len);
}

static struct ledger_record full_record(enum ledger_direction direction)
{
    struct ledger_record r = message("<body>x</body>", LEDGER_ARCHIVE | LEDGER_RESUME);

    r.direction = direction;
    r.origin_us = NOW - 5;
    r.delay_from = SLICE("example.net");
    r.stanza_id = SLICE("given-by-the-room");
    r.actor = SLICE("nurse@example.org/door");
    r.stanza.id = SLICE("m1");
    r.stanza.lang = SLICE("be");
    r.stanza.flags = STANZA_MANY | STANZA_HAS_BODY;
    r.stanza.to = direction == LEDGER_IN ? SLICE(OWNER "/balcony") : SLICE("romeo@example.net");
    r.stanza.from = direction == LEDGER_IN ? SLICE("romeo@example.net/o") : SLICE(OWNER "/balcony");
    return r;
}

static void expect_record(const struct ledger_record *a, const struct ledger_record *b)
{
    assert_int_equal(a->views, b->views);
    assert_int_equal(a->direction, b->direction);
    assert_int_equal(a->origin_us, b->origin_us);
    assert_int_equal(a->stanza.name, b->stanza.name);
    assert_int_equal(a->stanza.type, b->stanza.type);
    assert_int_equal(a->stanza.flags, b->stanza.flags);
    expect_same(a->delay_from, b->delay_from);
    expect_same(a->stanza_id, b->stanza_id);
    expect_same(a->actor, b->actor);
    expect_same(a->stanza.from, b->stanza.from);
    expect_same(a->stanza.to, b->stanza.to);
    expect_same(a->stanza.id, b->stanza.id);
    expect_same(a->stanza.lang, b->stanza.lang);
    expect_same(a->stanza.content, b->stanza.content);
}

static void a_record_comes_back_as_it_was(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in[] = { message("<body>hi</body>", LEDGER_OFFLINE), message("", LEDGER_ARCHIVE),
                                  full_record(LEDGER_IN), full_record(LEDGER_OUT) };
    struct arena        *arena = arena_new();
    struct ledger_record out;
    struct ledger        l;

    for (size_t i = 0; i < COUNT_OF(in); i++) {
        struct ledger_id id = append(f, OWNER, &in[i]);
        open_ledger(f, &l, OWNER);
        assert_int_equal(ledger_get(&l, id, &out), ZE_OK);
        assert_int_equal(ledger_unpack(&out, arena), ZE_OK);
        expect_record(&out, &in[i]);
        assert_int_equal(out.id.time_us, id.time_us);
        id.time_us++;
        assert_int_equal(ledger_get(&l, id, &out), ZE_NOT_FOUND);
        store_view_end(&l.view);
    }
    arena_free(&arena);
}

static void equal_times_keep_their_order(void **state)
{
    struct sm_fixture   *f = *state;
    struct store_batch  *b = store_batch(SLICE(OWNER));
    struct ledger_record in = message("1", LEDGER_OFFLINE);
    struct ledger_id     id[3];
    struct ledger        l;
    char                 text[3][LEDGER_ID_TEXT];

    open_ledger(f, &l, OWNER);                         /* three in one batch, the clock set back */
    assert_int_equal(append_to(&l, b, &wide, &in, &id[0]), ZE_OK);
    in.stanza.content = SLICE("2");
    assert_int_equal(append_to(&l, b, &wide, &in, &id[1]), ZE_OK);
    in.stanza.content = SLICE("3");
    in.id.time_us -= 1000;
    assert_int_equal(append_to(&l, b, &wide, &in, &id[2]), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "1 2 3 ", 3);
    for (int i = 0; i < 3; i++)
        ledger_id_write(text[i], id[i]);
    assert_true(strcmp(text[0], text[1]) < 0 && strcmp(text[1], text[2]) < 0);
}

static void pending_messages_are_read_and_counted(void **state)
{
    struct sm_fixture   *f = *state;
    struct outcome       o = { 0 };
    struct ledger_record in = message("", LEDGER_OFFLINE);
    struct ledger        l;

    for (int i = 0; i < 3; i++) {
        struct store_batch *b = store_batch(SLICE(OWNER));
        struct ledger_id    id;
        in.stanza.content = slice_str(i == 0 ? "a" : i == 1 ? "b" : "c");
        open_ledger(f, &l, OWNER);
        assert_int_equal(append_to(&l, b, &wide, &in, &id), ZE_OK);
        store_view_end(&l.view);
        store_commit(f->store.archive, &b, note, &o);
    }
    expect_offline(f, OWNER, "a b c ", 3);
    turn_until(f->loop, &o, 3);
    assert_int_equal(o.last, ZE_OK);
    expect_offline(f, OWNER, "a b c ", 3);
}

static void owners_of_one_slot_are_kept_apart(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in = message("hers", LEDGER_OFFLINE);
    char                 other[32];
    unsigned             i = 0;

    do                                                /* somebody whose slot is hers */
        snprintf(other, sizeof other, "user%u@example.org", i++);
    while (slot_of(slice_str(other)) != slot_of(SLICE(OWNER)));
    append(f, OWNER, &in);
    in.stanza.to = slice_str(other);
    in.stanza.content = SLICE("theirs");
    append(f, other, &in);
    expect_offline(f, OWNER, "hers ", 1);
    expect_offline(f, other, "theirs ", 1);
    expect_offline(f, "nobody@example.org", "", 0);
}

static void clearing_takes_what_was_delivered(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record one = message("1", LEDGER_OFFLINE), two = message("2", LEDGER_OFFLINE | LEDGER_ARCHIVE),
                         three = message("3", LEDGER_OFFLINE), out;
    struct ledger_id     first = append(f, OWNER, &one), second = append(f, OWNER, &two);
    struct store_batch  *b = store_batch(SLICE(OWNER));
    struct ledger        l;

    append(f, OWNER, &three);
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_offline_clear(&l, b, second), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "3 ", 1);
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_get(&l, first, &out), ZE_NOT_FOUND);
    assert_int_equal(ledger_get(&l, second, &out), ZE_OK);
    assert_int_equal(out.views, LEDGER_ARCHIVE);
    b = store_batch(SLICE(OWNER));
    assert_int_equal(ledger_offline_clear(&l, b, (struct ledger_id){ UINT64_MAX, 0 }), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "", 0);
}

static void reading_goes_on_behind_a_given_message(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in = message("1", LEDGER_OFFLINE);
    struct ledger_id     first = append(f, OWNER, &in);
    struct buf           list = { 0 };
    struct ledger        l;

    in.stanza.content = SLICE("2");
    append(f, OWNER, &in);
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_offline_each(&l, first, list_content, &list), 0);
    store_view_end(&l.view);
    assert_true(slice_is(buf_slice(&list), "2 "));
    buf_free(&list);
}

static void limits_are_told(void **state)
{
    struct sm_fixture          *f = *state;
    const struct ledger_limits  one = { 1, 1 << 20 }, small = { 1000, 60 }, none = { 0, 0 };
    struct ledger_record        in = message("1", LEDGER_OFFLINE), archived = message("1", LEDGER_ARCHIVE);
    struct store_batch         *b = store_batch(SLICE(OWNER));
    struct ledger_id            id;
    struct ledger               l;
    static char                 big[70000];

    append(f, OWNER, &in);
    open_ledger(f, &l, OWNER);
    assert_int_equal(append_to(&l, b, &one, &in, &id), ZE_FULL);
    assert_int_equal(append_to(&l, b, &small, &in, &id), ZE_FULL);
    assert_int_equal(append_to(&l, b, &none, &in, &id), ZE_FULL);
    in.stanza.id = slice_of(big, sizeof big);
    assert_int_equal(append_to(&l, b, &wide, &in, &id), ZE_BAD_REQUEST);
    assert_true(store_batch_empty(b));
    assert_int_equal(append_to(&l, b, &none, &archived, &id), ZE_OK);   /* not an offline message */
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "1 ", 1);
}

/* Two that read the same sum cannot both be written. */
static void a_stale_sum_is_a_conflict(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in = message("1", LEDGER_OFFLINE);
    struct store_batch  *b[2] = { store_batch(SLICE(OWNER)), store_batch(SLICE(OWNER)) };
    struct outcome       o[2] = { 0 };
    struct ledger_id     id;
    struct ledger        l[2];

    append(f, OWNER, &in);
    for (int i = 0; i < 2; i++) {
        open_ledger(f, &l[i], OWNER);
        assert_int_equal(append_to(&l[i], b[i], &wide, &in, &id), ZE_OK);
    }
    for (int i = 0; i < 2; i++) {
        store_view_end(&l[i].view);
        store_commit(f->store.archive, &b[i], note, &o[i]);
    }
    turn_until(f->loop, &o[1], 1);
    assert_int_equal(o[0].last, ZE_OK);
    assert_int_equal(o[1].last, ZE_CONFLICT);
    expect_offline(f, OWNER, "1 1 ", 2);
}

/* The sum cannot be read: nothing enters or leaves the offline view, the archive goes on. */
static void a_damaged_sum_stops_only_what_waits(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record waits = message("1", LEDGER_OFFLINE), kept = message("2", LEDGER_ARCHIVE);
    struct ledger_id     first = append(f, OWNER, &waits), id = append(f, OWNER, &kept);
    struct store_batch  *b = store_batch(SLICE(OWNER));
    struct buf           key = { 0 };
    struct ledger        l;

    open_ledger(f, &l, OWNER);
    store_key(&key, l.slot, SLICE("\0\0\0\1"));
    store_put(b, A_OFFLINE_SUM, buf_slice(&key), SLICE("\1junk"));
    buf_free(&key);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    append(f, OWNER, &kept);
    b = store_batch(SLICE(OWNER));
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_waiting(&l), ZE_STORE);
    assert_int_equal(append_to(&l, b, &wide, &waits, &id), ZE_STORE);
    assert_int_equal(ledger_offline_again(&l, b, id), ZE_NOT_FOUND);
    assert_int_equal(ledger_offline_take(&l, b, first), ZE_STORE);
    assert_int_equal(ledger_offline_clear(&l, b, first), ZE_STORE);
    assert_true(store_batch_empty(b));
    assert_int_equal(append_to(&l, b, &wide, &kept, &id), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
}

static unsigned sweep(struct sm_fixture *f, unsigned most)
{
    struct store_view  *view = store_view(f->store.archive);
    struct store_batch *b = store_batch(SLICE(OWNER));
    unsigned            did = ledger_sweep_dead(sm_ledger(&f->store), view, b, slot_of(SLICE(OWNER)), most);

    store_view_end(&view);
    if (did)
        assert_int_equal(commit(f, b), ZE_OK);
    else
        store_batch_free(&b);
    return did;
}

static int count_rows(void *arg, struct slice key, struct slice value)
{
    (void)key;
    (void)value;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned rows_of_slot(struct sm_fixture *f)
{
    static const unsigned tables[] = { A_INTERN, A_LEDGER, A_OFFLINE, A_OFFLINE_SUM, A_CONTACT, A_OWNER };
    struct store_view    *view = store_view(f->store.archive);
    struct buf            prefix = { 0 };
    unsigned              rows = 0;

    store_key(&prefix, slot_of(SLICE(OWNER)), SLICE(""));
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        assert_int_equal(store_each(view, tables[i], buf_slice(&prefix), SLICE(""), false, count_rows, &rows), 0);
    store_view_end(&view);
    buf_free(&prefix);
    return rows;
}

static void forgetting_leaves_nothing(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in = message("1", LEDGER_OFFLINE | LEDGER_ARCHIVE), out;
    struct ledger_id     id = append(f, OWNER, &in);
    struct store_batch  *b = store_batch(SLICE(OWNER));
    struct ledger        l;

    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_forget(&l, b), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    open_ledger(f, &l, OWNER);
    assert_int_equal(l.owner_id, 0);
    assert_int_equal(ledger_get(&l, id, &out), ZE_NOT_FOUND);
    store_view_end(&l.view);
    append(f, OWNER, &in);                             /* a new account of this name sees only its own */
    expect_offline(f, OWNER, "1 ", 1);
    assert_int_equal(sweep(f, 2), 2);                  /* in small steps, until nothing is left */
    assert_int_equal(sweep(f, 2), 2);
    assert_int_equal(sweep(f, 2), 1);
    assert_int_equal(sweep(f, 2), 0);
    assert_int_equal(rows_of_slot(f), 4 + 3);          /* the new one's, and his names */
    expect_offline(f, OWNER, "1 ", 1);
}

/* ---- damaged rows ---- */

static enum zerr read_whole(struct slice value)
{
    struct arena        *arena = arena_new();
    struct ledger_record out;
    enum zerr            err = ledger_decode(value, (struct ledger_id){ NOW, 0 }, SLICE(OWNER), &out);

    if (!err)
        err = ledger_unpack(&out, arena);
    arena_free(&arena);
    return err;
}

static void a_cut_record_is_never_taken(void **state)
{
    struct ledger_record in = full_record(LEDGER_IN);
    struct buf           value = { 0 };

    (void)state;
    ledger_encode(&value, &in, SLICE(OWNER));
    assert_int_equal(read_whole(buf_slice(&value)), ZE_OK);
    for (size_t cut = 0; cut < buf_len(&value); cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, value.bytes, cut);
        assert_int_equal(read_whole(slice_of(copy, cut)), ZE_STORE);
        free(copy);
    }
    buf_put_u8(&value, 'x');
    assert_int_equal(read_whole(buf_slice(&value)), ZE_STORE);
    buf_free(&value);
}

/* ---- packing ---- */

#define LONG "<body>I will let you know</body><request xmlns='urn:xmpp:receipts'/>" \
             "<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id id='1' xmlns='urn:xmpp:sid:0'/>"

static void long_contents_are_packed(void **state)
{
    struct arena        *arena = arena_new();
    struct ledger_record in = message(LONG, LEDGER_ARCHIVE), out;
    struct buf           value = { 0 };

    (void)state;
    ledger_encode(&value, &in, SLICE(OWNER));
    assert_true(buf_len(&value) < sizeof LONG);
    assert_int_equal(ledger_decode(buf_slice(&value), in.id, SLICE(OWNER), &out), ZE_OK);
    assert_true(out.size > sizeof LONG);
    assert_int_equal(ledger_unpack(&out, arena), ZE_OK);
    expect_record(&out, &in);
    buf_free(&value);
    arena_free(&arena);
}

/* The dictionary is on-disk format: these bytes were packed with number 1. */
static void what_was_packed_once_is_read_for_ever(void **state)
{
    static const uint8_t packed[] = {
        0x00, 0x00, 0x25, 0x01, 0x00, 0x88, 0x49, 0x20, 0x77, 0x69, 0x6c, 0x6c, 0x20,
        0x6c, 0x65, 0x6b, 0x6e, 0x6f, 0x77, 0x69, 0x64, 0x3d, 0x27, 0x05, 0xfc, 0xc9,
        0xfd, 0xbd, 0xa5, 0x16, 0x05, 0xb3, 0x5e, 0xcf, 0x13, 0x90, 0x0f, 0xde, 0x8a,
        0xa1, 0x08,
    };
    struct arena        *arena = arena_new();
    struct slice         text = ledger_unpacked(1, slice_of(packed, sizeof packed), sizeof LONG - 1, arena);

    (void)state;
    expect_same(text, SLICE(LONG));
    arena_free(&arena);
}

static void damaged_packing_is_told(void **state)
{
    struct ledger_record in = message(LONG, LEDGER_ARCHIVE);
    struct buf           value = { 0 };

    (void)state;
    ledger_encode(&value, &in, SLICE(OWNER));
    assert_int_equal(read_whole(buf_slice(&value)), ZE_OK);
    for (size_t cut = 0; cut < buf_len(&value); cut++)
        assert_int_equal(read_whole(slice_of(value.bytes, cut)), ZE_STORE);
    buf_free(&value);
}

static void a_header_out_of_range_is_refused(void **state)
{
    struct ledger_record in = message("x", LEDGER_OFFLINE), out;
    struct buf           value = { 0 };
    static const struct { size_t at; uint8_t byte; } rows[] = {
        { 0, 2 }, { 0, 0 }, { 1, 2 }, { 2, 8 }, { 3, 2 }, { 4, 0 }, { 4, 4 }, { 5, TYPE_COUNT }, { 6, 128 },
    };

    (void)state;
    ledger_encode(&value, &in, SLICE(OWNER));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint8_t was = value.bytes[value.start + rows[i].at];
        value.bytes[value.start + rows[i].at] = rows[i].byte;
        assert_int_equal(ledger_decode(buf_slice(&value), in.id, SLICE(OWNER), &out), ZE_STORE);
        value.bytes[value.start + rows[i].at] = was;
    }
    assert_int_equal(ledger_decode(buf_slice(&value), in.id, SLICE(OWNER), &out), ZE_OK);
    buf_free(&value);
}

static void record_key_of(struct buf *key, const struct ledger *l, struct ledger_id id)
{
    uint8_t rest[14];

    for (unsigned i = 0; i < 4; i++)
        rest[i] = (uint8_t)(l->owner_id >> (24 - 8 * i));
    for (unsigned i = 0; i < 8; i++)
        rest[4 + i] = (uint8_t)(id.time_us >> (56 - 8 * i));
    rest[12] = (uint8_t)(id.tie >> 8);
    rest[13] = (uint8_t)id.tie;
    store_key(key, l->slot, slice_of(rest, sizeof rest));
}

static void a_damaged_row_does_not_hold_up_the_others(void **state)
{
    struct sm_fixture   *f = *state;
    struct ledger_record in = message("1", LEDGER_OFFLINE), out;
    struct ledger_id     id, last;
    struct store_batch  *b = store_batch(SLICE(OWNER));
    struct buf           key = { 0 };
    struct ledger        l;

    append(f, OWNER, &in);
    in.stanza.content = SLICE("2");
    id = append(f, OWNER, &in);
    in.stanza.content = SLICE("3");
    last = append(f, OWNER, &in);
    open_ledger(f, &l, OWNER);
    record_key_of(&key, &l, id);
    store_put(b, A_LEDGER, buf_slice(&key), SLICE("\1junk"));
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "1 3 ", 3);
    b = store_batch(SLICE(OWNER));
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_get(&l, id, &out), ZE_STORE);
    assert_int_equal(ledger_offline_clear(&l, b, last), ZE_OK);
    store_view_end(&l.view);
    assert_int_equal(commit(f, b), ZE_OK);
    expect_offline(f, OWNER, "", 0);
    open_ledger(f, &l, OWNER);
    assert_int_equal(ledger_get(&l, id, &out), ZE_NOT_FOUND);
    store_view_end(&l.view);
    buf_free(&key);
}

static void ids_have_texts(void **state)
{
    static const struct ledger_id ids[] = { { 0, 0 }, { NOW, 0 }, { NOW, 1 }, { NOW, 65535 }, { UINT64_MAX, 65535 } };
    char                          text[LEDGER_ID_TEXT], before[LEDGER_ID_TEXT] = "";
    struct ledger_id              id;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        ledger_id_write(text, ids[i]);
        assert_int_equal(strlen(text), 16);
        assert_true(strcmp(text, before) > 0);
        assert_int_equal(ledger_id_parse(slice_str(text), &id), ZE_OK);
        assert_true(id.time_us == ids[i].time_us && id.tie == ids[i].tie);
        memcpy(before, text, sizeof(before));
    }
    assert_int_equal(ledger_id_parse(SLICE(""), &id), ZE_NOT_FOUND);
    assert_int_equal(ledger_id_parse(SLICE("000000000000000"), &id), ZE_NOT_FOUND);
    assert_int_equal(ledger_id_parse(SLICE("00000000000000000"), &id), ZE_NOT_FOUND);
    assert_int_equal(ledger_id_parse(SLICE("000000000000000w"), &id), ZE_NOT_FOUND);
    assert_int_equal(ledger_id_parse(SLICE("000000000000000\0"), &id), ZE_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_comes_back_as_it_was, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(equal_times_keep_their_order, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(pending_messages_are_read_and_counted, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(owners_of_one_slot_are_kept_apart, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_damaged_sum_stops_only_what_waits, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(clearing_takes_what_was_delivered, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(reading_goes_on_behind_a_given_message, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(limits_are_told, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_stale_sum_is_a_conflict, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(forgetting_leaves_nothing, sm_start, sm_end),
        cmocka_unit_test(a_cut_record_is_never_taken),
        cmocka_unit_test(long_contents_are_packed),
        cmocka_unit_test(what_was_packed_once_is_read_for_ever),
        cmocka_unit_test(damaged_packing_is_told),
        cmocka_unit_test(a_header_out_of_range_is_refused),
        cmocka_unit_test_setup_teardown(a_damaged_row_does_not_hold_up_the_others, sm_start, sm_end),
        cmocka_unit_test(ids_have_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
