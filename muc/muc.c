/* The instance: its tables, its services. */

#include "muc.h"

#include <stdlib.h>

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

struct muc *muc_new(struct loop *loop, const struct settings *settings, struct store *store, struct arena *arena,
                    struct outlet outlet)
{
    struct muc *m = xcalloc(1, sizeof(*m));

    m->loop = loop;
    m->settings = settings;
    m->store = store;
    m->arena = arena;
    m->outlet = outlet;
    m->rooms = table_new();
    m->questions = table_new();
    m->forwarded = pending_new(loop);
    m->stored_rooms = -1;
    take_limits(m);
    return m;
}

void muc_free(struct muc **end)
{
    struct muc *m = *end;

    *end = NULL;
    store_close(&m->store);
    forward_forget_all(m);
    pending_free(&m->forwarded);
    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);) {
        struct room *room = i.value;
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

void muc_say_goodbye(struct muc *m)
{
    static const unsigned codes[] = { 332, 0 };

    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);) {
        struct room    *room = i.value;
        struct outcome *o = outcome_begin(m, room, trace_new());

        LIST_EACH(&room->occupants, node) {
            struct occupant *who = LIST_OWNER(node, struct occupant, link);
            struct notice    n = { .type = TYPE_UNAVAILABLE, .codes = codes };
            leave_tell_self(o, who, &n);
        }
        outcome_end(&o);
    }
}

struct muc_census muc_census(const struct muc *m)
{
    struct muc_census census = { table_count(m->rooms), 0 };

    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);)
        census.occupants += room_occupants(i.value);
    return census;
}
