/* XEP-0045 7.4 messages to all, 7.5 private messages, 8.1 the subject; XEP-0359 the room's ids. */

#include "archive_rules.h"
#include "jid.h"
#include "ns.h"
#include "retraction.h"
#include "stanza_id.h"
#include "xml_cut.h"

/* ---- what may not be passed on ---- */

/* Addresses are compared as prepared ones (XEP-0359 3.7). */
static bool is_by(struct slice address, struct slice room_jid)
{
    struct jid jid;

    return jid_parse(address, &jid) == ZE_OK && slice_eq(jid_bare(jid_slice(&jid)), room_jid);
}

/* XEP-0359 3.2, XEP-0203 5: an id or a delay in the room's own name is forged. XEP-0313 7.5: and so is what
 * only the room may say of who spoke. */
static bool is_forged(void *arg, const struct element *e)
{
    const struct request *r = arg;

    if (element_is(e, NS_SID, "stanza-id"))
        return is_by(element_attr(e, "by"), r->room_jid);
    if (element_is(e, NS_DELAY, "delay")) {
        struct slice from = element_attr(e, "from");
        return !from.len || is_by(from, r->room_jid) || slice_eq(jid_domain(from), jid_domain(r->room_jid));
    }
    return slice_is(e->ns, NS_MUC_USER);
}

/* The content without it; the content itself when there is nothing to take out. In the arena. */
static struct slice cleaned(struct request *r)
{
    if (!(r->s.flags & (STANZA_HAS_ID | STANZA_HAS_DELAY | STANZA_MUC_USER)))
        return r->s.content;
    return xml_cut(r->muc->arena, r->s.content, &r->muc->limits, is_forged, r);
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

/* XEP-0313 3.3: the id by which the archive knows it, behind all else. */
static struct slice with_id(const struct request *r, struct slice content, struct ledger_id id)
{
    char         text[LEDGER_ID_TEXT];
    struct buf   out = { 0 };
    struct slice kept;

    ledger_id_write(text, id);
    buf_put_slice(&out, content);
    stanza_id_write(&out, r->room_jid, slice_str(text));
    kept = arena_copy(r->muc->arena, buf_slice(&out));
    buf_free(&out);
    return kept;
}

/* What deserves it (proto/archive_rules.h) is kept and gets an id. */
static enum zerr keep_for_later(struct request *r, struct stanza *s)
{
    struct ledger_record record = { .views = LEDGER_ARCHIVE, .direction = LEDGER_IN, .actor = r->session->jid,
                                    .stanza = *s };
    enum zerr            err = ZE_OK;

    if (!archive_verdict(ARCHIVE_OF_ROOM, s).archive)
        return ZE_OK;
    record.id = archive_next_id(r->room);
    record.stanza.to = r->room->jid;
    if (archive_on(r->room))
        err = archive_add(r->room, r->out, &record);
    else
        history_add(r->room, &record);
    if (err)
        return err;
    retraction_apply(r, s);
    s->content = with_id(r, s->content, record.id);
    return ZE_OK;
}

static enum zerr may_say(const struct request *r, bool subject)
{
    if (!r->room || r->room->gone)
        return ZE_NOT_FOUND;           /* 17.2 */
    if (!r->session)
        return ZE_NOT_ACCEPTABLE;      /* 7.4 */
    if (!subject && !may(r, MAY_SPEAK, false))
        return ZE_FORBIDDEN;
    return ZE_OK;
}

enum zerr message_to_room(struct request *r)
{
    struct stanza s = r->s;
    bool          subject = is_subject(&s);
    enum zerr     err = may_say(r, subject);

    if (!err)
        err = request_rate(r, 1);
    if (!err && (room_congested(r->room) || (archive_on(r->room) && store_low(r->muc->store))))
        err = ZE_FULL;                 /* better told than lost for who is behind a daemon that is away */
    if (!err && subject)
        err = set_subject(r);
    if (err)
        return err;
    s.from = r->session->occupant->jid;
    s.to = (struct slice){ 0 };
    s.content = cleaned(r);
    s.flags &= ~(uint32_t)STANZA_MUC_USER;
    err = keep_for_later(r, &s);
    if (err)
        return err;
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
    s.flags |= STANZA_MUC_USER;
    LIST_EACH(&to->sessions, node) {   /* 7.2.9: to all of them */
        s.to = LIST_OWNER(node, struct session, link)->jid;
        outcome_send(r->out, &s);
    }
    buf_free(&content);
    r->muc->figures.private_messages++;
    return ZE_OK;
}
