/* The last messages of a room (XEP-0045 7.2.13, 7.2.14). */

#include "history.h"

#include <stdlib.h>

#include "cursor.h"
#include "delay.h"
#include "log.h"
#include "ns.h"
#include "room.h"
#include "xml_write.h"

enum { HISTORY_FORMAT = 1 };

void history_init(struct history *h)
{
    *h = (struct history){ 0 };
    list_init(&h->items);
}

static void item_free(struct history *h, struct history_item *item)
{
    list_remove(&item->link);
    keep_drop(item->room->muc, &item->keep);
    h->count--;
    h->bytes -= item->record.len;
    free((void *)item->record.p);
    free(item);
}

void history_free(struct room *room)
{
    LIST_EACH(&room->history.items, node)
        item_free(&room->history, LIST_OWNER(node, struct history_item, link));
}

void history_changed(struct room *room)
{
    LIST_EACH(&room->history.items, node)
        keep_mark(room->muc, &LIST_OWNER(node, struct history_item, link)->keep, KEEP_HISTORY);
}

void history_prefix(struct buf *key, const struct room *room)
{
    struct buf rest = { 0 };

    buf_put_slice(&rest, room->jid);
    buf_put_u8(&rest, 0);
    store_key(key, room->slot, buf_slice(&rest));
    buf_free(&rest);
}

void history_key(struct buf *key, const struct room *room, uint64_t us, uint16_t tie)
{
    history_prefix(key, room);
    for (int shift = 56; shift >= 0; shift -= 8)      /* big-endian: the order of keys is that of time */
        buf_put_u8(key, (uint8_t)(us >> shift));
    buf_put_u8(key, (uint8_t)(tie >> 8));
    buf_put_u8(key, (uint8_t)tie);
}

bool history_decode(struct slice record, struct history_item *out)
{
    struct cursor c = { record, false };
    uint8_t       format = take_u8(&c), name = take_u8(&c), type = take_u8(&c);

    out->flags = take_u32(&c);
    out->nick = take_sized(&c);
    (void)take_sized(&c);                              /* the real JID: for the archive */
    out->id = take_sized(&c);
    out->lang = take_sized(&c);
    out->content = take_sized(&c);
    return cursor_done(&c) && format == HISTORY_FORMAT && name == STANZA_MESSAGE && type == TYPE_GROUPCHAT;
}

/* Takes over `record` (allocated). */
static struct history_item *item_new(struct room *room, struct slice record, uint64_t us, uint16_t tie)
{
    struct history      *h = &room->history;
    struct history_item *item = xcalloc(1, sizeof(*item));

    item->room = room;
    item->record = record;
    item->us = us;
    item->tie = tie;
    if (!history_decode(record, item)) {
        free((void *)record.p);
        free(item);
        return NULL;
    }
    h->count++;
    h->bytes += record.len;
    h->last_us = us;
    h->last_tie = tie;
    return item;
}

static void row(struct room *room, struct outcome *o, const struct history_item *item, bool put)
{
    struct buf key = { 0 };

    history_key(&key, room, item->us, item->tie);
    if (put)
        store_put(outcome_batch(o), R_HISTORY, buf_slice(&key), item->record);
    else
        store_delete(outcome_batch(o), R_HISTORY, buf_slice(&key));
    buf_free(&key);
}

void history_trim(struct room *room, struct outcome *o)
{
    struct history *h = &room->history;
    size_t          most = (size_t)room->config.number[CONFIG_HISTORY];
    size_t          most_bytes = (size_t)room->muc->settings->limits.room_history_bytes;

    LIST_EACH(&h->items, node) {
        struct history_item *item = LIST_OWNER(node, struct history_item, link);

        if (h->count <= most && h->bytes <= most_bytes)
            return;
        if (room->stored)
            row(room, o, item, false);
        item_free(h, item);
    }
}

static struct slice record_of(const struct stanza *s, struct slice nick, struct slice real_jid)
{
    struct buf b = { 0 };

    buf_put_u8(&b, HISTORY_FORMAT);
    buf_put_u8(&b, s->name);
    buf_put_u8(&b, s->type);
    buf_put_u32(&b, s->flags);
    buf_put_sized(&b, nick);
    buf_put_sized(&b, real_jid);
    buf_put_sized(&b, s->id);
    buf_put_sized(&b, s->lang);
    buf_put_sized(&b, s->content);

    struct slice owned = { 0 };

    slice_own(&owned, buf_slice(&b));
    buf_free(&b);
    return owned;
}

void history_add(struct room *room, struct outcome *o, const struct stanza *s, struct slice nick,
                 struct slice real_jid)
{
    struct history *h = &room->history;
    bool            later = room->muc->now_us > h->last_us;
    uint64_t        us = later ? room->muc->now_us : h->last_us;       /* a clock set back keeps the order */
    uint16_t        tie = later ? 0 : (uint16_t)(h->last_tie + 1);

    if (room->config.number[CONFIG_HISTORY] == 0)
        return;
    if (!later && tie == 0)
        us++;
    struct history_item *item = item_new(room, record_of(s, nick, real_jid), us, tie);

    if (!item)
        return;
    list_append(&h->items, &item->link);
    if (room->stored)
        row(room, o, item, true);
    else
        keep_mark(room->muc, &item->keep, KEEP_HISTORY);
    history_trim(room, o);
}

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

/* Fills s; `content` and `from` hold what it borrows. */
static void as_stanza(const struct room *room, const struct history_item *item, struct slice to, struct buf *content,
                      struct buf *from, struct stanza *s)
{
    buf_reset(content, 65536);
    buf_reset(from, 4096);
    buf_put_slice(from, room->jid);
    buf_put_u8(from, '/');
    buf_put_slice(from, item->nick);
    buf_put_slice(content, item->content);
    delay_write(content, room->jid, item->us);
    *s = (struct stanza){ .name = STANZA_MESSAGE, .type = TYPE_GROUPCHAT, .flags = item->flags | STANZA_HAS_DELAY,
                          .from = buf_slice(from), .to = to, .id = item->id, .lang = item->lang,
                          .content = buf_slice(content) };
}

static bool recent_enough(const struct history_item *item, const struct history_wish *wish, uint64_t now_us)
{
    if (wish->since_us && item->us < wish->since_us)
        return false;
    return wish->seconds < 0 || item->us + (uint64_t)wish->seconds * 1000000 >= now_us;
}

void history_send(struct room *room, struct outcome *o, const struct session *to, const struct history_wish *wish)
{
    struct buf    content = { 0 }, from = { 0 };
    struct stanza s;
    struct list  *first = &room->history.items;
    long          stanzas = 0;
    size_t        chars = 0;

    /* Backwards: the newest that fit; then forwards from there. */
    for (struct list *node = room->history.items.prev; node != &room->history.items; node = node->prev) {
        struct history_item *item = LIST_OWNER(node, struct history_item, link);

        if ((wish->stanzas >= 0 && stanzas >= wish->stanzas) || !recent_enough(item, wish, room->muc->now_us))
            break;
        if (wish->chars >= 0) {
            as_stanza(room, item, to->jid, &content, &from, &s);
            chars += characters(&s);
            if (chars > (size_t)wish->chars)
                break;
        }
        stanzas++;
        first = node;
    }
    for (struct list *node = first; node != &room->history.items; node = node->next) {
        as_stanza(room, LIST_OWNER(node, struct history_item, link), to->jid, &content, &from, &s);
        outcome_send(o, &s);
    }
    buf_free(&content);
    buf_free(&from);
}

/* Called newest first. */
static int load_one(void *arg, struct slice key, struct slice value)
{
    struct room  *room = arg;
    struct slice  stamp = slice_cut(key, key.len - 10, key.len), record = { 0 };
    uint64_t      us = 0, last_us = room->history.last_us;
    uint16_t      tie = (uint16_t)(stamp.p[8] << 8 | stamp.p[9]), last_tie = room->history.last_tie;

    if (room->history.count >= (size_t)room->config.number[CONFIG_HISTORY])
        return 1;
    for (int i = 0; i < 8; i++)
        us = us << 8 | stamp.p[i];
    slice_own(&record, value);
    struct history_item *item = item_new(room, record, us, tie);

    if (!item) {
        log_warn("history_row_unreadable", "jid", log_slice(room->jid), NULL);
        return 0;
    }
    item->link.next = room->history.items.next;
    item->link.prev = &room->history.items;
    item->link.next->prev = item->link.prev->next = &item->link;
    if (room->history.count > 1) {                     /* the newest sets where time goes on */
        room->history.last_us = last_us;
        room->history.last_tie = last_tie;
    }
    return 0;
}

void history_load(struct room *room, struct store_view *view)
{
    struct buf prefix = { 0 };

    history_free(room);
    history_prefix(&prefix, room);
    store_each(view, R_HISTORY, buf_slice(&prefix), (struct slice){ 0 }, true, load_one, room);
    buf_free(&prefix);
}

void history_store_all(struct room *room, struct outcome *o)
{
    LIST_EACH(&room->history.items, node)
        row(room, o, LIST_OWNER(node, struct history_item, link), true);
}

/* ---- the row of a temporary room's: u8 format, u64 room, u64 us, u16 tie, sized record ---- */

enum { ROW_FORMAT = 1 };

static bool history_row(const struct keep *k, struct buf *out)
{
    const struct history_item *item = LIST_OWNER(k, struct history_item, keep);

    if (item->room->stored || item->room->gone)
        return false;
    buf_put_u8(out, ROW_FORMAT);
    buf_put_u64(out, item->room->keep.number);
    buf_put_u64(out, item->us);
    buf_put_u16(out, item->tie);
    buf_put_sized(out, item->record);
    return true;
}

static bool history_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t              format = take_u8(c);
    struct keep         *k = keep_find(m, KEEP_ROOM, take_u64(c));
    uint64_t             us = take_u64(c);
    uint16_t             tie = take_u16(c);
    struct slice         record = take_sized(c), own = { 0 };
    struct history_item *item;

    if (!cursor_done(c) || format != ROW_FORMAT)
        return false;
    if (!k)
        return true;

    struct room *room = LIST_OWNER(k, struct room, keep);

    slice_own(&own, record);
    item = item_new(room, own, us, tie);
    if (!item)
        return false;
    list_append(&room->history.items, &item->link);
    keep_again(m, &item->keep, KEEP_HISTORY, number);
    return true;
}

const struct keep_row keep_history = { history_row, history_again };
