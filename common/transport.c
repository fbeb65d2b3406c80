/* Stream sockets (transport.h). Reads into one buffer shared by all, keeps what a socket does not
 * take, cuts a peer that does not read. Written at once; what is left goes by one uv_write at a time. */

#include "transport.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { READ_ROOM = 65536, SCRATCH_KEEP = 262144 };
/* Of the crowd, sockets written a turn: 0.2 ms of sends, and the look at what is to be read costs them 1%. */
enum { CROWD_A_TURN = 32 };
/* A TLS session is 12 KB in small pieces between those of others: malloc keeps them until told. One pass
 * over them, half a minute after so many ended. */
enum { TRIM_CLOSED = 64, TRIM_MS = 30000 };

struct transports {
    struct loop    *loop;
    struct list     dirty, crowd;
    struct deferred flush, flush_crowd;
    size_t          output_max;
    uint64_t       *bytes_in, *bytes_out;
    struct timer    trim;
    size_t          ended;                  /* since the last trim */
    struct buf      plain, sealed;          /* scratch within one call */
    uint8_t         read[READ_ROOM];
};

struct write {
    uv_write_t        req;
    struct transport *t;
    uint8_t           bytes[];
};

static void flush_all(void *arg);
static void flush_some(void *arg);
static void flush(struct transport *t);

static void trim(void *arg)
{
    struct transports *all = arg;

    all->ended = 0;
    malloc_trim(0);
}

struct transports *transports_new(struct loop *loop)
{
    struct transports *all = xcalloc(1, sizeof(*all));

    all->loop = loop;
    all->output_max = SIZE_MAX;
    all->flush.run = flush_all;
    all->flush.arg = all;
    all->flush_crowd = (struct deferred){ .run = flush_some, .arg = all };
    all->trim.fire = trim;
    all->trim.arg = all;
    list_init(&all->dirty);
    list_init(&all->crowd);
    return all;
}

void transports_free(struct transports **all)
{
    struct transports *a = *all;

    *all = NULL;
    if (!a)
        return;
    loop_undefer(&a->flush);
    loop_undefer(&a->flush_crowd);
    timer_disarm(&a->trim);
    buf_free(&a->plain);
    buf_free(&a->sealed);
    free(a);
}

void transports_limit(struct transports *all, size_t output_max)
{
    all->output_max = output_max;
}

void transports_count(struct transports *all, uint64_t *bytes_in, uint64_t *bytes_out)
{
    all->bytes_in = bytes_in;
    all->bytes_out = bytes_out;
}

static void mark(struct transport *t)
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
    mark(t);
    return &t->out;
}

struct buf *transport_out_crowd(struct transport *t)
{
    mark_in_crowd(t);
    return &t->out;
}

static void lose(struct transport *t, const char *why)
{
    if (t->gone)
        return;
    t->gone = true;
    t->on->lost(t, why);
}

/* ---- in ---- */

static void hold(struct transport *t, struct slice rest)
{
    if (t->ending || rest.len == 0)
        return;
    if (!t->held)
        t->held = xcalloc(1, sizeof(*t->held));
    buf_put_slice(t->held, rest);
}

static void drop_held(struct transport *t)
{
    if (t->held)
        buf_free(t->held);
    free(t->held);
    t->held = NULL;
}

/* Some clients end <starttls/> with a line feed, though RFC 6120 5.3.3 forbids it. No TLS record
 * begins with white space. */
static struct slice without_blanks(struct slice in)
{
    size_t n = 0;

    while (n < in.len && (in.p[n] == '\n' || in.p[n] == '\r' || in.p[n] == ' ' || in.p[n] == '\t'))
        n++;
    return slice_cut(in, n, in.len);
}

static void take_sealed(struct transport *t, struct slice in)
{
    struct buf *plain = &t->all->plain;

    if (!t->tls_begun)
        in = without_blanks(in);
    if (!in.len)
        return;
    t->tls_begun = true;

    bool        was_ready = tls_ready(t->tls);
    enum zerr   err = tls_feed(t->tls, in, plain, &t->wire);

    if (buf_len(&t->wire))
        mark(t);
    if (!was_ready && tls_ready(t->tls))
        t->on->secured(t);
    struct slice rest = buf_slice(plain);
    if (rest.len && !t->ending)
        t->on->bytes(t, &rest);
    hold(t, rest);
    buf_reset(plain, READ_ROOM);
    if (err && !t->gone)
        lose(t, err == ZE_GONE ? "closed by the peer" : tls_last_error(t->tls));
}

/* STARTTLS may turn the rest of what was read into ciphertext: it is never taken for plaintext, so
 * nothing can be injected before the handshake (RFC 6120 5.4.3.3). */
static void take(struct transport *t, struct slice in)
{
    if (!t->tls) {
        t->on->bytes(t, &in);
        if (!t->tls) {
            hold(t, in);
            return;
        }
    }
    if (in.len && !t->ending)
        take_sealed(t, in);
}

/* The answer is there: what was held goes on, as if it had just come. */
static void take_held(struct transport *t)
{
    struct buf *held = t->held;

    if (!held || t->paused & (PAUSE_ANSWER | PAUSE_MOVE))
        return;
    t->held = NULL;
    struct slice in = buf_slice(held);
    if (t->tls) {
        t->on->bytes(t, &in);
        hold(t, in);
    } else {
        take(t, in);
    }
    buf_free(held);
    free(held);
}

static void alloc_read(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct transport *t = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)t->all->read, READ_ROOM);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct transport *t = stream->data;

    if (n == 0)
        return;
    if (n < 0 && t->ending) {
        uv_read_stop(stream);
        t->gone = true;         /* what is left to send goes out first */
        mark(t);
    } else if (n < 0) {
        uv_read_stop(stream);
        lose(t, n == UV_EOF ? "closed by the peer" : uv_strerror((int)n));
    } else if (!t->ending) {
        *t->all->bytes_in += (uint64_t)n;
        take_held(t);
        take(t, slice_of(buf->base, (size_t)n));
        if (!t->ending)
            t->on->charged(t, (size_t)n);
    }
}

static void read_on(struct transport *t)
{
    if (!t->closing && (!t->paused || t->ending))
        uv_read_start((uv_stream_t *)&t->tcp, alloc_read, on_read);
}

void transport_watch(struct transport *t, unsigned seconds)
{
    unsigned ms = seconds * 1000;
    int      fd;

    uv_tcp_keepalive(&t->tcp, 1, seconds);
    if (uv_fileno((uv_handle_t *)&t->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

void transport_start(struct transport *t)
{
    read_on(t);
}

void transport_pause(struct transport *t, enum pause why)
{
    t->paused |= (uint8_t)why;
    if (!t->closing)
        uv_read_stop((uv_stream_t *)&t->tcp);
}

void transport_resume(struct transport *t, enum pause why)
{
    if (!(t->paused & why))
        return;
    t->paused &= (uint8_t)~why;
    read_on(t);
    if (t->held)
        mark(t);
}

/* ---- out ---- */

static void after_write(uv_write_t *req, int status)
{
    struct write     *w = LIST_OWNER(req, struct write, req);
    struct transport *t = w->t;

    t->writing = 0;
    free(w);
    if (status < 0) {
        if (status != UV_ECANCELED)
            lose(t, uv_strerror(status));
        return;
    }
    mark(t);
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
        lose(t, "write failed");
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
        lose(t, uv_strerror((int)n));
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
        lose(t, tls_last_error(t->tls));
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
    take_held(t);
    if (t->closing)
        return;
    if (t->writing && transport_waiting(t) > t->all->output_max) {
        lose(t, "does not read");
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
        lose(t, "does not read");
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

static void flush_all(void *arg)
{
    struct transports *all = arg;

    while (!list_empty(&all->dirty))
        flush_first(&all->dirty);
}

static void flush_some(void *arg)
{
    struct transports *all = arg;

    for (int n = 0; n < CROWD_A_TURN && !list_empty(&all->crowd); n++)
        flush_first(&all->crowd);
    if (!list_empty(&all->crowd))
        loop_defer_next(all->loop, &all->flush_crowd);
}

/* ---- life ---- */

enum zerr transport_adopt(struct transport *t, struct transports *all, const struct transport_events *on,
                          int fd)
{
    t->all = all;
    t->on = on;
    if (uv_tcp_init(loop_uv(all->loop), &t->tcp) < 0)
        fatal("loop_failed", "why", "uv_tcp_init", NULL);
    t->tcp.data = t;
    int err = uv_tcp_open(&t->tcp, fd);
    if (err) {
        log_error("socket_failed", "why", uv_strerror(err), NULL);
        close(fd);
        transport_kill(t);
        return ZE_GONE;
    }
    uv_tcp_nodelay(&t->tcp, 1);
    return ZE_OK;
}

enum zerr transport_accept(struct transport *t, struct transports *all, const struct transport_events *on,
                           uv_stream_t *listener)
{
    t->all = all;
    t->on = on;
    if (uv_tcp_init(loop_uv(all->loop), &t->tcp) < 0)
        fatal("loop_failed", "why", "uv_tcp_init", NULL);
    t->tcp.data = t;
    if (uv_accept(listener, (uv_stream_t *)&t->tcp) < 0) {
        transport_kill(t);
        return ZE_GONE;
    }
    uv_tcp_nodelay(&t->tcp, 1);
    return ZE_OK;
}

void transport_secure(struct transport *t, struct tls *tls)
{
    if (buf_len(&t->out))
        mark(t);
    buf_put_slice(&t->wire, buf_slice(&t->out));
    buf_free(&t->out);
    t->tls = tls;
}

enum zerr transport_secure_first(struct transport *t, struct tls *tls)
{
    transport_secure(t, tls);
    mark(t);
    return tls_start(tls, &t->wire);
}

size_t transport_waiting(const struct transport *t)
{
    return t->writing + buf_len(&t->out) + buf_len(&t->wire);
}

void transport_end(struct transport *t)
{
    if (t->ending || t->closing)
        return;
    t->ending = true;
    drop_held(t);
    if (!t->gone)
        read_on(t);
    mark(t);
}

static void on_close(uv_handle_t *handle)
{
    struct transport  *t = handle->data;
    struct transports *all = t->all;

    list_remove(&t->dirty);
    buf_free(&t->out);
    if (++all->ended == TRIM_CLOSED)
        timer_arm(all->loop, &all->trim, TRIM_MS);
    t->on->closed(t);
}

void transport_kill(struct transport *t)
{
    if (t->closing)
        return;
    t->closing = t->ending = t->gone = true;
    list_remove(&t->dirty);
    drop_held(t);
    buf_free(&t->out);
    buf_free(&t->wire);
    tls_free(&t->tls);
    uv_close((uv_handle_t *)&t->tcp, on_close);
}
