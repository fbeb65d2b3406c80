/* Sockets to Redis: a path, an address, or a name that is looked up first (redis.h). */

#include "redis_inner.h"

#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

static struct socket *socket_new(struct connection *c)
{
    struct socket *s = xcalloc(1, sizeof(*s));

    s->owner = c;
    s->connecting.data = s;
    c->socket = s;
    return s;
}

static void connect_address(struct connection *c, const struct sockaddr *address)
{
    struct socket *s = socket_new(c);
    int            err;

    uv_tcp_init(loop_uv(c->redis->spec.loop), &s->tcp);
    uv_tcp_nodelay(&s->tcp, 1);
    err = uv_tcp_connect(&s->connecting, &s->tcp, address, redis_on_connected);
    if (err)
        redis_lose(c, uv_strerror(err));
}

static void connect_path(struct connection *c, const char *path)
{
    struct socket *s = socket_new(c);

    uv_pipe_init(loop_uv(c->redis->spec.loop), &s->pipe, 0);
    uv_pipe_connect(&s->connecting, &s->pipe, path, redis_on_connected);
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup     *l = (struct lookup *)request;
    struct connection *c = l->owner;

    if (c)
        c->lookup = NULL;
    if (c && status < 0)
        redis_lose(c, uv_strerror(status));
    else if (c)
        connect_address(c, found->ai_addr);
    uv_freeaddrinfo(found);
    free(l);
}

static void connect_name(struct connection *c, const char *host, const char *port)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct lookup  *l = xcalloc(1, sizeof(*l));
    int             err;

    l->owner = c;
    c->lookup = l;
    err = uv_getaddrinfo(loop_uv(c->redis->spec.loop), &l->request, on_found, host, port, &hints);
    if (!err)
        return;
    c->lookup = NULL;
    free(l);
    redis_lose(c, uv_strerror(err));
}

/* The setting was checked when it was read: there is a colon. */
static void connect_endpoint(struct connection *c, const char *where)
{
    const char             *colon = strrchr(where, ':');
    bool                    bracketed = where[0] == '[';
    struct sockaddr_storage address;
    unsigned long           port = strtoul(colon + 1, NULL, 10);
    char                    host[256];

    snprintf(host, sizeof(host), "%.*s", (int)(colon - where) - 2 * bracketed, where + bracketed);
    if (uv_ip4_addr(host, (int)port, (struct sockaddr_in *)&address) == 0 ||
        uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)&address) == 0)
        connect_address(c, (const struct sockaddr *)&address);
    else
        connect_name(c, host, colon + 1);
}

void redis_connect(struct connection *c)
{
    const char *where = c->redis->where;

    if (strncmp(where, "unix:", 5) == 0)
        connect_path(c, where + 5);
    else
        connect_endpoint(c, where);
}
