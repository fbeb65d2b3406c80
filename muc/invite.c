/* XEP-0045 7.8.2: mediated invitations and declines. */

#include "invite.h"

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "request.h"
#include "xml_write.h"

enum { INVITED_MAX = 1000 };

struct invited {
    struct list  link;                 /* room->invited, oldest first */
    struct keep  keep;
    struct room *room;
    struct slice jid;                  /* bare; owned */
};

static void invited_free(struct room *room, struct invited *i)
{
    list_remove(&i->link);
    keep_drop(room->muc, &i->keep);
    room->invited_count--;
    free((void *)i->jid.p);
    free(i);
}

void invite_forget_all(struct room *room)
{
    LIST_EACH(&room->invited, node)
        invited_free(room, LIST_OWNER(node, struct invited, link));
}

static struct invited *find(struct room *room, struct slice bare_jid)
{
    LIST_EACH(&room->invited, node) {
        struct invited *i = LIST_OWNER(node, struct invited, link);

        if (slice_eq(i->jid, bare_jid))
            return i;
    }
    return NULL;
}

static struct invited *add(struct room *room, struct slice bare_jid)
{
    struct invited *i = xcalloc(1, sizeof(*i));

    i->room = room;
    slice_own(&i->jid, bare_jid);
    list_append(&room->invited, &i->link);
    room->invited_count++;
    return i;
}

static void remember(struct room *room, struct slice bare_jid)
{
    if (find(room, bare_jid))
        return;
    if (room->invited_count >= INVITED_MAX)
        invited_free(room, LIST_OWNER(room->invited.next, struct invited, link));
    keep_mark(room->muc, &add(room, bare_jid)->keep, KEEP_INVITED);
    if (!room->keep.written)
        room_changed(room);
}

/* ---- the row: u8 format, u64 room, sized JID ---- */

enum { ROW_FORMAT = 1 };

void invite_each_keep(const struct room *room, void (*each)(void *arg, const struct keep *k), void *arg)
{
    LIST_EACH(&room->invited, node)
        each(arg, &LIST_OWNER(node, struct invited, link)->keep);
}

static bool invited_row(const struct keep *k, struct buf *row)
{
    const struct invited *i = LIST_OWNER(k, struct invited, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, i->room->keep.number);
    buf_put_sized(row, i->jid);
    return true;
}

static bool invited_again(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t      format = take_u8(c);
    struct keep *room = keep_find(m, KEEP_ROOM, take_u64(c));
    struct slice jid = take_sized(c);

    if (!cursor_done(c) || format != ROW_FORMAT)
        return false;
    if (room)
        keep_again(m, &add(LIST_OWNER(room, struct room, keep), jid)->keep, KEEP_INVITED, number);
    return true;
}

const struct keep_row keep_invited = { invited_row, invited_again };

/* ---- what is said ---- */

/* <x><invite from=''><reason/></invite><password/></x>, or the same with decline. */
static void say(struct room *room, struct outcome *o, const char *what, struct slice from, struct slice to,
                struct slice reason)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    struct stanza     s = { .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .flags = STANZA_MUC_USER,
                            .from = room->jid, .to = to };

    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "x", NS_MUC_USER);
    xml_open(&w, what, NULL);
    xml_attr_slice(&w, "from", from);
    if (reason.len)
        xml_simple(&w, "reason", NULL, reason);
    xml_close(&w);
    if (slice_is(slice_str(what), "invite") && room->config.number[CONFIG_PROTECTED])
        xml_simple(&w, "password", NULL, config_text(&room->config, CONFIG_PASSWORD));
    xml_close(&w);
    s.content = buf_slice(&content);
    outcome_send(o, &s);
    buf_free(&content);
}

void invite_send(struct room *room, struct outcome *o, struct slice invitee, struct slice inviter, struct slice reason)
{
    remember(room, jid_bare(invitee));
    say(room, o, "invite", inviter, invitee, reason);
}

/* 9.5: in a members-only room an invitation makes a member, so it needs the right to. */
static bool may_invite(const struct request *r)
{
    const struct config *config = &r->room->config;

    if (!config->number[CONFIG_MEMBERS_ONLY])
        return role_verdict(r->session->occupant->role, MAY_INVITE) != NO;
    return affiliation_may(request_affiliation(r), MAY_EDIT_MEMBERS) || config->number[CONFIG_INVITES];
}

static enum zerr invite(struct request *r, const struct element *e)
{
    struct slice reason = element_child_text(r->muc->arena, e, "reason");
    struct room *room = r->room;
    struct jid   to;
    enum zerr    err = jid_parse(element_attr(e, "to"), &to);

    if (err)
        return err;
    if (!r->session)
        return ZE_NOT_ACCEPTABLE;
    if (!may_invite(r) || room_affiliation(room, jid_bare(jid_slice(&to))) == AFF_OUTCAST)
        return ZE_FORBIDDEN;
    if ((long)reason.len > r->muc->settings->limits.subject_max)
        return ZE_NOT_ACCEPTABLE;
    err = request_rate(r, 5);
    if (err)
        return err;

    struct slice bare = jid_bare(jid_slice(&to));

    if (room->config.number[CONFIG_MEMBERS_ONLY] && room_affiliation(room, bare) == AFF_NONE)
        room_set_affiliation(room, r->out, bare, AFF_MEMBER, (struct slice){ 0 });
    /* The occupant JID where real ones are hidden. */
    invite_send(room, r->out, jid_slice(&to),
                room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE ? r->sender : r->session->occupant->jid, reason);
    return ZE_OK;
}

/* To whom who invited: an occupant by his occupant JID or his bare one. */
static const struct occupant *inviter(const struct room *room, struct slice to)
{
    if (jid_same_bare(to, room->jid))
        return room_occupant(room, jid_resource(to));
    return room_occupant_of(room, jid_bare(to));
}

static enum zerr decline(struct request *r, const struct element *e)
{
    struct slice           reason = element_child_text(r->muc->arena, e, "reason");
    struct invited        *i = find(r->room, r->sender);
    const struct occupant *who;
    struct jid             to;
    enum zerr              err = jid_parse(element_attr(e, "to"), &to);

    if (err)
        return err;
    if (!i)
        return ZE_FORBIDDEN;
    who = inviter(r->room, jid_slice(&to));
    if (!who)
        return ZE_NOT_FOUND;
    if ((long)reason.len > r->muc->settings->limits.subject_max)
        return ZE_NOT_ACCEPTABLE;
    invited_free(r->room, i);
    say(r->room, r->out, "decline", r->sender, who->main->jid, reason);
    return ZE_OK;
}

static const struct {
    const char *element;
    enum zerr (*handle)(struct request *r, const struct element *e);
} rows[] = {
    { "invite", invite },
    { "decline", decline },
};

enum zerr invite_or_decline(struct request *r)
{
    const struct element *content = request_tree(r);
    const struct element *x = content ? element_child(content, NS_MUC_USER, "x") : NULL;

    if (!r->room || r->room->gone)
        return ZE_NOT_FOUND;
    for (size_t i = 0; x && i < COUNT_OF(rows); i++) {
        const struct element *e = element_child(x, NULL, rows[i].element);

        if (e)
            return rows[i].handle(r, e);
    }
    return r->session ? ZE_BAD_REQUEST : ZE_NOT_ACCEPTABLE;             /* 7.4 */
}
