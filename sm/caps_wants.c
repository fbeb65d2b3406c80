/* What sessions of this instance want (caps.h), and which of an account's contacts want something. */

#include "caps_inner.h"

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "roster.h"

struct slice caps_news(struct sm *sm, const struct blob *before, const struct blob *now)
{
    struct slice left = blob_slice(now), had = before ? blob_slice(before) : slice_of(NULL, 0);
    uint8_t     *out = arena_alloc(sm->arena, left.len + 1);
    size_t       len = 0;

    while (left.len) {
        size_t one = (size_t)((const uint8_t *)memchr(left.p, 0, left.len) - left.p);
        if (!caps_nodes_have(had, slice_cut(left, 0, one))) {
            memcpy(out + len, left.p, one + 1);
            len += one + 1;
        }
        left = slice_cut(left, one + 1, left.len);
    }
    return slice_of(out, len);
}

/* ---- sessions ---- */

struct caps_said caps_session_said(struct sm *sm, const struct session *s)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root = xml_parse_content(sm->arena, blob_slice(s->presence), NS_CLIENT, &limits);

    return root ? caps_said(sm->arena, root) : (struct caps_said){ 0 };
}

/* A reference; NULL: not known yet. */
static struct blob *wants_of(struct sm *sm, const struct caps_said *said, struct slice full)
{
    struct caps_text *t;
    struct blob      *nodes;

    if (said->format == CAPS_NONE)
        return blob_copy(SLICE(""));
    t = caps_text(said, full);
    nodes = caps_recall(sm, t);
    free(t);
    return nodes;
}

static int add_mutual(void *arg, const struct roster_item *item)
{
    struct mutual *m = arg;

    if (!(item->flags & ROSTER_FROM) || !(item->flags & ROSTER_TO))
        return 0;
    if (m->count == m->room) {
        struct slice *more = arena_alloc(m->sm->arena, (2 * m->room + 16) * sizeof(*more));
        if (m->count)
            memcpy(more, m->contacts, m->count * sizeof(*more));
        m->contacts = more;
        m->room = 2 * m->room + 16;
    }
    m->contacts[m->count++] = arena_copy(m->sm->arena, item->contact);
    return 0;
}

struct mutual caps_mutual(struct sm *sm, struct slice owner)
{
    struct mutual      m = { .sm = sm };
    struct store_view *view = store_view(sm->store.accounts);

    roster_each(sm, view, owner, add_mutual, &m);
    store_view_end(&view);
    return m;
}

bool caps_lives_here(struct sm *sm, struct slice bare)
{
    return sm_serves(sm, jid_domain(bare)) && sm_owns(sm, bare);
}

/* Takes the reference. The accounts concerned are the session's own and its contacts in this instance. */
static void session_wants(struct sm *sm, struct session *s, struct blob *nodes)
{
    struct slice  news = caps_news(sm, s->wants, nodes);
    struct slice  full = arena_copy(sm->arena, session_jid(s)), own = jid_bare(full);
    struct mutual m;

    blob_unref(&s->wants);
    s->wants = nodes;
    if (!news.len)
        return;
    features_caps_known(sm, own, full, news);
    m = caps_mutual(sm, own);
    for (size_t i = 0; i < m.count; i++)
        if (caps_lives_here(sm, m.contacts[i]))
            features_caps_known(sm, m.contacts[i], full, news);
}

/* Also when the commit failed: the presence was shown. */
void caps_presence_shown(struct sm *sm, enum zerr err, struct slice full, struct slice none)
{
    struct session  *s = session_by_jid(sm->sessions, full);
    struct caps_said said;
    struct blob     *nodes;

    (void)err;
    (void)none;
    if (!s || !s->available)
        return;
    said = caps_session_said(sm, s);
    nodes = wants_of(sm, &said, full);
    s->wants_asked = true;
    if (nodes)
        session_wants(sm, s, nodes);
    else
        caps_ask(sm, &said, full, jid_bare(full));
}

/* What a session of an earlier life of this process, or from another sm, wants is not known until somebody
 * wants to know. */
static void look(struct sm *sm, struct session *s)
{
    struct caps_said said;

    if (s->wants || s->wants_asked || !s->available)
        return;
    said = caps_session_said(sm, s);
    s->wants = wants_of(sm, &said, session_jid(s));
    s->wants_asked = true;
    if (!s->wants)
        caps_ask(sm, &said, arena_copy(sm->arena, session_jid(s)), arena_copy(sm->arena, session_bare(s)));
}

/* Most presences tell again what the one before told. */
static bool as_before(struct sm *sm, const struct session *s, const struct element *root)
{
    struct caps_said before = caps_session_said(sm, s), now = caps_said(sm->arena, root);

    return before.format == now.format && slice_eq(before.algorithm, now.algorithm) &&
           slice_eq(before.ver, now.ver) && slice_eq(before.node, now.node);
}

void caps_shown(struct passage *p, const struct element *root)
{
    if (p->session->available)
        look(p->sm, p->session);
    if (p->session->available && p->session->wants && as_before(p->sm, p->session, root))
        return;
    outcome_after(p->out, AFTER_PRESENCE_SHOWN, session_jid(p->session), slice_of(NULL, 0));
}

void caps_told(struct sm *sm, struct slice owner, struct slice full, const struct caps_text *t, struct blob *nodes)
{
    struct session  *s = session_by_jid(sm->sessions, full);
    struct caps_said said;

    if (!s || !s->available) {
        caps_contact_told(sm, owner, full, t, nodes);
        return;
    }
    said = caps_session_said(sm, s);
    if (caps_text_is(t, &said))
        session_wants(sm, s, blob_ref(nodes));
}

bool caps_wants(struct sm *sm, const struct session *s, struct slice node)
{
    struct session *own = session_by_handle(sm->sessions, s->handle);

    if (own)
        look(sm, own);
    return s->wants && caps_nodes_have(blob_slice(s->wants), node);
}

/* ---- contacts ---- */

static void each_session(struct sm *sm, struct slice contact, struct slice node,
                         void (*each)(void *arg, struct slice full_jid), void *arg)
{
    const struct online *account = session_online(sm->sessions, contact);

    if (!account)
        return;
    ONLINE_EACH(account, node_in_list, s)
        if (s->available && caps_wants(sm, s, node))
            each(arg, arena_copy(sm->arena, session_jid(s)));
}

void caps_each_of_contact(struct sm *sm, struct slice owner, struct slice contact, struct slice node,
                          void (*each)(void *arg, struct slice full_jid), void *arg)
{
    if (caps_lives_here(sm, contact))
        each_session(sm, contact, node, each, arg);
    else
        caps_contacts_each(sm, owner, contact, node, each, arg);
}

void caps_each_contact(struct sm *sm, struct slice owner, struct slice node,
                       void (*each)(void *arg, struct slice full_jid), void *arg)
{
    struct mutual m = caps_mutual(sm, owner);

    for (size_t i = 0; i < m.count; i++)
        if (!slice_eq(m.contacts[i], owner))
            caps_each_of_contact(sm, owner, m.contacts[i], node, each, arg);
}
