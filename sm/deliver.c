/* RFC 6121 8.5 (table 1 of 8.5.5 for messages) as one table: kind x target x who is online.
 * To several resources we send to all of them with priority >= 0 (8.5.2.1.1 leaves the choice): carbons
 * (XEP-0280 6.1) assume it. Where the RFC lets us ignore or refuse we do what does not show whether the
 * account exists: WHO_NO_USER answers as WHO_NOBODY does. */

#include "deliver.h"

#include "blocked.h"
#include "carbons.h"
#include "jid.h"
#include "offline.h"
#include "presence.h"
#include "push.h"
#include "stanza_error.h"

static const uint8_t actions[DELIVER_KINDS][DELIVER_WHO][DELIVER_TARGETS] = {
    /*                       bare (8.5.2)    full, match (8.5.3.1)  full, no match (8.5.3.2) */
    [DELIVER_NORMAL] = {
        [WHO_NO_USER]   = { ACT_STORE,     ACT_IMPOSSIBLE, ACT_REFUSE },
        [WHO_NOBODY]    = { ACT_STORE,     ACT_SESSION,    ACT_REFUSE },
        [WHO_NEGATIVE]  = { ACT_STORE,     ACT_SESSION,    ACT_REFUSE },
        [WHO_RECEPTIVE] = { ACT_RECEPTIVE, ACT_SESSION,    ACT_REFUSE },
    },
    [DELIVER_CHAT] = {         /* 8.5.3.2.1: chat to a resource that is gone is chat to the bare JID */
        [WHO_NO_USER]   = { ACT_STORE,     ACT_IMPOSSIBLE, ACT_STORE },
        [WHO_NOBODY]    = { ACT_STORE,     ACT_SESSION,    ACT_STORE },
        [WHO_NEGATIVE]  = { ACT_STORE,     ACT_SESSION,    ACT_STORE },
        [WHO_RECEPTIVE] = { ACT_RECEPTIVE, ACT_SESSION,    ACT_RECEPTIVE },
    },
    [DELIVER_GROUPCHAT] = {    /* 8.5.2.1.1: never to a bare JID */
        [WHO_NO_USER]   = { ACT_REFUSE,    ACT_IMPOSSIBLE, ACT_REFUSE },
        [WHO_NOBODY]    = { ACT_REFUSE,    ACT_SESSION,    ACT_REFUSE },
        [WHO_NEGATIVE]  = { ACT_REFUSE,    ACT_SESSION,    ACT_REFUSE },
        [WHO_RECEPTIVE] = { ACT_REFUSE,    ACT_SESSION,    ACT_REFUSE },
    },
    [DELIVER_HEADLINE] = {
        [WHO_NO_USER]   = { ACT_DROP,      ACT_IMPOSSIBLE, ACT_DROP },
        [WHO_NOBODY]    = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_NEGATIVE]  = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_RECEPTIVE] = { ACT_RECEPTIVE, ACT_SESSION,    ACT_DROP },
    },
    [DELIVER_MESSAGE_ERROR] = {
        [WHO_NO_USER]   = { ACT_DROP,      ACT_IMPOSSIBLE, ACT_DROP },
        [WHO_NOBODY]    = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_NEGATIVE]  = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_RECEPTIVE] = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
    },
    [DELIVER_PRESENCE] = {
        [WHO_NO_USER]   = { ACT_DROP,      ACT_IMPOSSIBLE, ACT_ABSENT },
        [WHO_NOBODY]    = { ACT_DROP,      ACT_SESSION,    ACT_ABSENT },
        [WHO_NEGATIVE]  = { ACT_AVAILABLE, ACT_SESSION,    ACT_ABSENT },
        [WHO_RECEPTIVE] = { ACT_AVAILABLE, ACT_SESSION,    ACT_ABSENT },
    },
    [DELIVER_UNAVAILABLE] = {
        [WHO_NO_USER]   = { ACT_DROP,      ACT_IMPOSSIBLE, ACT_DROP },
        [WHO_NOBODY]    = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_NEGATIVE]  = { ACT_AVAILABLE, ACT_SESSION,    ACT_DROP },
        [WHO_RECEPTIVE] = { ACT_AVAILABLE, ACT_SESSION,    ACT_DROP },
    },
    [DELIVER_IQ] = {           /* to a bare JID the server answers (iq.c) and this is not asked */
        [WHO_NO_USER]   = { ACT_REFUSE,    ACT_IMPOSSIBLE, ACT_REFUSE },
        [WHO_NOBODY]    = { ACT_REFUSE,    ACT_ASK,        ACT_REFUSE },
        [WHO_NEGATIVE]  = { ACT_REFUSE,    ACT_ASK,        ACT_REFUSE },
        [WHO_RECEPTIVE] = { ACT_REFUSE,    ACT_ASK,        ACT_REFUSE },
    },
    [DELIVER_IQ_REPLY] = {
        [WHO_NO_USER]   = { ACT_DROP,      ACT_IMPOSSIBLE, ACT_DROP },
        [WHO_NOBODY]    = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_NEGATIVE]  = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
        [WHO_RECEPTIVE] = { ACT_DROP,      ACT_SESSION,    ACT_DROP },
    },
};

enum deliver_action deliver_rule(enum deliver_kind kind, enum deliver_target target, enum deliver_who who)
{
    return actions[kind][who][target];
}

static enum deliver_kind message_kind(unsigned type)
{
    static const uint8_t kinds[TYPE_COUNT] = {
        [TYPE_NORMAL] = DELIVER_NORMAL, [TYPE_CHAT] = DELIVER_CHAT, [TYPE_GROUPCHAT] = DELIVER_GROUPCHAT,
        [TYPE_HEADLINE] = DELIVER_HEADLINE, [TYPE_ERROR] = DELIVER_MESSAGE_ERROR,
    };

    return type < TYPE_COUNT ? kinds[type] : DELIVER_NORMAL;
}

enum deliver_kind deliver_kind_of(const struct stanza *s)
{
    if (s->name == STANZA_MESSAGE)
        return message_kind(s->type);
    if (s->name == STANZA_PRESENCE)
        return s->type == TYPE_UNAVAILABLE ? DELIVER_UNAVAILABLE : DELIVER_PRESENCE;
    return s->type == TYPE_GET || s->type == TYPE_SET ? DELIVER_IQ : DELIVER_IQ_REPLY;
}

static enum deliver_who who_is_online(const struct passage *p, const struct online *account)
{
    if (!p->exists)
        return WHO_NO_USER;
    if (!account || !online_available(account))
        return WHO_NOBODY;
    return online_receptive(account) ? WHO_RECEPTIVE : WHO_NEGATIVE;
}

static bool receives(const struct session *s, enum deliver_action action)
{
    return s->available && (action == ACT_AVAILABLE || s->priority >= 0);
}

bool deliver_reaches(const struct session *s, enum deliver_action action, const struct session *match)
{
    switch (action) {
    case ACT_SESSION:
    case ACT_ASK:
        return s == match;
    case ACT_RECEPTIVE:
    case ACT_AVAILABLE:
        return receives(s, action);
    default:
        return false;
    }
}

static unsigned receivers(const struct online *account, enum deliver_action action,
                          const struct session **only)
{
    unsigned count = 0;

    ONLINE_EACH(account, node, s)
        if (receives(s, action)) {
            *only = s;
            count++;
        }
    return count;
}

static void to_many(struct passage *p, const struct online *account, enum deliver_action action)
{
    const struct session *only = NULL;
    struct spread         spread;

    if (receivers(account, action, &only) == 1) {
        outcome_session(p->out, AHEAD, only, p->stanza);
        return;
    }
    spread_begin(&spread, p->sm, p->out, AHEAD, p->stanza);
    ONLINE_EACH(account, node, s)
        if (receives(s, action))
            spread_session(&spread, s);
    spread_end(&spread);
}

/* An occupant whose client vanished: the error makes the room remove him (XEP-0045 18.1). Only for
 * our own rooms: presence is not answered with errors otherwise (RFC 6121 8.5.3.2.2: ignore). */
static void tell_room(struct passage *p)
{
    const struct stanza *s = p->stanza;
    struct buf           content = { 0 };
    struct stanza        error = {
        .name = STANZA_PRESENCE, .type = TYPE_ERROR, .from = s->to, .to = s->from, .id = s->id,
    };

    if (s->type == TYPE_ERROR || routes_domain_role(p->sm->routes, jid_domain(s->from)) != ROLE_MUC)
        return;
    stanza_error_write(&content, ZE_UNAVAILABLE, NULL, slice_of(NULL, 0));
    error.content = outcome_keep(p->out, &content);
    outcome_route(p->out, AHEAD, &error);
}

/* 8.5.3.1: who does not see a resource is not to learn of it by its answers to what he asks. Our own services and
 * components may ask (XEP-0070). */
static bool may_ask(const struct passage *p, const struct session *match)
{
    struct slice from = p->stanza->from;

    return presence_is_shown(p->sm, match, from) ||
           (jid_is_domain(from) && routes_domain_role(p->sm->routes, from) != ROLE_NONE);
}

int deliver(struct passage *p)
{
    const struct stanza  *s = p->stanza;
    const struct online  *account = session_online(p->sm->sessions, p->owner);
    bool                  bare = jid_is_bare(s->to);
    const struct session *match = bare ? NULL : session_by_jid(p->sm->sessions, s->to);
    enum deliver_target   target = bare ? TARGET_BARE : match ? TARGET_MATCH : TARGET_NO_MATCH;
    enum deliver_action   action = deliver_rule(deliver_kind_of(s), target, who_is_online(p, account));
    int                   did = TAKEN;

    switch (action) {
    case ACT_REFUSE:
        return ZE_NO_SUCH;
    case ACT_STORE:
        did = offline_store(p);
        break;
    case ACT_ASK:
        if (!may_ask(p, match))
            return ZE_NO_SUCH;
        outcome_session(p->out, AHEAD, match, s);
        break;
    case ACT_SESSION:
        outcome_session(p->out, AHEAD, match, s);
        break;
    case ACT_RECEPTIVE:
    case ACT_AVAILABLE:
        to_many(p, account, action);
        break;
    case ACT_ABSENT:
        tell_room(p);
        return TAKEN;
    case ACT_DROP:
    case ACT_IMPOSSIBLE:
        return TAKEN;
    }
    if (did == TAKEN) {
        carbons_received(p, action, match);
        push_consider(p, action, match);
    }
    return did;
}

bool deliver_spread(struct spread *spread, const struct stanza *s, struct slice jid)
{
    struct session *match;

    if (s->name == STANZA_IQ || (s->name == STANZA_PRESENCE && s->type >= TYPE_SUBSCRIBE) ||
        blocked(spread->sm, jid_bare(jid), s->from))
        return false;
    if (jid_is_bare(jid)) {
        if (s->name == STANZA_PRESENCE && s->type != TYPE_ERROR)
            spread_jid(spread, jid);
        return s->name == STANZA_PRESENCE && s->type != TYPE_ERROR;
    }
    match = session_by_jid(spread->sm->sessions, jid);
    if (match)
        spread_session(spread, match);
    if (match && s->name == STANZA_MESSAGE)
        push_fanned(spread->out, match, s);
    return match != NULL;
}
