/* What comes from a stream socket (transport.h): into one buffer shared by all, through TLS, to the owner; what he
 * cannot take yet is held. */

#include "transport_inner.h"

#include <stdlib.h>

#include "mem.h"

static void hold(struct transport *t, struct slice rest)
{
    if (t->ending || rest.len == 0)
        return;
    if (!t->held)
        t->held = xcalloc(1, sizeof(*t->held));
    buf_put_slice(t->held, rest);
}

void transport_drop_held(struct transport *t)
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
        transport_mark(t);
    if (!was_ready && tls_ready(t->tls))
        t->on->secured(t);
    struct slice rest = buf_slice(plain);
    if (rest.len && !t->ending)
        t->on->bytes(t, &rest);
    hold(t, rest);
    buf_reset(plain, READ_ROOM);
    if (err && !t->gone)
        transport_lose(t, err == ZE_GONE ? "closed by the peer" : tls_last_error(t->tls));
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
void transport_take_held(struct transport *t)
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
    loop_unit(t->all->loop);
    if (n < 0 && t->ending) {
        uv_read_stop(stream);
        t->gone = true;         /* what is left to send goes out first */
        transport_mark(t);
    } else if (n < 0) {
        uv_read_stop(stream);
        transport_lose(t, n == UV_EOF ? "closed by the peer" : uv_strerror((int)n));
    } else if (!t->ending) {
        *t->all->bytes_in += (uint64_t)n;
        transport_take_held(t);
        take(t, slice_of(buf->base, (size_t)n));
        if (!t->ending)
            t->on->charged(t, (size_t)n);
    }
}

void transport_read_on(struct transport *t)
{
    if (!t->closing && (!t->paused || t->ending))
        uv_read_start((uv_stream_t *)&t->tcp, alloc_read, on_read);
}

void transport_start(struct transport *t)
{
    transport_read_on(t);
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
    transport_read_on(t);
    if (t->held)
        transport_mark(t);
}
