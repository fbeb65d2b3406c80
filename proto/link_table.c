/* Who is there (link_priv.h): follows the route table, finds new joins and lost lives. */

#include <stdlib.h>

#include "cursor.h"
#include "link_priv.h"
#include "log.h"
#include "mem.h"

struct link_peer *link_find_peer(const struct link *l, uint32_t instance)
{
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (p->instance == instance)
            return p;
    }
    return NULL;
}

static void on_away(void *arg);

struct link_peer *link_get_peer(struct link *l, uint32_t instance)
{
    struct link_peer *p = link_find_peer(l, instance);

    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    p->owner = l;
    p->instance = instance;
    p->away = (struct timer){ .fire = on_away, .arg = p };
    channel_init(&p->out);
    list_append(&l->peers, &p->link);
    return p;
}

void link_peer_free(struct link_peer *p)
{
    struct kept *chain = channel_take(&p->out, channel_is_any, 0);

    while (chain) {
        struct kept *k = chain;
        chain = k->next;
        if (--k->refs == 0)
            free(k);
    }
    timer_disarm(&p->away);
    channel_free(&p->out);
    intake_free(&p->in);
    buf_free(&p->unsaid);
    free(p);
}

/* ---- lost lives ---- */

static void life_lost(struct link *l, struct link_peer *p, const char *why)
{
    const struct route_instance *it = routes_instance(l->routes, p->instance);
    struct address life = { p->role, p->instance, p->life };

    p->life = 0;
    link_live_peer_changed(l, p);
    if (!life.incarnation || p->instance == l->self.instance)
        return;
    log_info("peer_lost", "peer", it ? it->name : "?", "why", why, NULL);
    link_take_out(l, p, channel_is_for_life, life.incarnation, ZE_NO_ROUTE);
    if (l->spec.on_peer_lost)
        l->spec.on_peer_lost(l->spec.daemon, &life);
}

/* sm and muc have live memory: they come back as they were, however long it takes. */
static bool comes_back(unsigned role)
{
    return role == ROLE_SM || role == ROLE_MUC;
}

static void on_away(void *arg)
{
    struct link_peer *p = arg;
    struct link      *l = p->owner;

    p->absent = true;
    if (!comes_back(p->role))
        life_lost(l, p, "away");
    link_take_out(l, p, channel_is_unsent_question, 0, ZE_TIMEOUT);
}

/* ---- the table ---- */

/* True: it has a new link. */
static bool follow_instance(struct link *l, const struct route_instance *it)
{
    struct link_peer *p = link_get_peer(l, it->key);

    p->role = it->role;
    if (it->incarnation && p->life && it->incarnation != p->life)
        life_lost(l, p, "came back anew");
    if (it->incarnation && it->incarnation != p->life && (it->up || p->life)) {
        p->life = it->incarnation;
        link_live_peer_changed(l, p);
    }
    p->up = it->up;
    if (it->up) {
        p->absent = false;
        timer_disarm(&p->away);
        return channel_join(&p->out, routes_router(l->routes), it->joins);
    }
    buf_free(&p->unsaid);                  /* it will ask */
    if (!p->absent && !timer_armed(&p->away))
        timer_arm(l->loop, &p->away, l->spec.away_ms ? (uint64_t)l->spec.away_ms : AWAY_MS);
    return false;
}

static void follow_all(struct link *l)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(l->routes, i)); i++) {
        if (!follow_instance(l, it))
            continue;
        struct address peer = { it->role, it->key, it->incarnation };
        link_pump(l, link_find_peer(l, it->key));
        if (l->spec.on_peer_back && it->key != l->self.instance)
            l->spec.on_peer_back(l->spec.daemon, &peer);
    }
}

/* One that owns no slots any more and is down has been stopped after it left, or evicted. */
static bool is_recorded(const struct link *l, uint32_t instance)
{
    const struct route_instance *it = routes_instance(l->routes, instance);

    return it && (it->member || it->up);
}

/* One that is recorded no more will never come. */
static void follow_evictions(struct link *l)
{
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (is_recorded(l, p->instance))
            continue;
        p->up = false;
        timer_disarm(&p->away);
        life_lost(l, p, "evicted");
        link_take_out(l, p, channel_is_any, 0, ZE_NO_ROUTE);
    }
}

void link_on_routes(struct link *l, const struct frame *f)
{
    if (routes_decode(l->routes, f->body)) {
        link_drop_wire(l, "unreadable route table");
        return;
    }
    link_live_routes(l, f->body);
    if (l->state != UP) {
        link_is_up(l);
        log_info("link_up", "instance", l->spec.instance, NULL);
    }
    follow_all(l);
    follow_evictions(l);
    if (l->spec.on_routes)
        l->spec.on_routes(l->spec.daemon, l->routes);
    link_release_held(l);
    link_pump_all(l);
}

void link_on_pause_or_resume(struct link *l, const struct frame *f)
{
    struct cursor     cur = { f->body, false };
    struct link_peer *p = link_find_peer(l, take_u32(&cur));

    if (!cursor_done(&cur)) {
        link_drop_wire(l, "unreadable PAUSE");
        return;
    }
    if (!p)
        return;
    p->paused = f->kind == FRAME_PAUSE;
    link_pump(l, p);
}

void link_all_cut(struct link *l)
{
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        p->up = p->paused = p->talked = false;
        buf_free(&p->unsaid);
        channel_cut(&p->out);
        timer_disarm(&p->away);
    }
}
