/* zubr-c2sd: speaks to clients.
 * Holds: client sockets, TLS keys, and what its clients send while they send it.
 * Never: a stored password or SCRAM key (sm has them), the store, the words of an account that did not
 * log in here. If it is taken over, the attacker owns the sessions of this process and whatever
 * passwords are typed into it meanwhile by PLAIN or registration, and no account besides. */

#include <stdlib.h>

#include "certificates.h"
#include "conn.h"
#include "encode.h"
#include "listener.h"
#include "log.h"
#include "negotiate.h"
#include "newcomers.h"
#include "owner.h"
#include "stanzas.h"
#include "table.h"

static void register_stats(struct c2sd *s)
{
    struct c2sd_counters *n = &s->counters;
    const struct stat_row rows[] = {
        { "connections", "client streams open now", &n->connections },
        { "accepted", "client connections taken", &n->accepted },
        { "refused", "client connections over a limit", &n->refused },
        { "tls_handshakes", "TLS handshakes done", &n->handshakes },
        { "tls_failed", "TLS handshakes failed", &n->handshakes_failed },
        { "logins", "successful logins", &n->logins },
        { "logins_failed", "failed logins", &n->logins_failed },
        { "resumptions", "streams that resumed a session (XEP-0198)", &n->resumptions },
        { "stanzas_in", "stanzas from clients", &n->stanzas_in },
        { "stanzas_out", "stanzas to clients", &n->stanzas_out },
        { "stanzas_refused", "stanzas answered with an error here", &n->stanzas_refused },
        { "stray_frames", "frames for streams that are gone", &n->stray_frames },
        { "bytes_in", "bytes read from clients", &n->bytes_in },
        { "bytes_out", "bytes written to clients", &n->bytes_out },
        { 0 },
    };
    static struct stat_row kept[COUNT_OF(rows)];

    memcpy(kept, rows, sizeof(rows));
    stats_register(kept);
}

static void apply_limits(struct c2sd *s)
{
    transports_limit(s->transports, (size_t)c2sd_settings(s)->limits.output_max);
}

/* Without a certificate there are only streams in clear, if those are allowed at all. */
static bool load_certificates(struct c2sd *s)
{
    const struct settings *set = c2sd_settings(s);

    s->certs = tls_certs_load(set->dir.certs, set->domain[0].name);
    return s->certs || !set->server.require_tls;
}

static void *start(struct daemon *d)
{
    struct c2sd *s = xcalloc(1, sizeof(*s));

    s->daemon = d;
    s->transports = transports_new(d->loop);
    s->limits = limits_new();
    s->arena = arena_new();
    s->caps = table_new();
    s->authorities = table_new();
    s->serial = random_u64() >> 24;         /* handles of an earlier life do not come again */
    list_init(&s->slowed);
    newcomers_init(s);
    apply_limits(s);
    transports_count(s->transports, &s->counters.bytes_in, &s->counters.bytes_out);
    register_stats(s);
    certificates_load(s);
    if (load_certificates(s))
        s->listeners = listeners_open(s);
    if (s->listeners)
        return s;
    log_error("start_failed", "why",
              s->certs ? "cannot listen" : "no certificate and server.require_tls", NULL);
    transports_free(&s->transports);
    limits_free(&s->limits);
    arena_free(&s->arena);
    negotiate_caps_free(s);
    certificates_free(s);
    tls_certs_free(&s->certs);
    free(s->slots);
    free(s);
    return NULL;
}

static void drain(void *self, const char *message)
{
    struct c2sd *s = self;
    struct conn *c;

    if (s->draining)
        return;
    s->draining = true;
    listeners_close(&s->listeners);
    for (size_t i = 0; (c = conn_next(s, &i));)
        conn_fail(c, SE_SYSTEM_SHUTDOWN, message);
    if (s->slots_used == 0)
        daemon_drained(s->daemon);
}

static void reload(void *self, struct ctl_reply *answer)
{
    struct c2sd *s = self;

    apply_limits(s);
    bool fresh = s->certs ? tls_certs_reload(s->certs) == ZE_OK : load_certificates(s) && s->certs;
    ctl_row(answer);
    ctl_str(answer, fresh ? "applied" : "refused", "certificates");
    ctl_row(answer);
    ctl_str(answer, certificates_load(s) ? "applied" : "refused", "client_certificates");
    if (!listeners_differ(s->listeners, s))
        return;
    ctl_row(answer);
    ctl_str(answer, "restart", "listen");
}

static void status(void *self, struct ctl_reply *r)
{
    struct c2sd *s = self;

    ctl_int(r, "connections", (int64_t)s->counters.connections);
    ctl_int(r, "listeners", (int64_t)listeners_count(s->listeners));
}

/* Closes what is left; the handles' memory goes in their close callbacks. */
static void stop(void *self)
{
    struct c2sd *s = self;
    struct conn *c;

    listeners_close(&s->listeners);
    s->draining = false;
    for (size_t i = 0; (c = conn_next(s, &i));)
        transport_kill(&c->transport);
    for (int turns = 0; s->slots_used && turns < 100; turns++)
        uv_run(loop_uv(s->daemon->loop), UV_RUN_NOWAIT);
    uv_run(loop_uv(s->daemon->loop), UV_RUN_NOWAIT);
    timer_disarm(&s->slowed_timer);
    newcomers_end(s);
    transports_free(&s->transports);
    limits_free(&s->limits);
    arena_free(&s->arena);
    negotiate_caps_free(s);
    certificates_free(s);
    tls_certs_free(&s->certs);
    xml_pool_free();
    free(s->slots);
    free(s);
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "c2sd", .role = ROLE_C2SD, .handlers = c2sd_handlers, .verbs = c2sd_verbs,
        .start = start, .drain = drain, .reload = reload, .status = status,
        .on_routes = owner_routes, .on_peer_lost = owner_peer_lost, .on_peer_back = owner_peer_back,
        .on_confirmed = owner_confirmed, .stop = stop,
    };

    return daemon_main(argc, argv, &spec);
}
