/* DNS over TCP (dns_tcp.h): two bytes of length before each message (RFC 1035 4.2.2). */

#include "dns_tcp.h"

#include <stdlib.h>

#include "buf.h"
#include "mem.h"

struct dns_tcp {
    uv_tcp_t     tcp;
    uv_connect_t connect;
    uv_write_t   write;
    struct timer patience;
    struct buf   query, answer;
    dns_tcp_fn  *then;           /* NULL: told, or nobody waits */
    void        *owner;
};

static void on_close(uv_handle_t *handle)
{
    struct dns_tcp *t = handle->data;

    buf_free(&t->query);
    buf_free(&t->answer);
    free(t);
}

static void finish(struct dns_tcp *t, struct slice packet)
{
    dns_tcp_fn *then = t->then;

    t->then = NULL;
    timer_disarm(&t->patience);
    if (!uv_is_closing((uv_handle_t *)&t->tcp))
        uv_close((uv_handle_t *)&t->tcp, on_close);
    if (then)
        then(t->owner, packet);
}

static void give_up(void *arg)
{
    finish(arg, (struct slice){ 0 });
}

static void alloc_read(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct dns_tcp *t = handle->data;

    (void)suggested;
    *out = uv_buf_init((char *)buf_reserve(&t->answer, 4096), 4096);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct dns_tcp *t = stream->data;

    (void)buf;
    if (n < 0) {
        give_up(t);
        return;
    }
    buf_added(&t->answer, (size_t)n);
    struct slice got = buf_slice(&t->answer);
    if (got.len < 2)
        return;
    size_t wanted = (size_t)got.p[0] << 8 | got.p[1];
    if (got.len >= 2 + wanted)
        finish(t, slice_cut(got, 2, 2 + wanted));
}

static void after_write(uv_write_t *req, int status)
{
    struct dns_tcp *t = req->handle->data;

    if (status < 0 && status != UV_ECANCELED)
        give_up(t);
}

static void after_connect(uv_connect_t *req, int status)
{
    struct dns_tcp *t = req->handle->data;
    struct slice    query = buf_slice(&t->query);
    uv_buf_t        piece = uv_buf_init((char *)query.p, (unsigned)query.len);

    if (status == UV_ECANCELED)
        return;
    if (status < 0 || uv_read_start(req->handle, alloc_read, on_read) < 0 ||
        uv_write(&t->write, req->handle, &piece, 1, after_write) < 0)
        give_up(t);
}

struct dns_tcp *dns_tcp_ask(struct loop *loop, const struct sockaddr *server, struct slice query, uint64_t ms,
                            dns_tcp_fn *then, void *owner)
{
    struct dns_tcp *t = xcalloc(1, sizeof(*t));

    t->then = then;
    t->owner = owner;
    t->tcp.data = t;
    t->patience.fire = give_up;
    t->patience.arg = t;
    buf_put_u8(&t->query, (uint8_t)(query.len >> 8));
    buf_put_u8(&t->query, (uint8_t)query.len);
    buf_put_slice(&t->query, query);
    uv_tcp_init(loop_uv(loop), &t->tcp);
    bool begun = uv_tcp_connect(&t->connect, &t->tcp, server, after_connect) == 0;
    timer_arm(loop, &t->patience, begun ? ms : 0);
    return t;
}

void dns_tcp_forget(struct dns_tcp **tcp)
{
    struct dns_tcp *t = *tcp;

    *tcp = NULL;
    if (!t)
        return;
    t->then = NULL;
    give_up(t);
}
