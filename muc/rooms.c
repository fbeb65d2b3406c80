/* The registry of rooms, and who may make one (XEP-0045 10.1.1). */

#include "rooms.h"

#include "jid.h"
#include "log.h"

enum { IDLE_MS = 60000 };

struct room *rooms_find(struct muc *m, struct slice bare_jid, const char *service)
{
    struct room *room = table_get(m->rooms, bare_jid);

    if (room)
        return room;
    room = room_load(m, bare_jid, service);
    if (room)
        table_put(m->rooms, bare_jid, room);
    return room;
}

static int count_one(void *arg, struct slice jid, const struct config *config)
{
    (void)jid;
    (void)config;
    ++*(long *)arg;
    return 0;
}

/* Of this service's store; counted once, then kept. */
static long stored_rooms(struct muc *m)
{
    if (m->stored_rooms < 0) {
        m->stored_rooms = 0;
        rooms_each_stored(m, count_one, &m->stored_rooms);
    }
    return m->stored_rooms;
}

static enum zerr room_for_one_more(struct muc *m, struct slice creator)
{
    long temporary = 0, own = 0;

    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);) {
        const struct room *room = i.value;
        temporary += !room->stored;
        own += slice_eq(room->creator, creator);
    }
    if (temporary + stored_rooms(m) >= m->settings->limits.rooms_max)
        return ZE_FULL;
    if (m->settings->limits.rooms_per_creator && own >= m->settings->limits.rooms_per_creator)
        return ZE_FULL;
    return ZE_OK;
}

static bool may_create(const struct muc *m, const struct settings_rooms *service, struct slice creator)
{
    struct slice policy = slice_str(service->create), domain = jid_domain(creator);

    if (muc_is_admin(service, creator) || slice_is(policy, "everybody"))
        return true;
    for (size_t i = 0; slice_is(policy, "local") && i < m->settings->domain_count; i++)
        if (slice_is(domain, m->settings->domain[i].name))
            return true;
    return false;
}

enum zerr rooms_create(struct muc *m, const struct settings_rooms *service, struct slice bare_jid,
                       struct slice creator, struct room **out)
{
    enum zerr err = may_create(m, service, creator) ? ZE_OK : ZE_NOT_ALLOWED;

    if (!err && !muc_is_admin(service, creator))
        err = room_for_one_more(m, creator);
    if (err)
        return err;
    struct room *room = room_new(m, bare_jid, service->name);

    room->locked = true;
    room->created_us = m->now_us;
    slice_own(&room->creator, creator);
    room_set_affiliation(room, NULL, creator, AFF_OWNER, (struct slice){ 0 });
    table_put(m->rooms, bare_jid, room);
    room_changed(room);
    log_info("room_created", "jid", log_slice(bare_jid), "from", log_slice(creator), NULL);
    *out = room;
    return ZE_OK;
}

void rooms_forget(struct room *room)
{
    if (room->gone)
        return;
    room->gone = true;
    table_remove(room->muc->rooms, room->jid);
    room_changed(room);
}

static void end(struct room *room)
{
    rooms_forget(room);
    room_free(&room);
}

void rooms_drop(struct room *room)
{
    end(room);
}

static void idle(void *arg)
{
    struct room *room = arg;

    if (list_empty(&room->outcomes) && list_empty(&room->occupants))
        end(room);
}

void rooms_settle(struct room *room)
{
    if (!list_empty(&room->outcomes) || (!room->gone && !list_empty(&room->occupants)))
        return;
    if (!room->gone && room->stored) {                 /* not at once: each stanza to it would read it anew */
        room->idle.fire = idle;
        room->idle.arg = room;
        timer_arm(room->muc->loop, &room->idle, IDLE_MS);
        return;
    }
    if (!room->gone)
        log_info("room_ended", "jid", log_slice(room->jid), NULL);
    end(room);
}

struct listing {
    struct muc *muc;
    const char *service;
    int (*each)(void *arg, const struct room_summary *room);
    void *arg;
};

static int list_stored(void *arg, struct slice jid, const struct config *config)
{
    struct listing     *l = arg;
    struct room_summary summary = { .jid = jid, .config = config };

    if (!slice_is(jid_domain(jid), l->service) || table_get(l->muc->rooms, jid))
        return 0;
    return l->each(l->arg, &summary);
}

int rooms_each(struct muc *m, const char *service, int (*each)(void *arg, const struct room_summary *room), void *arg)
{
    struct listing l = { m, service, each, arg };

    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);) {
        const struct room  *room = i.value;
        struct room_summary summary = { room->jid, &room->config, room_occupants(room), room->locked, room->subject };
        int                 stop = slice_is(jid_domain(room->jid), service) ? each(arg, &summary) : 0;

        if (stop)
            return stop;
    }
    return rooms_each_stored(m, list_stored, &l);
}
