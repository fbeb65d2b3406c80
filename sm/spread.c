/* Fan-out, grouped by next daemon (spread.h). */

#include "spread.h"

#include "blocked.h"
#include "fanout.h"
#include "jid.h"

struct spread_group {
    struct spread_group *next;
    struct address       dest;
    uint32_t             generation;
    unsigned             count;
    struct buf           list;
    uint64_t             handle, sender;    /* connection and session of the only entry, while count is 1 */
    struct slice         jid;
};

void spread_begin(struct spread *sp, struct sm *sm, struct outcome *out, enum when when,
                  const struct stanza *s)
{
    *sp = (struct spread){ .sm = sm, .out = out, .when = when, .stanza = s };
}

static struct spread_group *group_of(struct spread *sp, const struct address *dest, uint32_t generation)
{
    struct spread_group *g = sp->groups;

    while (g && !(g->dest.role == dest->role && g->dest.instance == dest->instance &&
                  g->dest.incarnation == dest->incarnation && buf_len(&g->list) < SPREAD_LIST_MAX))
        g = g->next;
    if (g)
        return g;
    g = arena_alloc(sp->sm->arena, sizeof(*g));
    *g = (struct spread_group){ .next = sp->groups, .dest = *dest, .generation = generation };
    sp->groups = g;
    return g;
}

/* One receiver gets a plain STANZA. The list for a c2sd names sessions; when the frame leaves, each becomes
 * the connection that holds it then (resume_release). */
static void group_add(struct spread_group *g, uint64_t conn, uint64_t session, struct slice jid,
                      struct slice full)
{
    if (g->count++ == 0) {
        g->handle = conn;
        g->sender = session;
        g->jid = full;
    }
    fanout_put(&g->list, session, jid);
}

void spread_session(struct spread *sp, const struct session *s)
{
    struct slice full = arena_copy(sp->sm->arena, session_jid(s));

    group_add(group_of(sp, &s->c2sd, 0), s->conn, s->handle, slice_of(NULL, 0), full);
}

/* Presence must not overtake the subscription that brings it (RFC 6120 10.1): while that of the recipient
 * waits for its commit, or will do so when this leaves, it takes the way of the other stanzas to him. */
static bool comes_behind(const struct spread *sp, struct slice bare)
{
    return sp->stanza->name == STANZA_PRESENCE &&
           (sp->when == AFTER_COMMIT || outcome_held(sp->out) || outcome_waits(sp->sm, bare));
}

static void spread_behind(struct spread *sp, struct slice jid)
{
    struct stanza one = *sp->stanza;

    one.to = arena_copy(sp->sm->arena, jid);
    outcome_route(sp->out, sp->when, &one);
}

static void spread_here(struct spread *sp, struct slice bare)
{
    struct online *account = session_online(sp->sm->sessions, bare);

    if (!account || blocked_for(sp->sm, account, sp->stanza->from))
        return;
    ONLINE_EACH(account, node, s)
        if (s->available)
            spread_session(sp, s);
}

void spread_jid(struct spread *sp, struct slice jid)
{
    struct sm      *sm = sp->sm;
    struct address  dest;
    uint32_t        generation;
    struct slice    copy;

    if (routes_find(sm->routes, jid, &dest, &generation))
        return;
    if (sm_is_here(sm, &dest, jid_bare(jid))) {
        if (comes_behind(sp, jid_bare(jid)))
            spread_behind(sp, jid);
        else if (jid_is_bare(jid))
            spread_here(sp, jid);
        else {
            struct session *s = session_by_jid(sm->sessions, jid);
            if (s && !blocked_for(sm, s->account, sp->stanza->from))
                spread_session(sp, s);
        }
        return;
    }
    copy = arena_copy(sm->arena, jid);
    group_add(group_of(sp, &dest, generation), 0, 0, copy, copy);
}

/* One receiver gets a plain STANZA. But a broadcast to another sm stays a fan-out, because it may take
 * another road than presence for one (bus.h). */
static bool goes_plain(const struct spread *sp, const struct spread_group *g)
{
    const struct stanza *s = sp->stanza;
    bool shown = s->name == STANZA_PRESENCE && (s->type == TYPE_NONE || s->type == TYPE_UNAVAILABLE);

    return g->count == 1 && !(g->dest.role == ROLE_SM && shown);
}

static void group_end(struct spread *sp, struct spread_group *g)
{
    struct frame f = frame_make(goes_plain(sp, g) ? FRAME_STANZA : FRAME_FANOUT);

    f.dest = g->dest;
    f.generation = g->generation;
    f.stanza = *sp->stanza;
    f.stanza.to = slice_of(NULL, 0);
    f.number = g->dest.role == ROLE_C2SD ? sp->sm->epoch : 0;
    f.body = sp->stanza->content;
    if (goes_plain(sp, g)) {
        f.handle = g->handle;
        f.sender = g->sender;
        f.stanza.to = g->jid;
        buf_free(&g->list);
    } else {
        f.list = outcome_keep(sp->out, &g->list);
    }
    outcome_frame(sp->out, sp->when, &f);
}

void spread_end(struct spread *sp)
{
    for (struct spread_group *g = sp->groups; g; g = g->next)
        group_end(sp, g);
    sp->groups = NULL;
}
