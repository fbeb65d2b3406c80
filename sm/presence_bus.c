/* The presence bus, tied to sm (presence_bus.h). */

#include "presence_bus.h"

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "bus.h"
#include "bus_packet.h"
#include "dispatch.h"
#include "fanout.h"
#include "jid.h"
#include "log.h"
#include "presence_keys.h"
#include "redis.h"
#include "sm_live.h"

enum { TICK_MS = 100, ANSWER_MAX = 4 << 20 };

struct presence_bus {
    struct sm            *sm;
    struct link          *link;
    struct bus           *bus;
    struct redis         *redis;     /* NULL: server.redis is off */
    struct presence_keys *keys;      /* the same */
    const struct frame   *in_hand;   /* while its handler runs */
    struct live_hook      before_commit;
    struct deferred       after_turn;
    struct timer          tick;
};

static uint64_t now_of(const struct presence_bus *pb)
{
    return loop_now_ms(pb->sm->loop);
}

static void keep_ticking(struct presence_bus *pb)
{
    if (!timer_armed(&pb->tick))
        timer_arm(pb->sm->loop, &pb->tick, TICK_MS);
}

static void on_tick(void *arg)
{
    struct presence_bus *pb = arg;

    if (bus_tick(pb->bus, now_of(pb)))
        keep_ticking(pb);
}

/* ---- what the bus needs of the world ---- */

static enum zerr way_send(void *arg, uint32_t instance, struct slice body)
{
    struct presence_bus *pb = arg;
    struct frame         f = frame_make(FRAME_PRESENCE_BUS);

    f.dest = (struct address){ .role = ROLE_SM, .instance = instance };
    f.body = body;
    return link_send(pb->link, &f);
}

static void way_save(void *arg, struct slice key, struct slice value)
{
    struct presence_bus *pb = arg;

    if (value.p)
        live_put(pb->sm->live, L_BUS, key, value);
    else
        live_delete(pb->sm->live, L_BUS, key);
}

static struct receipt *way_receipt(void *arg)
{
    struct presence_bus *pb = arg;

    return link_receipt(pb->link, pb->in_hand);
}

static void way_release(void *arg, struct receipt *receipt)
{
    (void)arg;
    receipt_unref(&receipt);
}

struct publication {
    struct presence_bus *pb;
    uint64_t             ticket;
};

static void on_published(void *arg, const struct redisReply *reply)
{
    struct publication *p = arg;
    bool                counted = reply && reply->type == REDIS_REPLY_INTEGER;

    bus_published(p->pb->bus, p->ticket, counted ? reply->integer : -1, now_of(p->pb));
    free(p);
}

static enum zerr way_publish(void *arg, const char *channel, struct slice payload, uint64_t ticket)
{
    struct presence_bus *pb = arg;
    struct slice         words[] = { SLICE("PUBLISH"), slice_str(channel), payload };
    struct publication  *p = xcalloc(1, sizeof(*p));
    enum zerr            err;

    *p = (struct publication){ pb, ticket };
    err = redis_ask(pb->redis, words, COUNT_OF(words), on_published, p);
    if (err)
        free(p);
    keep_ticking(pb);
    return err;
}

static bool owned_by(const struct sm *sm, struct slice bare, uint32_t instance)
{
    const struct route_instance *owner = routes_slot_owner(sm->routes, ROLE_SM, slot_of(bare));

    return owner && owner->key == instance;
}

static bool all_are_ours(const struct sm *sm, const struct frame *f)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry entry;

    if (f->kind == FRAME_STANZA)
        return sm_owns(sm, jid_bare(f->stanza.to));
    while (fanout_next(&c, &entry))
        if (!sm_owns(sm, jid_bare(entry.jid)))
            return false;
    return true;
}

/* An instance speaks for the accounts of its slots, to those of ours. While slots move the tables of the
 * two may differ, and only dispatch's checks are left: local domains, canonical JIDs, sound content. */
static bool may_say(const struct sm *sm, const struct frame *f)
{
    struct slice from = f->stanza.from;

    if (!sm_serves(sm, jid_domain(from)) || !jid_local(from).len)
        return false;
    return !routes_settled(sm->routes) || f->generation != routes_generation(sm->routes) ||
           (owned_by(sm, jid_bare(from), f->origin.instance) && all_are_ours(sm, f));
}

static void way_deliver(void *arg, const struct frame *f)
{
    struct presence_bus *pb = arg;

    if (!may_say(pb->sm, f)) {
        log_warn("frame_refused", "trace", log_hex(f->trace), "kind", "PRESENCE_BUS", "peer",
                 log_num(f->origin.instance), "from", log_slice(f->stanza.from), NULL);
        return;
    }
    (f->kind == FRAME_FANOUT ? on_fanout : on_stanza)(pb->sm, f);
    arena_reset(pb->sm->arena);
}

/* ---- what comes ---- */

void on_presence_bus(void *self, const struct frame *f)
{
    struct sm *sm = self;

    sm->bus->in_hand = f;
    if (f->origin.role != ROLE_SM || bus_on_frame(sm->bus->bus, &f->origin, f->body, now_of(sm->bus)))
        log_warn("frame_refused", "trace", log_hex(f->trace), "kind", "PRESENCE_BUS", "peer",
                 log_num(f->origin.instance), "why", "malformed", NULL);
    sm->bus->in_hand = NULL;
    keep_ticking(sm->bus);
}

/* Whoever can write to Redis can write this: it is counted, and said where nobody is told each time. */
static void on_message(void *arg, struct slice payload)
{
    struct presence_bus *pb = arg;

    if (!bus_on_message(pb->bus, payload, now_of(pb)))
        log_debug("presence_junk", "bytes", log_num((int64_t)payload.len), NULL);
    keep_ticking(pb);
}

static void on_change(void *arg)
{
    struct presence_bus *pb = arg;

    bus_redis(pb->bus, redis_up(pb->redis), redis_listening(pb->redis), now_of(pb));
    presence_keys_redis(pb->keys, redis_up(pb->redis));
    keep_ticking(pb);
}

/* Part of the commit that makes the turn true: it only fills rows and the queue to Redis. */
static void on_before_commit(void *arg)
{
    struct presence_bus *pb = arg;

    if (bus_end_turn(pb->bus, now_of(pb)))
        loop_defer(pb->sm->loop, &pb->after_turn);
}

static void on_after_turn(void *arg)
{
    struct presence_bus *pb = arg;

    bus_after_turn(pb->bus, now_of(pb));
}

/* ---- from sm ---- */

bool presence_bus_take(struct presence_bus *pb, const struct frame *f)
{
    const struct sm *sm = pb->sm;

    if (!pb->redis || f->dest.role != ROLE_SM || !bus_frame_fits(f) || !routes_settled(sm->routes) ||
        !sm_owns(sm, jid_bare(f->stanza.from)))
        return false;
    bus_send(pb->bus, f, now_of(pb));
    live_dirty(sm->live);
    return true;
}

void presence_bus_shown(struct presence_bus *pb, const struct session *s)
{
    if (pb && pb->keys)
        presence_keys_write(pb->keys, s);
}

static struct bus_limits limits_of(const struct sm *sm)
{
    return (struct bus_limits){
        .unconfirmed_bytes = (size_t)sm->settings->limits.presence_bus_bytes,
        .patience_ms = (uint64_t)sm->settings->limits.presence_bus_ms,
    };
}

void presence_bus_settings(struct presence_bus *pb)
{
    struct bus_limits limits = limits_of(pb->sm);

    bus_set_limits(pb->bus, &limits);
}

/* While slots move presence is routed like all else, so that the link and dispatch do with it what they do
 * with the rest: what Redis had not carried goes before it. */
void presence_bus_routes(struct presence_bus *pb)
{
    const struct sm             *sm = pb->sm;
    const struct route_instance *at;

    for (size_t i = 0; (at = routes_at(sm->routes, i)); i++) {
        struct route_instance peer = *at;
        peer.up &= routes_settled(sm->routes);
        if (peer.role == ROLE_SM)
            bus_peer(pb->bus, &peer, now_of(pb));
    }
    if (pb->keys)
        presence_keys_routed(pb->keys);
    keep_ticking(pb);
}

static int restore_row(void *arg, struct slice key, struct slice value)
{
    struct presence_bus *pb = arg;

    bus_restore(pb->bus, key, value);
    return 0;
}

static void connect_redis(struct presence_bus *pb, const struct bus_limits *limits)
{
    struct sm        *sm = pb->sm;
    struct redis_spec spec = {
        .loop = sm->loop, .live = sm->live, .where = sm->settings->server.redis, .channel = bus_channel(pb->bus),
        .out_max = 2 * limits->unconfirmed_bytes, .in_max = ANSWER_MAX,
        .on_change = on_change, .on_message = on_message, .arg = pb,
    };

    if (strcmp(spec.where, "off") == 0)
        return;
    pb->redis = redis_new(&spec);
    pb->keys = presence_keys_new(sm, pb->redis);
}

struct presence_bus *presence_bus_new(struct sm *sm, struct link *link)
{
    struct presence_bus *pb = xcalloc(1, sizeof(*pb));
    struct bus_limits    limits = limits_of(sm);
    struct bus_ways      ways = {
        way_send, way_publish, way_save, way_receipt, way_release, way_deliver, pb,
    };

    *pb = (struct presence_bus){
        .sm = sm, .link = link, .tick = { .fire = on_tick, .arg = pb },
        .before_commit = { .run = on_before_commit, .arg = pb }, .after_turn = { .run = on_after_turn, .arg = pb },
    };
    pb->bus = bus_new(sm->instance, &limits, &ways);
    live_each(sm->live, L_BUS, restore_row, pb);
    live_before_commit(sm->live, &pb->before_commit);
    connect_redis(pb, &limits);
    return pb;
}

void presence_bus_free(struct presence_bus **pbp)
{
    struct presence_bus *pb = *pbp;

    if (!pb)
        return;
    timer_disarm(&pb->tick);
    loop_undefer(&pb->after_turn);
    list_remove(&pb->before_commit.link);
    redis_free(&pb->redis);
    presence_keys_free(&pb->keys);
    bus_free(&pb->bus);
    free(pb);
    *pbp = NULL;
}

void presence_bus_status(const struct presence_bus *pb, struct ctl_reply *r)
{
    bool whole = pb->redis && redis_up(pb->redis) && redis_listening(pb->redis);

    ctl_str(r, "redis", !pb->redis ? "off" : whole ? "up" : "down");
    ctl_int(r, "presence_roads", bus_roads(pb->bus));
}
