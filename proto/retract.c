/* XEP-0424 (retract.h). */

#include "retract.h"

#include "datetime.h"
#include "jid.h"
#include "ledger_keys.h"
#include "ns.h"
#include "xml_stream.h"
#include "xml_write.h"

struct slice retract_target(struct arena *arena, struct slice content, const struct xml_limits *limits)
{
    const struct element *root = xml_parse_content(arena, content, NS_CLIENT, limits);
    const struct element *retract = root ? element_child(root, NS_RETRACT, "retract") : NULL;

    return retract ? element_attr(retract, "id") : slice_of(NULL, 0);
}

void tombstone_write(struct buf *out, struct slice retraction, uint64_t now_us)
{
    char              stamp[DATETIME_MAX];
    struct xml_writer w;

    datetime_write(stamp, now_us);
    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "retracted", NS_RETRACT);
    xml_attr_slice(&w, "id", retraction);
    xml_attr(&w, "stamp", stamp);
    xml_close(&w);
}

/* ---- looking for it ---- */

struct search {
    struct ledger          *l;
    const struct retracted *r;
    struct store_batch     *batch;
    struct arena           *arena;
    struct ledger_record   *out;
    unsigned                looked;
    bool                    found;
};

static bool is_meant(const struct retracted *r, const struct ledger_record *record)
{
    struct slice peer = record->direction == LEDGER_IN ? record->stanza.from : record->stanza.to;
    bool         same = r->exactly ? slice_eq(peer, r->peer) : slice_eq(jid_bare(peer), jid_bare(r->peer));

    return same && slice_eq(record->stanza.id, r->id);
}

static bool may_be_meant(const struct retracted *r, const struct ledger_record *record)
{
    return record->direction == r->direction && !(record->stanza.flags & (STANZA_RETRACTS | STANZA_TOMBSTONE));
}

static int on_contact(void *arg, struct slice key, struct slice value)
{
    struct search   *s = arg;
    struct ledger_id id;

    (void)value;
    if (s->looked++ == s->r->most)
        return 1;
    if (!ledger_key_id(key, &id) || ledger_get(s->l, id, s->out) || !may_be_meant(s->r, s->out))
        return 0;
    arena_reset(s->arena);
    s->found = ledger_unpack(s->out, s->arena) == ZE_OK && is_meant(s->r, s->out);
    return s->found;
}

/* What was unpacked borrows from the arena of the search. */
static void keep_record(struct ledger_record *record, struct arena *arena)
{
    struct slice *const parts[] = { &record->stanza.from, &record->stanza.to, &record->stanza.id, &record->stanza.lang,
                                    &record->stanza_id, &record->delay_from, &record->actor };

    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i]->p)
            *parts[i] = arena_copy(arena, *parts[i]);
    record->stanza.content = slice_of("", 0);
}

enum zerr retract_find(struct ledger *l, const struct retracted *r, struct arena *arena, struct ledger_record *out)
{
    struct ledger_key prefix = ledger_key_contact(l, jid_bare(r->peer));
    struct search     s = { .l = l, .r = r, .arena = arena_new(), .out = out };

    if (l->owner_id && r->id.len)
        store_each(l->view, l->place->tables->contact, ledger_key_slice(&prefix), slice_of(NULL, 0), true, on_contact, &s);
    if (s.found)
        keep_record(out, arena);
    arena_free(&s.arena);
    return s.found ? ZE_OK : ZE_NOT_FOUND;
}

static int on_waiting(void *arg, struct ledger_record *record)
{
    struct search *s = arg;

    if (record->views & LEDGER_ARCHIVE || !may_be_meant(s->r, record))
        return 0;
    arena_reset(s->arena);
    if (ledger_unpack(record, s->arena) || !is_meant(s->r, record))
        return 0;
    ledger_offline_take(s->l, s->batch, record->id);
    return 1;
}

void retract_waiting(struct ledger *l, struct store_batch *batch, const struct retracted *r)
{
    struct search s = { .l = l, .r = r, .batch = batch, .arena = arena_new() };

    if (r->id.len && !ledger_waiting(l) && l->offline_count)
        ledger_offline_each(l, (struct ledger_id){ 0 }, on_waiting, &s);
    arena_free(&s.arena);
}
