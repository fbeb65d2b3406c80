/* Sockets, TLS and the stanza splitter of the load generator. The splitter only finds where a
 * first-level element ends: servers are trusted to send well-formed XML. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static int                              ep;
static struct conn                    **dirty;
static int                              dirty_count;
static gnutls_certificate_credentials_t credentials;
static gnutls_priority_t                priority;

void conn_pool(int count)
{
    conns = calloc((size_t)count, sizeof(*conns));
    dirty = calloc((size_t)count + 1, sizeof(struct conn *));
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (!conns || !dirty || ep < 0 || gnutls_certificate_allocate_credentials(&credentials) ||
        gnutls_priority_init(&priority, "NORMAL", NULL))
        die("no memory");
}

static void mark(struct conn *c)
{
    if (!c->dirty) {
        c->dirty = true;
        dirty[dirty_count++] = c;
    }
}

static void make_room(char **bytes, size_t *room, size_t wanted)
{
    if (wanted <= *room)
        return;
    *room = wanted * 2 + 512;
    *bytes = realloc(*bytes, *room);
    if (!*bytes)
        die("no memory");
}

void conn_putf(struct conn *c, const char *format, ...)
{
    char    text[8192];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(text))
        die("stanza too long");
    make_room(&c->out, &c->out_room, c->out_len + (size_t)n);
    memcpy(c->out + c->out_len, text, (size_t)n);
    c->out_len += (size_t)n;
    mark(c);
}

static void watch(struct conn *c, bool out)
{
    struct epoll_event e = { .events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0), .data.ptr = c };

    if (c->want_out != out || c->state == S_CONNECT)
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
    c->want_out = out;
}

void conn_close(struct conn *c)
{
    if (c->state == S_FREE)
        return;
    if (c->tls)
        gnutls_deinit(c->tls);
    c->tls = NULL;
    close(c->fd);
    c->fd = -1;
    c->state = S_FREE;
    c->out_len = c->in_len = c->pos = 0;
}

void conn_fail(struct conn *c, const char *why)
{
    bool ready = c->state == S_READY, leaving = c->state == S_LEAVING;

    if (!leaving) {
        if (opt.verbose || fig.failed < 5)
            fprintf(stderr, "load: user%d in state %d: %.150s\n", opt.first + c->idx, (int)c->state, why);
        fig.failed++;
        if (!ready) {
            fig.in_progress--;
            fig.logins_done++;
        }
    }
    conn_close(c);
    if (fig.failed > 200)
        die("too many failures");
}

/* Returns bytes written, 0 when it would block, -1 on failure. */
static ssize_t write_some(struct conn *c, const char *bytes, size_t len)
{
    ssize_t n = c->tls ? gnutls_record_send(c->tls, bytes, len) : send(c->fd, bytes, len, MSG_NOSIGNAL);

    if (n >= 0)
        return n;
    if (c->tls)
        return n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? 0 : -1;
    return errno == EAGAIN ? 0 : -1;
}

static void flush(struct conn *c)
{
    size_t done = 0;

    if (c->state == S_FREE || c->state == S_CONNECT || (c->tls && !c->tls_done))
        return;
    while (done < c->out_len) {
        ssize_t n = write_some(c, c->out + done, c->out_len - done);
        if (n < 0) {
            conn_fail(c, "write");
            return;
        }
        if (n == 0)
            break;
        done += (size_t)n;
        fig.bytes_out += (uint64_t)n;
    }
    memmove(c->out, c->out + done, c->out_len - done);
    c->out_len -= done;
    watch(c, c->out_len > 0);
}

void conn_reset_stream(struct conn *c)
{
    c->in_len = c->pos = c->start = 0;
    c->depth = c->step = 0;
}

/* Another source address has ports of its own; the port is chosen at the connect, for that destination. */
static void bind_from(int fd)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    int                one = 1;

    if (inet_pton(AF_INET, opt.from, &a.sin_addr) != 1)
        die("--from takes an IPv4 address");
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("bind to %s: %s", opt.from, strerror(errno));
}

void conn_open(int place, int idx)
{
    struct conn       *c = &conns[place];
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port) };
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = c };
    char              *in = c->in, *out = c->out;
    size_t             in_room = c->in_room, out_room = c->out_room;
    int                one = 1;
    bool               was_dirty = c->dirty;

    *c = (struct conn){ .in = in, .out = out, .in_room = in_room, .out_room = out_room, .dirty = was_dirty };
    c->idx = idx;
    c->state = S_CONNECT;
    c->started_ns = now_ns();
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (inet_pton(AF_INET, opt.host, &a.sin_addr) != 1)
        die("--host takes an IPv4 address");
    if (opt.from)
        bind_from(c->fd);
    fig.in_progress++;
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
        conn_fail(c, strerror(errno));
}

static void tls_step(struct conn *c)
{
    int r = gnutls_handshake(c->tls);

    if (r == 0) {
        c->tls_done = true;
        c->state = S_FEATURES;
        watch(c, false);
        login_open_stream(c);
    } else if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED) {
        watch(c, gnutls_record_get_direction(c->tls) == 1);
    } else if (gnutls_error_is_fatal(r)) {
        conn_fail(c, gnutls_strerror(r));
    }
}

void conn_start_tls(struct conn *c)
{
    if (gnutls_init(&c->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK) || gnutls_priority_set(c->tls, priority) ||
        gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, credentials))
        die("TLS session");
    gnutls_server_name_set(c->tls, GNUTLS_NAME_DNS, opt.domain, strlen(opt.domain));
    gnutls_transport_set_int(c->tls, c->fd);
    c->state = S_TLS;
    tls_step(c);
}

static void element_ended(struct conn *c)
{
    struct slice s = slice_of(c->in + c->start, c->pos - c->start);

    if (c->state == S_PROCEED) {
        conn_reset_stream(c);
        conn_start_tls(c);
    } else if (c->state == S_READY) {
        mode_stanza(c, s);
    } else if (c->state != S_LEAVING) {
        login_stanza(c, s);
    }
}

/* A tag ended at pos. Returns false when the buffer is no longer what it was. */
static bool tag_ended(struct conn *c)
{
    bool whole = false;

    c->step = 0;
    if (c->special)
        return true;
    if (c->closing)
        whole = --c->depth == 1;
    else if (c->prev == '/')
        whole = c->depth == 1;
    else
        c->depth++;
    c->prev = 0;
    if (c->depth == 0) {
        conn_fail(c, "stream closed by the server");
        return false;
    }
    if (!whole)
        return true;
    size_t before = c->pos;
    element_ended(c);
    return c->state != S_FREE && c->pos == before;
}

/* Walks the new bytes once. */
static void split(struct conn *c)
{
    while (c->pos < c->in_len) {
        char ch = c->in[c->pos];

        if (c->step == 0) {
            char *p = memchr(c->in + c->pos, '<', c->in_len - c->pos);
            c->pos = p ? (size_t)(p - c->in) : c->in_len;
            if (!p)
                break;
            if (c->depth == 1)
                c->start = c->pos;
            c->pos++;
            c->step = 1;
            continue;
        }
        c->pos++;
        if (c->step == 1) {
            c->closing = ch == '/';
            c->special = ch == '?' || ch == '!';
            c->prev = ch;
            c->step = 2;
        } else if (c->step == 3) {
            if (ch == c->quote)
                c->step = 2;
        } else if (ch == '\'' || ch == '"') {
            c->quote = ch;
            c->step = 3;
        } else if (ch != '>') {
            c->prev = ch;
        } else if (!tag_ended(c)) {
            return;
        }
    }
    size_t keep = (c->depth > 1 || c->step) && c->depth >= 1 ? c->start : c->pos;
    memmove(c->in, c->in + keep, c->in_len - keep);
    c->in_len -= keep;
    c->pos -= keep;
    c->start = 0;
}

static void on_readable(struct conn *c)
{
    while (c->state != S_FREE) {
        make_room(&c->in, &c->in_room, c->in_len + 4096);
        size_t  room = c->in_room - c->in_len;
        bool    plain = !c->tls;
        ssize_t n = plain ? recv(c->fd, c->in + c->in_len, room, 0)
                          : gnutls_record_recv(c->tls, c->in + c->in_len, room);

        if (plain ? n < 0 && errno == EAGAIN : n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            return;
        if (n <= 0) {
            conn_fail(c, "closed");
            return;
        }
        c->in_len += (size_t)n;
        fig.bytes_in += (uint64_t)n;
        split(c);
        if (plain && (size_t)n < room)
            return;
    }
}

static void on_connected(struct conn *c)
{
    int       err = 0;
    socklen_t len = sizeof(err);

    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (err) {
        conn_fail(c, strerror(err));
        return;
    }
    c->want_out = true;
    if (opt.tls && !opt.starttls) {
        conn_start_tls(c);
        return;
    }
    c->state = S_FEATURES;
    watch(c, false);
    login_open_stream(c);
}

static void on_event(struct conn *c, uint32_t events)
{
    if (c->state == S_FREE)
        return;
    if (c->state == S_CONNECT) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            on_connected(c);
        return;
    }
    if (c->state == S_TLS) {
        tls_step(c);
        if (c->state != S_FEATURES)
            return;
    }
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        on_readable(c);
    if (c->state != S_FREE && events & EPOLLOUT)
        mark(c);
}

void pump(int ms)
{
    struct epoll_event events[512];
    int                n = epoll_wait(ep, events, 512, ms);

    for (int i = 0; i < n; i++)
        on_event(events[i].data.ptr, events[i].events);
    for (int i = 0; i < dirty_count; i++) {
        dirty[i]->dirty = false;
        flush(dirty[i]);
    }
    dirty_count = 0;
}

void run_for(double seconds)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

    while (!fig.done) {
        uint64_t now = now_ns();
        if (now >= end)
            return;
        uint64_t ms = (end - now) / 1000000;
        pump(ms > 50 ? 50 : (int)ms + 1);
    }
}
