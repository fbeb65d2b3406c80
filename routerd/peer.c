/* Connections of routerd: their life, their index and their queues (STYLE.md C7). */

#include "members.h"

#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "shutdown.h"

enum {
    HELLO_PATIENCE_MS = 10000,
    HIGH_WATER_PART = 4, LOW_WATER_PART = 16,       /* of queue_max */
    DEAF_TIMES = 4,                                 /* queue_max for each peer may wait for one of them */
};

/* ---- index ---- */

static void index_enter(struct router *r, struct peer *p)
{
    size_t at = p->self.instance % PEER_INDEX;

    while (r->index[at])
        at = (at + 1) % PEER_INDEX;
    r->index[at] = p;
}

/* Entering again is all there is to removing: it happens a few times a day. */
static void index_rebuild(struct router *r)
{
    memset(r->index, 0, sizeof(r->index));
    r->peers_greeted = 0;
    LIST_EACH(&r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (!p->greeted)
            continue;
        index_enter(r, p);
        r->peers_greeted++;
    }
}

struct peer *peer_find(const struct router *r, uint32_t instance)
{
    for (size_t at = instance % PEER_INDEX; r->index[at]; at = (at + 1) % PEER_INDEX)
        if (r->index[at]->self.instance == instance)
            return r->index[at];
    return NULL;
}

void peer_enter(struct peer *p)
{
    p->greeted = true;
    timer_disarm(&p->patience);
    index_rebuild(p->router);
}

size_t peer_strangers(const struct router *r, unsigned role)
{
    size_t count = 0;

    LIST_EACH(&r->peers, node) {
        const struct peer *p = LIST_OWNER(node, struct peer, link);
        count += !p->greeted && p->self.role == role;
    }
    return count;
}

/* ---- queues ---- */

void peer_say(struct peer *p, const struct frame *f)
{
    struct frame own = *f;

    own.origin = p->router->self;
    own.dest = p->self;
    if (p->wire && frame_encode(wire_out(p->wire), &own) == ZE_OK)
        p->frames_out++;
}

/* To everybody: one that does not feed it loses nothing by holding nothing. */
static void tell_all(struct peer *about, enum frame_kind kind)
{
    struct frame f = frame_make(kind);
    struct buf   body = { 0 };

    buf_put_u32(&body, about->self.instance);
    f.body = buf_slice(&body);
    LIST_EACH(&about->router->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (p->greeted)
            peer_say(p, &f);
    }
    buf_free(&body);
}

static void set_congested(struct peer *p, bool congested)
{
    p->congested = congested;
    log_info(congested ? "peer_paused" : "peer_resumed", "peer", p->name, "bytes",
             log_num((int64_t)wire_waiting(p->wire)), NULL);
    tell_all(p, congested ? FRAME_PAUSE : FRAME_RESUME);
}

/* A sender has no more than its own limit on the way to one destination, and as much again when a link
 * broke; it stops when it is told to. More than all of them can have: somebody does not listen. */
bool peer_is_flooded(const struct peer *p)
{
    return wire_waiting(p->wire) > p->router->queue_max * DEAF_TIMES * p->router->peers_greeted;
}

/* Nothing is shed: what was read is passed. */
void peer_pass(struct peer *p, const uint8_t *bytes, size_t len)
{
    buf_put(wire_out(p->wire), bytes, len);
    p->frames_out++;
    if (!p->congested && wire_waiting(p->wire) > p->router->queue_max / HIGH_WATER_PART)
        set_congested(p, true);
}

static void on_written(void *owner)
{
    struct peer *p = owner;

    if (p->congested && wire_waiting(p->wire) < p->router->queue_max / LOW_WATER_PART)
        set_congested(p, false);
}

/* ---- life ---- */

static void on_frame(void *owner, const struct frame *f, uint8_t *bytes, size_t len)
{
    struct peer *p = owner;

    p->frames_in++;
    peer_dispatch(p, f, bytes, len);
}

static void on_down(void *owner, enum zerr why)
{
    struct peer *p = owner;

    if (why == ZE_PROTOCOL)
        peer_refuse(p, "not a frame of our version");
    else
        peer_close(p);
}

static const struct wire_events events = { on_frame, on_down, on_written };

static void on_silence(void *arg)
{
    peer_refuse(arg, "no HELLO in time");
}

void peer_new(struct router *r, int fd, unsigned role, pid_t pid)
{
    struct peer *p = xcalloc(1, sizeof(*p));

    p->router = r;
    p->self.role = (uint8_t)role;
    p->pid = pid;
    memcpy(p->name, role_name(role), strlen(role_name(role)) + 1);
    p->patience = (struct timer){ .fire = on_silence, .arg = p };
    timer_arm(r->d->loop, &p->patience, HELLO_PATIENCE_MS);
    list_append(&r->peers, &p->link);
    p->wire = wire_new(r->d->loop, fd, &events, p);
}

/* What waits for it is dropped: its senders keep it. */
static void leave(struct peer *p)
{
    struct router *r = p->router;

    index_rebuild(r);
    log_info("peer_down", "peer", p->name, NULL);
    if (p->congested)
        tell_all(p, FRAME_RESUME);
    routes_set_up(r->routes, p->self.instance, p->self.incarnation, false);
    route_table_unbind_all(r, p);
    route_table_changed(r);
    members_on_peer_gone(r);
}

void peer_close(struct peer *p)
{
    struct router *r = p->router;
    bool           greeted = p->greeted, ending = p->ending;

    p->greeted = false;
    list_remove(&p->link);
    timer_disarm(&p->patience);
    if (greeted)
        leave(p);
    wire_free(&p->wire);
    free(p);
    if (ending)
        shutdown_peer_gone(r->shutdown);
}

void peer_refuse(struct peer *p, const char *why)
{
    struct frame f = frame_make(FRAME_REFUSED);
    struct buf   body = { 0 };

    log_warn("peer_refused", "peer", p->name, "why", why, NULL);
    buf_put_sized(&body, slice_str(why));
    f.body = buf_slice(&body);
    peer_say(p, &f);
    buf_free(&body);
    wire_flush(p->wire);
    peer_close(p);
}
