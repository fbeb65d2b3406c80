/* A room and its occupants in memory. Deciding who may what is privileges.c; telling others is
 * presence.c. */

#include "room.h"

#include <stdlib.h>

#include "invite.h"
#include "jid.h"

void slice_own(struct slice *to, struct slice from)
{
    uint8_t *copy = xmalloc(from.len + 1);

    if (from.len)
        memcpy(copy, from.p, from.len);
    copy[from.len] = 0;
    free((void *)to->p);
    *to = slice_of(copy, from.len);
}

static void slice_free(struct slice *s)
{
    free((void *)s->p);
    *s = (struct slice){ 0 };
}

struct room *room_new(struct muc *m, struct slice bare_jid, const char *service)
{
    struct room *room = xcalloc(1, sizeof(*room));

    room->muc = m;
    room->service = xstrdup(service);
    slice_own(&room->jid, bare_jid);
    room->slot = slot_of(bare_jid);
    config_init(&room->config, muc_service(m, slice_str(service)));
    room->affiliations = table_new();
    room->nicks = table_new();
    room->sessions = table_new();
    list_init(&room->occupants);
    list_init(&room->invited);
    list_init(&room->outcomes);
    history_init(&room->history);
    room->everybody_stale = true;
    list_append(&m->all_rooms, &room->link);
    return room;
}

void room_changed(struct room *room)
{
    keep_mark(room->muc, &room->keep, KEEP_ROOM);
}

void room_store_changed(struct room *room)
{
    room_changed(room);
    for (struct table_iter i = { 0 }; table_next(room->affiliations, &i);)
        keep_mark(room->muc, &((struct affiliated *)i.value)->keep, KEEP_AFFILIATED);
    history_changed(room);
}

static void affiliated_free(struct affiliated *a)
{
    keep_drop(a->room->muc, &a->keep);
    slice_free(&a->jid);
    slice_free(&a->reason);
    free(a);
}

void room_free(struct room **end)
{
    struct room *room = *end;

    *end = NULL;
    timer_disarm(&room->idle);
    list_remove(&room->link);
    outcomes_forget(room);
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);
        occupant_free(&who);
    }
    for (struct table_iter i = { 0 }; table_next(room->affiliations, &i);)
        affiliated_free(i.value);
    invite_forget_all(room);
    history_free(room);
    keep_drop(room->muc, &room->keep);
    fan_free(&room->everybody);
    table_free(&room->affiliations);
    table_free(&room->nicks);
    table_free(&room->sessions);
    config_free(&room->config);
    free(room->service);
    slice_free(&room->jid);
    slice_free(&room->creator);
    slice_free(&room->subject);
    slice_free(&room->subject_nick);
    free(room);
}

const struct affiliated *room_affiliated(const struct room *room, struct slice jid)
{
    return table_get(room->affiliations, jid);
}

enum affiliation room_affiliation(const struct room *room, struct slice bare_jid)
{
    const struct settings_rooms *service = muc_service(room->muc, slice_str(room->service));
    const struct affiliated     *a = room_affiliated(room, bare_jid);

    if (service && muc_is_admin(service, bare_jid))
        return AFF_OWNER;
    if (a)
        return a->affiliation;
    a = room_affiliated(room, jid_domain(bare_jid));            /* 9.2: bans match user@domain, then domain */
    return a && a->affiliation == AFF_OUTCAST ? AFF_OUTCAST : AFF_NONE;
}

static void remove_affiliation(struct room *room, struct affiliated *a)
{
    room->owners -= a->affiliation == AFF_OWNER;
    table_remove(room->affiliations, a->jid);
    affiliated_free(a);
}

static struct affiliated *put_affiliation(struct room *room, struct slice jid, enum affiliation affiliation,
                                          struct slice reason)
{
    struct affiliated *a = table_get(room->affiliations, jid);

    if (!a) {
        a = xcalloc(1, sizeof(*a));
        a->room = room;
        slice_own(&a->jid, jid);
        table_put(room->affiliations, jid, a);
    }
    room->owners += (size_t)(affiliation == AFF_OWNER) - (size_t)(a->affiliation == AFF_OWNER);
    a->affiliation = affiliation;
    slice_own(&a->reason, reason);
    return a;
}

struct keep *room_take_affiliation(struct room *room, struct slice jid, enum affiliation affiliation,
                                   struct slice reason)
{
    return &put_affiliation(room, jid, affiliation, reason)->keep;
}

void room_forget_affiliations(struct room *room)
{
    for (struct table_iter i = { 0 }; table_next(room->affiliations, &i);)
        remove_affiliation(room, i.value);
}

void room_set_affiliation(struct room *room, struct outcome *o, struct slice jid, enum affiliation affiliation,
                          struct slice reason)
{
    struct affiliated *a = table_get(room->affiliations, jid);

    if (affiliation == AFF_NONE) {
        struct affiliated none = { .affiliation = AFF_NONE, .jid = jid };

        if (room->stored && a)
            room_save_affiliation(room, o, &none);
        if (a)
            remove_affiliation(room, a);
        return;
    }
    a = put_affiliation(room, jid, affiliation, reason);
    if (room->stored)
        room_save_affiliation(room, o, a);
    else
        keep_mark(room->muc, &a->keep, KEEP_AFFILIATED);
}

struct occupant *room_occupant(const struct room *room, struct slice nick)
{
    return table_get(room->nicks, nick);
}

struct session *room_session(const struct room *room, struct slice full_jid)
{
    return table_get(room->sessions, full_jid);
}

struct occupant *room_occupant_of(const struct room *room, struct slice bare_jid)
{
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);

        if (slice_eq(who->bare, bare_jid))
            return who;
    }
    return NULL;
}

size_t room_occupants(const struct room *room)
{
    return table_count(room->nicks);
}

bool room_shows_jids_to(const struct room *room, const struct occupant *viewer)
{
    return room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE || viewer->role == MUC_MODERATOR;
}

static void set_nick(struct occupant *who, struct slice nick)
{
    struct buf jid = { 0 };

    slice_own(&who->nick, nick);
    buf_put_slice(&jid, who->room->jid);
    buf_put_u8(&jid, '/');
    buf_put_slice(&jid, nick);
    slice_own(&who->jid, buf_slice(&jid));
    buf_free(&jid);
    table_put(who->room->nicks, nick, who);
}

struct occupant *occupant_make(struct room *room, struct slice nick, struct slice bare_jid)
{
    struct occupant *who = xcalloc(1, sizeof(*who));

    who->room = room;
    slice_own(&who->bare, bare_jid);
    set_nick(who, nick);
    who->since_us = room->muc->now_us;
    list_init(&who->sessions);
    list_append(&room->occupants, &who->link);
    return who;
}

struct occupant *occupant_new(struct room *room, struct slice nick, struct slice bare_jid)
{
    struct occupant *who = occupant_make(room, nick, bare_jid);

    keep_mark(room->muc, &who->keep, KEEP_OCCUPANT);
    if (!room->keep.written)
        room_changed(room);
    return who;
}

void occupant_changed(struct occupant *who)
{
    keep_mark(who->room->muc, &who->keep, KEEP_OCCUPANT);
}

void occupant_free(struct occupant **end)
{
    struct occupant *who = *end;

    *end = NULL;
    LIST_EACH(&who->sessions, node) {
        struct session *session = LIST_OWNER(node, struct session, link);
        session_free(&session);
    }
    list_remove(&who->link);
    keep_drop(who->room->muc, &who->keep);
    table_remove(who->room->nicks, who->nick);
    slice_free(&who->nick);
    slice_free(&who->bare);
    slice_free(&who->jid);
    free(who);
}

void occupant_rename(struct occupant *who, struct slice nick)
{
    table_remove(who->room->nicks, who->nick);
    set_nick(who, nick);
    occupant_changed(who);
}

struct session *session_make(struct occupant *who, struct slice full_jid, const struct address *home)
{
    struct session *session = xcalloc(1, sizeof(*session));

    session->occupant = who;
    slice_own(&session->jid, full_jid);
    session->home = *home;
    list_append(&who->sessions, &session->link);
    table_put(who->room->sessions, full_jid, session);
    who->main = session;
    who->room->everybody_stale = true;
    return session;
}

struct session *session_new(struct occupant *who, struct slice full_jid, const struct address *home)
{
    struct session *session = session_make(who, full_jid, home);

    keep_mark(who->room->muc, &session->keep, KEEP_SESSION);
    occupant_changed(who);
    return session;
}

void session_free(struct session **end)
{
    struct session  *session = *end;
    struct occupant *who = session->occupant;

    *end = NULL;
    list_remove(&session->link);
    keep_drop(who->room->muc, &session->keep);
    table_remove(who->room->sessions, session->jid);
    if (who->main == session) {
        who->main = list_empty(&who->sessions) ? NULL : LIST_OWNER(who->sessions.prev, struct session, link);
        occupant_changed(who);
    }
    who->room->everybody_stale = true;
    blob_unref(&session->presence);
    slice_free(&session->jid);
    free(session);
}

void session_presence(struct session *session, struct slice payload)
{
    blob_unref(&session->presence);
    if (payload.len)
        session->presence = blob_copy(payload);
    keep_mark(session->occupant->room->muc, &session->keep, KEEP_SESSION);
    if (session->occupant->main != session)
        occupant_changed(session->occupant);
    session->occupant->main = session;
}

static void prepare_everybody(struct room *room, uint32_t generation)
{
    fan_reset(&room->everybody);
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);

        LIST_EACH(&who->sessions, inner) {
            struct session *session = LIST_OWNER(inner, struct session, link);
            fan_add(&room->everybody, room->muc, &session->at, session->jid);
        }
    }
    room->everybody_stale = false;
    room->everybody_generation = generation;
}

static struct fan *everybody(struct room *room)
{
    uint32_t generation = routes_generation(room->muc->outlet.routes(room->muc->outlet.arg));

    if (room->everybody_stale || room->everybody_generation != generation)
        prepare_everybody(room, generation);
    return &room->everybody;
}

void room_fan_out(struct room *room, struct outcome *o, const struct stanza *s)
{
    fan_send(everybody(room), o, s);
}

bool room_congested(struct room *room)
{
    return fan_congested(everybody(room), room->muc);
}
