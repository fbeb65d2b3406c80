/* A daemon's link to routerd (link.h, DESIGN.md 3). Frames go straight to the wire when their
 * destination is up and not paused; else they wait in its channel. When the wire breaks, what had not
 * left wholly returns to the channels, so that the order within a channel holds over a reconnect.
 * Confirm and resend of what had left are not done here. */

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "bounce.h"
#include "channel.h"
#include "cursor.h"
#include "encode.h"
#include "log.h"
#include "mem.h"
#include "wire.h"

enum {
    BACKOFF_FIRST_MS = 20, BACKOFF_MAX_MS = 1000,
    AWAY_MS = 10000,
    CONTROL_RESERVE = 1 << 20,          /* bytes above the limit for what is not a stanza */
    WHOLE_LINK = 4,                     /* times queue_bytes may wait in all channels together */
};

enum state { DOWN, GREETING, UP };      /* no socket; HELLO said; table received */

struct binding {
    struct list link;
    char       *domain;
};

struct link {
    uv_timer_t        retry;
    struct loop      *loop;
    struct link_spec  spec;
    struct sockaddr_un path;
    struct address    self;
    enum state        state;
    bool              complained;       /* that routerd is not there: said once */
    unsigned          backoff_ms;
    struct wire      *wire;             /* NULL while DOWN */
    struct routes    *routes;
    struct list       channels;
    struct list       bindings;
    size_t            held;             /* bytes in all channels */
};

static void on_retry(uv_timer_t *timer);

uint64_t trace_new(void)
{
    static uint64_t last;

    if (!last)
        last = random_u64();
    return ++last ? last : ++last;
}

/* ---- channels ---- */

static struct channel *find_channel(const struct link *l, uint32_t instance)
{
    LIST_EACH(&l->channels, node) {
        struct channel *c = LIST_OWNER(node, struct channel, link);
        if (c->instance == instance)
            return c;
    }
    return NULL;
}

static void on_away(void *arg);

static struct channel *get_channel(struct link *l, uint32_t instance)
{
    struct channel *c = find_channel(l, instance);

    if (c)
        return c;
    c = xcalloc(1, sizeof(*c));
    c->owner = l;
    c->instance = instance;
    c->away = (struct timer){ .fire = on_away, .arg = c };
    list_append(&l->channels, &c->link);
    return c;
}

static bool may_pass(const struct link *l, const struct channel *c)
{
    return l->state == UP && c->up && !c->paused;
}

static void release(struct link *l, struct channel *c)
{
    if (!may_pass(l, c) || !channel_held(c))
        return;
    l->held -= channel_held(c);
    channel_release(c, wire_out(l->wire));
}

/* ---- what comes back to ourselves ---- */

static void deliver(struct link *l, const struct frame *f)
{
    frame_handler *handle = l->spec.handlers[f->kind];

    if (handle) {
        handle(l->spec.daemon, f);
        return;
    }
    log_warn("frame_refused", "kind", frame_kinds[f->kind].name, "peer", role_name(f->origin.role), "why",
             "no handler", "trace", log_hex(f->trace), NULL);
    link_bounce(l, f, ZE_NO_SUCH);
}

static void bounce_to_self(struct link *l, const struct frame *original, struct slice bytes, enum zerr why)
{
    struct frame f;
    struct buf   body = { 0 };

    if (l->spec.handlers[FRAME_BOUNCE] && bounce_make(original, bytes, why, &body, &f)) {
        f.origin = (struct address){ ROLE_ROUTERD, instance_key("routerd"), routes_router(l->routes) };
        deliver(l, &f);
    }
    buf_free(&body);
}

/* The frames are taken out before a handler runs: it may send, to the same channel too. */
static void give_back(struct link *l, struct channel *c, channel_verdict *verdict, uint64_t life,
                      enum zerr why)
{
    struct buf   taken = { 0 };
    struct frame f;
    ssize_t      n;

    channel_sift(c, verdict, life, &taken);
    l->held -= buf_len(&taken);
    for (struct slice rest = buf_slice(&taken); (n = frame_decode(rest, &f)) > 0;
         rest = slice_cut(rest, (size_t)n, rest.len))
        bounce_to_self(l, &f, slice_cut(rest, 0, (size_t)n), why);
    buf_free(&taken);
}

static void life_lost(struct link *l, struct channel *c, const char *why)
{
    const struct route_instance *it = routes_instance(l->routes, c->instance);
    struct address life = { it ? it->role : ROLE_NONE, c->instance, c->life };

    c->life = 0;
    if (!life.incarnation || c->instance == l->self.instance)
        return;
    log_info("peer_lost", "peer", it ? it->name : "?", "why", why, NULL);
    give_back(l, c, channel_is_for_life, life.incarnation, ZE_NO_ROUTE);
    if (l->spec.on_peer_lost)
        l->spec.on_peer_lost(l->spec.daemon, &life);
}

static void on_away(void *arg)
{
    struct channel *c = arg;
    struct link    *l = c->owner;

    c->absent = true;
    life_lost(l, c, "away");
    give_back(l, c, channel_is_question, 0, ZE_TIMEOUT);
}

/* ---- the table ---- */

static void follow_instance(struct link *l, const struct route_instance *it)
{
    struct channel *c = get_channel(l, it->key);

    if (it->incarnation && c->life && it->incarnation != c->life)
        life_lost(l, c, "came back anew");
    if (it->incarnation && (it->up || c->life))
        c->life = it->incarnation;
    c->up = it->up;
    if (it->up) {
        c->absent = false;
        timer_disarm(&c->away);
    } else if (!c->absent && !timer_armed(&c->away)) {
        timer_arm(l->loop, &c->away, l->spec.away_ms ? (uint64_t)l->spec.away_ms : AWAY_MS);
    }
}

/* One that is recorded no more will never come. */
static void follow_evictions(struct link *l)
{
    LIST_EACH(&l->channels, node) {
        struct channel *c = LIST_OWNER(node, struct channel, link);
        if (routes_instance(l->routes, c->instance))
            continue;
        c->up = false;
        timer_disarm(&c->away);
        life_lost(l, c, "evicted");
        give_back(l, c, channel_is_any, 0, ZE_NO_ROUTE);
    }
}

static void drop_wire(struct link *l, const char *why);

static void on_routes(struct link *l, const struct frame *f)
{
    const struct route_instance *it;

    if (routes_decode(l->routes, f->body)) {
        drop_wire(l, "unreadable route table");
        return;
    }
    if (l->state != UP) {
        l->state = UP;
        l->backoff_ms = BACKOFF_FIRST_MS;
        l->complained = false;
        log_info("link_up", "instance", l->spec.instance, NULL);
    }
    for (size_t i = 0; (it = routes_at(l->routes, i)); i++)
        follow_instance(l, it);
    follow_evictions(l);
    LIST_EACH(&l->channels, node)
        release(l, LIST_OWNER(node, struct channel, link));
    if (l->spec.on_routes)
        l->spec.on_routes(l->spec.daemon, l->routes);
}

static void on_pause_or_resume(struct link *l, const struct frame *f)
{
    struct cursor cur = { f->body, false };
    struct channel *c = find_channel(l, take_u32(&cur));

    if (!cursor_done(&cur)) {
        drop_wire(l, "unreadable PAUSE");
        return;
    }
    if (!c)
        return;
    c->paused = f->kind == FRAME_PAUSE;
    release(l, c);
}

static void on_refused(struct link *l, const struct frame *f)
{
    struct cursor cur = { f->body, false };

    log_error("link_refused", "instance", l->spec.instance, "why", log_slice(take_sized(&cur)), NULL);
    l->backoff_ms = BACKOFF_MAX_MS;
    l->complained = true;
    drop_wire(l, NULL);
}

/* ---- frames for us ---- */

/* Sent by an old table: once more by the one we have now (a fan-out, which is to no single JID, to the
 * same instance: it was down). True: it is on its way again. */
static bool sent_again(struct link *l, const struct frame *f)
{
    struct frame again;
    enum zerr    why;

    if (f->kind != FRAME_BOUNCE || f->origin.role != ROLE_ROUTERD || bounce_decode(f, &why, &again)
        || why != ZE_STALE || !again.generation || again.flags & FRAME_REROUTED)
        return false;
    again.flags |= FRAME_REROUTED;
    again.generation = routes_generation(l->routes);
    return (again.stanza.to.len ? link_route(l, &again) : link_send(l, &again)) == ZE_OK;
}

/* A life of ours that is over may still be meant: what it bound is gone, so nobody here may answer
 * for it. */
static void on_other_life(struct link *l, const struct frame *f)
{
    log_debug("frame_for_old_life", "kind", frame_kinds[f->kind].name, "trace", log_hex(f->trace), NULL);
    if (f->kind == FRAME_STANZA || f->kind == FRAME_FANOUT)
        link_bounce(l, f, ZE_NO_ROUTE);
}

static void on_routed(struct link *l, const struct frame *f)
{
    if (f->dest.instance != l->self.instance) {
        drop_wire(l, "a frame for somebody else");
        return;
    }
    if (f->dest.incarnation && f->dest.incarnation != l->self.incarnation)
        on_other_life(l, f);
    else if (!sent_again(l, f))
        deliver(l, f);
}

static void on_frame(void *owner, const struct frame *f, uint8_t *bytes, size_t len)
{
    struct link *l = owner;

    (void)bytes;
    (void)len;
    if (f->kind == FRAME_ROUTES)
        on_routes(l, f);
    else if (f->kind == FRAME_REFUSED)
        on_refused(l, f);
    else if (l->state != UP)
        drop_wire(l, "a frame before the route table");
    else if (f->kind == FRAME_PAUSE || f->kind == FRAME_RESUME)
        on_pause_or_resume(l, f);
    else if (frame_kinds[f->kind].reach == ROUTED)
        on_routed(l, f);
    else
        drop_wire(l, "a kind that routerd may not send");
}

/* ---- connecting ---- */

static void retry_later(struct link *l)
{
    uint64_t jitter = random_u64() % (l->backoff_ms / 2 + 1);

    uv_timer_start(&l->retry, on_retry, l->backoff_ms / 2 + jitter, 0);
    l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MAX_MS ? l->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* Frames that had not left wholly go back to their channels; what was said to routerd itself will be
 * said anew. */
static void take_back_unsent(struct link *l)
{
    struct slice rest = wire_unsent(l->wire);
    struct frame f;
    ssize_t      n;

    for (; (n = frame_decode(rest, &f)) > 0; rest = slice_cut(rest, (size_t)n, rest.len)) {
        if (frame_kinds[f.kind].reach != ROUTED)
            continue;
        buf_put(&get_channel(l, f.dest.instance)->returned, rest.p, (size_t)n);
        l->held += (size_t)n;
    }
    LIST_EACH(&l->channels, node)
        channel_restore(LIST_OWNER(node, struct channel, link));
}

/* `why` NULL: it has been logged. Peers are not counted as away while we are the ones cut off. */
static void drop_wire(struct link *l, const char *why)
{
    if (!l->wire)
        return;
    if (why)
        log_warn("link_lost", "instance", l->spec.instance, "why", why, NULL);
    take_back_unsent(l);
    wire_free(&l->wire);
    l->state = DOWN;
    LIST_EACH(&l->channels, node) {
        struct channel *c = LIST_OWNER(node, struct channel, link);
        c->up = c->paused = false;
        timer_disarm(&c->away);
    }
    retry_later(l);
}

static void on_down(void *owner, enum zerr why)
{
    drop_wire(owner, why == ZE_PROTOCOL ? "routerd broke the protocol" : "routerd went away");
}

static const struct wire_events wire_events = { on_frame, on_down };

static void say(struct link *l, enum frame_kind kind, struct slice text)
{
    struct frame f = frame_make(kind);
    struct buf   body = { 0 };

    buf_put_sized(&body, text);
    f.origin = l->self;
    f.body = buf_slice(&body);
    frame_encode(wire_out(l->wire), &f);
    buf_free(&body);
}

/* A Unix socket connects at once or not at all, so nothing waits here. */
static int connect_now(struct link *l)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&l->path, sizeof(l->path)) == 0)
        return fd;
    if (!l->complained)
        log_info("link_waits", "instance", l->spec.instance, "err", strerror(errno), NULL);
    l->complained = true;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void on_retry(uv_timer_t *timer)
{
    struct link *l = timer->data;
    int          fd = connect_now(l);

    if (fd < 0) {
        retry_later(l);
        return;
    }
    l->wire = wire_new(l->loop, fd, &wire_events, l);
    l->state = GREETING;
    say(l, FRAME_HELLO, slice_str(l->spec.instance));
    LIST_EACH(&l->bindings, node)
        say(l, FRAME_ROUTE_BIND, slice_str(LIST_OWNER(node, struct binding, link)->domain));
}

/* ---- the interface ---- */

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
    l->backoff_ms = BACKOFF_FIRST_MS;
    l->routes = routes_new();
    list_init(&l->channels);
    list_init(&l->bindings);
    uv_timer_init(loop_uv(loop), &l->retry);
    l->retry.data = l;
    uv_timer_start(&l->retry, on_retry, 0, 0);
    return l;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
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
    LIST_EACH(&l->channels, node) {
        struct channel *c = LIST_OWNER(node, struct channel, link);
        timer_disarm(&c->away);
        buf_free(&c->held);
        free(c);
    }
    LIST_EACH(&l->bindings, node) {
        free(LIST_OWNER(node, struct binding, link)->domain);
        free(LIST_OWNER(node, struct binding, link));
    }
    routes_free(&l->routes);
    free((char *)l->spec.instance);
    uv_close((uv_handle_t *)&l->retry, on_closed);
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

static size_t whole_length(const struct frame *f)
{
    const struct stanza *s = &f->stanza;

    return FRAME_HEADER + s->from.len + s->to.len + s->id.len + s->lang.len + s->payload_ns.len
           + s->payload_name.len + f->list.len + f->body.len;
}

static bool has_room(const struct link *l, const struct channel *c, const struct frame *f)
{
    size_t limit = (size_t)l->spec.queue_bytes, bytes = whole_length(f);

    if (f->kind != FRAME_STANZA && f->kind != FRAME_FANOUT)
        limit += CONTROL_RESERVE;
    if (may_pass(l, c))
        return wire_waiting(l->wire) + bytes <= limit;
    return channel_held(c) + bytes <= limit && l->held + bytes <= WHOLE_LINK * limit;
}

/* May f go into c at all? */
static enum zerr admit(const struct link *l, const struct channel *c, const struct frame *f)
{
    if (f->dest.incarnation && f->dest.incarnation != c->life)
        return ZE_NO_ROUTE;
    if (c->absent && channel_is_question(f, 0))
        return ZE_TIMEOUT;
    return has_room(l, c, f) ? ZE_OK : ZE_FULL;
}

enum zerr link_send(struct link *l, struct frame *f)
{
    const struct route_instance *it = routes_instance(l->routes, f->dest.instance);
    enum zerr err;

    if (!it)
        return ZE_NO_ROUTE;
    struct channel *c = get_channel(l, it->key);
    err = admit(l, c, f);
    if (err)
        return err;
    f->origin = l->self;
    f->dest.role = it->role;
    f->number = c->number + 1;
    if (!f->trace)
        f->trace = trace_new();
    bool passes = may_pass(l, c);
    err = frame_encode(passes ? wire_out(l->wire) : &c->held, f);
    if (err)
        return err;
    c->number++;
    if (!passes)
        l->held += whole_length(f);
    return ZE_OK;
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
        say(l, FRAME_ROUTE_BIND, domain);
}

void link_unbind_domain(struct link *l, struct slice domain)
{
    struct binding *b = find_binding(l, domain);

    if (!b)
        return;
    if (l->wire)
        say(l, FRAME_ROUTE_UNBIND, domain);
    list_remove(&b->link);
    free(b->domain);
    free(b);
}

size_t link_queued(const struct link *l)
{
    return l->held + (l->wire ? wire_waiting(l->wire) : 0);
}

bool link_congested(const struct link *l, uint32_t instance)
{
    const struct channel *c = find_channel(l, instance);
    size_t half = (size_t)l->spec.queue_bytes / 2;

    if (c && (c->paused || channel_held(c) > half))
        return true;
    return l->held > WHOLE_LINK * half || (l->wire && wire_waiting(l->wire) > half);
}

/* Nothing is kept across a restart. */
void link_restore(struct link *l)
{
    (void)l;
}
