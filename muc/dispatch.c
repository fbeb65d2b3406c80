/* Frame -> room -> handler. Rows say which stanza goes where; the dispatcher writes every error reply and
 * ends the outcome. */

#include <stdlib.h>

#include "fanout.h"
#include "feature.h"
#include "jid.h"
#include "link.h"
#include "log.h"
#include "ns.h"
#include "stanza_error.h"

/* ---- the request ---- */

const struct element *request_tree(const struct request *r)
{
    return xml_parse_content(r->muc->arena, r->s.content, NS_CLIENT, &r->muc->limits);
}

void request_answer(struct request *r)
{
    struct stanza reply = { .name = STANZA_IQ, .type = TYPE_RESULT, .from = r->s.to, .to = r->s.from, .id = r->s.id,
                            .content = buf_slice(r->reply) };

    if (r->answered)
        return;
    r->answered = true;
    outcome_send(r->out, &reply);
}

enum affiliation request_affiliation(const struct request *r)
{
    return r->room ? room_affiliation(r->room, r->sender) : AFF_NONE;
}

struct rank request_rank(const struct request *r)
{
    return (struct rank){ r->session ? r->session->occupant->role : MUC_NONE, request_affiliation(r) };
}

void request_room(struct request *r, struct room *room)
{
    r->room = room;
    r->out->room = room;
}

enum zerr request_rate(struct request *r, double cost)
{
    double rate = (double)r->muc->settings->limits.room_message_rate;

    return bucket_take(&r->session->occupant->messages, r->muc->now_ms, cost, rate, 10 * rate) ? ZE_OK : ZE_FULL;
}

/* ---- messages and presence ---- */

#define T(type) (1u << TYPE_##type)

static enum zerr ignored(struct request *r)
{
    (void)r;
    return ZE_OK;
}

static enum zerr no_such(struct request *r)
{
    (void)r;
    return ZE_NO_SUCH;
}

/* 7.4: a message to the room that is neither groupchat nor an invitation. */
static enum zerr bad_type(struct request *r)
{
    (void)r;
    return ZE_BAD_REQUEST;
}

static const struct stanza_row {
    uint8_t         name;
    unsigned        types;
    unsigned        targets;
    stanza_handler *handle;
} stanza_rows[] = {
    { STANZA_PRESENCE, T(NONE),                    TO_OCCUPANT,            enter_room },
    { STANZA_PRESENCE, T(NONE),                    TO_ROOM,                enter_without_nick },
    { STANZA_PRESENCE, T(NONE),                    TO_SERVICE,             no_such },
    { STANZA_PRESENCE, T(UNAVAILABLE),             TO_ROOM | TO_OCCUPANT,  leave_room },
    { STANZA_PRESENCE, T(ERROR),                   TO_ROOM | TO_OCCUPANT,  leave_by_error },
    { STANZA_MESSAGE,  T(GROUPCHAT),               TO_ROOM,                message_to_room },
    { STANZA_MESSAGE,  T(GROUPCHAT),               TO_OCCUPANT,            message_groupchat_to_one },
    { STANZA_MESSAGE,  T(NORMAL) | T(CHAT),        TO_OCCUPANT,            message_private },
    { STANZA_MESSAGE,  T(NORMAL),                  TO_ROOM,                invite_or_decline },
    { STANZA_MESSAGE,  T(CHAT) | T(HEADLINE),      TO_ROOM,                bad_type },
    { STANZA_MESSAGE,  T(HEADLINE),                TO_OCCUPANT,            bad_type },
    { STANZA_MESSAGE,  T(ERROR),                   TO_ROOM | TO_OCCUPANT,  leave_by_error },
    { STANZA_MESSAGE,  ~T(ERROR),                  TO_SERVICE,             no_such },
    { STANZA_IQ,       T(GET) | T(SET),            TO_OCCUPANT,            forward_iq },
    { STANZA_IQ,       T(RESULT) | T(ERROR),       TO_OCCUPANT,            forward_reply },
};

/* ---- IQs to service and room ---- */

static const struct iq_row *iq_row(const struct request *r, const struct element *payload)
{
    unsigned type = r->s.type == TYPE_GET ? IQ_GET : IQ_SET;

    for (size_t i = 0; muc_features[i]; i++)
        for (const struct iq_row *row = muc_features[i]->iqs; row && row->types; row++)
            if (row->types & type && row->targets & r->target && element_is(payload, row->ns, row->element) &&
                (r->target == TO_SERVICE || !r->room || feature_in_room(muc_features[i], r->room)))
                return row;
    return NULL;
}

static enum zerr dispatch_iq(struct request *r)
{
    const struct element *tree = request_tree(r), *payload = tree ? tree->children : NULL;
    const struct iq_row  *row;

    if (!payload || payload->next)                     /* RFC 6120 8.2.3: exactly one child */
        return ZE_BAD_REQUEST;
    row = iq_row(r, payload);
    if (!row)
        return ZE_NO_SUCH;
    if (row->needs > AFF_OUTCAST && !r->room)
        return ZE_NOT_FOUND;
    if (row->needs > AFF_OUTCAST && request_affiliation(r) < row->needs)
        return ZE_FORBIDDEN;
    enum zerr err = row->handle(r, payload);

    if (!err)
        request_answer(r);
    return err;
}

static enum zerr dispatch(struct request *r)
{
    for (size_t i = 0; i < COUNT_OF(stanza_rows); i++) {
        const struct stanza_row *row = &stanza_rows[i];

        if (row->name == r->s.name && row->types & 1u << r->s.type && row->targets & r->target)
            return row->handle(r);
    }
    if (r->s.name == STANZA_IQ && (r->s.type == TYPE_GET || r->s.type == TYPE_SET))
        return dispatch_iq(r);
    return ignored(r);                 /* probes and subscriptions (17.3), answers nobody waits for */
}

/* ---- frames ---- */

/* Who may speak for whom: sm for the accounts here, muc for rooms, s2sd for all the rest. */
static bool origin_may_say(const struct muc *m, const struct frame *f)
{
    unsigned serves = routes_domain_role(m->outlet.routes(m->outlet.arg), jid_domain(f->stanza.from));

    if (serves == ROLE_SM || serves == ROLE_MUC)
        return f->origin.role == serves;
    return f->origin.role == ROLE_S2SD;
}

static enum target target_of(struct slice to)
{
    return jid_is_domain(to) || !jid_local(to).len ? TO_SERVICE : jid_is_bare(to) ? TO_ROOM : TO_OCCUPANT;
}

static void handle(struct request *r)
{
    bool      proven = xml_check_content(r->muc->arena, &r->s, &r->muc->limits) == ZE_OK;
    enum zerr err = proven ? dispatch(r) : ZE_BAD_REQUEST;

    if (!proven) {
        r->muc->figures.bad_content++;
        log_warn("content_refused", "trace", log_hex(r->out->trace), "from", log_slice(r->s.from), NULL);
    }
    if (err < 0 && !r->answered)
        outcome_error(r->out, &r->s, err, NULL, proven);
    log_debug("stanza_done", "trace", log_hex(r->out->trace), "kind", stanza_name_text(r->s.name), "from",
              log_slice(r->s.from), "to", log_slice(r->s.to), "err", err < 0 ? err_name(err) : "ok", NULL);
}

void muc_on_stanza(struct muc *m, const struct frame *f)
{
    muc_serve(m, f, NULL);
}

void muc_serve(struct muc *m, const struct frame *f, struct search *search)
{
    struct buf     reply = { 0 };
    struct request r = { .muc = m, .s = f->stanza, .reply = &reply, .home = f->origin, .search = search };

    if (!f->stanza.from.len || !origin_may_say(m, f)) {
        m->figures.bad_origin++;
        log_warn("origin_refused", "trace", log_hex(f->trace), "from", log_slice(f->stanza.from), "peer",
                 role_name(f->origin.role), NULL);
        return;
    }
    r.service = muc_service(m, jid_domain(f->stanza.to));
    r.target = target_of(f->stanza.to);
    r.room_jid = jid_bare(f->stanza.to);
    r.nick = jid_resource(f->stanza.to);
    r.sender = jid_bare(f->stanza.from);
    if (r.service && r.target != TO_SERVICE)
        r.room = rooms_find(m, r.room_jid, r.service->name);
    if (r.room)
        r.session = room_session(r.room, f->stanza.from);
    r.out = outcome_begin(m, r.room, f->trace);
    outcome_asked(r.out, &r.s);
    if (r.service)
        handle(&r);
    else
        outcome_error(r.out, &r.s, ZE_NOT_FOUND, NULL, false);
    outcome_end(&r.out);
    buf_free(&reply);
}

/* A session's end told to every room it was in (RFC 6121 4.6.6 in one frame): as many stanzas. */
void muc_on_fanout(struct muc *m, const struct frame *f)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry entry;
    struct frame        one = *f;

    while (fanout_next(&c, &entry)) {
        one.stanza.to = entry.jid;
        muc_on_stanza(m, &one);
    }
    if (c.bad)
        log_warn("fanout_refused", "trace", log_hex(f->trace), "peer", role_name(f->origin.role), NULL);
}

/* ---- what could not be passed on ---- */

static void lose(struct muc *m, struct slice occupant_jid, struct slice full_jid, uint64_t trace)
{
    static const unsigned codes[] = { 333, 0 };
    struct room          *room = table_get(m->rooms, jid_bare(occupant_jid));
    struct session       *session = room ? room_session(room, full_jid) : NULL;

    if (!session)
        return;
    m->figures.ghosts++;

    struct outcome *o = outcome_begin(m, room, trace);

    leave_session(o, session, (struct slice){ 0 }, codes);
    outcome_end(&o);
}

/* The table changed while it was on its way: split it anew. */
static void fan_out_again(struct muc *m, const struct frame *f)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry entry;
    struct fan          fan = { 0 };
    struct outcome     *o = outcome_begin(m, NULL, f->trace);

    while (fanout_next(&c, &entry)) {
        struct whereabouts at = { 0 };
        fan_add(&fan, m, &at, entry.jid);
    }
    fan_send(&fan, o, &f->stanza);
    fan_free(&fan);
    outcome_end(&o);
}

/* Only who stands next to the recipient can say that he is not there: that a daemon is away says nothing of
 * those behind it (XEP-0045 18, ghosts). */
static bool knows_recipients(unsigned by)
{
    return by == ROLE_S2SD || by == ROLE_SM;
}

void muc_on_bounce(struct muc *m, const struct frame *original, enum zerr why, unsigned by)
{
    const struct stanza *s = &original->stanza;
    struct cursor        c = { original->list, false };
    struct fanout_entry  entry;
    struct buf           content = { 0 };

    if (original->kind == FRAME_FANOUT && why == ZE_STALE && !(original->flags & FRAME_REROUTED)) {
        fan_out_again(m, original);
        return;
    }
    if (s->name == STANZA_IQ && (s->type == TYPE_GET || s->type == TYPE_SET)) {
        struct request r = { .muc = m, .s = *s, .target = TO_OCCUPANT };

        /* As if the recipient had answered with that error. */
        r.s.type = TYPE_ERROR;
        r.s.from = s->to;
        r.s.to = s->from;
        stanza_error_write(&content, why, NULL, (struct slice){ 0 });
        r.s.content = buf_slice(&content);
        r.out = outcome_begin(m, NULL, original->trace);
        forward_reply(&r);
        outcome_end(&r.out);
        buf_free(&content);
    }
    if (!knows_recipients(by) || !leave_is_lost(why))
        return;
    if (original->kind == FRAME_STANZA)
        lose(m, s->from, s->to, original->trace);
    while (original->kind == FRAME_FANOUT && fanout_next(&c, &entry))
        lose(m, s->from, entry.jid, original->trace);
}

/* One session of that life, NULL: none left in the room. */
static struct session *session_of_life(const struct room *room, const struct address *life)
{
    for (struct table_iter i = { 0 }; table_next(room->sessions, &i);)
        if (same_life(&((const struct session *)i.value)->home, life))
            return i.value;
    return NULL;
}

/* The account has another owner by now, who took the session over (or will say that there is none). */
static bool has_moved(struct muc *m, struct session *session)
{
    const struct routes         *routes = m->outlet.routes(m->outlet.arg);
    const struct route_instance *owner;
    struct address               now;
    uint32_t                     generation;

    if (routes_find(routes, session->jid, &now, &generation) || now.instance == session->home.instance)
        return false;
    owner = routes_instance(routes, now.instance);
    session->home = (struct address){ now.role, now.instance, owner ? owner->incarnation : 0 };
    keep_mark(m, &session->keep, KEEP_SESSION);
    return true;
}

void muc_on_peer_lost(struct muc *m, const struct address *life)
{
    static const unsigned codes[] = { 333, 0 };
    struct slice         *jids;
    size_t                count = 0;

    if (life->role != ROLE_SM)         /* the sessions of remote users outlive an s2sd */
        return;
    jids = xcalloc(table_count(m->rooms) + 1, sizeof(*jids));
    for (struct table_iter i = { 0 }; table_next(m->rooms, &i);)
        if (session_of_life(i.value, life))
            jids[count++] = arena_copy(m->arena, ((struct room *)i.value)->jid);
    for (size_t i = 0; i < count; i++) {
        struct room    *room = table_get(m->rooms, jids[i]);
        struct outcome *o = outcome_begin(m, room, trace_new());
        struct session *session;

        while (!room->gone && (session = session_of_life(room, life)))
            if (!has_moved(m, session))
                leave_session(o, session, (struct slice){ 0 }, codes);
        outcome_end(&o);
    }
    free(jids);
}
