/* Listening sockets (listen.h). */

#include "listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { BACKLOG = 1024 };

struct listener {
    uv_tcp_t           tcp;
    struct list        link;
    struct listen_set *set;
    int                tag;
    bool               waits;        /* somebody was not taken: libuv asks for no more until he is */
};

struct listen_set {
    struct loop *loop;
    listen_fn   *on_peer;
    void        *owner;
    struct list  listeners;
    size_t       count, open;        /* listening; handles not yet closed */
    bool         closing, paused;
};

struct listen_set *listen_set_new(struct loop *loop, listen_fn *on_peer, void *owner)
{
    struct listen_set *set = xcalloc(1, sizeof(*set));

    set->loop = loop;
    set->on_peer = on_peer;
    set->owner = owner;
    list_init(&set->listeners);
    return set;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;

    if (status < 0)
        log_warn("accept_failed", "why", uv_strerror(status), NULL);
    else if (l->set->paused)
        l->waits = true;
    else if (!l->set->closing)
        l->set->on_peer(l->set->owner, stream, l->tag);
}

static void on_close(uv_handle_t *handle)
{
    struct listener   *l = handle->data;
    struct listen_set *set = l->set;

    list_remove(&l->link);
    free(l);
    if (--set->open == 0 && set->closing)
        free(set);
}

bool listen_set_take(struct listen_set *set, int fd, int tag)
{
    struct listener *l = xcalloc(1, sizeof(*l));

    l->set = set;
    l->tag = tag;
    l->tcp.data = l;
    uv_tcp_init(loop_uv(set->loop), &l->tcp);
    list_append(&set->listeners, &l->link);
    set->open++;
    int err = uv_tcp_open(&l->tcp, fd);
    if (err)
        close(fd);
    else
        err = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (err) {
        log_error("listen_failed", "why", uv_strerror(err), NULL);
        uv_close((uv_handle_t *)&l->tcp, on_close);
        return false;
    }
    set->count++;
    return true;
}

static bool fill_address(const char *text, long port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    return uv_ip6_addr(text, (int)port, (struct sockaddr_in6 *)out) == 0 ||
           uv_ip4_addr(text, (int)port, (struct sockaddr_in *)out) == 0;
}

/* -1: errno says why. */
static int bound_socket(const struct sockaddr_storage *to)
{
    const int on = 1, off = 0;
    int       fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (to->ss_family == AF_INET6)      /* "::" takes IPv4 as well */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (bind(fd, (const struct sockaddr *)to, len) == 0)
        return fd;
    int err = errno;
    close(fd);
    errno = err;
    return -1;
}

bool listen_set_open(struct listen_set *set, const char *address, long port, int tag, const char *kind)
{
    struct sockaddr_storage to;
    int                     fd = -1;

    errno = EINVAL;
    if (fill_address(address, port, &to))
        fd = bound_socket(&to);
    if (fd < 0 && strcmp(address, "::") == 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL) &&
        fill_address("0.0.0.0", port, &to))         /* a machine without IPv6 */
        fd = bound_socket(&to);
    if (fd < 0) {
        log_error("listen_failed", "to", address, "count", log_num(port), "why", strerror(errno), NULL);
        return false;
    }
    log_info("listening", "to", address, "kind", kind, "count", log_num(port), NULL);
    return listen_set_take(set, fd, tag);
}

void listen_set_pause(struct listen_set *set, bool paused)
{
    if (!set)
        return;
    set->paused = paused;
    LIST_EACH(&set->listeners, node) {
        struct listener *l = LIST_OWNER(node, struct listener, link);
        if (set->paused || !l->waits)
            continue;
        l->waits = false;
        on_connection((uv_stream_t *)&l->tcp, 0);
    }
}

size_t listen_set_count(const struct listen_set *set)
{
    return set ? set->count : 0;
}

void listen_set_close(struct listen_set **set)
{
    struct listen_set *s = *set;

    *set = NULL;
    if (!s)
        return;
    s->closing = true;
    if (s->open == 0) {
        free(s);
        return;
    }
    LIST_EACH(&s->listeners, node) {
        struct listener *l = LIST_OWNER(node, struct listener, link);
        if (!uv_is_closing((uv_handle_t *)&l->tcp))
            uv_close((uv_handle_t *)&l->tcp, on_close);
    }
}
