/* What goes to a stream socket (transport.h): written at once, at the end of a loop turn; what is left goes by one
 * uv_write at a time, and a peer that does not read is cut. */

#include "transport_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "mem.h"

enum { SCRATCH_KEEP = 262144 };
/* Of the crowd, sockets written a turn: 0.2 ms of sends, and the look at what is to be read costs them 1%. */
enum { CROWD_A_TURN = 32 };

struct write {
    uv_write_t        req;
    struct transport *t;
    uint8_t           bytes[];
};

/* ---- what is to be flushed ---- */

void transport_mark(struct transport *t)
{
    if (t->closing)
        return;
    if (t->in_crowd)
        list_remove(&t->dirty);
    t->in_crowd = false;
    if (!t->dirty.next)
        list_append(&t->all->dirty, &t->dirty);
    loop_defer(t->all->loop, &t->all->flush);
}

static void mark_in_crowd(struct transport *t)
{
    if (t->closing || t->dirty.next)
        return;
    t->in_crowd = true;
    list_append(&t->all->crowd, &t->dirty);
    loop_defer(t->all->loop, &t->all->flush_crowd);
}

struct buf *transport_out(struct transport *t)
{
    transport_mark(t);
    return &t->out;
}

struct buf *transport_out_crowd(struct transport *t)
{
    mark_in_crowd(t);
    return &t->out;
}

size_t transport_waiting(const struct transport *t)
{
    return t->writing + buf_len(&t->out) + buf_len(&t->wire);
}

/* ---- to the kernel ---- */

static void after_write(uv_write_t *req, int status)
{
    struct write     *w = LIST_OWNER(req, struct write, req);
    struct transport *t = w->t;

    t->writing = 0;
    free(w);
    if (status < 0) {
        if (status != UV_ECANCELED)
            transport_lose(t, uv_strerror(status));
        return;
    }
    transport_mark(t);
    if (t->on->taken)
        t->on->taken(t);
}

static void write_later(struct transport *t, struct slice rest)
{
    struct write *w = xmalloc(sizeof(*w) + rest.len);
    uv_buf_t      piece = uv_buf_init((char *)w->bytes, (unsigned)rest.len);

    memcpy(w->bytes, rest.p, rest.len);
    w->t = t;
    t->writing = rest.len;
    if (uv_write(&w->req, (uv_stream_t *)&t->tcp, &piece, 1, after_write) < 0) {
        t->writing = 0;
        free(w);
        transport_lose(t, "write failed");
    }
}

/* send, not uv_try_write: write() to a socket passes the file layer too, 5% of a delivery. */
static ssize_t send_now(struct transport *t, struct slice all)
{
    int     fd;
    ssize_t n;

    if (uv_fileno((uv_handle_t *)&t->tcp, &fd))
        return -EBADF;
    do
        n = send(fd, all.p, all.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
    return n;
}

static void send_bytes(struct transport *t, struct slice all)
{
    ssize_t n = all.len ? send_now(t, all) : 0;

    *t->all->bytes_out += all.len;
    if (n < 0)
        transport_lose(t, uv_strerror((int)n));
    else if ((size_t)n < all.len)
        write_later(t, slice_cut(all, (size_t)n, all.len));
}

/* Everything for the wire, in order: what is ready as it is, then the sealed plaintext, then the
 * close_notify. In the scratch buffer unless one of them is all there is. */
static struct slice wire_bytes(struct transport *t)
{
    struct buf *sealed = &t->all->sealed;

    if (!t->tls && !buf_len(&t->wire))
        return buf_slice(&t->out);
    buf_put_slice(sealed, buf_slice(&t->wire));
    if (!t->tls)
        buf_put_slice(sealed, buf_slice(&t->out));
    else if (tls_ready(t->tls) && buf_len(&t->out) && tls_seal(t->tls, buf_slice(&t->out), sealed) != ZE_OK &&
             !t->ending)
        transport_lose(t, tls_last_error(t->tls));
    if (t->tls && t->ending && !t->said_bye) {
        t->said_bye = true;
        tls_bye(t->tls, sealed);
    }
    return buf_slice(sealed);
}

static void after_shutdown(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

static void shut(struct transport *t)
{
    if (t->shut && !t->gone)
        return;
    uv_shutdown_t *req = xcalloc(1, sizeof(*req));
    t->shut = true;
    if (t->gone || uv_shutdown(req, (uv_stream_t *)&t->tcp, after_shutdown) < 0) {
        free(req);
        transport_kill(t);
    }
}

static void flush(struct transport *t)
{
    if (t->held)
        transport_take_held(t);
    if (t->closing)
        return;
    if (t->writing && transport_waiting(t) > t->all->output_max) {
        transport_lose(t, "does not read");
        return;
    }
    if (t->writing)
        return;
    if (t->on->sending && !t->ending)
        t->on->sending(t, &t->out);
    bool early = t->tls && !tls_ready(t->tls);     /* plaintext waits for the handshake */
    send_bytes(t, wire_bytes(t));
    buf_reset(&t->all->sealed, SCRATCH_KEEP);
    buf_free(&t->wire);
    if (!early || t->ending)
        buf_free(&t->out);
    if (t->on->taken && !t->writing && !t->gone && !early)
        t->on->taken(t);
    if (t->writing > t->all->output_max)
        transport_lose(t, "does not read");
    else if (t->ending && !t->writing && !t->closing)
        shut(t);
}

static void flush_first(struct list *of)
{
    struct transport *t = LIST_OWNER(of->next, struct transport, dirty);

    list_remove(&t->dirty);
    t->in_crowd = false;
    flush(t);
}

void transports_flush(void *arg)
{
    struct transports *all = arg;

    while (!list_empty(&all->dirty))
        flush_first(&all->dirty);
}

void transports_flush_some(void *arg)
{
    struct transports *all = arg;

    for (int n = 0; n < CROWD_A_TURN && !list_empty(&all->crowd); n++)
        flush_first(&all->crowd);
    if (!list_empty(&all->crowd))
        loop_defer_next(all->loop, &all->flush_crowd);
}
