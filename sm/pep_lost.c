/* Subscriptions without access end (pep_lost.h). */

#include "pep_lost.h"

#include "jid.h"
#include "pep_access.h"
#include "pep_notify.h"

struct losers {
    struct passage    *p;
    struct store_view *view;
    struct pep_open   *open;
    struct slice       contact;        /* empty: all */
    bool               some;
};

static int lose(void *arg, const struct pep_sub *sub)
{
    struct losers         *l = arg;
    struct passage        *p = l->p;
    const struct pep_node *node = pep_open_node(l->open);
    struct pep_sub         gone = { .jid = sub->jid, .affiliation = sub->affiliation };

    if (!sub->subscription || (l->contact.len && !slice_eq(jid_bare(sub->jid), l->contact)) ||
        pep_access_rule(node->config.access, PEP_ACT_SUBSCRIBE,
                        pep_relation_of(p->sm, l->view, p->owner, node, sub->jid)) == PEP_OK)
        return 0;
    pep_change_sub(p, l->open, sub, &gone);
    pep_notify_subscription(p, node, &gone);
    l->some = true;
    return 0;
}

bool pep_cancel_lost(struct passage *p, struct store_view *view, struct pep_open *n, struct slice contact)
{
    struct losers l = { p, view, n, contact, false };

    if (pep_open_node(n)->subscribers)
        pep_subs_each(p->sm, view, p->owner, pep_open_node(n)->name, lose, &l);
    return l.some;
}

/* ---- a contact ---- */

struct check {
    struct passage     p;
    struct store_view *view;
    struct slice       contact;
};

static int check_node(void *arg, const struct pep_node *node)
{
    struct check    *c = arg;
    struct pep_open *n;

    if (!node->subscribers)
        return 0;
    if (!c->p.out)
        c->p.out = outcome_new(c->p.sm, c->p.owner, 0);
    n = pep_open(&c->p, c->view, arena_copy(c->p.sm->arena, node->name));
    if (n && pep_cancel_lost(&c->p, c->view, n, c->contact))
        pep_keep(&c->p, n);
    return 0;
}

void pep_contact_changed(struct sm *sm, struct slice owner, struct slice contact)
{
    struct check c = { .p = { .sm = sm, .owner = owner, .exists = true }, .contact = contact };

    c.view = store_view(sm->store.accounts);
    pep_nodes_each(sm, c.view, owner, check_node, &c);
    store_view_end(&c.view);
    if (c.p.out)
        outcome_settle(&c.p.out);
}
