/* The last messages of a room (XEP-0045 7.2.13, 7.2.14). */

#include "history.h"

#include <stdlib.h>

#include "delay.h"
#include "log.h"
#include "room.h"
#include "stanza_id.h"
#include "xml_write.h"

/* ---- what is remembered ---- */

void history_init(struct history *h)
{
    *h = (struct history){ 0 };
    list_init(&h->items);
}

static void item_free(struct history_item *item)
{
    struct history *h = &item->room->history;

    list_remove(&item->link);
    keep_drop(item->room->muc, &item->keep);
    h->count--;
    h->bytes -= item->bytes.len;
    free((void *)item->bytes.p);
    free(item);
}

void history_free(struct room *room)
{
    LIST_EACH(&room->history.items, node)
        item_free(LIST_OWNER(node, struct history_item, link));
}

void history_changed(struct room *room)
{
    LIST_EACH(&room->history.items, node)
        keep_mark(room->muc, &LIST_OWNER(node, struct history_item, link)->keep, KEEP_HISTORY);
}

static struct history_item *item_new(struct room *room, struct ledger_id id, struct slice bytes)
{
    struct history_item *item = xcalloc(1, sizeof(*item));

    item->room = room;
    item->id = id;
    slice_own(&item->bytes, bytes);
    list_append(&room->history.items, &item->link);
    room->history.count++;
    room->history.bytes += bytes.len;
    return item;
}

void history_trim(struct room *room)
{
    struct history *h = &room->history;
    size_t          most = (size_t)room->config.number[CONFIG_HISTORY];
    size_t          most_bytes = (size_t)room->muc->settings->limits.room_history_bytes;

    LIST_EACH(&h->items, node) {
        if (h->count <= most && h->bytes <= most_bytes)
            return;
        item_free(LIST_OWNER(node, struct history_item, link));
    }
}

bool history_wanted(const struct ledger_record *record)
{
    return record->stanza.flags & (STANZA_HAS_BODY | STANZA_ENCRYPTED | STANZA_STORE);
}

void history_add(struct room *room, const struct ledger_record *record)
{
    struct buf bytes = { 0 };

    if (room->config.number[CONFIG_HISTORY] == 0 || !history_wanted(record))
        return;
    ledger_encode(&bytes, record, room->jid);
    keep_mark(room->muc, &item_new(room, record->id, buf_slice(&bytes))->keep, KEEP_HISTORY);
    buf_free(&bytes);
    history_trim(room);
}

static bool read_item(const struct history_item *item, struct ledger_record *out)
{
    return ledger_decode(item->bytes, item->id, item->room->jid, out) == ZE_OK &&
           ledger_unpack(out, item->room->muc->arena) == ZE_OK;
}

enum zerr history_bury(struct room *room, struct ledger_id id, struct slice who)
{
    LIST_EACH(&room->history.items, node) {
        struct history_item *item = LIST_OWNER(node, struct history_item, link);
        struct ledger_record record;

        if (ledger_id_cmp(item->id, id) || !read_item(item, &record) || !archive_may_bury(&record, who))
            continue;
        item_free(item);
        return ZE_OK;
    }
    return ZE_NOT_FOUND;
}

/* All that is remembered, in the arena. */
static struct ledger_record *remembered(struct room *room, size_t *count)
{
    struct ledger_record *out = arena_alloc(room->muc->arena, (room->history.count + 1) * sizeof(*out));

    *count = 0;
    LIST_EACH(&room->history.items, node)
        *count += read_item(LIST_OWNER(node, struct history_item, link), &out[*count]);
    return out;
}

/* ---- to who enters ---- */

/* The characters of the complete stanza (7.2.14), that is code points. */
static size_t characters(const struct stanza *s)
{
    struct buf whole = { 0 };
    size_t     count = 0;

    stanza_write(&whole, s, (struct slice){ 0 });
    for (size_t i = whole.start; i < whole.end; i++)
        count += (whole.bytes[i] & 0xC0) != 0x80;
    buf_free(&whole);
    return count;
}

/* `content` holds what the stanza borrows. */
static struct stanza as_stanza(const struct room *room, const struct ledger_record *record, struct slice to,
                               struct buf *content)
{
    struct stanza s = record->stanza;
    char          id[LEDGER_ID_TEXT];

    ledger_id_write(id, record->id);
    buf_reset(content, 65536);
    buf_put_slice(content, s.content);
    stanza_id_write(content, room->jid, slice_str(id));
    delay_write(content, room->jid, record->id.time_us);
    s.flags |= STANZA_HAS_DELAY;
    s.to = to;
    s.content = buf_slice(content);
    return s;
}

static uint64_t wanted_since(const struct room *room, const struct history_wish *wish)
{
    uint64_t now_us = room->muc->now_us, back_us = wish->seconds < 0 ? now_us : (uint64_t)wish->seconds * 1000000;
    uint64_t since_us = back_us < now_us ? now_us - back_us : 0;

    return wish->since_us > since_us ? wish->since_us : since_us;
}

/* How many of the newest fit: backwards, then forwards from there. */
static size_t that_fit(const struct room *room, const struct ledger_record *records, size_t count,
                       const struct session *to, const struct history_wish *wish)
{
    uint64_t   since_us = wanted_since(room, wish);
    struct buf content = { 0 };
    size_t     chars = 0, fit = 0;

    for (; fit < count && (wish->stanzas < 0 || fit < (size_t)wish->stanzas); fit++) {
        const struct ledger_record *r = &records[count - 1 - fit];

        if (r->id.time_us < since_us)
            break;
        if (wish->chars >= 0) {
            struct stanza s = as_stanza(room, r, to->jid, &content);

            chars += characters(&s);
            if (chars > (size_t)wish->chars)
                break;
        }
    }
    buf_free(&content);
    return fit;
}

static size_t most_wanted(const struct room *room, const struct history_wish *wish)
{
    long most = room->config.number[CONFIG_HISTORY];

    return (size_t)(wish->stanzas >= 0 && wish->stanzas < most ? wish->stanzas : most);
}

void history_send(struct room *room, struct outcome *o, const struct session *to, const struct history_wish *wish)
{
    struct store_view    *view = archive_on(room) ? store_view(room->muc->store) : NULL;
    struct ledger_record *records;
    struct buf            content = { 0 };
    size_t                count, fit;

    records = view ? archive_latest(room, view, wanted_since(room, wish), most_wanted(room, wish), history_wanted,
                                    &count)
                   : remembered(room, &count);
    fit = that_fit(room, records, count, to, wish);
    for (size_t i = count - fit; i < count; i++) {
        struct stanza s = as_stanza(room, &records[i], to->jid, &content);

        outcome_send(o, &s);
    }
    buf_free(&content);
    if (view)
        store_view_end(&view);
}

/* ---- from one place to the other ---- */

void history_to_archive(struct room *room, struct outcome *o)
{
    struct ledger_record *records;
    size_t                count;

    if (!archive_on(room))
        return;
    records = remembered(room, &count);
    for (size_t i = 0; i < count; i++) {
        records[i].views = LEDGER_ARCHIVE;
        if (archive_add(room, o, &records[i]))
            log_warn("history_not_archived", "jid", log_slice(room->jid), NULL);
    }
}

void history_from_archive(struct room *room)
{
    struct store_view    *view;
    struct ledger_record *records;
    size_t                count;

    if (!archive_on(room) || room->gone)
        return;
    history_free(room);
    view = store_view(room->muc->store);
    records = archive_latest(room, view, 0, (size_t)room->config.number[CONFIG_HISTORY], history_wanted, &count);
    for (size_t i = 0; i < count; i++)
        history_add(room, &records[i]);
    store_view_end(&view);
}

/* ---- the row: u8 format, u64 room, u64 us, u16 tie, sized record ---- */

enum { ROW_FORMAT = 1 };

static bool history_row(const struct keep *k, struct buf *out)
{
    const struct history_item *item = LIST_OWNER(k, struct history_item, keep);

    if (archive_on(item->room) || item->room->gone)
        return false;
    buf_put_u8(out, ROW_FORMAT);
    buf_put_u64(out, item->room->keep.number);
    buf_put_u64(out, item->id.time_us);
    buf_put_u16(out, item->id.tie);
    buf_put_sized(out, item->bytes);
    return true;
}

/* What is said from now on comes later, whatever the clock says now. */
static void note_id(struct ledger_place *place, struct ledger_id id)
{
    if (ledger_id_cmp(id, (struct ledger_id){ place->last_us, place->last_tie }) <= 0)
        return;
    place->last_us = id.time_us;
    place->last_tie = id.tie;
}

static bool history_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t              format = take_u8(c);
    struct keep         *k = keep_find(m, KEEP_ROOM, take_u64(c));
    struct ledger_id     id = { .time_us = take_u64(c) };
    struct slice         bytes;
    struct history_item *item;
    struct ledger_record record;

    id.tie = take_u16(c);
    bytes = take_sized(c);
    if (!cursor_done(c) || format != ROW_FORMAT)
        return false;
    if (!k)
        return true;
    item = item_new(LIST_OWNER(k, struct room, keep), id, bytes);
    note_id(&m->ledgers, id);
    keep_again(m, &item->keep, KEEP_HISTORY, number);
    return read_item(item, &record);
}

const struct keep_row keep_history = { history_row, history_again };
