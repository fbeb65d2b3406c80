/* Frames over one Unix stream socket (wire.h). libuv watches the descriptor and we read and write it, so
 * that a turn is one buffer and one write. */

#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { READ_SIZE = 64 * 1024, KEEP_SIZE = 256 * 1024 };

struct wire {
    uv_poll_t                 poll;
    int                       fd;
    struct loop              *loop;
    const struct wire_events *events;
    void                     *owner;
    struct buf                in, out;
    struct deferred           flush;
    int                       watching;     /* enum uv_poll_event bits */
    bool                      broken;       /* writing failed; what can be read still is */
    bool                      down;
};

bool wire_address(const char *path, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if (len >= sizeof(out->sun_path)) {
        log_error("socket_path_refused", "why", "longer than 107 bytes, choose a shorter run directory",
                  "path", path, NULL);
        return false;
    }
    memcpy(out->sun_path, path, len);
    return true;
}

static void go_down(struct wire *w, enum zerr why)
{
    if (w->down)
        return;
    w->down = true;
    uv_poll_stop(&w->poll);
    loop_undefer(&w->flush);
    w->events->on_down(w->owner, why);
}

/* Keeps `in` in place while frames are handed out: their slices point into it. */
static void take_frames(struct wire *w)
{
    struct slice rest = buf_slice(&w->in);
    struct frame f;
    ssize_t      n = 0;

    while (!w->down && (n = frame_decode(rest, &f)) > 0) {
        loop_unit(w->loop);
        w->events->on_frame(w->owner, &f, w->in.bytes + (rest.p - w->in.bytes), (size_t)n);
        rest = slice_cut(rest, (size_t)n, rest.len);
    }
    buf_consume(&w->in, buf_len(&w->in) - rest.len);
    if (!w->down && buf_len(&w->in) == 0 && w->in.room > KEEP_SIZE)
        buf_free(&w->in);
    if (n < 0)
        go_down(w, ZE_PROTOCOL);
}

/* False: nothing more will come now. */
static bool read_once(struct wire *w)
{
    ssize_t n = recv(w->fd, buf_reserve(&w->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);

    if (n > 0) {
        buf_added(&w->in, (size_t)n);
        take_frames(w);
        return !w->down;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < 0 && errno != ECONNRESET)
        log_warn("wire_read_failed", "err", strerror(errno), NULL);
    go_down(w, ZE_GONE);
    return false;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct wire *w, int events)
{
    if (w->watching == events || w->down)
        return;
    w->watching = events;
    uv_poll_start(&w->poll, events, on_poll);
}

/* libuv reports a reset peer as an error: what it sent before (a REFUSED) is read first. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct wire *w = poll->data;

    if (status < 0) {
        while (read_once(w))
            continue;
        go_down(w, ZE_GONE);
        return;
    }
    if (events & UV_WRITABLE)
        wire_flush(w);
    if (events & UV_READABLE && !w->down)
        read_once(w);
}

void wire_flush(struct wire *w)
{
    bool wrote = false;

    if (w->events->before_flush && wire_waiting(w) > 0 && !w->down && !w->broken)
        w->events->before_flush(w->owner);
    while (!w->down && !w->broken && wire_waiting(w) > 0) {
        ssize_t n = send(w->fd, buf_slice(&w->out).p, wire_waiting(w), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            w->broken = true;       /* the end of file will be read */
        if (n < 0)
            break;
        buf_consume(&w->out, (size_t)n);
        wrote = true;
    }
    if (wire_waiting(w) == 0)
        buf_reset(&w->out, KEEP_SIZE);
    watch(w, wire_waiting(w) && !w->broken ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    if (w->events->on_written && wrote)
        w->events->on_written(w->owner);
}

static void flush_deferred(void *arg)
{
    struct wire *w = arg;

    if (wire_waiting(w) > 0 && !(w->watching & UV_WRITABLE))
        wire_flush(w);
}

struct wire *wire_new(struct loop *loop, int fd, const struct wire_events *events, void *owner)
{
    struct wire *w = xcalloc(1, sizeof(*w));

    w->fd = fd;
    w->loop = loop;
    w->events = events;
    w->owner = owner;
    w->flush = (struct deferred){ .run = flush_deferred, .arg = w };
    int err = uv_poll_init(loop_uv(loop), &w->poll, fd);
    if (err)
        fatal("wire_poll_failed", "err", uv_strerror(err), NULL);
    w->poll.data = w;
    watch(w, UV_READABLE);
    return w;
}

static void on_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;

    buf_free(&w->in);
    buf_free(&w->out);
    free(w);
}

/* The buffers live until libuv lets go: a frame of them may be in somebody's hands right now. */
void wire_free(struct wire **wire)
{
    struct wire *w = *wire;

    if (!w)
        return;
    *wire = NULL;
    w->down = true;
    loop_undefer(&w->flush);
    uv_close((uv_handle_t *)&w->poll, on_closed);
    close(w->fd);
}

struct buf *wire_out(struct wire *w)
{
    if (!w->down)
        loop_defer(w->loop, &w->flush);
    return &w->out;
}

size_t wire_waiting(const struct wire *w)
{
    return buf_len(&w->out);
}
