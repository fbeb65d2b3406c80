/* XEP-0045 7.14 leaving, 11.1 removal because of an error, 16.1.2 ghosts. */

#include "ns.h"
#include "request.h"
#include "stanza_error.h"

bool leave_is_lost(enum zerr err)
{
    switch (err) {
    case ZE_GONE:
    case ZE_NOT_FOUND:
    case ZE_UNAVAILABLE:
    case ZE_NO_ROUTE:
    case ZE_REMOTE:
    case ZE_TIMEOUT:
    case ZE_NO_SUCH:                   /* what a server says of a resource that went (RFC 6121 8.5.3.2) */
        return true;
    default:
        return false;
    }
}

void leave_tell_self(struct outcome *o, struct occupant *who, const struct notice *n)
{
    LIST_EACH(&who->sessions, node) {
        struct session *session = LIST_OWNER(node, struct session, link);
        struct notice   own = *n;

        own.jid = session->jid;
        notice_to(o, session, who, &own, true);
    }
}

void leave_tell_others(struct outcome *o, struct occupant *who, const struct notice *n)
{
    notice_to_others(o, who, n);
    o->muc->figures.left++;
    occupant_free(&who);
}

void leave_check_locked(struct outcome *o, struct room *room)
{
    if (room->locked && !room->gone && list_empty(&room->occupants))
        destroy_room(o, room, (struct slice){ 0 }, (struct slice){ 0 }, (struct slice){ 0 });
}

void leave_session(struct outcome *o, struct session *session, struct slice payload, const unsigned *codes)
{
    struct occupant *who = session->occupant;
    struct room     *room = who->room;
    struct notice    n = { .type = TYPE_UNAVAILABLE, .payload = payload, .codes = codes, .jid = session->jid };

    notice_to(o, session, who, &n, true);
    if (session->link.next == &who->sessions && session->link.prev == &who->sessions) {
        leave_tell_others(o, who, &n);
        leave_check_locked(o, room);
        return;
    }

    /* Others of that account stay under the nick: only what is shown of it changes. */
    session_free(&session);
    o->muc->figures.left++;
    n = notice_now(who);
    notice_to_others(o, who, &n);
    notice_to_self(o, who, &n, NULL);
}

enum zerr leave_room(struct request *r)
{
    const struct element *content = request_tree(r);
    struct slice          payload = content ? presence_payload(r->muc->arena, content) : (struct slice){ 0 };

    if (!r->session)                   /* 17.3: ignored in silence */
        return ZE_OK;
    if ((long)payload.len > r->muc->settings->limits.room_presence_max)
        payload = (struct slice){ 0 };
    leave_session(r->out, r->session, payload, NULL);
    return ZE_OK;
}

enum zerr leave_by_error(struct request *r)
{
    static const unsigned codes[] = { 333, 0 };
    const struct element *content = request_tree(r);

    if (!r->session || !content || !leave_is_lost(stanza_error_parse(content)))
        return ZE_OK;
    r->muc->figures.ghosts++;
    leave_session(r->out, r->session, (struct slice){ 0 }, codes);
    return ZE_OK;
}
