/* Connecting out (connect.h). Sequential, quick on a refusal; an address that does not answer is left
 * after 4 s while there is another, 10 s for the last. */

#include "connect.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"
#include "mem.h"

enum { PATIENCE_MS = 4000, LAST_PATIENCE_MS = 10000 };

struct connect {
    struct loop       *loop;
    struct dns        *dns;
    connect_fn        *then;
    void              *owner;
    char              *domain;
    struct resolve    *resolve;
    bool               tls, resolved, reached;      /* reached: some address existed */
    size_t             targets, target, addresses, address;   /* how many; which is next */
    int                fd;                          /* of the running try; -1: none */
    uv_poll_t         *poll;
    struct timer       patience;
    struct deferred    soon;
    struct srv_target  to[TARGETS_MAX];
    struct sockaddr_storage at[ADDRESSES_MAX];
};

static void try_on(struct connect *c);

static void on_poll_close(uv_handle_t *handle)
{
    free(handle);
}

/* Stops watching; the descriptor stays. */
static int stop_trying(struct connect *c)
{
    int fd = c->fd;

    timer_disarm(&c->patience);
    if (c->poll) {
        uv_poll_stop(c->poll);
        c->poll->data = NULL;
        uv_close((uv_handle_t *)c->poll, on_poll_close);
    }
    c->poll = NULL;
    c->fd = -1;
    return fd;
}

static void log_try(const struct connect *c, const char *why)
{
    const struct sockaddr_storage *at = &c->at[c->address - 1];
    char                           text[64] = "";

    uv_ip_name((const struct sockaddr *)at, text, sizeof(text));
    log_info("connect_failed", "domain", c->domain, "to", text, "count", log_num(c->to[c->target - 1].port),
             "why", why, NULL);
}

static void give_up(struct connect *c, const char *why)
{
    int fd = stop_trying(c);

    log_try(c, why);
    if (fd >= 0)
        close(fd);
    try_on(c);
}

static void patience_ended(void *arg)
{
    give_up(arg, "no answer in time");
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct connect *c = poll->data;
    int             err = 0;
    socklen_t       len = sizeof(err);

    (void)events;
    if (!c)
        return;
    if (status < 0 || getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
        give_up(c, err ? strerror(err) : "cannot connect");
        return;
    }
    int fd = stop_trying(c);
    c->then(c->owner, fd, &c->at[c->address - 1], c->to[c->target - 1].direct_tls, ZE_OK);
}

static bool begin(struct connect *c, const struct sockaddr_storage *to)
{
    socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    c->fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || (connect(c->fd, (const struct sockaddr *)to, len) < 0 && errno != EINPROGRESS))
        return false;
    c->poll = xcalloc(1, sizeof(*c->poll));
    if (uv_poll_init(loop_uv(c->loop), c->poll, c->fd) < 0) {
        free(c->poll);
        c->poll = NULL;
        return false;
    }
    c->poll->data = c;
    return uv_poll_start(c->poll, UV_WRITABLE, on_writable) == 0;
}

static bool is_last(const struct connect *c)
{
    return c->address == c->addresses && c->target == c->targets;
}

static void on_addresses(void *owner, const struct sockaddr_storage *at, size_t count, enum zerr why)
{
    struct connect *c = owner;

    c->resolve = NULL;
    c->address = 0;
    c->addresses = count;
    memcpy(c->at, at, count * sizeof(*at));
    c->reached |= count > 0 || why == ZE_TIMEOUT;
    if (count == 0)
        log_info("host_not_found", "domain", c->domain, "to", c->to[c->target - 1].host, "err", err_name(why),
                 NULL);
    try_on(c);
}

static void ask_addresses(struct connect *c)
{
    const struct srv_target *target = &c->to[c->target++];

    c->resolve = resolve_target(c->loop, c->dns, target, on_addresses, c);
}

static void on_targets(void *owner, const struct srv_target *targets, size_t count, enum zerr why)
{
    struct connect *c = owner;

    c->resolve = NULL;
    c->resolved = true;
    c->reached |= why == ZE_TIMEOUT;
    for (size_t i = 0; i < count; i++)
        if (c->tls || !targets[i].direct_tls)
            c->to[c->targets++] = targets[i];
    try_on(c);
}

/* Each step answers later, by a callback that comes here again. */
static void try_on(struct connect *c)
{
    while (c->address < c->addresses) {
        c->address++;
        if (begin(c, &c->at[c->address - 1])) {
            timer_arm(c->loop, &c->patience, is_last(c) ? LAST_PATIENCE_MS : PATIENCE_MS);
            return;
        }
        int err = errno, fd = stop_trying(c);
        log_try(c, strerror(err));
        if (fd >= 0)
            close(fd);
    }
    if (!c->resolved)
        c->resolve = resolve_domain(c->loop, c->dns, c->domain, on_targets, c);
    else if (c->target < c->targets)
        ask_addresses(c);
    else
        c->then(c->owner, -1, NULL, false, c->reached ? ZE_TIMEOUT : ZE_REMOTE);
}

static void next_now(void *arg)
{
    try_on(arg);
}

struct connect *connect_new(struct loop *loop, struct dns *dns, const char *domain, bool tls,
                            connect_fn *then, void *owner)
{
    struct connect *c = xcalloc(1, sizeof(*c));

    c->loop = loop;
    c->dns = dns;
    c->domain = xstrdup(domain);
    c->tls = tls;
    c->then = then;
    c->owner = owner;
    c->fd = -1;
    c->patience = (struct timer){ .fire = patience_ended, .arg = c };
    c->soon = (struct deferred){ .run = next_now, .arg = c };
    return c;
}

/* Never answers within the call: what runs here may be the very thing that is going to be closed. */
void connect_next(struct connect *c)
{
    loop_defer(c->loop, &c->soon);
}

void connect_free(struct connect **connect)
{
    struct connect *c = *connect;

    *connect = NULL;
    if (!c)
        return;
    loop_undefer(&c->soon);
    int fd = stop_trying(c);
    if (fd >= 0)
        close(fd);
    resolve_forget(&c->resolve);
    free(c->domain);
    free(c);
}
