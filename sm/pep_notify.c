/* Events of nodes (pep_notify.h). */

#include "pep_notify.h"

#include "blocked.h"
#include "caps.h"
#include "data_form.h"
#include "delay.h"
#include "encode.h"
#include "jid.h"
#include "ns.h"
#include "pep_access.h"
#include "spread.h"

/* ---- what is said ---- */

static void open_in_node(struct xml_writer *w, struct buf *out, const char *name, const struct pep_node *node)
{
    xml_begin(w, out, NS_PUBSUB_EVENT);
    xml_open(w, name, NULL);
    xml_attr_slice(w, "node", node->name);
}

struct slice pep_event_item(struct outcome *o, const struct pep_node *node, const struct pep_item *item)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    open_in_node(&w, &out, "items", node);
    if (item->id.len) {
        xml_open(&w, "item", NULL);
        xml_attr_slice(&w, "id", item->id);
        if (node->config.item_reply == PEP_REPLY_PUBLISHER)
            xml_attr_slice(&w, "publisher", outcome_owner(o));
        if (node->config.payloads && item->payload.len)
            xml_raw(&w, item->payload);
        xml_close(&w);
    }
    xml_close(&w);
    return outcome_keep(o, &out);
}

struct slice pep_event_retract(struct outcome *o, const struct pep_node *node, const struct slice *ids, size_t count)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    open_in_node(&w, &out, "items", node);
    for (size_t i = 0; i < count; i++) {
        xml_open(&w, "retract", NULL);
        xml_attr_slice(&w, "id", ids[i]);
        xml_close(&w);
    }
    xml_close(&w);
    return outcome_keep(o, &out);
}

struct slice pep_event_bare(struct outcome *o, const struct pep_node *node, const char *what)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    open_in_node(&w, &out, what, node);
    xml_close(&w);
    return outcome_keep(o, &out);
}

struct slice pep_event_configuration(struct passage *p, const struct pep_node *node)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    open_in_node(&w, &out, "configuration", node);
    if (node->config.payloads) {
        form_open(&w, "result", NS_PUBSUB "#node_config");
        pep_config_write(&w, p->sm->arena, &node->config, false);
        xml_close(&w);
    }
    xml_close(&w);
    return outcome_keep(p->out, &out);
}

/* XEP-0163 4.3.1: from which of the owner's resources it comes. */
static void replyto_write(struct xml_writer *w, struct slice publisher)
{
    xml_open(w, "addresses", NS_ADDRESS);
    xml_open(w, "address", NULL);
    xml_attr(w, "type", "replyto");
    xml_attr_slice(w, "jid", publisher);
    xml_close(w);
    xml_close(w);
}

static struct stanza *message_of(struct passage *p, const struct pep_node *node, struct slice event,
                                 struct slice publisher, uint64_t sent_us)
{
    static const uint8_t types[] = { [PEP_HEADLINE] = TYPE_HEADLINE, [PEP_NORMAL] = TYPE_NORMAL };
    struct stanza       *s = arena_alloc(p->sm->arena, sizeof(*s));
    char                *id = arena_alloc(p->sm->arena, RANDOM_ID);
    struct buf           content = { 0 };
    struct xml_writer    w;

    random_id(id);
    xml_begin(&w, &content, NS_CLIENT);
    xml_open(&w, "event", NS_PUBSUB_EVENT);
    xml_raw(&w, event);
    xml_close(&w);
    if (publisher.len)
        replyto_write(&w, publisher);
    if (sent_us)
        delay_write(&content, p->owner, sent_us);
    *s = (struct stanza){
        .name = STANZA_MESSAGE, .type = types[node->config.notification], .from = p->owner,
        .id = slice_of(id, RANDOM_ID - 1), .payload_ns = SLICE(NS_PUBSUB_EVENT), .payload_name = SLICE("event"),
        .content = outcome_keep(p->out, &content),
    };
    return s;
}

/* ---- who hears it ---- */

struct told {
    struct told *next;
    struct slice jid;
};

struct round {
    struct passage        *p;
    struct store_view     *view;
    const struct pep_node *node;
    struct stanza         *plain;      /* without replyto */
    struct spread          near, far;  /* who sees the owner's presence, and who does not */
    struct told           *told;
    bool                   pending;    /* they hear it too */
};

static bool was_told(const struct round *r, struct slice jid)
{
    bool bare = jid_is_bare(jid);

    for (const struct told *t = r->told; t; t = t->next)
        if (slice_eq(bare ? jid_bare(t->jid) : t->jid, jid))
            return true;
    return false;
}

static void remember(struct round *r, struct slice jid)
{
    struct told *t = arena_alloc(r->p->sm->arena, sizeof(*t));

    *t = (struct told){ r->told, arena_copy(r->p->sm->arena, jid) };
    r->told = t;
}

static void tell(struct round *r, struct slice jid, unsigned relation)
{
    spread_jid(relation & (PEP_IS_OWNER | PEP_IS_CONTACT) ? &r->near : &r->far, jid);
    remember(r, jid);
}

static void tell_own(struct round *r, bool everybody)
{
    const struct online *account = session_online(r->p->sm->sessions, r->p->owner);

    if (!account)
        return;
    ONLINE_EACH(account, link, s)
        if (s->available && !was_told(r, session_jid(s)) && (everybody || caps_wants(r->p->sm, s, r->node->name))) {
            spread_session(&r->near, s);
            remember(r, session_jid(s));
        }
}

/* XEP-0163 4.3.3: never to whom the owner blocks. */
static bool may_hear(const struct round *r, enum pep_act act, struct slice jid, unsigned *relation)
{
    struct passage *p = r->p;

    *relation = pep_relation_of(p->sm, r->view, p->owner, r->node, jid);
    return pep_access_rule(r->node->config.access, act, *relation) == PEP_OK && !blocked(p->sm, p->owner, jid);
}

static void tell_contact(void *arg, struct slice full)
{
    struct round *r = arg;
    unsigned      relation;

    if (may_hear(r, PEP_ACT_HEAR, full, &relation))
        tell(r, full, relation);
}

/* XEP-0163 4.3.2: to the JID that was subscribed, but not when resources of that bare JID had it by their
 * interest. A bare one of this instance passes as any message does (RFC 6121 8.5.2.1.1). */
static void tell_subscriber(struct round *r, struct slice jid, unsigned relation)
{
    struct passage *p = r->p;
    struct stanza  *s;

    if (was_told(r, jid))
        return;
    if (!jid_is_bare(jid) || !sm_serves(p->sm, jid_domain(jid)) || !sm_owns(p->sm, jid)) {
        tell(r, arena_copy(p->sm->arena, jid), relation);
        return;
    }
    s = arena_alloc(p->sm->arena, sizeof(*s));
    *s = relation & PEP_IS_CONTACT ? *r->near.stanza : *r->plain;
    s->to = arena_copy(p->sm->arena, jid);
    outcome_route(p->out, AFTER_COMMIT, s);
}

/* Who has lost access is no subscriber any more (XEP-0163 7.1). */
static int subscriber(void *arg, const struct pep_sub *sub)
{
    struct round *r = arg;
    unsigned      relation;

    if (!sub->options.deliver ||
        (sub->subscription != PEP_SUBSCRIBED && !(r->pending && sub->subscription == PEP_SUB_PENDING)))
        return 0;
    if (!may_hear(r, PEP_ACT_SUBSCRIBE, sub->jid, &relation))
        return 0;
    if (slice_eq(sub->jid, r->p->owner))
        tell_own(r, true);
    else
        tell_subscriber(r, sub->jid, relation);
    return 0;
}

static void tell_all(struct round *r, struct slice event, struct slice publisher)
{
    struct passage        *p = r->p;
    const struct pep_node *node = r->node;

    if (!node->config.deliver)
        return;
    r->plain = message_of(p, node, event, slice_of(NULL, 0), 0);
    spread_begin(&r->near, p->sm, p->out, AFTER_COMMIT,
                 publisher.len ? message_of(p, node, event, publisher, 0) : r->plain);
    spread_begin(&r->far, p->sm, p->out, AFTER_COMMIT, r->plain);
    tell_own(r, false);
    caps_each_contact(p->sm, p->owner, node->name, tell_contact, r);
    if (node->subscribers)
        pep_subs_each(p->sm, r->view, p->owner, node->name, subscriber, r);
    spread_end(&r->near);
    spread_end(&r->far);
}

void pep_notify(struct passage *p, struct store_view *view, const struct pep_node *node, struct slice event,
                struct slice publisher)
{
    tell_all(&(struct round){ .p = p, .view = view, .node = node }, event, publisher);
}

void pep_notify_deleted(struct passage *p, struct store_view *view, const struct pep_node *node)
{
    tell_all(&(struct round){ .p = p, .view = view, .node = node, .pending = true },
             pep_event_bare(p->out, node, "delete"), slice_of(NULL, 0));
}

void pep_notify_subscription(struct passage *p, const struct pep_node *node, const struct pep_sub *sub)
{
    struct buf        out = { 0 };
    struct xml_writer w;
    struct stanza    *s;

    open_in_node(&w, &out, "subscription", node);
    xml_attr_slice(&w, "jid", sub->jid);
    xml_attr(&w, "subscription", pep_subscription_name(sub->subscription));
    xml_close(&w);
    s = message_of(p, node, outcome_keep(p->out, &out), slice_of(NULL, 0), 0);
    s->to = arena_copy(p->sm->arena, sub->jid);
    outcome_route(p->out, AFTER_COMMIT, s);
}

void pep_notify_last(struct passage *p, struct store_view *view, const struct pep_node *node, struct slice to)
{
    unsigned        relation = pep_relation_of(p->sm, view, p->owner, node, to);
    bool            near = relation & (PEP_IS_OWNER | PEP_IS_CONTACT);
    struct session *session;
    struct pep_item item;
    struct stanza  *s;

    if (!node->config.deliver ||
        !pep_item_get(p->sm, view, p->owner, node->name, slice_of(NULL, 0), &item))
        return;
    s = message_of(p, node, pep_event_item(p->out, node, &item), near ? item.publisher : slice_of(NULL, 0),
                   item.time_us);
    s->to = to;
    session = session_by_jid(p->sm->sessions, to);
    if (session && relation & PEP_IS_OWNER)
        outcome_session(p->out, AFTER_COMMIT, session, s);
    else
        outcome_route(p->out, AFTER_COMMIT, s);
}
