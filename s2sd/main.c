/* zubr-s2sd: speaks to other servers and to external components.
 * Holds: their sockets, TLS keys, the dialback secret, what waits for a remote domain.
 * Never: the store, the words of a local account or a local domain (routerd checks that). If it is
 * taken over, the attacker speaks for every remote domain, and for no account here. */

#include <stdlib.h>

#include "component.h"
#include "connect.h"
#include "deliver.h"
#include "listen.h"
#include "log.h"
#include "pair.h"
#include "remote.h"

enum { SWEEP_MS = 60000 };

static void register_stats(struct s2sd *s)
{
    struct s2sd_counters *n = &s->counters;
    const struct stat_row rows[] = {
        { "streams_in", "verified streams of other servers open now", &n->streams_in },
        { "streams_out", "streams to other servers open now", &n->streams_out },
        { "components", "external components connected now", &n->components },
        { "remotes", "remote domains remembered", &n->remotes },
        { "refused", "connections over a limit", &n->refused },
        { "tls_handshakes", "TLS handshakes done", &n->handshakes },
        { "tls_failed", "TLS handshakes failed", &n->handshakes_failed },
        { "connects_failed", "remote domains that could not be reached", &n->connects_failed },
        { "dialbacks_valid", "domains that other servers proved", &n->dialbacks_valid },
        { "dialbacks_failed", "domains they could not prove, or that did not take us", &n->dialbacks_failed },
        { "keys_verified", "keys of ours that others asked about", &n->verified_for_others },
        { "stanzas_in", "stanzas from other servers and components", &n->stanzas_in },
        { "stanzas_out", "stanzas to other servers and components", &n->stanzas_out },
        { "stanzas_refused", "stanzas that ended their stream", &n->stanzas_refused },
        { "stanzas_returned", "stanzas that could not be delivered", &n->returned },
        { "queued", "stanzas waiting for a remote domain", &n->queued },
        { "queued_bytes", "bytes waiting for remote domains", &n->queued_bytes },
        { "bytes_in", "bytes read from other servers and components", &n->bytes_in },
        { "bytes_out", "bytes written to other servers and components", &n->bytes_out },
        { 0 },
    };
    static struct stat_row kept[COUNT_OF(rows)];

    memcpy(kept, rows, sizeof(rows));
    stats_register(kept);
}

/* ---- listening ---- */

static const struct stream_kind *const kinds[] = { &incoming_kind, &component_kind };
enum { TAG_SERVER, TAG_COMPONENT };

static void on_peer(void *owner, uv_stream_t *listener, int tag)
{
    stream_accept(owner, listener, kinds[tag]);
}

static size_t take_handed_over(struct s2sd *s)
{
    static const char *const names[] = { [TAG_SERVER] = "s2s", [TAG_COMPONENT] = "component" };
    size_t taken = 0;

    for (int tag = 0; tag < (int)COUNT_OF(names); tag++)
        for (int fd; (fd = daemon_socket(names[tag])) >= 0; taken++)
            listen_set_take(s->listeners, fd, tag);
    return taken;
}

static bool listen_all(struct s2sd *s)
{
    const struct settings          *set = s2sd_settings(s);
    const struct settings_instance *own = settings_instance(set, s->daemon->instance);
    long                            port = own && own->s2s >= 0 ? own->s2s : set->listen.s2s;
    bool                            fine = true;

    s->listeners = listen_set_new(s->daemon->loop, on_peer, s);
    if (take_handed_over(s))
        return true;
    for (size_t i = 0; i < set->listen.address.count; i++) {
        const char *address = set->listen.address.item[i];
        if (port)
            fine &= listen_set_open(s->listeners, address, port, TAG_SERVER, "s2s");
        if (set->listen.component && set->component_count)
            fine &= listen_set_open(s->listeners, address, set->listen.component, TAG_COMPONENT, "component");
    }
    return fine;
}

/* ---- life ---- */

static void sweep(void *arg)
{
    struct s2sd *s = arg;

    remotes_sweep(s, false);
    timer_arm(s->daemon->loop, &s->sweep, SWEEP_MS);
}

static void apply_limits(struct s2sd *s)
{
    transports_limit(s->transports, (size_t)s2sd_settings(s)->limits.output_max);
}

static bool open_all(struct s2sd *s)
{
    const struct settings *set = s2sd_settings(s);

    s->certs = tls_certs_load(set->dir.certs, set->domain[0].name);
    if (!s->certs && set->server.s2s_require_tls)
        log_warn("certificates_missing", "why", "no other server can reach this one (server.s2s_require_tls)",
                 NULL);
    s->dns = dns_new(s->daemon->loop, set->server.resolver);
    return s->dns && dialback_open(&s->dialback, set->dir.data) == ZE_OK && listen_all(s);
}

static void close_streams(struct s2sd *s)
{
    LIST_EACH(&s->streams, node)
        stream_kill(LIST_OWNER(node, struct stream, link), "the daemon ends");
}

/* Closes what is left; the handles' memory goes in their close callbacks. */
static void stop(void *self)
{
    struct s2sd *s = self;

    s->draining = true;
    listen_set_close(&s->listeners);
    close_streams(s);
    s2sd_end_verbs(s);
    timer_disarm(&s->sweep);
    for (int turns = 0; !list_empty(&s->streams) && turns < 100; turns++)
        uv_run(loop_uv(s->daemon->loop), UV_RUN_NOWAIT);
    remotes_sweep(s, true);
    dns_free(&s->dns);
    uv_run(loop_uv(s->daemon->loop), UV_RUN_NOWAIT);
    transports_free(&s->transports);
    limits_free(&s->limits);
    arena_free(&s->arena);
    table_free(&s->remotes);
    table_free(&s->components);
    table_free(&s->by_handle);
    deliver_end(s);
    tls_certs_free(&s->certs);
    xml_pool_free();
    wipe(&s->dialback, sizeof(s->dialback));
    free(s);
}

static void *start(struct daemon *d)
{
    struct s2sd *s = xcalloc(1, sizeof(*s));

    s->daemon = d;
    s->transports = transports_new(d->loop);
    s->limits = limits_new();
    s->arena = arena_new();
    s->remotes = table_new();
    s->components = table_new();
    s->by_handle = table_new();
    s->sweep = (struct timer){ .fire = sweep, .arg = s };
    list_init(&s->streams);
    list_init(&s->lookups);
    list_init(&s->held);
    apply_limits(s);
    transports_count(s->transports, &s->counters.bytes_in, &s->counters.bytes_out);
    register_stats(s);
    if (open_all(s)) {
        timer_arm(d->loop, &s->sweep, SWEEP_MS);
        return s;
    }
    stop(s);
    return NULL;
}

/* What is still waiting goes back when nobody is left to wait with it. */
static void drain(void *self, const char *message)
{
    struct s2sd *s = self;

    if (s->draining)
        return;
    s->draining = true;
    listen_set_close(&s->listeners);
    s2sd_end_verbs(s);
    for (struct table_iter i = { 0 }; table_next(s->remotes, &i);)
        pairs_return(i.value, ZE_TIMEOUT);
    LIST_EACH(&s->streams, node)
        stream_fail(LIST_OWNER(node, struct stream, link), SE_SYSTEM_SHUTDOWN, message);
    if (list_empty(&s->streams))
        daemon_drained(s->daemon);
}

static void say(struct ctl_reply *answer, const char *field, const char *what)
{
    if (!answer)
        return;
    ctl_row(answer);
    ctl_str(answer, field, what);
}

static void reload(void *self, struct ctl_reply *answer)
{
    struct s2sd *s = self;

    apply_limits(s);
    if (s->certs)
        say(answer, tls_certs_reload(s->certs) == ZE_OK ? "applied" : "refused", "certificates");
    else
        say(answer, "needs_restart", "certificates");
    say(answer, dns_reload(s->dns, s2sd_settings(s)->server.resolver) ? "applied" : "refused", "resolver");
}

static void status(void *self, struct ctl_reply *r)
{
    struct s2sd *s = self;

    ctl_int(r, "streams_in", (int64_t)s->counters.streams_in);
    ctl_int(r, "streams_out", (int64_t)s->counters.streams_out);
    ctl_int(r, "components", (int64_t)s->counters.components);
    ctl_int(r, "queued_bytes", (int64_t)s->counters.queued_bytes);
}

static void on_routes(void *self, const struct routes *routes)
{
    (void)routes;
    components_on_routes(self);
}

int main(int argc, char **argv)
{
    static const struct daemon_spec spec = {
        .name = "s2sd", .role = ROLE_S2SD, .handlers = s2sd_handlers, .verbs = s2sd_verbs, .start = start,
        .drain = drain, .reload = reload, .status = status, .on_routes = on_routes,
        .on_confirmed = deliver_confirmed, .stop = stop,
    };

    return daemon_main(argc, argv, &spec);
}
