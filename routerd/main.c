/* routerd/main.c: passes every frame to its destination (DESIGN.md 1).
 * Holds: routes, queues. Never: XML, the store, a network socket. If it is taken over, the attacker
 * sees and forges what passes between the daemons, and holds no password and no key. */

#include <stdlib.h>

#include "encode.h"
#include "listener.h"
#include "log.h"
#include "mem.h"
#include "peer.h"
#include "router.h"
#include "shutdown.h"

static void publish(void *arg)
{
    route_table_publish(arg);
}

static bool listen_for_all(struct router *r)
{
    static const unsigned roles[LISTENERS] = { ROLE_SM, ROLE_MUC, ROLE_C2SD, ROLE_S2SD };

    for (size_t i = 0; i < LISTENERS; i++) {
        r->listeners[i] = listener_new(r, roles[i]);
        if (!r->listeners[i])
            return false;
    }
    return true;
}

static void router_stop(void *self)
{
    struct router *r = self;

    shutdown_free(&r->shutdown);
    for (size_t i = 0; i < LISTENERS; i++)
        listener_free(&r->listeners[i]);
    LIST_EACH(&r->peers, node)
        LIST_OWNER(node, struct peer, link)->greeted = false;   /* nobody is told about the others now */
    LIST_EACH(&r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        wire_flush(p->wire);
        peer_close(p);
    }
    loop_undefer(&r->publish);
    routes_free(&r->routes);
    free(r);
}

static void *router_start(struct daemon *d)
{
    struct router *r = xcalloc(1, sizeof(*r));

    r->d = d;
    r->self = (struct address){ ROLE_ROUTERD, instance_key("routerd"), random_u64() | 1 };
    r->queue_max = (size_t)d->settings->limits.router_queue_bytes;
    r->publish = (struct deferred){ .run = publish, .arg = r };
    list_init(&r->peers);
    r->shutdown = shutdown_new(r);
    route_table_build(r);
    router_register_stats(r);
    if (listen_for_all(r))
        return r;
    router_stop(r);
    return NULL;
}

static void refuse_evicted(struct router *r)
{
    LIST_EACH(&r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (p->greeted && !routes_instance(r->routes, p->self.instance))
            peer_refuse(p, "no longer in the configuration");
    }
}

static void router_reload(void *self, struct ctl_reply *answer)
{
    struct router *r = self;

    r->queue_max = (size_t)r->d->settings->limits.router_queue_bytes;
    route_table_build(r);
    refuse_evicted(r);
    route_table_changed(r);
    if (!answer)
        return;
    ctl_row(answer);
    ctl_str(answer, "applied", "domains, rooms, instances, limits.router_queue_bytes");
}

static const struct daemon_spec spec = {
    .name = "routerd", .role = ROLE_ROUTERD, .verbs = router_verbs, .start = router_start,
    .reload = router_reload, .status = router_status, .stop = router_stop,
};

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &spec);
}
