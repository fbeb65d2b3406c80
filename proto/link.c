/* A daemon's link to routerd (link.h, DESIGN.md 3): the interface. A frame is encoded once, into the memory
 * in which it is kept, and appended from there to the wire. */

#include "link.h"

#include <stdlib.h>

#include "encode.h"
#include "link_priv.h"
#include "log.h"
#include "mem.h"
#include "stats.h"

uint64_t trace_new(void)
{
    static uint64_t last;

    if (!last)
        last = random_u64();
    return ++last ? last : ++last;
}

static const struct stat_row rows[] = {
    { "frames_sent", "frames sent to other daemons", &link_counts.sent },
    { "frames_sent_again", "of them again, because a link broke or a daemon came back", &link_counts.again },
    { "frames_confirmed", "frames whose receiver has done with them", &link_counts.confirmed },
    { "frames_returned", "frames given up: their receiver will not come back", &link_counts.returned },
    { "frames_seen_before", "frames received that had been taken before, dropped", &link_counts.seen_before },
    { "frames_missing", "frames received that others should precede, dropped", &link_counts.missing },
    { 0 },
};

static void timer_init(struct link *l, uv_timer_t *timer)
{
    uv_timer_init(loop_uv(l->loop), timer);
    timer->data = l;
    l->handles++;
}

struct link *link_new(struct loop *loop, const struct link_spec *spec)
{
    struct sockaddr_un path;

    if (!wire_address(spec->socket_path, &path))
        return NULL;
    struct link *l = xcalloc(1, sizeof(*l));
    l->loop = loop;
    l->spec = *spec;
    l->path = path;
    l->spec.instance = xstrdup(spec->instance);
    l->spec.socket_path = NULL;
    l->self.role = (uint8_t)role_of_instance(spec->instance);
    l->self.instance = instance_key(spec->instance);
    while (!l->self.incarnation)
        l->self.incarnation = random_u64();
    l->routes = routes_new();
    l->turn_end = (struct deferred){ .run = link_turn_end, .arg = l };
    l->tick = (struct timer){ .fire = link_on_tick, .arg = l };
    list_init(&l->peers);
    list_init(&l->bindings);
    l->held_end = &l->held;
    timer_init(l, &l->retry);
    timer_init(l, &l->confirm);
    stats_register(rows);
    link_live_start(l);
    link_connect_first(l);
    return l;
}

static void on_closed(uv_handle_t *handle)
{
    struct link *l = handle->data;

    if (--l->handles == 0)
        free(l);
}

void link_seal(struct link *l)
{
    if (l->wire)
        wire_flush(l->wire);
    wire_free(&l->wire);
    l->state = DOWN;
}

void link_free(struct link **link)
{
    struct link *l = *link;

    if (!l)
        return;
    *link = NULL;
    if (l->wire)
        wire_flush(l->wire);
    wire_free(&l->wire);
    loop_undefer(&l->turn_end);
    timer_disarm(&l->tick);
    link_live_end(l);
    link_free_held(l);
    LIST_EACH(&l->peers, node)
        link_peer_free(LIST_OWNER(node, struct link_peer, link));
    LIST_EACH(&l->bindings, node) {
        free(LIST_OWNER(node, struct binding, link)->domain);
        free(LIST_OWNER(node, struct binding, link));
    }
    routes_free(&l->routes);
    free((char *)l->spec.instance);
    uv_close((uv_handle_t *)&l->retry, on_closed);
    uv_close((uv_handle_t *)&l->confirm, on_closed);
}

bool link_up(const struct link *l)
{
    return l->state == UP;
}

uint64_t link_incarnation(const struct link *l)
{
    return l->self.incarnation;
}

const struct routes *link_routes(const struct link *l)
{
    return l->routes;
}

/* ---- sending ---- */

static bool has_room(const struct link *l, const struct link_peer *p, const struct frame *f, size_t bytes)
{
    size_t limit = (size_t)l->spec.queue_bytes;

    if (f->kind != FRAME_STANZA && f->kind != FRAME_FANOUT)
        limit += CONTROL_RESERVE;
    return p->out.bytes + bytes <= limit && l->kept_bytes + bytes <= WHOLE_LINK * limit
           && p->out.next - p->out.base < CHANNEL_SPAN_MAX;
}

/* May f go into that channel at all? */
static enum zerr admit(const struct link *l, const struct link_peer *p, const struct frame *f, size_t bytes)
{
    if (f->dest.incarnation && f->dest.incarnation != p->life)
        return ZE_NO_ROUTE;
    if (p->absent && frame_is_question(f))
        return ZE_TIMEOUT;
    if (!bytes)
        return ZE_POLICY;
    return has_room(l, p, f, bytes) ? ZE_OK : ZE_FULL;
}

enum zerr link_send_kept(struct link *l, struct frame *f, uint64_t tag, struct kept **kept)
{
    const struct route_instance *it = routes_instance(l->routes, f->dest.instance);

    if (kept)
        *kept = NULL;
    if (!it)
        return ZE_NO_ROUTE;
    if (link_must_hold(l, f))
        return link_hold(l, f, tag, kept);
    struct link_peer *p = link_get_peer(l, it->key);
    enum zerr         err = admit(l, p, f, frame_length(f));
    if (err)
        return err;
    f->origin = l->self;
    f->dest.role = it->role;
    f->number = p->out.next;
    if (!f->trace)
        f->trace = trace_new();
    struct kept *k = kept_new(f);
    k->serial = ++l->serial;
    k->tag = tag;
    if (kept)
        *kept = kept_ref(k);
    link_enter(l, p, k);
    return ZE_OK;
}

enum zerr link_send(struct link *l, struct frame *f)
{
    return link_send_kept(l, f, 0, NULL);
}

struct kept *link_keep(struct link *l, struct frame *f, uint64_t tag)
{
    f->origin = l->self;
    if (!f->trace)
        f->trace = trace_new();
    struct kept *k = kept_new(f);
    if (!k)
        return NULL;
    k->serial = ++l->serial;
    k->tag = tag;
    link_live_put(l, k);
    return k;
}

enum zerr link_route(struct link *l, struct frame *f)
{
    enum zerr err = routes_find(l->routes, f->stanza.to, &f->dest, &f->generation);

    return err ? err : link_send(l, f);
}

void link_bounce(struct link *l, const struct frame *f, enum zerr why)
{
    struct frame bounce;
    struct buf   bytes = { 0 }, body = { 0 };

    frame_encode(&bytes, f);
    if (bounce_make(f, buf_slice(&bytes), why, &body, &bounce)) {
        enum zerr err = link_send(l, &bounce);
        if (err)
            log_debug("bounce_dropped", "err", err_name(err), "trace", log_hex(f->trace), NULL);
    }
    buf_free(&bytes);
    buf_free(&body);
}

static struct binding *find_binding(const struct link *l, struct slice domain)
{
    LIST_EACH(&l->bindings, node) {
        struct binding *b = LIST_OWNER(node, struct binding, link);
        if (slice_is(domain, b->domain))
            return b;
    }
    return NULL;
}

void link_bind_domain(struct link *l, struct slice domain)
{
    if (find_binding(l, domain))
        return;
    struct binding *b = xcalloc(1, sizeof(*b));
    b->domain = xstrndup(domain);
    list_append(&l->bindings, &b->link);
    if (l->wire)
        link_say(l, FRAME_ROUTE_BIND, domain);
}

void link_unbind_domain(struct link *l, struct slice domain)
{
    struct binding *b = find_binding(l, domain);

    if (!b)
        return;
    if (l->wire)
        link_say(l, FRAME_ROUTE_UNBIND, domain);
    list_remove(&b->link);
    free(b->domain);
    free(b);
}

bool link_absent(const struct link *l, uint32_t instance)
{
    const struct link_peer *p = link_find_peer(l, instance);

    return p && p->absent;
}

static bool arrived_at(const struct link_peer *p, uint64_t serial)
{
    if (p->absent)
        return true;
    return !(p->role == ROLE_S2SD ? channel_unseen_before(&p->out, serial) : channel_keeps_before(&p->out, serial));
}

bool link_arrived(const struct link *l, unsigned roles, uint64_t serial)
{
    LIST_EACH(&l->peers, node) {
        const struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (p->role & roles && !arrived_at(p, serial))
            return false;
    }
    return true;
}

uint64_t link_serial(const struct link *l)
{
    return l->serial;
}

bool link_tell_router(struct link *l, struct frame *f)
{
    f->origin = l->self;
    return l->state == UP && frame_encode(wire_out(l->wire), f) == ZE_OK;
}

void link_say_ready(struct link *l, uint32_t generation, bool released)
{
    struct frame f = frame_make(FRAME_SLOT_READY);
    struct buf   body = { 0 };

    buf_put_u32(&body, generation);
    buf_put_u8(&body, released);
    f.body = buf_slice(&body);
    link_tell_router(l, &f);
    buf_free(&body);
}

/* What is sent is safe with live memory; without it goes on waiting for whoever is there to confirm it. */
size_t link_queued(const struct link *l)
{
    size_t queued = l->wire ? wire_waiting(l->wire) : 0;

    LIST_EACH(&l->peers, node) {
        const struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (p->up && (!l->spec.live || channel_has_unsent(&p->out)))
            queued += p->out.bytes;
    }
    return queued;
}

bool link_congested(const struct link *l, uint32_t instance)
{
    const struct link_peer *p = link_find_peer(l, instance);
    size_t                  half = (size_t)l->spec.queue_bytes / 2;

    if (p && (p->paused || p->out.bytes > half))
        return true;
    return l->kept_bytes > WHOLE_LINK * half;
}
