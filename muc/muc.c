/* The instance: its tables, its services. */

#include "muc.h"

#include <stdlib.h>

#include "handover.h"
#include "keep.h"
#include "link.h"
#include "request.h"
#include "stats.h"

const char *const room_tables[] = {
#define X(name) #name,
    ROOM_TABLES(X)
#undef X
    NULL,
};

static void take_limits(struct muc *m)
{
    m->limits = (struct xml_limits){ .element_max = (size_t)m->settings->limits.stanza_max + 65536,
                                     .depth_max = (size_t)m->settings->limits.depth_max,
                                     .attributes_max = (size_t)m->settings->limits.attributes_max,
                                     .name_max = (size_t)m->settings->limits.name_max };
}

struct muc *muc_new(struct loop *loop, const struct settings *settings, struct store *store, struct live *live,
                    struct arena *arena, struct outlet outlet)
{
    struct muc *m = xcalloc(1, sizeof(*m));

    m->loop = loop;
    m->settings = settings;
    m->store = store;
    m->live = live;
    m->arena = arena;
    m->outlet = outlet;
    m->rooms = table_new();
    m->questions = table_new();
    m->forwarded = pending_new(loop);
    m->stored_rooms = -1;
    m->ledgers.store = store;
    m->ledgers.tables = &archive_tables_of_rooms;
    list_init(&m->all_rooms);
    list_init(&m->loose);
    list_init(&m->searches);
    list_init(&m->changed);
    list_init(&m->restored_lists);
    take_limits(m);
    keep_restore(m);
    return m;
}

/* The rows as they are now are for the next process. */
static void freeze(struct muc *m)
{
    if (!m->live)
        return;
    live_freeze(m->live);
    list_remove(&m->live_hook.link);
}

void muc_free(struct muc **end)
{
    struct muc *m = *end;

    *end = NULL;
    freeze(m);
    store_close(&m->store);
    forward_forget_all(m);
    searches_forget(m);
    pending_free(&m->forwarded);
    outcomes_forget_loose(m);
    while (!list_empty(&m->all_rooms)) {
        struct room *room = LIST_OWNER(m->all_rooms.next, struct room, link);
        room_free(&room);
    }
    table_free(&m->questions);
    table_free(&m->rooms);
    free(m);
}

void muc_settings(struct muc *m, const struct settings *settings)
{
    m->settings = settings;
    take_limits(m);
}

const struct settings_rooms *muc_service(const struct muc *m, struct slice domain)
{
    for (size_t i = 0; i < m->settings->rooms_count; i++)
        if (slice_is(domain, m->settings->rooms[i].name))
            return &m->settings->rooms[i];
    return NULL;
}

bool muc_is_admin(const struct settings_rooms *service, struct slice bare_jid)
{
    for (size_t i = 0; i < service->admins.count; i++)
        if (slice_is(bare_jid, service->admins.item[i]))
            return true;
    return false;
}

void muc_each_room(struct muc *m, void (*each)(struct room *room))
{
    LIST_EACH(&m->all_rooms, node)
        each(LIST_OWNER(node, struct room, link));
}

static void say_goodbye(struct room *room)
{
    static const unsigned codes[] = { 332, 0 };
    struct outcome       *o;

    if (room->gone)
        return;
    o = outcome_begin(room->muc, room, trace_new());
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);
        struct notice    n = { .type = TYPE_UNAVAILABLE, .codes = codes };

        leave_tell_self(o, who, &n);
        occupant_free(&who);
    }
    outcome_end(&o);
}

void muc_say_goodbye(struct muc *m)
{
    muc_each_room(m, say_goodbye);
}

/* ---- after a restart ---- */

static void restored_room(struct room *room)
{
    if (room->stored)
        room_fill(room);
}

void muc_restored(struct muc *m)
{
    recipients_restored(m);
    muc_each_room(m, restored_room);
    muc_each_room(m, rooms_settle);
}

/* One life of an sm through which somebody is in a room though it is over; false: none. */
static bool dead_life(const struct muc *m, struct address *life)
{
    const struct routes *routes = m->outlet.routes(m->outlet.arg);

    LIST_EACH(&m->all_rooms, node) {
        const struct room *room = LIST_OWNER(node, struct room, link);

        for (struct table_iter i = { 0 }; table_next(room->sessions, &i);) {
            const struct session        *session = i.value;
            const struct route_instance *now = routes_instance(routes, session->home.instance);

            if (session->home.role == ROLE_SM &&
                (!now || (now->incarnation && now->incarnation != session->home.incarnation))) {
                *life = session->home;
                return true;
            }
        }
    }
    return false;
}

void muc_on_routes(struct muc *m)
{
    struct address life;

    if (!routes_router(m->outlet.routes(m->outlet.arg)))
        return;
    if (routes_settled(m->outlet.routes(m->outlet.arg)))
        handover_follow_homes(m);
    if (!m->linked) {
        m->linked = true;
        outcomes_linked(m);
        searches_go_on(m);
    }
    while (dead_life(m, &life))
        muc_on_peer_lost(m, &life);
}

struct muc_census muc_census(const struct muc *m)
{
    struct muc_census census = { table_count(m->rooms), 0 };

    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);)
        census.occupants += room_occupants(i.value);
    return census;
}
