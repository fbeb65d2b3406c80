/* Control verbs of routerd, its part of `status`, its counters. */

#include "members.h"
#include "shutdown.h"

static struct stat_row rows[] = {
    { "frames_passed",  "frames passed on",                                     NULL },
    { "bytes_passed",   "bytes of them",                                        NULL },
    { "frames_refused", "frames of a kind, from or route their sender may not use", NULL },
    { "frames_dropped", "frames for a daemon that was not there: their sender keeps them", NULL },
    { 0 },
};

void router_register_stats(struct router *r)
{
    uint64_t *values[] = { &r->counts.frames, &r->counts.bytes, &r->counts.refused, &r->counts.dropped };

    for (size_t i = 0; i < COUNT_OF(values); i++)
        rows[i].value = values[i];
    stats_register(rows);
}

void router_status(void *self, struct ctl_reply *reply)
{
    const struct router *r = self;
    int64_t up = 0;

    LIST_EACH(&r->peers, node)
        up += LIST_OWNER(node, struct peer, link)->greeted;
    ctl_int(reply, "peers", up);
    ctl_int(reply, "generation", routes_generation(r->routes));
    ctl_int(reply, "frames", (int64_t)r->counts.frames);
    ctl_int(reply, "dropped", (int64_t)r->counts.dropped);
}

static int verb_peers(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    const struct router         *r = self;
    const struct route_instance *it;

    (void)argc;
    (void)argv;
    for (size_t i = 0; (it = routes_at(r->routes, i)); i++) {
        const struct peer *p = peer_find(r, it->key);
        ctl_row(reply);
        ctl_str(reply, "name", it->name);
        ctl_str(reply, "role", role_name(it->role));
        ctl_int(reply, "pid", p ? p->pid : 0);
        ctl_str(reply, "state", !p ? "down" : p->congested ? "paused" : "up");
        ctl_int(reply, "queued_bytes", p ? (int64_t)wire_waiting(p->wire) : 0);
        ctl_int(reply, "frames_in", p ? (int64_t)p->frames_in : 0);
        ctl_int(reply, "frames_out", p ? (int64_t)p->frames_out : 0);
    }
    return ZE_OK;
}

static int verb_routes(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    const struct router *r = self;
    struct slice         domain;
    unsigned             role;
    uint32_t             instance;

    (void)argc;
    (void)argv;
    for (size_t i = 0; routes_domain_at(r->routes, i, &domain, &role, &instance); i++) {
        const struct route_instance *it = routes_instance(r->routes, instance);
        ctl_row(reply);
        ctl_slice(reply, "domain", domain);
        ctl_str(reply, "role", role_name(role));
        ctl_str(reply, "instance", it ? it->name : "by-slot");
    }
    return ZE_OK;
}

static int64_t slots_of(const struct router *r, const struct route_instance *it)
{
    int64_t count = 0;

    for (unsigned slot = 0; slot < SLOTS; slot++)
        count += routes_slot_owner(r->routes, it->role, slot) == it;
    return count;
}

static int verb_slots(void *self, int argc, char **argv, struct ctl_reply *reply)
{
    const struct router         *r = self;
    const struct route_instance *it;

    (void)argc;
    (void)argv;
    for (size_t i = 0; (it = routes_at(r->routes, i)); i++) {
        if (it->role != ROLE_SM && it->role != ROLE_MUC)
            continue;
        ctl_row(reply);
        ctl_str(reply, "role", role_name(it->role));
        ctl_str(reply, "instance", it->name);
        ctl_int(reply, "slots", slots_of(r, it));
        ctl_str(reply, "state", it->member == MEMBER_NOW ? "joining" : it->member == MEMBER_BEFORE ? "leaving"
                                : it->member ? "member" : "out");
        ctl_int(reply, "generation", routes_generation(r->routes));
    }
    return ZE_OK;
}

const struct ctl_verb router_verbs[] = {
    { "peers", "", "every instance and its link", "name role pid state queued_bytes frames_in frames_out",
      "", 0, 0, verb_peers },
    { "routes", "", "who serves which domain", "domain role instance", "", 0, 0, verb_routes },
    { "slots", "", "how many slots each instance owns", "role instance slots state generation", "", 0, 0,
      verb_slots },
    { "join", "INSTANCE", "an sm or muc instance takes its share of the slots", "",
      "not_found conflict unavailable", 1, 1, verb_join },
    { "leave", "INSTANCE", "it hands its slots and sessions to the others; then it may be stopped", "",
      "not_found conflict not_allowed unavailable", 1, 1, verb_leave },
    { "evict", "INSTANCE", "one that is down for good loses its slots, and its sessions end", "",
      "not_found conflict not_allowed", 1, 1, verb_evict },
    { "shutdown", "[stop SECONDS [TEXT] | restart SECONDS [TEXT] | cancel]",
      "warn the users now and then stop or restart all daemons in order; what is planned; call it off",
      "kind seconds text", "conflict not_acceptable not_found", 0, 3, verb_shutdown },
    { 0 },
};
