/* Last items for newcomers (pep_newcomer.h). */

#include "pep_newcomer.h"

#include "blocked.h"
#include "caps.h"
#include "jid.h"
#include "pep_access.h"
#include "pep_notify.h"

/* One pass over an account's nodes for somebody. */
struct welcome {
    struct passage         p;
    struct store_view     *view;
    const struct pep_node *node;
};

static struct welcome welcome_begin(struct sm *sm, struct slice owner)
{
    struct welcome w = { .p = { .sm = sm, .owner = owner, .exists = true } };

    w.p.out = outcome_new(sm, owner, 0);
    w.view = store_view(sm->store.accounts);
    return w;
}

static void welcome_end(struct welcome *w)
{
    store_view_end(&w->view);
    outcome_settle(&w->p.out);
}

static void give_last(void *arg, struct slice full)
{
    struct welcome *w = arg;
    struct passage *p = &w->p;
    unsigned        relation = pep_relation_of(p->sm, w->view, p->owner, w->node, full);

    if (pep_access_rule(w->node->config.access, PEP_ACT_HEAR, relation) == PEP_OK && !blocked(p->sm, p->owner, full))
        pep_notify_last(p, w->view, w->node, full);
}

static bool on_presence(const struct pep_node *node)
{
    return node->items && node->config.send_last == PEP_LAST_ON_PRESENCE;
}

void pep_newcomer_known(struct sm *sm, struct slice owner, struct slice full, struct slice nodes)
{
    struct welcome w = welcome_begin(sm, owner);

    while (nodes.len) {
        size_t          len = strnlen((const char *)nodes.p, nodes.len);
        struct pep_node node;
        w.node = &node;
        if (pep_node_find(sm, w.view, owner, slice_cut(nodes, 0, len), &node) && on_presence(&node))
            give_last(&w, full);
        nodes = slice_cut(nodes, len < nodes.len ? len + 1 : len, nodes.len);
    }
    welcome_end(&w);
}

/* ---- a new contact ---- */

struct greeting {
    struct welcome w;
    struct slice   contact;
};

static int greet(void *arg, const struct pep_node *node)
{
    struct greeting *g = arg;

    g->w.node = node;
    if (on_presence(node))
        caps_each_of_contact(g->w.p.sm, g->w.p.owner, g->contact, node->name, give_last, &g->w);
    return 0;
}

void pep_newcomer_let_in(struct sm *sm, enum zerr err, struct slice owner, struct slice contact)
{
    struct greeting g;

    if (err)
        return;
    g = (struct greeting){ welcome_begin(sm, owner), contact };
    pep_nodes_each(sm, g.w.view, owner, greet, &g);
    welcome_end(&g.w);
}

void pep_newcomer_subscribed(struct passage *p)
{
    if (p->stanza->name == STANZA_PRESENCE && p->stanza->type == TYPE_SUBSCRIBED && p->stanza->to.len)
        outcome_after(p->out, AFTER_CONTACT_LET_IN, p->owner, jid_bare(p->stanza->to));
}
