/* Brings the rosters of this instance's accounts in line with the shared groups (groups.h), a few at a time. What
 * is done is seen in the rosters themselves, so it may end anywhere and begin again. */

#include "groups.h"

#include <stdlib.h>

#include "account.h"
#include "feature.h"
#include "jid.h"
#include "log.h"
#include "presence.h"
#include "roster.h"
#include "routes.h"
#include "table.h"

enum { LOOK_MS = 1000, STEP_MS = 100, CHANGES_A_STEP = 200, ACCOUNTS_A_STEP = 50 };

struct shared {
    struct shared *next;
    struct buf     title, domain;
    bool           everybody, refused;      /* refused: too many, and it is as if it were not there */
    struct table  *members;         /* bare JID -> the table */
};

struct groups {
    struct sm     *sm;
    struct timer   timer;
    uint64_t       version;         /* that our rosters are in line with, or are being brought */
    uint32_t       generation;      /* of the routes then */
    bool           working, loading;       /* loading: accounts for groups of everybody, so far up to `at` */
    struct buf     at;
    struct shared *all;             /* while working */
    struct table  *waiting;         /* accounts not done yet -> the table */
};

/* ---- what there is ---- */

static void drop_all(struct groups *g)
{
    while (g->all) {
        struct shared *s = g->all;
        g->all = s->next;
        buf_free(&s->title);
        buf_free(&s->domain);
        table_free(&s->members);
        free(s);
    }
    table_free(&g->waiting);
    buf_free(&g->at);
    g->working = g->loading = false;
}

struct loading {
    struct groups *g;
    struct buf     name;            /* of the group read last: its members follow it */
};

static void await(struct groups *g, struct slice account)
{
    if (sm_owns(g->sm, account))
        table_put(g->waiting, account, g->waiting);
}

static void load_group(void *arg, struct slice domain, struct slice group, bool everybody, struct slice title)
{
    struct loading *l = arg;
    struct shared  *s = xcalloc(1, sizeof(*s));

    s->everybody = everybody;
    s->members = table_new();
    buf_put_slice(&s->title, title);
    buf_put_slice(&s->domain, domain);
    s->next = l->g->all;
    l->g->all = s;
    buf_reset(&l->name, 256);
    buf_put_sized(&l->name, domain);
    buf_put_slice(&l->name, group);
}

static void enter(struct groups *g, struct shared *s, struct slice member)
{
    table_put(s->members, member, s->members);
    await(g, member);
}

static void load_member(void *arg, struct slice domain, struct slice group, struct slice member)
{
    struct loading *l = arg;
    struct buf      name = { 0 };

    buf_put_sized(&name, domain);
    buf_put_slice(&name, group);
    if (l->g->all && slice_eq(buf_slice(&name), buf_slice(&l->name)))
        enter(l->g, l->g->all, member);
    buf_free(&name);
}

static void load_account(void *arg, struct slice account)
{
    struct loading *l = arg;

    await(l->g, account);
}

/* The domain may have grown since the operator was allowed the group. */
static void refuse_large(struct groups *g, struct shared *s)
{
    s->refused = true;
    table_free(&s->members);
    s->members = table_new();
    log_warn("group_too_large", "domain", log_slice(buf_slice(&s->domain)), "instance", g->sm->instance, NULL);
}

static int load_account_of_all(void *arg, struct slice jid, const struct account_info *info)
{
    struct groups *g = arg;
    size_t         most = (size_t)g->sm->settings->limits.group_members_max;

    (void)info;
    for (struct shared *s = g->all; s; s = s->next)
        if (s->everybody && !s->refused && slice_eq(jid_domain(jid), buf_slice(&s->domain))) {
            enter(g, s, jid);
            if (table_count(s->members) > most)
                refuse_large(g, s);
        }
    return 0;
}

static void load_some(struct groups *g)
{
    if (account_some(g->sm->store.accounts, &g->at, load_account_of_all, g) <= 0)
        g->loading = false;
}

static void load_all(struct groups *g)
{
    struct store_view *view = store_view(g->sm->store.accounts);
    struct loading     l = { .g = g };

    g->waiting = table_new();
    groups_walk(view, &(struct groups_walk){ load_group, load_member, load_account, &l });
    for (const struct shared *s = g->all; s; s = s->next)
        g->loading |= s->everybody;
    store_view_end(&view);
    buf_free(&l.name);
}

/* ---- one account ---- */

/* Contacts that it is to have by groups -> struct buf with their titles, each sized. */
static struct table *wanted_by(const struct groups *g, struct slice account)
{
    struct table *wanted = table_new();

    for (const struct shared *s = g->all; s; s = s->next) {
        if (!table_get(s->members, account))
            continue;
        for (struct table_iter i = { 0 }; table_next(s->members, &i);) {
            struct buf *titles = slice_eq(i.key, account) ? NULL : table_get(wanted, i.key);
            if (slice_eq(i.key, account))
                continue;
            if (!titles)
                table_put(wanted, i.key, titles = xcalloc(1, sizeof(*titles)));
            buf_put_sized(titles, buf_slice(&s->title));
        }
    }
    return wanted;
}

static void wanted_free(struct table **wanted)
{
    for (struct table_iter i = { 0 }; table_next(*wanted, &i);) {
        buf_free(i.value);
        free(i.value);
    }
    table_free(wanted);
}

struct work {
    struct groups      *g;
    struct slice        account;
    struct table       *wanted;
    struct roster_item  found[CHANGES_A_STEP];
    unsigned            found_count;
    bool                has;          /* items of groups afterwards */
};

static struct roster_item item_copy(struct arena *arena, const struct roster_item *item)
{
    struct roster_item copy = *item;

    copy.contact = arena_copy(arena, item->contact);
    copy.name = arena_copy(arena, item->name);
    copy.groups = arena_copy(arena, item->groups);
    copy.shared = arena_copy(arena, item->shared);
    return copy;
}

/* An item of the roster that is not as the groups want it; 1: enough for this step. */
static int compare(void *arg, const struct roster_item *item)
{
    struct work *w = arg;
    struct buf  *titles = table_get(w->wanted, item->contact);
    bool         is = item->flags & ROSTER_SHARED;

    if (titles) {
        table_remove(w->wanted, item->contact);
        w->has = true;
    }
    if ((!titles && !is) || (titles && is && slice_eq(item->shared, buf_slice(titles)))) {
        if (titles) {
            buf_free(titles);
            free(titles);
        }
        return 0;
    }
    w->found[w->found_count] = item_copy(w->g->sm->arena, item);
    w->found[w->found_count++].shared = titles ? arena_copy(w->g->sm->arena, buf_slice(titles)) : slice_of("", 0);
    if (titles) {
        buf_free(titles);
        free(titles);
    }
    return w->found_count == CHANGES_A_STEP;
}

static void missing(struct work *w)
{
    for (struct table_iter i = { 0 }; w->found_count < CHANGES_A_STEP && table_next(w->wanted, &i);) {
        w->found[w->found_count++] = (struct roster_item){
            .contact = arena_copy(w->g->sm->arena, i.key), .flags = ROSTER_UNLISTED, .name = slice_of("", 0),
            .groups = slice_of("", 0), .shared = arena_copy(w->g->sm->arena, buf_slice(i.value)),
        };
        w->has = true;
    }
}

/* The item with the groups it is in now; presence begins or ends as it would with a subscription. */
static void change(struct work *w, struct roster_item *item)
{
    struct sm         *sm = w->g->sm;
    struct stanza      none = { 0 };
    struct passage     p = { .sm = sm, .owner = w->account, .exists = true, .stanza = &none };
    struct store_view *view = store_view(sm->store.accounts);
    bool               saw = item->flags & ROSTER_FROM, sees;

    p.out = outcome_new(sm, w->account, 0);
    sees = roster_share(p.out, sm, view, w->account, item);
    store_view_end(&view);
    if (sees)
        store_delete(outcome_accounts(p.out), T_PENDING, sm_key(sm, w->account, item->contact));
    if (saw != sees)
        presence_show(&p, item->contact, sees);
    outcome_settle(&p.out);
}

static void mark(struct work *w)
{
    struct outcome *o = outcome_new(w->g->sm, w->account, 0);

    groups_mark(w->g->sm, outcome_accounts(o), w->account, w->has);
    outcome_settle(&o);
}

/* How many changes were made; as many as one step may: there may be more. */
static unsigned align(struct groups *g, struct slice account)
{
    struct work        *w = arena_alloc(g->sm->arena, sizeof(*w));
    struct store_view  *view = store_view(g->sm->store.accounts);
    struct account_info info;

    *w = (struct work){ .g = g, .account = account, .wanted = wanted_by(g, account) };
    if (account_get(view, account, &info) && !roster_each(g->sm, view, account, compare, w))
        missing(w);
    store_view_end(&view);
    if (w->found_count && w->has)
        mark(w);
    for (unsigned i = 0; i < w->found_count; i++)
        change(w, &w->found[i]);
    if (w->found_count && !w->has && w->found_count < CHANGES_A_STEP)
        mark(w);
    wanted_free(&w->wanted);
    return w->found_count;
}

/* ---- in steps ---- */

static void step(struct groups *g)
{
    struct arena *arena = g->sm->arena;
    unsigned      changes = 0, accounts = 0;

    for (struct table_iter i = { 0 };
         changes < CHANGES_A_STEP && accounts < ACCOUNTS_A_STEP && table_next(g->waiting, &i); accounts++) {
        unsigned made = sm_owns(g->sm, i.key) ? align(g, arena_copy(arena, i.key)) : 0;
        changes += made;
        if (made < CHANGES_A_STEP)
            table_remove(g->waiting, i.key);
        arena_reset(arena);
    }
    if (!table_count(g->waiting)) {
        log_info("groups_in_line", "instance", g->sm->instance, NULL);
        drop_all(g);
    }
}

static void look(struct groups *g)
{
    struct store_view *view = store_view(g->sm->store.accounts);
    uint64_t           version = groups_version(view);

    store_view_end(&view);
    if (version == g->version && routes_generation(g->sm->routes) == g->generation)
        return;
    g->version = version;
    g->generation = routes_generation(g->sm->routes);
    drop_all(g);
    if (!version)
        return;
    load_all(g);
    g->working = true;
}

static void on_timer(void *arg)
{
    struct groups *g = arg;

    if (routes_settled(g->sm->routes) && !g->sm->stopping)
        look(g);
    if (g->loading)
        load_some(g);
    else if (g->working)
        step(g);
    timer_arm(g->sm->loop, &g->timer, g->working ? STEP_MS : LOOK_MS);
}

struct groups *groups_new(struct sm *sm)
{
    struct groups *g = xcalloc(1, sizeof(*g));

    g->sm = sm;
    g->timer = (struct timer){ .fire = on_timer, .arg = g };
    timer_arm(sm->loop, &g->timer, STEP_MS);
    return g;
}

void groups_free(struct groups **gp)
{
    struct groups *g = *gp;

    if (!g)
        return;
    timer_disarm(&g->timer);
    drop_all(g);
    free(g);
    *gp = NULL;
}
