/* XEP-0045 7.4 messages to all, 7.5 private messages, 8.1 the subject. */

#include "jid.h"
#include "ns.h"
#include "request.h"
#include "xml_write.h"

/* ---- what may not be passed on ---- */

/* XEP-0359 5, XEP-0203 5: an id or a delay in the room's own name is forged. */
static bool is_forged(const struct request *r, const struct element *e)
{
    if (element_is(e, NS_SID, "stanza-id"))
        return jid_same_bare(element_attr(e, "by"), r->room_jid);
    if (element_is(e, NS_DELAY, "delay")) {
        struct slice from = element_attr(e, "from");
        return !from.len || jid_same_bare(from, r->room_jid) || slice_eq(jid_domain(from), jid_domain(r->room_jid));
    }
    return slice_is(e->ns, NS_MUC_USER);
}

/* The content without it; the content itself when there is nothing to take out. In the arena. */
static struct slice cleaned(struct request *r)
{
    const struct element *tree;
    struct buf            out = { 0 };
    struct xml_writer     w;
    struct slice          kept = { 0 };

    if (!(r->s.flags & (STANZA_HAS_ID | STANZA_HAS_DELAY | STANZA_MUC_USER)))
        return r->s.content;
    tree = request_tree(r);
    xml_begin(&w, &out, NS_CLIENT);
    for (const struct element *e = tree ? tree->children : NULL; e; e = e->next)
        if (!is_forged(r, e))
            xml_element(&w, e);
    kept = arena_copy(r->muc->arena, buf_slice(&out));
    buf_free(&out);
    return kept;
}

/* ---- to all ---- */

/* A subject and neither body nor thread (7.2.15, 8.1). */
static bool is_subject(const struct stanza *s)
{
    return (s->flags & (STANZA_HAS_SUBJECT | STANZA_HAS_BODY | STANZA_HAS_THREAD)) == STANZA_HAS_SUBJECT;
}

static bool may(const struct request *r, enum role_privilege what, bool configured)
{
    switch (role_verdict(r->session->occupant->role, what)) {
    case YES:
        return true;
    case UNLESS:
    case NOT_YET:
        return configured;
    case NO:
        break;
    }
    return false;
}

static enum zerr set_subject(struct request *r)
{
    struct room          *room = r->room;
    const struct element *tree = request_tree(r);
    struct slice          subject = tree ? element_child_text(r->muc->arena, tree, "subject") : (struct slice){ 0 };

    if (!may(r, MAY_SET_SUBJECT, room->config.number[CONFIG_SUBJECT]))
        return ZE_FORBIDDEN;
    if ((long)subject.len > r->muc->settings->limits.subject_max)
        return ZE_NOT_ACCEPTABLE;
    slice_own(&room->subject, subject);
    slice_own(&room->subject_nick, r->session->occupant->nick);
    room->subject_us = r->muc->now_us;
    room_changed(room);
    if (room->stored)
        room_save(room, r->out);
    return ZE_OK;
}

/* 7.2.13: what was said, not that somebody is typing; XEP-0334 5: hints are heeded. */
static bool belongs_to_history(const struct stanza *s)
{
    if (s->flags & (STANZA_NO_STORE | STANZA_NO_PERM_STORE))
        return false;
    return s->flags & (STANZA_HAS_BODY | STANZA_ENCRYPTED | STANZA_STORE);
}

enum zerr message_to_room(struct request *r)
{
    struct stanza s = r->s;
    bool          subject = is_subject(&s);
    enum zerr     err = ZE_OK;

    if (!r->room || r->room->gone)
        return ZE_NOT_FOUND;           /* 17.2 */
    if (!r->session)
        return ZE_NOT_ACCEPTABLE;      /* 7.4 */
    if (!subject && !may(r, MAY_SPEAK, false))
        return ZE_FORBIDDEN;
    err = request_rate(r, 1);
    if (!err && room_congested(r->room))
        err = ZE_FULL;                 /* better told than lost for those behind a daemon that is away */
    if (!err && subject)
        err = set_subject(r);
    if (err)
        return err;
    s.from = r->session->occupant->jid;
    s.to = (struct slice){ 0 };
    s.content = cleaned(r);
    s.flags &= ~(uint32_t)(STANZA_HAS_ID | STANZA_MUC_USER);
    if (!subject && belongs_to_history(&s))
        history_add(r->room, r->out, &s, r->session->occupant->nick, r->session->jid);
    room_fan_out(r->room, r->out, &s);
    r->muc->figures.messages++;
    return ZE_OK;
}

/* ---- to one ---- */

enum zerr message_groupchat_to_one(struct request *r)
{
    (void)r;
    return ZE_BAD_REQUEST;             /* 7.5 */
}

static bool may_send_private(const struct request *r, const struct occupant *to)
{
    switch (r->room->config.number[CONFIG_PRIVATE]) {
    case PM_PARTICIPANTS:
        return r->session->occupant->role >= MUC_PARTICIPANT;
    case PM_MODERATORS:                /* a moderator is reached by everybody, or nobody could ask for help */
        return r->session->occupant->role == MUC_MODERATOR || to->role == MUC_MODERATOR;
    case PM_NOBODY:
        return false;
    default:
        return true;
    }
}

enum zerr message_private(struct request *r)
{
    struct stanza    s = r->s;
    struct occupant *to = r->room ? room_occupant(r->room, r->nick) : NULL;
    struct buf       content = { 0 };
    enum zerr        err = ZE_OK;

    if (!r->room)
        return ZE_NOT_FOUND;
    if (!r->session)
        return ZE_NOT_ACCEPTABLE;
    if (!to)
        return ZE_NOT_FOUND;
    if (!may_send_private(r, to))
        return ZE_FORBIDDEN;
    err = request_rate(r, 1);
    if (err)
        return err;
    buf_put_slice(&content, cleaned(r));
    buf_put_str(&content, "<x xmlns='" NS_MUC_USER "'/>");
    s.from = r->session->occupant->jid;
    s.content = buf_slice(&content);
    s.flags = (s.flags & ~(uint32_t)STANZA_HAS_ID) | STANZA_MUC_USER;
    LIST_EACH(&to->sessions, node) {   /* 7.2.9: to all of them */
        s.to = LIST_OWNER(node, struct session, link)->jid;
        outcome_send(r->out, &s);
    }
    buf_free(&content);
    r->muc->figures.private_messages++;
    return ZE_OK;
}
