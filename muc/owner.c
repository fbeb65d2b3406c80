/* muc#owner (XEP-0045 10): configuration, the instant room, destruction. */

#include "feature.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "xml_write.h"

static enum zerr get(struct request *r, const struct element *query)
{
    struct xml_writer w;
    struct buf        form = { 0 };

    if (query->children)
        return ZE_BAD_REQUEST;
    config_form(&r->room->config, r->room->jid, &form);
    xml_begin(&w, r->reply, NS_CLIENT);
    xml_open(&w, "query", NS_MUC_OWNER);
    xml_raw(&w, buf_slice(&form));
    xml_close(&w);
    buf_free(&form);
    return ZE_OK;
}

/* ---- what a change leads to ---- */

static void say_code(struct room *room, struct outcome *o, unsigned code)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    struct stanza     s = { .name = STANZA_MESSAGE, .type = TYPE_GROUPCHAT, .flags = STANZA_MUC_USER,
                            .from = room->jid };

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "x", NS_MUC_USER);
    xml_open(&w, "status", NULL);
    xml_attr_num(&w, "code", code);
    xml_close(&w);
    xml_close(&w);
    s.content = buf_slice(&content);
    room_fan_out(room, o, &s);
    buf_free(&content);
}

/* 10.2: the room became members-only. */
static void remove_non_members(struct room *room, struct outcome *o)
{
    static const unsigned codes[] = { 322, 0 };
    struct notice         n = { .type = TYPE_UNAVAILABLE, .codes = codes };

    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);

        if (affiliation_may(who->affiliation, MAY_ENTER_MEMBERS_ONLY))
            continue;
        leave_tell_self(o, who, &n);
        leave_tell_others(o, who, &n);
    }
}

static void take_effect(struct request *r, bool members_only, long whois)
{
    struct room *room = r->room;

    if (room->config.number[CONFIG_MEMBERS_ONLY] && !members_only)
        remove_non_members(room, r->out);
    if (room->config.number[CONFIG_WHOIS] != whois)                     /* 10.2.1 */
        say_code(room, r->out, room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE ? 172 : 173);
    else
        say_code(room, r->out, 104);
}

static void keep(struct request *r)
{
    struct room *room = r->room;

    if (room->config.number[CONFIG_PERSISTENT] && !room->stored)
        room_store_all(room, r->out);
    else if (!room->config.number[CONFIG_PERSISTENT] && room->stored)
        room_unstore(room, r->out);
    else if (room->stored)
        room_save(room, r->out);
    history_trim(room);
}

static enum zerr configure(struct request *r, const struct element *form)
{
    struct room *room = r->room;
    bool         members_only = room->config.number[CONFIG_MEMBERS_ONLY], fresh = room->locked;
    long         whois = room->config.number[CONFIG_WHOIS];
    enum zerr    err = config_submit(&room->config, r->muc->arena, form);

    if (err)
        return err;
    room->locked = false;              /* 10.1.2, 10.1.3 */
    room_changed(room);
    keep(r);
    request_answer(r);
    if (!fresh)
        take_effect(r, members_only, whois);
    log_info("room_configured", "jid", log_slice(room->jid), "from", log_slice(r->sender), NULL);
    return ZE_OK;
}

/* ---- destruction (10.9) ---- */

void destroy_room(struct outcome *o, struct room *room, struct slice venue, struct slice reason,
                  struct slice password)
{
    struct buf        extra = { 0 };
    struct xml_writer w;

    xml_begin(&w, &extra, NS_MUC_USER);
    xml_open(&w, "destroy", NULL);
    if (venue.len)
        xml_attr_slice(&w, "jid", venue);
    if (password.len)
        xml_simple(&w, "password", NULL, password);
    if (reason.len)
        xml_simple(&w, "reason", NULL, reason);
    xml_close(&w);
    LIST_EACH(&room->occupants, node) {
        struct occupant *who = LIST_OWNER(node, struct occupant, link);
        struct notice    n = { .type = TYPE_UNAVAILABLE, .extra = buf_slice(&extra) };

        who->affiliation = AFF_NONE;
        leave_tell_self(o, who, &n);
    }
    buf_free(&extra);
    rooms_forget(room);
    if (room->stored)
        room_unstore(room, o);
    log_info("room_destroyed", "jid", log_slice(room->jid), NULL);
}

static enum zerr destroy(struct request *r, const struct element *e)
{
    struct slice reason = element_child_text(r->muc->arena, e, "reason"), venue = element_attr(e, "jid");
    struct slice password = element_child_text(r->muc->arena, e, "password");
    struct jid   jid;

    if (venue.len && jid_parse(venue, &jid))
        return ZE_BAD_JID;
    if ((long)(reason.len + password.len) > r->muc->settings->limits.subject_max)
        return ZE_NOT_ACCEPTABLE;
    destroy_room(r->out, r->room, venue.len ? jid_slice(&jid) : venue, reason, password);
    return ZE_OK;
}

static enum zerr form(struct request *r, const struct element *e)
{
    struct slice type = element_attr(e, "type");

    if (slice_is(type, "submit"))
        return configure(r, e);
    if (!slice_is(type, "cancel"))
        return ZE_BAD_REQUEST;
    if (r->room->locked)               /* 10.1.3: the creator does not want it after all */
        destroy_room(r->out, r->room, (struct slice){ 0 }, (struct slice){ 0 }, (struct slice){ 0 });
    return ZE_OK;
}

static enum zerr set(struct request *r, const struct element *query)
{
    const struct element *e = query->children;

    if (!e || e->next)
        return ZE_BAD_REQUEST;
    if (element_is(e, NS_DATA, "x"))
        return form(r, e);
    return element_is(e, NS_MUC_OWNER, "destroy") ? destroy(r, e) : ZE_BAD_REQUEST;
}

static const char *const room_disco[] = { "http://jabber.org/protocol/muc#roomconfig", NULL };

static const struct iq_row iqs[] = {
    { IQ_GET, NS_MUC_OWNER, "query", TO_ROOM, AFF_OWNER, get },
    { IQ_SET, NS_MUC_OWNER, "query", TO_ROOM, AFF_OWNER, set },
    { 0 },
};

const struct muc_feature muc_owner = { .name = "owner", .spec = "XEP-0045 10", .room_disco = room_disco, .iqs = iqs };
