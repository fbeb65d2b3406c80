/* Rows of a persistent room.
 * ROOM: u8 format (1), configuration (config_encode), sized creator, u64 created_us, sized subject, sized
 *   subject nick, u64 subject_us.
 * AFFILIATION: u8 format (1), u8 affiliation (place in its list), sized reason. */

#include <stdlib.h>

#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "room.h"

enum { ROOM_FORMAT = 1, AFFILIATION_FORMAT = 1 };

static void room_key(struct buf *key, const struct room *room)
{
    store_key(key, room->slot, room->jid);
}

static void affiliation_prefix(struct buf *key, const struct room *room)
{
    room_key(key, room);
    buf_put_u8(key, 0);
}

static void affiliation_key(struct buf *key, const struct room *room, struct slice jid)
{
    affiliation_prefix(key, room);
    buf_put_slice(key, jid);
}

void room_encode(const struct room *room, struct buf *out)
{
    config_encode(&room->config, out);
    buf_put_sized(out, room->creator);
    buf_put_u64(out, room->created_us);
    buf_put_sized(out, room->subject);
    buf_put_sized(out, room->subject_nick);
    buf_put_u64(out, room->subject_us);
}

void room_save(struct room *room, struct outcome *o)
{
    struct buf key = { 0 }, value = { 0 };

    room_key(&key, room);
    buf_put_u8(&value, ROOM_FORMAT);
    room_encode(room, &value);
    store_put(outcome_batch(o), R_ROOM, buf_slice(&key), buf_slice(&value));
    buf_free(&key);
    buf_free(&value);
}

void room_save_affiliation(struct room *room, struct outcome *o, const struct affiliated *a)
{
    struct buf key = { 0 }, value = { 0 };

    affiliation_key(&key, room, a->jid);
    buf_put_u8(&value, AFFILIATION_FORMAT);
    buf_put_u8(&value, (uint8_t)a->affiliation);
    buf_put_sized(&value, a->reason);
    if (a->affiliation == AFF_NONE)
        store_delete(outcome_batch(o), R_AFFILIATION, buf_slice(&key));
    else
        store_put(outcome_batch(o), R_AFFILIATION, buf_slice(&key), buf_slice(&value));
    buf_free(&key);
    buf_free(&value);
}

void room_store_all(struct room *room, struct outcome *o)
{
    room->stored = true;
    room_store_changed(room);
    room_save(room, o);
    for (struct table_iter i = { 0 }; table_next(room->affiliations, &i);)
        room_save_affiliation(room, o, i.value);
    history_to_archive(room, o);
    if (room->muc->stored_rooms >= 0)
        room->muc->stored_rooms++;
}

struct removal {
    struct store_batch *batch;
    unsigned            table;
};

static int remove_row(void *arg, struct slice key, struct slice value)
{
    struct removal *removal = arg;

    (void)value;
    store_delete(removal->batch, removal->table, key);
    return 0;
}

void room_unstore(struct room *room, struct outcome *o)
{
    struct store_view *view = store_view(room->muc->store);
    struct removal     removal = { outcome_batch(o), R_AFFILIATION };
    struct buf         key = { 0 }, prefix = { 0 };

    history_from_archive(room);
    archive_forget(room, o);
    room->stored = false;
    room_store_changed(room);
    room_key(&key, room);
    affiliation_prefix(&prefix, room);
    store_delete(outcome_batch(o), R_ROOM, buf_slice(&key));
    store_each(view, R_AFFILIATION, buf_slice(&prefix), (struct slice){ 0 }, false, remove_row, &removal);
    store_view_end(&view);
    buf_free(&key);
    buf_free(&prefix);
    if (room->muc->stored_rooms > 0)
        room->muc->stored_rooms--;
}

enum zerr room_decode(struct room *room, struct cursor *c)
{
    if (config_decode(&room->config, c))
        return ZE_STORE;

    struct slice creator = take_sized(c);
    uint64_t     created_us = take_u64(c);
    struct slice subject = take_sized(c), nick = take_sized(c);
    uint64_t     subject_us = take_u64(c);

    if (!cursor_done(c))
        return ZE_STORE;
    slice_own(&room->creator, creator);
    slice_own(&room->subject, subject);
    slice_own(&room->subject_nick, nick);
    room->created_us = created_us;
    room->subject_us = subject_us;
    return ZE_OK;
}

static int load_affiliation(void *arg, struct slice key, struct slice value)
{
    struct room  *room = arg;
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c), affiliation = take_u8(&c);
    struct slice  reason = take_sized(&c);
    size_t        before = 2 + room->jid.len + 1;      /* slot, room JID, NUL */

    if (!cursor_done(&c) || format != AFFILIATION_FORMAT || affiliation >= AFFILIATIONS || key.len <= before) {
        log_warn("affiliation_row_unreadable", "jid", log_slice(room->jid), NULL);
        return 0;
    }
    if (affiliation != AFF_NONE)
        room_take_affiliation(room, slice_cut(key, before, key.len), (enum affiliation)affiliation, reason);
    return 0;
}

/* False: the store does not have it, or not in a shape we can read. */
static bool fill(struct room *room, struct store_view *view)
{
    struct buf    key = { 0 }, prefix = { 0 };
    struct cursor c = { 0 };

    room_key(&key, room);
    c.rest = store_get(view, R_ROOM, buf_slice(&key));
    buf_free(&key);
    if (!c.rest.p)
        return false;
    if (take_u8(&c) != ROOM_FORMAT || room_decode(room, &c)) {
        log_error("room_unreadable", "jid", log_slice(room->jid), NULL);
        return false;
    }
    room_forget_affiliations(room);
    affiliation_prefix(&prefix, room);
    store_each(view, R_AFFILIATION, buf_slice(&prefix), (struct slice){ 0 }, false, load_affiliation, room);
    buf_free(&prefix);
    room->stored = true;
    return true;
}

static bool is_stored(struct store_view *view, struct slice bare_jid)
{
    struct buf key = { 0 };
    bool       found;

    store_key(&key, slot_of(bare_jid), bare_jid);
    found = store_get(view, R_ROOM, buf_slice(&key)).p;
    buf_free(&key);
    return found;
}

struct room *room_load(struct muc *m, struct slice bare_jid, const char *service)
{
    struct store_view *view = store_view(m->store);
    struct room       *room = is_stored(view, bare_jid) ? room_new(m, bare_jid, service) : NULL;

    if (room && !fill(room, view))
        room_free(&room);
    store_view_end(&view);
    return room;
}

/* What the store does not have is a temporary room, as memory has it. */
void room_fill(struct room *room)
{
    struct store_view *view = store_view(room->muc->store);

    if (!fill(room, view)) {
        log_warn("room_not_stored", "jid", log_slice(room->jid), NULL);
        room->stored = false;
        room->config.number[CONFIG_PERSISTENT] = 0;
        room_store_changed(room);
    }
    store_view_end(&view);
}

void room_reload(struct room *room)
{
    room_fill(room);
    room_store_changed(room);
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);
        who->affiliation = room_affiliation(room, who->bare);
        occupant_changed(who);
    }
}

struct walk {
    struct muc *muc;
    int (*each)(void *arg, struct slice jid, const struct config *config);
    void *arg;
};

static int visit(void *arg, struct slice key, struct slice value)
{
    struct walk  *walk = arg;
    struct cursor c = { value, false };
    struct config config;
    struct slice  jid = slice_cut(key, 2, key.len);
    int           stop = 0;

    const struct settings_rooms *service = muc_service(walk->muc, jid_domain(jid));

    if (!service || take_u8(&c) != ROOM_FORMAT)
        return 0;
    config_init(&config, service);
    if (!config_decode(&config, &c))
        stop = walk->each(walk->arg, jid, &config);
    config_free(&config);
    return stop;
}

int rooms_each_stored(struct muc *m, int (*each)(void *arg, struct slice jid, const struct config *config),
                      void *arg)
{
    struct store_view *view = store_view(m->store);
    struct walk        walk = { m, each, arg };
    int                stop = store_each(view, R_ROOM, (struct slice){ 0 }, (struct slice){ 0 }, false, visit, &walk);

    store_view_end(&view);
    return stop;
}
