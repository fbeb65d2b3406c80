/* Presence from a room: item, status codes, and who gets which of the two versions. */

#include "presence.h"

#include "ns.h"
#include "xml_write.h"

struct notice notice_now(const struct occupant *who)
{
    struct notice n = { .type = TYPE_NONE };

    if (who->main && who->main->presence)
        n.payload = blob_slice(who->main->presence);
    return n;
}

static void write_codes(struct xml_writer *w, const unsigned *codes)
{
    for (; codes && *codes; codes++) {
        xml_open(w, "status", NULL);
        xml_attr_num(w, "code", *codes);
        xml_close(w);
    }
}

static void write_item(struct xml_writer *w, const struct occupant *who, const struct notice *n, bool with_jid)
{
    bool         left = n->type == TYPE_UNAVAILABLE && !n->new_nick.len;
    struct slice jid = n->jid.len ? n->jid : who->main ? who->main->jid : (struct slice){ 0 };

    xml_open(w, "item", NULL);
    xml_attr(w, "affiliation", affiliation_text(who->affiliation));
    xml_attr(w, "role", role_text(left ? MUC_NONE : who->role));
    if (with_jid && jid.len)
        xml_attr_slice(w, "jid", jid);
    if (n->new_nick.len)
        xml_attr_slice(w, "nick", n->new_nick);
    if (n->actor.len) {
        xml_open(w, "actor", NULL);
        xml_attr_slice(w, "nick", n->actor);
        xml_close(w);
    }
    if (n->reason.len)
        xml_simple(w, "reason", NULL, n->reason);
    xml_close(w);
}

static void write_content(struct buf *out, const struct occupant *who, const struct notice *n, bool with_jid,
                          bool self)
{
    static const unsigned self_presence[] = { 110, 0 };
    struct xml_writer     w;

    buf_put_slice(out, n->payload);
    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "x", NS_MUC_USER);
    write_item(&w, who, n, with_jid);
    if (n->extra.len)
        xml_raw(&w, n->extra);
    if (self) {
        write_codes(&w, self_presence);
        write_codes(&w, n->self_codes);
    }
    write_codes(&w, n->codes);
    xml_close(&w);
}

static struct stanza as_stanza(const struct occupant *who, const struct notice *n, const struct buf *content)
{
    return (struct stanza){ .name = STANZA_PRESENCE, .type = n->type, .flags = STANZA_MUC_USER, .from = who->jid,
                            .id = n->id, .content = buf_slice(content) };
}

void notice_to(struct outcome *o, const struct session *to, const struct occupant *who, const struct notice *n,
               bool self)
{
    struct buf    content = { 0 };
    struct stanza s;

    write_content(&content, who, n, self || room_shows_jids_to(who->room, to->occupant), self);
    s = as_stanza(who, n, &content);
    s.to = to->jid;
    outcome_send(o, &s);
    buf_free(&content);
}

void notice_to_self(struct outcome *o, const struct occupant *who, const struct notice *n,
                    const struct session *except)
{
    LIST_EACH(&who->sessions, node) {
        const struct session *to = LIST_OWNER(node, struct session, link);

        if (to != except)
            notice_to(o, to, who, n, true);
    }
}

static void fan_group(struct outcome *o, const struct occupant *who, const struct notice *n, struct fan *fan,
                      bool with_jid)
{
    struct buf    content = { 0 };
    struct stanza s;

    if (!fan->count)
        return;
    write_content(&content, who, n, with_jid, false);
    s = as_stanza(who, n, &content);
    fan_send(fan, o, &s);
    buf_free(&content);
}

void notice_to_others(struct outcome *o, const struct occupant *who, const struct notice *n)
{
    struct room *room = who->room;
    struct fan   fans[2] = { { 0 }, { 0 } };           /* without, with real JIDs */

    LIST_EACH(&room->occupants, node) {
        struct occupant *viewer = LIST_OWNER(node, struct occupant, link);

        if (viewer == who)
            continue;
        LIST_EACH(&viewer->sessions, inner) {
            struct session *to = LIST_OWNER(inner, struct session, link);
            fan_add(&fans[room_shows_jids_to(room, viewer)], room->muc, &to->at, to->jid);
        }
    }
    for (int with_jid = 0; with_jid < 2; with_jid++) {
        fan_group(o, who, n, &fans[with_jid], with_jid);
        fan_free(&fans[with_jid]);
    }
}

struct slice presence_payload(struct arena *arena, const struct element *content)
{
    struct buf        out = { 0 };
    struct xml_writer w;
    struct slice      kept;

    xml_begin(&w, &out, NS_CLIENT);
    for (const struct element *e = content->children; e; e = e->next)
        if (!slice_is(e->ns, NS_MUC) && !slice_is(e->ns, NS_MUC_USER))
            xml_element(&w, e);
    kept = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return kept;
}
