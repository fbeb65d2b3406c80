/* Subscriptions, their options (XEP-0060 6.3), and affiliations (pep_store.h, pep_change.h). */

#include "pep_change.h"

#include "cursor.h"
#include "loop.h"
#include "pep_form.h"

/* Rows of format 1 have no options. */
enum { FORMAT_PLAIN = 1, FORMAT = 2 };

/* ---- names ---- */

static const char *const subscription_names[] = { "none", "pending", "subscribed" };
static const char *const affiliation_names[] = { "none", "member", "outcast" };

const char *pep_subscription_name(unsigned subscription)
{
    return subscription_names[subscription];
}

const char *pep_affiliation_name(unsigned affiliation)
{
    return affiliation_names[affiliation];
}

static int name_in(const char *const *names, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(name, names[i]))
            return (int)i;
    return -1;
}

int pep_subscription_parse(struct slice name)
{
    return name_in(subscription_names, COUNT_OF(subscription_names), name);
}

int pep_affiliation_parse(struct slice name)
{
    return name_in(affiliation_names, COUNT_OF(affiliation_names), name);
}

/* ---- options ---- */

#define AT(member) offsetof(struct pep_options, member)

/* 16.4.2. An account has neither digests nor collections, events have no body, and what a subscriber shows is not
 * known to everybody who publishes. */
static const struct pep_field fields[] = {
    { 1, PEP_FLAG, "pubsub#deliver", "Events are sent", AT(deliver), { NULL }, "1" },
    { 2, PEP_DATE, "pubsub#expire", "When the subscription ends", AT(expire_us), { NULL }, NULL },
    { 3, PEP_FIXED, "pubsub#digest", "Several events in one message", 0, { "0", "false" }, "0" },
    { 4, PEP_FIXED, "pubsub#include_body", "Events have a body", 0, { "0", "false" }, "0" },
    { 5, PEP_FIXED, "pubsub#subscription_type", "Events of items or nodes", 0, { "items" }, "items" },
    { 6, PEP_FIXED, "pubsub#subscription_depth", "Events of nodes below", 0, { "1" }, "1" },
};

static const struct pep_form options_form = { fields, COUNT_OF(fields) };

void pep_options_preset(struct pep_options *o)
{
    *o = (struct pep_options){ 0 };
    pep_form_preset(&options_form, o);
}

bool pep_options_read(struct arena *arena, const struct element *form, struct pep_options *o)
{
    const struct pep_field *refused;

    return !pep_form_read(&options_form, arena, form, true, o, &refused) && (!o->expire_us || o->expire_us > wall_us());
}

void pep_options_write(struct xml_writer *w, struct arena *arena, const struct pep_options *o, bool options)
{
    pep_form_write(&options_form, w, arena, o, options);
}

/* ---- rows ---- */

/* A subscription whose time is over is none (12.18). */
static bool sub_take(struct slice value, struct pep_sub *sub)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);

    sub->subscription = take_u8(&c);
    sub->affiliation = take_u8(&c);
    sub->stored = true;
    if (c.bad || (format != FORMAT && format != FORMAT_PLAIN) || sub->subscription > PEP_SUBSCRIBED ||
        sub->affiliation > PEP_OUTCAST || !pep_form_take(&options_form, &c, &sub->options))
        return false;
    if (sub->options.expire_us && sub->options.expire_us <= wall_us()) {
        sub->subscription = PEP_SUB_NONE;
        pep_options_preset(&sub->options);
    }
    return true;
}

static struct pep_sub nothing(struct slice jid)
{
    struct pep_sub sub = { .jid = jid };

    pep_options_preset(&sub.options);
    return sub;
}

struct pep_sub pep_sub_get(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                           struct slice jid)
{
    struct slice   value = store_get(view, T_NODE_SUB, pep_key_in_node(sm, owner, node, jid));
    struct pep_sub sub = nothing(jid);

    if (value.p && !sub_take(value, &sub)) {
        pep_unreadable("subscription", owner, node);
        sub = nothing(jid);
    }
    return sub;
}

void pep_sub_put(const struct sm *sm, struct store_batch *b, struct slice owner, struct slice node,
                 const struct pep_sub *sub)
{
    struct slice key = pep_key_in_node(sm, owner, node, sub->jid);
    struct buf   row = { 0 };

    if (sub->subscription == PEP_SUB_NONE && sub->affiliation == PEP_AFF_NONE) {
        store_delete(b, T_NODE_SUB, key);
        return;
    }
    buf_put_u8(&row, FORMAT);
    buf_put_u8(&row, sub->subscription);
    buf_put_u8(&row, sub->affiliation);
    if (sub->subscription)
        pep_form_put(&options_form, &row, sm->arena, &sub->options);
    store_put(b, T_NODE_SUB, key, buf_slice(&row));
    buf_free(&row);
}

struct sub_walk {
    struct slice prefix, owner, node;
    int        (*each)(void *arg, const struct pep_sub *sub);
    void        *arg;
};

static int sub_row(void *arg, struct slice key, struct slice value)
{
    struct sub_walk *w = arg;
    struct pep_sub   sub = { .jid = sm_key_rest(key, w->prefix) };

    if (sub_take(value, &sub))
        return w->each(w->arg, &sub);
    pep_unreadable("subscription", w->owner, w->node);
    return 0;
}

int pep_subs_each(const struct sm *sm, struct store_view *view, struct slice owner, struct slice node,
                  int (*each)(void *arg, const struct pep_sub *sub), void *arg)
{
    struct sub_walk w = { pep_key_in_node(sm, owner, node, slice_of(NULL, 0)), owner, node, each, arg };

    return store_each(view, T_NODE_SUB, w.prefix, slice_of(NULL, 0), false, sub_row, &w);
}

/* ---- changes ---- */

void pep_change_sub(struct passage *p, struct pep_open *n, const struct pep_sub *before, const struct pep_sub *sub)
{
    struct pep_node *node = pep_open_node(n);
    bool             is = sub->subscription || sub->affiliation;

    node->subscribers += is && !before->stored;
    node->subscribers -= before->stored && !is && node->subscribers;
    pep_sub_put(p->sm, outcome_accounts(p->out), p->owner, node->name, sub);
}

struct lapsed {
    struct passage  *p;
    struct pep_open *n;
};

static int drop_lapsed(void *arg, const struct pep_sub *sub)
{
    struct lapsed *l = arg;

    if (!sub->subscription && !sub->affiliation)
        pep_change_sub(l->p, l->n, sub, sub);
    return 0;
}

bool pep_subs_full(struct passage *p, struct store_view *view, struct pep_open *n)
{
    const struct pep_node *node = pep_open_node(n);
    uint64_t               most = (uint64_t)p->sm->settings->limits.pep_subscriptions_max;

    if (node->subscribers < most)
        return false;
    pep_subs_each(p->sm, view, p->owner, node->name, drop_lapsed, &(struct lapsed){ p, n });
    return node->subscribers >= most;
}
