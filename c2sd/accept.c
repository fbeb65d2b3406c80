/* New clients: accepted, counted by address, refused over the limits (conn.h). */

#include <netinet/in.h>

#include "conn.h"
#include "log.h"
#include "newcomers.h"
#include "ns.h"

static void read_address(struct conn *c)
{
    struct sockaddr_storage from = { 0 };
    int                     len = sizeof(from);

    uv_tcp_getpeername(&c->transport.tcp, (struct sockaddr *)&from, &len);
    if (from.ss_family == AF_INET6) {
        memcpy(c->ip.bytes, &((struct sockaddr_in6 *)&from)->sin6_addr, 16);
        return;
    }
    c->ip.bytes[10] = c->ip.bytes[11] = 0xff;
    memcpy(c->ip.bytes + 12, &((struct sockaddr_in *)&from)->sin_addr, 4);
}

static enum zerr admit(struct conn *c)
{
    struct c2sd           *s = c->c2sd;
    const struct settings *all = c2sd_settings(s);
    const char            *self = s->daemon->instance;
    struct limits_set      set = { settings_share(all, self, all->limits.connections_per_address),
                                   settings_share(all, self, all->limits.connect_rate) };

    if (s->draining || s->counters.connections >= (uint64_t)all->limits.connections_max ||
        s->slots_used >= 1u << (HANDLE_BITS - 1))
        return ZE_FULL;
    enum zerr err = limits_admit(s->limits, &c->ip, &set, c2sd_now(s));
    if (err)
        return err;
    c->counted = true;
    s->counters.connections++;
    return ZE_OK;
}

/* A stranger over the limit costs one write and a close: an error he can show to his user, unless
 * he expects TLS. */
static void refuse(struct conn *c, enum zerr why)
{
    char ip[ADDRESS_MAX];

    c->c2sd->counters.refused++;
    log_info("connection_refused", "peer", conn_address(c, ip), "err", err_name(why), NULL);
    c->state = c->direct_tls ? CONN_CLOSED : CONN_OPENING;
    if (c->direct_tls)
        transport_kill(&c->transport);
    else
        conn_fail(c, why == ZE_FULL ? SE_RESOURCE_CONSTRAINT : SE_POLICY_VIOLATION, "too many connections");
}

void conn_accept(struct c2sd *s, uv_stream_t *listener, bool direct_tls)
{
    struct conn *c = xcalloc(1, sizeof(*c));

    c->c2sd = s;
    c->direct_tls = direct_tls;
    c->patience.fire = conn_patience_ended;
    c->patience.arg = c;
    c->state = direct_tls ? CONN_TLS : CONN_OPENING;
    c->since_us = wall_us();
    c->heard_ms = c2sd_now(s);
    conn_take_handle(s, c);
    if (transport_accept(&c->transport, s->transports, &conn_events, listener) != ZE_OK) {
        c->state = CONN_CLOSED;
        return;
    }
    read_address(c);
    enum zerr why = admit(c);
    if (why) {
        refuse(c, why);
        return;
    }
    s->counters.accepted++;
    c->login = xcalloc(1, sizeof(*c->login));
    newcomer_comes(c);
    struct xml_limits limits = conn_limits(c);
    c->xml = xml_stream_new(NS_CLIENT, &limits);
    timer_arm(s->daemon->loop, &c->patience, conn_patience(c));
    transport_watch(&c->transport, (unsigned)c2sd_settings(s)->limits.idle_ping);
    if (!direct_tls || conn_start_tls(c))
        transport_start(&c->transport);
}
