/* A link's connection to routerd (link_priv.h): connecting without blocking, HELLO, the end of a wire. */

#include <errno.h>
#include <unistd.h>

#include "cursor.h"
#include "encode.h"
#include "link_priv.h"
#include "log.h"

/* A connect to a socket that nobody serves costs 10 us: ten a second let a routerd that is back be found at once.
 * One that refuses us is asked less often. */
enum { BACKOFF_FIRST_MS = 20, BACKOFF_MAX_MS = 100, BACKOFF_REFUSED_MS = 1000 };

static void on_retry(uv_timer_t *timer);

static void retry_later(struct link *l)
{
    uint64_t jitter = random_u64() % (l->backoff_ms / 2 + 1);

    uv_timer_start(&l->retry, on_retry, l->backoff_ms / 2 + jitter, 0);
    l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MAX_MS ? l->backoff_ms * 2 : BACKOFF_MAX_MS;
}

void link_connect_first(struct link *l)
{
    l->backoff_ms = BACKOFF_FIRST_MS;
    uv_timer_start(&l->retry, on_retry, 0, 0);
}

void link_is_up(struct link *l)
{
    l->state = UP;
    l->backoff_ms = BACKOFF_FIRST_MS;
    l->complained = false;
}

void link_drop_wire(struct link *l, const char *why)
{
    if (!l->wire)
        return;
    if (why)
        log_warn("link_lost", "instance", l->spec.instance, "why", why, NULL);
    wire_free(&l->wire);
    l->state = DOWN;
    link_all_cut(l);
    retry_later(l);
}

static void on_refused(struct link *l, const struct frame *f)
{
    struct cursor cur = { f->body, false };

    log_error("link_refused", "instance", l->spec.instance, "why", log_slice(take_sized(&cur)), NULL);
    l->backoff_ms = BACKOFF_REFUSED_MS;
    l->complained = true;
    link_drop_wire(l, NULL);
}

static void on_frame(void *owner, const struct frame *f, uint8_t *bytes, size_t len)
{
    struct link *l = owner;

    (void)bytes;
    if (f->kind == FRAME_ROUTES)
        link_on_routes(l, f);
    else if (f->kind == FRAME_REFUSED)
        on_refused(l, f);
    else if (l->state != UP)
        link_drop_wire(l, "a frame before the route table");
    else if (f->kind == FRAME_PAUSE || f->kind == FRAME_RESUME)
        link_on_pause_or_resume(l, f);
    else if (frame_kinds[f->kind].reach == ROUTED)
        link_on_routed(l, f, len);
    else if (frame_kinds[f->kind].senders & ROLE_ROUTERD)
        link_deliver(l, f);
    else
        link_drop_wire(l, "a kind that routerd may not send");
}

static void on_down(void *owner, enum zerr why)
{
    link_drop_wire(owner, why == ZE_PROTOCOL ? "routerd broke the protocol" : "routerd went away");
}

static void on_written(void *owner)
{
    link_pump_all(owner);
}

static void before_flush(void *owner)
{
    link_settle(owner);
}

static const struct wire_events wire_events = { on_frame, on_down, on_written, before_flush };

void link_say(struct link *l, enum frame_kind kind, struct slice text)
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
    link_say(l, FRAME_HELLO, slice_str(l->spec.instance));
    LIST_EACH(&l->bindings, node)
        link_say(l, FRAME_ROUTE_BIND, slice_str(LIST_OWNER(node, struct binding, link)->domain));
}
