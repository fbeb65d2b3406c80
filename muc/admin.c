/* muc#admin (XEP-0045 8.2 to 9.8, 10.3 to 10.8): lists and changes of roles and affiliations. All items of
 * a set are checked before the first is done (9.2). */

#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "xml_write.h"

enum { ITEMS_MAX = 200 };

struct change {
    struct occupant *who;              /* of a role change */
    struct jid       jid;              /* bare, of an affiliation change */
    bool             of_role;
    enum muc_role    role;
    enum affiliation affiliation;
    struct slice     reason;
};

/* ---- get ---- */

/* 9.5: members see the list where JIDs are no secret; moderators and admins always. */
static bool may_list(const struct request *r, int affiliation, int role)
{
    struct rank rank = request_rank(r);

    if (role >= 0)
        return rank.role == MUC_MODERATOR || rank.affiliation >= AFF_ADMIN;
    if (rank.affiliation >= AFF_ADMIN)
        return true;
    return affiliation != AFF_OUTCAST && affiliation_may(rank.affiliation, MAY_GET_MEMBERS) &&
           r->room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE;
}

static void affiliated_item(struct xml_writer *w, const struct affiliated *a)
{
    xml_open(w, "item", NULL);
    xml_attr(w, "affiliation", affiliation_text(a->affiliation));
    xml_attr_slice(w, "jid", a->jid);
    if (a->reason.len)
        xml_simple(w, "reason", NULL, a->reason);
    xml_close(w);
}

static void occupant_item(struct xml_writer *w, const struct occupant *who)
{
    xml_open(w, "item", NULL);
    xml_attr(w, "affiliation", affiliation_text(who->affiliation));
    xml_attr_slice(w, "jid", who->main->jid);
    xml_attr_slice(w, "nick", who->nick);
    xml_attr(w, "role", role_text(who->role));
    xml_close(w);
}

static enum zerr get(struct request *r, const struct element *query)
{
    const struct element *item = element_child(query, NULL, "item");
    struct xml_writer     w;

    if (!item || element_next(item, NULL, "item"))
        return ZE_BAD_REQUEST;

    int affiliation = affiliation_from_text(element_attr(item, "affiliation"));
    int role = role_from_text(element_attr(item, "role"));

    if ((affiliation < 0) == (role < 0))
        return ZE_BAD_REQUEST;
    if (!may_list(r, affiliation, role))
        return ZE_FORBIDDEN;
    xml_begin(&w, r->reply, NS_CLIENT);
    xml_open(&w, "query", NS_MUC_ADMIN);
    for (struct table_iter i = { 0 }; affiliation >= 0 && table_next(r->room->affiliations, &i);)
        if (((struct affiliated *)i.value)->affiliation == (enum affiliation)affiliation)
            affiliated_item(&w, i.value);
    LIST_EACH(&r->room->occupants, node) {
        const struct occupant *who = LIST_OWNER(node, struct occupant, link);
        if (role >= 0 && who->role == (enum muc_role)role)
            occupant_item(&w, who);
    }
    xml_close(&w);
    return ZE_OK;
}

/* ---- set: reading and checking ---- */

static enum zerr read_affiliation(struct request *r, const struct element *item, struct change *c)
{
    struct slice     jid = element_attr(item, "jid"), nick = element_attr(item, "nick");
    struct occupant *who = jid.p ? NULL : room_occupant(r->room, nick);
    struct jid       full;
    enum zerr        err = ZE_OK;

    if (!jid.p && !who)
        return nick.p ? ZE_NOT_FOUND : ZE_BAD_REQUEST;
    err = jid_parse(jid.p ? jid : who->bare, &full);
    return err ? err : jid_parse(jid_bare(jid_slice(&full)), &c->jid);  /* 10.4: the bare JID of a full one */
}

static enum zerr read_item(struct request *r, const struct element *item, struct change *c)
{
    struct slice role = element_attr(item, "role"), affiliation = element_attr(item, "affiliation");
    int          place = role.p ? role_from_text(role) : affiliation_from_text(affiliation);

    if ((role.p != NULL) == (affiliation.p != NULL) || place < 0)       /* 17.4: one of the two */
        return ZE_BAD_REQUEST;
    c->of_role = role.p != NULL;
    c->reason = element_child_text(r->muc->arena, item, "reason");
    if ((long)c->reason.len > r->muc->settings->limits.subject_max)
        return ZE_NOT_ACCEPTABLE;
    if (!c->of_role) {
        c->affiliation = (enum affiliation)place;
        return read_affiliation(r, item, c);
    }
    c->role = (enum muc_role)place;
    if (!element_attr(item, "nick").p)
        return ZE_BAD_REQUEST;
    c->who = room_occupant(r->room, element_attr(item, "nick"));
    return c->who ? ZE_OK : ZE_NOT_FOUND;
}

static enum zerr check(const struct request *r, const struct change *c)
{
    struct rank  actor = request_rank(r);
    struct slice jid = jid_slice(&c->jid);

    if (c->of_role)
        return role_change(actor, (struct rank){ c->who->role, c->who->affiliation }, c->role);

    const struct affiliated *row = room_affiliated(r->room, jid);
    enum affiliation         now = row ? row->affiliation : AFF_NONE;

    if (muc_is_admin(r->service, jid) && c->affiliation != AFF_OWNER)
        return ZE_NOT_ALLOWED;         /* admins of the service own every room */
    return affiliation_change(actor.affiliation, now, c->affiliation, slice_eq(jid, r->sender),
                              r->room->owners <= 1);
}

/* ---- set: doing ---- */

/* One occupant's part in a change; the reply goes between telling himself and telling the rest (8.2). */
struct effect {
    struct occupant *who;
    struct notice    notice;
};

static const unsigned kicked[] = { 307, 0 }, banned[] = { 301, 0 }, no_member[] = { 321, 0 };

static void now_removed(struct effect *e, const unsigned *codes)
{
    e->notice.type = TYPE_UNAVAILABLE;
    e->notice.payload = (struct slice){ 0 };
    e->notice.codes = codes;
}

static void change_role(struct effect *e, const struct change *c)
{
    if (c->role == MUC_NONE)
        now_removed(e, kicked);
    else
        e->who->role = c->role;
    occupant_changed(e->who);
}

/* 5.1.3: what one gains by an affiliation comes with it; who loses admin falls back to what he would
 * enter as. */
static void change_affiliation(struct effect *e, const struct change *c)
{
    const struct config *config = &e->who->room->config;
    enum affiliation     before = e->who->affiliation;
    enum muc_role        entry = role_on_entry(c->affiliation, config->number[CONFIG_MODERATED],
                                               config->number[CONFIG_MEMBERS_ONLY]);

    e->who->affiliation = c->affiliation;
    occupant_changed(e->who);
    if (c->affiliation == AFF_OUTCAST)
        now_removed(e, banned);
    else if (entry == MUC_NONE)
        now_removed(e, no_member);     /* 9.4: only this, no change of affiliation before it */
    else if (entry > e->who->role || (before >= AFF_ADMIN && c->affiliation < AFF_ADMIN))
        e->who->role = entry;
}

static bool concerns(const struct room *room, const struct change *c, const struct occupant *who)
{
    struct slice jid = jid_slice(&c->jid);

    if (c->of_role)
        return who == c->who;
    if (!jid_is_domain(jid))
        return slice_eq(who->bare, jid);
    /* A ban of a domain: who has no row of his own. */
    return slice_eq(jid_domain(who->bare), jid) && !room_affiliated(room, who->bare) &&
           who->affiliation != AFF_OWNER;
}

static size_t effects_of(struct request *r, const struct change *c, struct effect *effects)
{
    struct slice actor = { 0 };
    size_t       count = 0;

    if (r->session)                    /* a copy: he may be the one who goes */
        actor = arena_copy(r->muc->arena, r->session->occupant->nick);
    LIST_EACH(&r->room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);

        if (!concerns(r->room, c, who))
            continue;
        struct effect *e = &effects[count++];

        e->who = who;
        e->notice = notice_now(who);
        e->notice.actor = actor;
        e->notice.reason = c->reason;
        (c->of_role ? change_role : change_affiliation)(e, c);
    }
    return count;
}

static void invite_new_member(struct request *r, const struct change *c, enum affiliation before)
{
    struct slice jid = jid_slice(&c->jid);

    if (r->room->config.number[CONFIG_MEMBERS_ONLY] && before == AFF_NONE && c->affiliation >= AFF_MEMBER &&
        !room_occupant_of(r->room, jid))
        invite_send(r->room, r->out, jid, r->session ? r->session->occupant->jid : r->room->jid, c->reason);
}

static void apply(struct request *r, const struct change *c, bool last)
{
    struct effect *effects = arena_alloc(r->muc->arena, (room_occupants(r->room) + 1) * sizeof(*effects));
    size_t         count;

    if (!c->of_role) {
        const struct affiliated *row = room_affiliated(r->room, jid_slice(&c->jid));
        enum affiliation         before = row ? row->affiliation : AFF_NONE;

        room_set_affiliation(r->room, r->out, jid_slice(&c->jid), c->affiliation,
                             c->affiliation == AFF_OUTCAST ? c->reason : (struct slice){ 0 });
        invite_new_member(r, c, before);
    }
    count = effects_of(r, c, effects);
    for (size_t i = 0; i < count; i++)
        if (effects[i].notice.type == TYPE_UNAVAILABLE)
            leave_tell_self(r->out, effects[i].who, &effects[i].notice);
    if (last)
        request_answer(r);
    for (size_t i = 0; i < count; i++) {
        struct effect *e = &effects[i];

        if (e->notice.type == TYPE_UNAVAILABLE) {
            if (r->session && r->session->occupant == e->who)
                r->session = NULL;
            leave_tell_others(r->out, e->who, &e->notice);
            continue;
        }
        notice_to_others(r->out, e->who, &e->notice);
        notice_to_self(r->out, e->who, &e->notice, NULL);
    }
}

/* The same one twice, or roles and affiliations in one request: the second could mean somebody gone. */
static bool clash(const struct change *a, const struct change *b)
{
    return a->of_role != b->of_role || (a->who == b->who && slice_eq(jid_slice(&a->jid), jid_slice(&b->jid)));
}

static enum zerr set(struct request *r, const struct element *query)
{
    struct change *changes;
    size_t         count = 0;
    enum zerr      err = ZE_OK;

    for (const struct element *i = element_child(query, NULL, "item"); i; i = element_next(i, NULL, "item"))
        count++;
    if (!count)
        return ZE_BAD_REQUEST;
    if (count > ITEMS_MAX ||
        (long)(table_count(r->room->affiliations) + count) > r->muc->settings->limits.room_affiliations_max)
        return ZE_FULL;
    changes = arena_alloc(r->muc->arena, count * sizeof(*changes));
    memset(changes, 0, count * sizeof(*changes));
    count = 0;
    for (const struct element *i = element_child(query, NULL, "item"); i; i = element_next(i, NULL, "item")) {
        struct change *c = &changes[count++];

        err = read_item(r, i, c);
        if (!err)
            err = check(r, c);
        for (size_t before = 0; !err && before + 1 < count; before++)
            if (clash(&changes[before], c))
                err = ZE_BAD_REQUEST;
        if (err)
            return err;
    }
    for (size_t i = 0; i < count; i++)
        apply(r, &changes[i], i + 1 == count);
    return ZE_OK;
}

bool admin_kick(struct outcome *o, struct room *room, struct slice nick, struct slice reason)
{
    struct occupant *who = room_occupant(room, nick);
    struct notice    n = { .type = TYPE_UNAVAILABLE, .codes = kicked, .reason = reason };

    if (!who)
        return false;
    leave_tell_self(o, who, &n);
    leave_tell_others(o, who, &n);
    leave_check_locked(o, room);
    return true;
}

static const struct iq_row iqs[] = {
    { IQ_GET, NS_MUC_ADMIN, "query", TO_ROOM, AFF_NONE, get },
    { IQ_SET, NS_MUC_ADMIN, "query", TO_ROOM, AFF_NONE, set },
    { 0 },
};

const struct muc_feature muc_admin = { .name = "admin", .spec = "XEP-0045 8, 9", .iqs = iqs };
