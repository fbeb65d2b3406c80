/* Rows of the live environment: what changed in a turn, and the way back (keep.h). */

#include "keep.h"

#include "log.h"
#include "muc.h"

static const struct keep_row *const kinds[KEEP_COUNT] = {
    [KEEP_ROOM] = &keep_room,         [KEEP_AFFILIATED] = &keep_affiliated, [KEEP_OCCUPANT] = &keep_occupant,
    [KEEP_SESSION] = &keep_session,   [KEEP_INVITED] = &keep_invited,       [KEEP_HISTORY] = &keep_history,
    [KEEP_QUESTION] = &keep_question, [KEEP_RECIPIENTS] = &keep_recipients, [KEEP_OUTCOME] = &keep_outcome,
    [KEEP_SEARCH] = &keep_search,
};

static const char *const kind_names[KEEP_COUNT] = {
#define X(name, table) [KEEP_##name] = #table,
    KEEP_KINDS(X)
#undef X
};

static unsigned table_of(enum keep_kind kind)
{
    return LINK_LIVE_COUNT + (unsigned)kind;
}

/* ---- changes ---- */

void keep_mark(struct muc *m, struct keep *k, enum keep_kind kind)
{
    if (!k->number) {
        k->number = ++m->kept_last;
        k->kind = kind;
    }
    if (!m->live || k->link.next)
        return;
    list_append(&m->changed, &k->link);
    live_dirty(m->live);
}

void keep_drop(struct muc *m, struct keep *k)
{
    list_remove(&k->link);
    if (k->written)
        live_delete_u64(m->live, table_of(k->kind), k->number);
    *k = (struct keep){ 0 };
}

static void write_changed(void *arg)
{
    struct muc *m = arg;
    struct buf  row = { 0 };

    LIST_EACH(&m->changed, node) {
        struct keep *k = LIST_OWNER(node, struct keep, link);

        list_remove(node);
        buf_reset(&row, 65536);
        if (kinds[k->kind]->encode(k, &row)) {
            live_put_u64(m->live, table_of(k->kind), k->number, buf_slice(&row));
            k->written = true;
        } else if (k->written) {
            live_delete_u64(m->live, table_of(k->kind), k->number);
            k->written = false;
        }
    }
    buf_free(&row);
}

/* ---- the way back ---- */

struct restoring {
    struct muc    *muc;
    enum keep_kind kind;
    size_t         rows;
    struct buf     useless;          /* u64 each */
};

static struct slice key_of(const uint64_t *number)
{
    return slice_of(number, sizeof(*number));
}

void keep_again(struct muc *m, struct keep *k, enum keep_kind kind, uint64_t number)
{
    table_put(m->restored, key_of(&number), k);
    *k = (struct keep){ 0 };
    if (m->taking)
        keep_mark(m, k, kind);         /* under a number of our own */
    else
        *k = (struct keep){ .number = number, .kind = kind, .written = true };
}

struct keep *keep_find(const struct muc *m, enum keep_kind kind, uint64_t number)
{
    struct keep *k = number ? table_get(m->restored, key_of(&number)) : NULL;

    return k && k->kind == kind ? k : NULL;
}

static int restore_row(void *arg, struct slice key, struct slice value)
{
    struct restoring *r = arg;
    struct cursor     c = { value, false };
    uint64_t          number = live_key_u64(key);

    r->rows++;
    if (r->muc->kept_last < number)
        r->muc->kept_last = number;
    if (!kinds[r->kind]->restore(r->muc, number, &c))
        log_error("live_row_unreadable", "kind", kind_names[r->kind], "count", log_num((int64_t)number), NULL);
    if (!keep_find(r->muc, r->kind, number))
        buf_put_u64(&r->useless, number);
    return 0;
}

/* ---- a room from another instance ---- */

bool keep_encode(const struct keep *k, struct buf *row)
{
    return kinds[k->kind]->encode(k, row);
}

void keep_take_begin(struct muc *m)
{
    m->restored = table_new();
    m->taking = true;
}

bool keep_take(struct muc *m, unsigned kind, uint64_t number, struct cursor *row)
{
    return kind <= KEEP_HISTORY && kinds[kind]->restore(m, number, row);
}

void keep_take_end(struct muc *m)
{
    m->taking = false;
    table_free(&m->restored);
}

static size_t restore_kind(struct muc *m, enum keep_kind kind)
{
    struct restoring r = { .muc = m, .kind = kind };

    live_each(m->live, table_of(kind), restore_row, &r);
    for (struct cursor c = { buf_slice(&r.useless), false }; c.rest.len;)
        live_delete_u64(m->live, table_of(kind), take_u64(&c));
    buf_free(&r.useless);
    return r.rows;
}

void keep_restore(struct muc *m)
{
    size_t rows = 0;

    if (!m->live)
        return;
    m->live_hook = (struct live_hook){ .run = write_changed, .arg = m };
    live_before_commit(m->live, &m->live_hook);
    m->restored = table_new();
    for (enum keep_kind kind = 0; kind < KEEP_COUNT; kind++)
        rows += restore_kind(m, kind);
    table_free(&m->restored);
    muc_restored(m);
    if (rows) {
        struct muc_census census = muc_census(m);

        log_info("rooms_restored", "rooms", log_num((int64_t)census.rooms), "occupants",
                 log_num((int64_t)census.occupants), "count", log_num((int64_t)m->outcomes_waiting), NULL);
    }
}
