/* Listening sockets (listener.h). Instances share a port by SO_REUSEPORT: the kernel spreads clients. */

#include "listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"

enum { BACKLOG = 1024, LISTENERS_MAX = 64 };

struct listener {
    uv_tcp_t          tcp;
    struct listeners *all;
    bool              direct_tls;
};

struct listeners {
    struct c2sd    *c2sd;
    char           *wanted;        /* what the settings said, as text */
    size_t          count, open;
    bool            closing;
    struct listener listener[LISTENERS_MAX];
};

struct ports {
    long c2s, c2s_tls;
};

static struct ports ports_of(const struct c2sd *s)
{
    const struct settings          *all = c2sd_settings(s);
    const struct settings_instance *own = settings_instance(all, s->daemon->instance);
    struct ports                    p = { all->listen.c2s, all->listen.c2s_tls };

    if (own && own->c2s >= 0)
        p.c2s = own->c2s;
    if (own && own->c2s_tls >= 0)
        p.c2s_tls = own->c2s_tls;
    return p;
}

static char *wanted(const struct c2sd *s)
{
    const struct settings *all = c2sd_settings(s);
    struct ports           p = ports_of(s);
    struct buf             text = { 0 };

    for (size_t i = 0; i < all->listen.address.count; i++)
        buf_printf(&text, "%s ", all->listen.address.item[i]);
    buf_printf(&text, "c2s %ld tls %ld", p.c2s, p.c2s_tls);
    char *out = xstrndup(buf_slice(&text));
    buf_free(&text);
    return out;
}

static void on_client(uv_stream_t *stream, int status)
{
    struct listener *l = stream->data;

    if (status < 0)
        log_warn("accept_failed", "why", uv_strerror(status), NULL);
    else
        conn_accept(l->all->c2sd, stream, l->direct_tls);
}

static void on_close(uv_handle_t *handle)
{
    struct listeners *all = ((struct listener *)handle->data)->all;

    if (--all->open > 0 || !all->closing)
        return;
    free(all->wanted);
    free(all);
}

/* Takes the descriptor. */
static bool listen_on(struct listeners *all, int fd, bool direct_tls)
{
    struct listener *l = &all->listener[all->count];

    if (all->count == LISTENERS_MAX) {
        close(fd);
        return false;
    }
    l->all = all;
    l->direct_tls = direct_tls;
    l->tcp.data = l;
    uv_tcp_init(loop_uv(all->c2sd->daemon->loop), &l->tcp);
    all->count++;
    all->open++;
    int err = uv_tcp_open(&l->tcp, fd);
    if (!err)
        err = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_client);
    if (err)
        log_error("listen_failed", "why", uv_strerror(err), NULL);
    return err == 0;
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

static bool open_one(struct listeners *all, const char *address, long port, bool direct_tls)
{
    struct sockaddr_storage to;
    int                     fd = -1;

    if (port == 0)
        return true;
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
    log_info("listening", "to", address, "kind", direct_tls ? "tls" : "starttls", "count",
             log_num(port), NULL);
    return listen_on(all, fd, direct_tls);
}

/* Sockets of systemd: any number under each name. */
static size_t take_handed_over(struct listeners *all)
{
    static const struct {
        const char *name;
        bool        direct_tls;
    } names[] = { { "c2s", false }, { "c2s-tls", true } };
    size_t taken = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (int fd; (fd = daemon_socket(names[i].name)) >= 0; taken++)
            listen_on(all, fd, names[i].direct_tls);
    return taken;
}

struct listeners *listeners_open(struct c2sd *s)
{
    const struct settings *set = c2sd_settings(s);
    struct listeners      *all = xcalloc(1, sizeof(*all));
    struct ports           ports = ports_of(s);
    bool                   fine = true;

    all->c2sd = s;
    all->wanted = wanted(s);
    if (take_handed_over(all) > 0)
        return all;
    for (size_t i = 0; i < set->listen.address.count; i++) {
        fine &= open_one(all, set->listen.address.item[i], ports.c2s, false);
        fine &= open_one(all, set->listen.address.item[i], s->certs ? ports.c2s_tls : 0, true);
    }
    if (fine)
        return all;
    listeners_close(&all);
    return NULL;
}

void listeners_close(struct listeners **listeners)
{
    struct listeners *all = *listeners;

    *listeners = NULL;
    if (!all)
        return;
    all->closing = true;
    for (size_t i = 0; i < all->count; i++)
        uv_close((uv_handle_t *)&all->listener[i].tcp, on_close);
    if (all->count == 0) {
        free(all->wanted);
        free(all);
    }
}

bool listeners_differ(const struct listeners *listeners, const struct c2sd *s)
{
    char *now = wanted(s);
    bool  differ = !listeners || strcmp(now, listeners->wanted) != 0;

    free(now);
    return differ;
}

size_t listeners_count(const struct listeners *listeners)
{
    return listeners ? listeners->count : 0;
}
