/* The archive of a room: opening, adding, the newest (archive.h). */

#include "archive.h"

#include "jid.h"
#include "log.h"
#include "room.h"

enum { LATEST_PAGES = 4 };

const struct ledger_tables archive_tables_of_rooms = { R_INTERN, R_LEDGER, R_CONTACT, R_OFFLINE, R_OFFLINE_SUM,
                                                       R_OWNER };

bool archive_on(const struct room *room)
{
    return room->stored && room->muc->settings->server.archive;
}

enum zerr archive_open(struct ledger *l, struct room *room, struct store_view *view)
{
    return ledger_open(l, &room->muc->ledgers, view, room->jid);
}

struct ledger_id archive_next_id(struct room *room)
{
    struct muc       *m = room->muc;
    struct ledger     l = { .place = &m->ledgers };
    struct ledger_id  id;

    if (!archive_on(room))
        return ledger_next_id(&l, m->now_us);

    struct store_view *view = store_view(m->store);

    /* What cannot be opened cannot be added to either, which is told then. */
    (void)archive_open(&l, room, view);
    id = ledger_next_id(&l, m->now_us);
    store_view_end(&view);
    return id;
}

enum zerr archive_add(struct room *room, struct outcome *o, const struct ledger_record *record)
{
    struct store_view *view = store_view(room->muc->store);
    struct ledger      l;
    enum zerr          err = archive_open(&l, room, view);

    if (!err)
        err = ledger_append(&l, outcome_batch(o), &(struct ledger_limits){ 0 }, record);
    store_view_end(&view);
    return err;
}

bool archive_may_bury(const struct ledger_record *record, struct slice who)
{
    return !(record->stanza.flags & (STANZA_RETRACTS | STANZA_TOMBSTONE)) && slice_eq(jid_bare(record->actor), who);
}

enum zerr archive_bury(struct room *room, struct outcome *o, struct ledger_id id, struct slice who,
                       struct slice tombstone)
{
    struct store_view   *view = store_view(room->muc->store);
    struct ledger_record record;
    struct ledger        l;
    enum zerr            err = archive_open(&l, room, view);

    if (!err)
        err = ledger_get(&l, id, &record);
    if (!err)
        err = ledger_unpack(&record, room->muc->arena);
    if (!err && !archive_may_bury(&record, who))
        err = ZE_NOT_FOUND;
    if (!err)
        ledger_bury(&l, outcome_batch(o), &record, tombstone);
    store_view_end(&view);
    return err;
}

void archive_forget(struct room *room, struct outcome *o)
{
    struct store_view *view = store_view(room->muc->store);
    struct ledger      l;

    if (archive_open(&l, room, view) == ZE_OK)
        ledger_forget(&l, outcome_batch(o));
    store_view_end(&view);
}

/* Backwards, page by page, into the end of `out`. */
struct ledger_record *archive_latest(struct room *room, struct store_view *view, uint64_t since_us, size_t most,
                                     bool (*wanted)(const struct ledger_record *r), size_t *count)
{
    struct muc           *m = room->muc;
    struct ledger_record *out = arena_alloc(m->arena, (most + 1) * sizeof(*out));
    struct ledger_query   q = { .start_us = since_us, .backwards = true, .max = (unsigned)most + 10,
                                .bytes_max = (size_t)m->settings->limits.room_history_bytes };
    struct ledger_page    page = { 0 };
    struct ledger         l;
    size_t                at = most;
    enum zerr             err = archive_open(&l, room, view);

    for (int pages = 0; !err && pages < LATEST_PAGES && at > 0 && !page.complete; pages++) {
        err = ledger_query(&l, &q, m->arena, &page);
        for (unsigned i = page.count; !err && i > 0 && at > 0; i--)
            if (wanted(&page.records[i - 1]) && ledger_unpack(&page.records[i - 1], m->arena) == ZE_OK)
                out[--at] = page.records[i - 1];
        q.before = page.unfinished ? page.reached : page.count ? page.records[0].id : q.before;
    }
    *count = most - at;
    return out + at;
}
