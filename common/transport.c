/* Stream sockets, from the first to the last (transport.h); transport_in.c reads, transport_out.c writes. */

#include "transport_inner.h"

#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

/* A TLS session is 12 KB in small pieces between those of others: malloc keeps them until told. One pass
 * over them, half a minute after so many ended. */
enum { TRIM_CLOSED = 64, TRIM_MS = 30000 };

/* ---- all ---- */

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
    all->flush.run = transports_flush;
    all->flush.arg = all;
    all->flush_crowd = (struct deferred){ .run = transports_flush_some, .arg = all };
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

/* ---- one ---- */

void transport_lose(struct transport *t, const char *why)
{
    if (t->gone)
        return;
    t->gone = true;
    t->on->lost(t, why);
}

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

void transport_watch(struct transport *t, unsigned seconds)
{
    unsigned ms = seconds * 1000;
    int      fd;

    uv_tcp_keepalive(&t->tcp, 1, seconds);
    if (uv_fileno((uv_handle_t *)&t->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

void transport_secure(struct transport *t, struct tls *tls)
{
    if (buf_len(&t->out))
        transport_mark(t);
    buf_put_slice(&t->wire, buf_slice(&t->out));
    buf_free(&t->out);
    t->tls = tls;
}

enum zerr transport_secure_first(struct transport *t, struct tls *tls)
{
    transport_secure(t, tls);
    transport_mark(t);
    return tls_start(tls, &t->wire);
}

void transport_end(struct transport *t)
{
    if (t->ending || t->closing)
        return;
    t->ending = true;
    transport_drop_held(t);
    if (!t->gone)
        transport_read_on(t);
    transport_mark(t);
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
    transport_drop_held(t);
    buf_free(&t->out);
    buf_free(&t->wire);
    tls_free(&t->tls);
    uv_close((uv_handle_t *)&t->tcp, on_close);
}
