/* Control verbs of muc. */

#include "ctl.h"
#include "jid.h"
#include "link.h"
#include "request.h"

static void room_row(struct ctl_reply *r, const struct room_summary *room)
{
    ctl_row(r);
    ctl_slice(r, "room", room->jid);
    ctl_int(r, "occupants", (int64_t)room->occupants);
    ctl_bool(r, "persistent", room->config->number[CONFIG_PERSISTENT]);
    ctl_bool(r, "public", room->config->number[CONFIG_PUBLIC]);
    ctl_slice(r, "name", config_text(room->config, CONFIG_NAME));
}

static int list_room(void *arg, const struct room_summary *room)
{
    room_row(arg, room);
    return 0;
}

static int verb_rooms(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct muc *m = daemon;
    bool        found = false;

    for (size_t i = 0; i < m->settings->rooms_count; i++) {
        if (argc && !slice_is(slice_str(argv[0]), m->settings->rooms[i].name))
            continue;
        found = true;
        rooms_each(m, m->settings->rooms[i].name, list_room, r);
    }
    return found ? ZE_OK : ZE_NOT_FOUND;
}

/* Without a route table nobody could be told. */
static enum zerr may_act(const struct muc *m, struct ctl_reply *r)
{
    if (m->linked)
        return ZE_OK;
    ctl_reason(r, "routerd has not answered yet");
    return ZE_UNAVAILABLE;
}

/* ZE_BAD_JID, ZE_NOT_FOUND. */
static enum zerr room_named(struct muc *m, const char *name, struct room **out)
{
    const struct settings_rooms *service;
    struct jid                   jid;

    if (jid_parse(slice_str(name), &jid) || !jid.local_len || jid.resource_len)
        return ZE_BAD_JID;
    service = muc_service(m, jid_domain(jid_slice(&jid)));
    *out = service ? rooms_find(m, jid_slice(&jid), service->name) : NULL;
    return *out ? ZE_OK : ZE_NOT_FOUND;
}

static int verb_occupants(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct muc  *m = daemon;
    struct room *room;
    enum zerr    err = room_named(m, argv[0], &room);

    (void)argc;
    if (err)
        return err;
    LIST_EACH(&room->occupants, node) {
        const struct occupant *who = LIST_OWNER(node, struct occupant, link);

        LIST_EACH(&who->sessions, inner) {
            ctl_row(r);
            ctl_slice(r, "nick", who->nick);
            ctl_slice(r, "jid", LIST_OWNER(inner, struct session, link)->jid);
            ctl_str(r, "role", role_text(who->role));
            ctl_str(r, "affiliation", affiliation_text(who->affiliation));
            ctl_int(r, "since", (int64_t)(who->since_us / 1000000));
        }
    }
    rooms_settle(room);
    return ZE_OK;
}

/* The answer waits for the commit. */
static void done(void *arg, enum zerr err)
{
    ctl_finish(arg, err);
}

static int verb_destroy(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct muc     *m = daemon;
    struct room    *room;
    enum zerr       err = may_act(m, r);
    struct outcome *o;

    if (!err)
        err = room_named(m, argv[0], &room);
    if (err)
        return err;
    m->now_us = wall_us();
    o = outcome_begin(m, room, trace_new());
    o->then = done;
    o->then_arg = r;
    destroy_room(o, room, (struct slice){ 0 }, slice_str(argc > 1 ? argv[1] : NULL), (struct slice){ 0 });
    outcome_end(&o);
    return LATER;
}

static int verb_kick(void *daemon, int argc, char **argv, struct ctl_reply *r)
{
    struct muc     *m = daemon;
    struct room    *room;
    enum zerr       err = may_act(m, r);
    struct outcome *o;

    if (!err)
        err = room_named(m, argv[0], &room);
    if (err)
        return err;
    o = outcome_begin(m, room, trace_new());
    err = admin_kick(o, room, slice_str(argv[1]), slice_str(argc > 2 ? argv[2] : NULL)) ? ZE_OK : ZE_NOT_FOUND;
    outcome_end(&o);
    return err;
}

const struct ctl_verb muc_verbs[] = {
    { "rooms", "[SERVICE]", "rooms known here: those in memory and the persistent ones",
      "room occupants persistent public name", "not_found", 0, 1, verb_rooms },
    { "occupants", "ROOM", "who is in a room, one line a client", "nick jid role affiliation since",
      "bad_jid not_found", 1, 1, verb_occupants },
    { "destroy", "ROOM [REASON]", "remove a room, telling its occupants", "", "bad_jid not_found unavailable", 1, 2, verb_destroy },
    { "roomkick", "ROOM NICK [REASON]", "remove somebody from a room", "", "bad_jid not_found unavailable", 2, 3, verb_kick },
    { 0 },
};
