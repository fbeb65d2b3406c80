/* Pages of the archive view: a cursor range of the records, or of one contact's (ledger.h). */

#include "ledger_keys.h"

#include "jid.h"

struct reading {
    struct ledger             *l;
    const struct ledger_query *q;
    struct ledger_page        *page;
    struct arena              *scratch;
    struct ledger_key          prefix;
    struct ledger_id           low, high;  /* inclusive */
    bool                       by_contact;
    unsigned                   table, max, room, scanned;
    size_t                     bytes;
    uint64_t                   counted;
};

static struct ledger_id id_after(struct ledger_id id)
{
    if (++id.tie == 0)
        id.time_us++;
    return id;
}

static struct ledger_id id_before(struct ledger_id id)
{
    if (id.tie-- == 0)
        id.time_us--;
    return id;
}

static bool is_set(struct ledger_id id)
{
    return id.time_us || id.tie;
}

static void bound(struct reading *r, struct ledger_id after, struct ledger_id before)
{
    if (is_set(after) && ledger_id_cmp(id_after(after), r->low) > 0)
        r->low = id_after(after);
    if (is_set(before) && ledger_id_cmp(id_before(before), r->high) < 0)
        r->high = id_before(before);
}

static struct reading reading_of(struct ledger *l, const struct ledger_query *q)
{
    const struct ledger_tables *t = l->place->tables;
    struct reading              r = { .l = l, .q = q, .low = { q->start_us, 0 }, .high = { UINT64_MAX, UINT16_MAX } };

    r.by_contact = q->with.len && !q->unindexed;
    r.table = r.by_contact ? t->contact : t->ledger;
    r.prefix = r.by_contact ? ledger_key_contact(l, jid_bare(q->with)) : ledger_key_owner(l->slot, l->owner_id);
    if (q->end_us)
        r.high.time_us = q->end_us;
    bound(&r, q->set_after, q->set_before);
    bound(&r, q->after, q->before);
    return r;
}

/* Where the walk begins; backwards the first key that is not in it. */
static struct ledger_key start_of(const struct reading *r)
{
    struct ledger_key key = r->prefix;

    ledger_key_add_id(&key, r->q->backwards ? r->high : r->low);
    if (r->q->backwards)
        key.bytes[key.len++] = 0;
    return key;
}

static bool past_the_end(const struct reading *r, struct ledger_id id)
{
    return r->q->backwards ? ledger_id_cmp(id, r->low) < 0 : ledger_id_cmp(id, r->high) > 0;
}

/* The records asked for by their ids, as the walk would meet them: without a value. */
static int walk_ids(struct reading *r, int (*each)(void *arg, struct slice key, struct slice value))
{
    int rc = 0;

    for (unsigned i = 0; i < r->q->ids_count && !rc; i++) {
        struct ledger_id  id = r->q->ids[r->q->backwards ? r->q->ids_count - 1 - i : i];
        struct ledger_key key = ledger_key_record(r->l, id);

        if (ledger_id_cmp(id, r->low) >= 0 && ledger_id_cmp(id, r->high) <= 0)
            rc = each(r, ledger_key_slice(&key), slice_of(NULL, 0));
    }
    return rc;
}

static int walk(struct reading *r, int (*each)(void *arg, struct slice key, struct slice value))
{
    struct ledger_key from = start_of(r);

    if (!r->l->owner_id || ledger_id_cmp(r->low, r->high) > 0)
        return 0;
    if (r->q->ids)
        return walk_ids(r, each);
    return store_each(r->l->view, r->table, ledger_key_slice(&r->prefix), ledger_key_slice(&from), r->q->backwards,
                      each, r);
}

static bool is_with(struct slice jid, struct slice with)
{
    return slice_eq(jid, with) || (jid_is_bare(with) && slice_eq(jid_bare(jid), with));
}

/* XEP-0313 4.1.1: the own address means messages to oneself, or everything would match: that is how the
 * record is filed, and the peer of such a one is the owner himself. */
static bool matches(struct reading *r, const struct ledger_record *row)
{
    struct slice         with = r->q->with;
    struct ledger_record rec = *row;

    if (!with.len && !r->q->accepts)
        return true;
    arena_reset(r->scratch);
    if (ledger_unpack(&rec, r->scratch))
        return false;
    if (with.len && !is_with(rec.direction == LEDGER_IN ? rec.stanza.from : rec.stanza.to, with) &&
        !(rec.actor.len && is_with(rec.actor, with)))
        return false;
    return !r->q->accepts || r->q->accepts(r->q->accepts_arg, &rec, r->scratch);
}

static bool read_row(struct reading *r, struct ledger_id id, struct slice value, struct ledger_record *rec)
{
    bool      here = !r->by_contact && !r->q->ids;
    enum zerr err = here ? ledger_decode(value, id, r->l->owner, rec) : ledger_get(r->l, id, rec);

    if (err == ZE_STORE && here)
        ledger_unreadable(r->l, "record");
    return err == ZE_OK && rec->views & LEDGER_ARCHIVE && matches(r, rec);
}

/* False: the page is full, and this one is not on it. */
static bool take(struct reading *r, const struct ledger_record *rec)
{
    struct ledger_page *page = r->page;

    if (page->count == r->max || (page->count && r->bytes + rec->size > r->q->bytes_max))
        return false;
    r->bytes += rec->size;
    page->records[page->count++] = *rec;
    return true;
}

static int on_row(void *arg, struct slice key, struct slice value)
{
    struct reading      *r = arg;
    struct ledger_record rec;
    struct ledger_id     id;

    if (!ledger_key_id(key, &id) || past_the_end(r, id))
        return 1;
    if (r->scanned++ == (r->q->accepts ? LEDGER_SCAN_DEEP : LEDGER_SCAN)) {
        r->page->unfinished = true;
        return 2;
    }
    r->page->reached = id;
    if (!read_row(r, id, value, &rec))
        return 0;
    return take(r, &rec) ? 0 : 2;
}

static void turn_around(struct ledger_page *page)
{
    for (unsigned i = 0; i + 1 < page->count - i; i++) {
        struct ledger_record other = page->records[page->count - 1 - i];
        page->records[page->count - 1 - i] = page->records[i];
        page->records[i] = other;
    }
}

enum zerr ledger_query(struct ledger *l, const struct ledger_query *q, struct arena *arena,
                       struct ledger_page *page)
{
    struct reading r = reading_of(l, q);
    int            rc;

    *page = (struct ledger_page){ 0 };
    r.page = page;
    r.max = q->max < LEDGER_PAGE_MOST ? q->max : LEDGER_PAGE_MOST;
    page->records = arena_alloc(arena, (r.max + 1) * sizeof(*page->records));
    r.scratch = arena_new();
    rc = walk(&r, on_row);
    arena_free(&r.scratch);
    if (rc < 0)
        return ZE_STORE;
    page->complete = rc < 2;
    if (q->backwards && page->count)
        turn_around(page);
    return ZE_OK;
}

/* ---- counting ---- */

static int count_row(void *arg, struct slice key, struct slice value)
{
    struct reading      *r = arg;
    struct ledger_record rec;
    struct ledger_id     id;

    if (!ledger_key_id(key, &id) || past_the_end(r, id))
        return 1;
    if (r->scanned++ == LEDGER_COUNT_MOST)
        return 2;
    r->counted += read_row(r, id, value, &rec);
    return 0;
}

bool ledger_count(struct ledger *l, const struct ledger_query *q, uint64_t *count)
{
    struct reading r = reading_of(l, q);
    int            rc;

    if (q->accepts)
        return false;
    r.scratch = arena_new();
    rc = walk(&r, count_row);
    arena_free(&r.scratch);
    *count = r.counted;
    return rc == 0 || rc == 1;
}
