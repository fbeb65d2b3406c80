/* XEP-0115 and XEP-0390 (caps.h): what is remembered, and our own sessions. */

#include "caps_inner.h"

#include <stdlib.h>

#include "disco.h"
#include "encode.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "roster.h"

enum { FORMAT = 1, HEAPS = 256 };

uint64_t caps_asked, caps_answered, caps_wrong, caps_unanswered, caps_over, caps_forgotten;

static const struct stat_row stats[] = {
    { "caps_asked", "questions about the capabilities of a client", &caps_asked },
    { "caps_answered", "answers that were what the client's hash says", &caps_answered },
    { "caps_wrong", "answers that were something else", &caps_wrong },
    { "caps_unanswered", "questions answered with an error or not at all", &caps_unanswered },
    { "caps_over", "clients not asked or not remembered because of a limit", &caps_over },
    { "caps_forgotten", "clients of contacts elsewhere forgotten for newer ones", &caps_forgotten },
    { 0 },
};

/* ---- texts ---- */

struct caps_text *caps_text(const struct caps_said *said, struct slice full)
{
    bool              alone = said->format == CAPS_UNVERIFIED;
    size_t            key = 3 + said->algorithm.len + said->ver.len + (alone ? said->node.len + full.len + 1 : 0);
    struct caps_text *t = xcalloc(1, sizeof(*t) + key + said->node.len);
    struct buf        b = { 0 };

    buf_put_u8(&b, said->format);
    buf_put_slice(&b, said->algorithm);
    buf_put_u8(&b, 0);
    buf_put_slice(&b, said->ver);
    if (alone) {
        buf_put_u8(&b, 0);
        buf_put_slice(&b, said->node);
        buf_put_slice(&b, full);
    }
    memcpy(t->bytes, b.bytes + b.start, buf_len(&b));
    t->key = slice_of(t->bytes, buf_len(&b));
    memcpy(t->bytes + t->key.len, said->node.p, said->node.len);
    t->said.format = said->format;
    t->said.algorithm = slice_of(t->bytes + 1, said->algorithm.len);
    t->said.ver = slice_of(t->bytes + 2 + said->algorithm.len, said->ver.len);
    t->said.node = slice_of(t->bytes + t->key.len, said->node.len);
    buf_free(&b);
    return t;
}

bool caps_text_is(const struct caps_text *t, const struct caps_said *said)
{
    return t->said.format == said->format && slice_eq(t->said.algorithm, said->algorithm) &&
           slice_eq(t->said.ver, said->ver) &&
           (said->format != CAPS_UNVERIFIED || slice_eq(t->said.node, said->node));
}

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

/* ---- what was verified: memory ---- */

struct remembered {
    struct list  order;
    struct blob *nodes;
    size_t       key_len;
    uint8_t      key[];
};

static void forget(struct caps *c, struct remembered *r)
{
    list_remove(&r->order);
    table_remove(c->remembered, slice_of(r->key, r->key_len));
    blob_unref(&r->nodes);
    free(r);
}

static void keep_in_memory(struct sm *sm, struct slice key, struct blob *nodes)
{
    struct caps       *c = sm->caps;
    struct remembered *r = table_get(c->remembered, key);

    if (r)
        forget(c, r);
    while (table_count(c->remembered) >= (size_t)sm->settings->limits.caps_remembered)
        forget(c, LIST_OWNER(c->recent.next, struct remembered, order));
    r = xcalloc(1, sizeof(*r) + key.len);
    r->nodes = blob_ref(nodes);
    r->key_len = key.len;
    memcpy(r->key, key.p, key.len);
    table_put(c->remembered, key, r);
    list_append(&c->recent, &r->order);
}

/* ---- and store ---- */

static void row_key(struct buf *out, struct slice key)
{
    uint8_t    hash[32];
    struct buf hex = { 0 };

    sha256(key, hash);
    hex_put(&hex, slice_of(hash, sizeof(hash)));
    store_key(out, 0, buf_slice(&hex));
    buf_free(&hex);
}

static struct blob *from_store(struct sm *sm, struct slice key)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct buf         name = { 0 };
    struct blob       *nodes = NULL;

    row_key(&name, key);
    struct cursor c = { store_get(view, T_CAPS, buf_slice(&name)), false };
    if (take_u8(&c) == FORMAT) {
        take_u64(&c);
        if (slice_eq(take_sized(&c), key) && !c.bad)
            nodes = blob_copy(c.rest);
    }
    buf_free(&name);
    store_view_end(&view);
    return nodes;
}

struct heap {
    struct sm   *sm;
    size_t       rows;
    uint64_t     oldest_when;
    struct slice oldest;
};

static int heap_row(void *arg, struct slice key, struct slice value)
{
    struct heap  *h = arg;
    struct cursor c = { value, false };
    uint64_t      when = take_u8(&c) == FORMAT ? take_u64(&c) : 0;

    h->rows++;
    if (!h->oldest.p || when < h->oldest_when) {
        h->oldest = arena_copy(h->sm->arena, key);
        h->oldest_when = when;
    }
    return 0;
}

/* Makes room for one row more in the heap of that key. */
static void make_room(struct sm *sm, struct store_batch *batch, struct slice key)
{
    enum { SLOT_AND_HEAP = 4 };
    struct store_view *view = store_view(sm->store.accounts);
    struct heap        h = { .sm = sm };

    store_each(view, T_CAPS, slice_cut(key, 0, SLOT_AND_HEAP), slice_of(NULL, 0), false, heap_row, &h);
    store_view_end(&view);
    if (h.rows >= (size_t)sm->settings->limits.caps_stored / HEAPS)
        store_delete(batch, T_CAPS, h.oldest);
}

static void stored(void *arg, enum zerr err)
{
    (void)arg;
    if (err)
        log_warn("caps_not_stored", "err", err_name(err), NULL);
}

/* Not of any account, and no loss when it fails: it goes by no outcome. */
static void keep_in_store(struct sm *sm, struct slice key, struct blob *nodes)
{
    struct store_batch *batch = store_batch(SLICE(""));
    struct buf          name = { 0 }, row = { 0 };

    row_key(&name, key);
    make_room(sm, batch, buf_slice(&name));
    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, wall_us() / 1000000);
    buf_put_sized(&row, key);
    buf_put_slice(&row, blob_slice(nodes));
    store_put(batch, T_CAPS, buf_slice(&name), buf_slice(&row));
    store_commit(sm->store.accounts, &batch, stored, NULL);
    buf_free(&row);
    buf_free(&name);
}

struct blob *caps_recall(struct sm *sm, const struct caps_text *t)
{
    struct remembered *r = table_get(sm->caps->remembered, t->key);
    struct blob       *nodes;

    if (r) {
        list_remove(&r->order);
        list_append(&sm->caps->recent, &r->order);
        return blob_ref(r->nodes);
    }
    nodes = t->said.format == CAPS_UNVERIFIED ? NULL : from_store(sm, t->key);
    if (nodes)
        keep_in_memory(sm, t->key, nodes);
    return nodes;
}

/* XEP-0115 5.4: for all JIDs; what only one is believed is remembered for it alone, and not stored. */
void caps_remember(struct sm *sm, const struct caps_text *t, struct blob *nodes)
{
    keep_in_memory(sm, t->key, nodes);
    if (t->said.format != CAPS_UNVERIFIED)
        keep_in_store(sm, t->key, nodes);
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

struct shown {
    struct sm *sm;
    char      *full;
};

static void after_presence(void *arg, enum zerr err)
{
    struct shown    *shown = arg;
    struct sm       *sm = shown->sm;
    struct slice     full = slice_str(shown->full);
    struct session  *s = session_by_jid(sm->sessions, full);
    struct caps_said said;
    struct blob     *nodes;

    (void)err;
    if (s && s->available) {
        said = caps_session_said(sm, s);
        nodes = wants_of(sm, &said, full);
        s->wants_asked = true;
        if (nodes)
            session_wants(sm, s, nodes);
        else
            caps_ask(sm, &said, full, jid_bare(full));
    }
    free(shown->full);
    free(shown);
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
    struct shown *shown;

    if (p->session->available)
        look(p->sm, p->session);
    if (p->session->available && p->session->wants && as_before(p->sm, p->session, root))
        return;
    shown = xcalloc(1, sizeof(*shown));
    shown->sm = p->sm;
    shown->full = xstrndup(session_jid(p->session));
    outcome_then(p->out, after_presence, shown);
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

/* ---- start and end ---- */

void caps_start(struct sm *sm)
{
    struct caps *c = xcalloc(1, sizeof(*c));

    c->sm = sm;
    c->remembered = table_new();
    c->questions = table_new();
    c->ids = table_new();
    c->own = table_new();
    c->bares = table_new();
    list_init(&c->recent);
    list_init(&c->contacts);
    list_init(&c->changed);
    sm->caps = c;
    caps_live_start(sm);
}

void caps_free(struct sm *sm)
{
    struct caps *c = sm->caps;

    if (!c)
        return;
    list_remove(&c->hook.link);
    caps_ask_free(c);
    caps_contacts_free(c);
    caps_server_forget(sm);
    while (!list_empty(&c->recent))
        forget(c, LIST_OWNER(c->recent.next, struct remembered, order));
    table_free(&c->remembered);
    table_free(&c->questions);
    table_free(&c->ids);
    table_free(&c->own);
    table_free(&c->bares);
    free(c);
    sm->caps = NULL;
}

/* ---- the feature ---- */

static bool is_reply(const struct stanza *s)
{
    return s->name == STANZA_IQ && (s->type == TYPE_RESULT || s->type == TYPE_ERROR);
}

static int caps_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (!is_reply(s) || !(s->to.len == 0 || slice_eq(s->to, p->owner)))
        return GO_ON;
    return caps_reply(p->sm, p->owner, s) ? TAKEN : GO_ON;
}

static int caps_incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (is_reply(s) && jid_is_bare(s->to))
        return caps_reply(p->sm, p->owner, s) ? TAKEN : GO_ON;
    return s->name == STANZA_PRESENCE ? caps_contact_presence(p) : GO_ON;
}

static const char *const caps_disco[] = { NS_CAPS, NS_CAPS_2, NULL };

static int server_info(struct iq *iq, struct slice node)
{
    (void)node;
    disco_info_write(iq);
    return ZE_OK;
}

static const struct disco_node caps_disco_nodes[] = {
    { TO_SERVER, NULL, caps_server_node, server_info, NULL },
    { 0 },
};

const struct sm_feature sm_caps = {
    .name = "caps", .spec = "XEP-0115, XEP-0390", .disco_server = caps_disco, .disco_nodes = caps_disco_nodes,
    .stats = stats,
    .outgoing = caps_outgoing, .incoming = caps_incoming,
};
