/* The one main() (daemon.h): start, loop, drain and end of all five daemons, in one order. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "cursor.h"
#include "daemon_runtime.h"
#include "live.h"
#include "log.h"
#include "mem.h"

enum { EXIT_CONFIG = 78, DRAIN_MS = 5000, FLUSH_MS = 1000 };

struct runtime daemon_runtime;

/* ---- frames: the arena dies with each (STYLE.md C15) ---- */

static void handle_frame(void *arg, const struct frame *f)
{
    struct runtime *rt = arg;

    rt->spec->handlers[f->kind](rt->d.self, f);
    arena_reset(rt->d.arena);
}

/* What this table says of slots holds in the environments too. */
static void claim_slots(struct runtime *rt, const struct routes *routes)
{
    struct store_members m = { .generation = routes_generation(routes) };

    m.count = routes_members(routes, rt->spec->role, MEMBER_NOW, m.keys, STORE_MEMBERS_MAX);
    if (!routes_settled(routes))
        m.before_count = routes_members(routes, rt->spec->role, MEMBER_BEFORE, m.before, STORE_MEMBERS_MAX);
    for (size_t i = 0; i < rt->store_count; i++)
        store_claim(rt->stores[i], &m);
}

static void handed_in(void *arg, struct stored_mark *mark)
{
    struct runtime *rt = arg;

    for (size_t i = 0; i < rt->store_count; i++)
        mark->last[i] = store_last(rt->stores[i]);
}

static bool stored(void *arg, const struct stored_mark *mark)
{
    struct runtime *rt = arg;

    for (size_t i = 0; i < rt->store_count; i++)
        if (!store_decided(rt->stores[i], mark->last[i]))
            return false;
    return true;
}

static void on_routes(void *arg, const struct routes *routes)
{
    struct runtime *rt = arg;

    if (!rt->was_linked)
        sd_notify(0, "STATUS=running");
    rt->was_linked = true;
    claim_slots(rt, routes);
    slots_on_routes(rt->d.slots, routes);
    if (rt->spec->on_routes && rt->d.self)
        rt->spec->on_routes(rt->d.self, routes);
}

static void on_peer_lost(void *arg, const struct address *life)
{
    struct runtime *rt = arg;

    if (rt->spec->on_peer_lost && rt->d.self)
        rt->spec->on_peer_lost(rt->d.self, life);
}

static void on_peer_back(void *arg, const struct address *peer)
{
    struct runtime *rt = arg;

    slots_on_peer_back(rt->d.slots, peer);
    if (rt->spec->on_peer_back && rt->d.self)
        rt->spec->on_peer_back(rt->d.self, peer);
}

static void on_kept(void *arg, struct kept *k)
{
    struct runtime *rt = arg;

    if (rt->spec->on_kept)
        rt->spec->on_kept(rt->d.self, k);
    arena_reset(rt->d.arena);
}

static void on_confirmed(void *arg, const struct kept *k)
{
    struct runtime *rt = arg;

    if (rt->spec->on_confirmed && rt->d.self)
        rt->spec->on_confirmed(rt->d.self, k);
}

static bool open_live(struct runtime *rt)
{
    if (!rt->spec->live_tables)
        return true;
    char            *path = xprintf("%s/live-%s", rt->d.settings->dir.data, rt->d.instance);
    struct live_spec spec = { .path = path, .tables = rt->spec->live_tables };

    rt->d.live = live_open(rt->d.loop, &spec);
    free(path);
    return rt->d.live != NULL;
}

static void on_slots_frame(void *arg, const struct frame *f)
{
    struct runtime *rt = arg;

    slots_on_frame(rt->d.slots, f);
    arena_reset(rt->d.arena);
}

static enum zerr send_slots(void *arg, struct frame *f)
{
    return link_send(arg, f);
}

static void say_ready(void *arg, uint32_t generation, bool released)
{
    link_say_ready(arg, generation, released);
}

static uint64_t last_sent(void *arg)
{
    return link_serial(arg);
}

static bool has_arrived(void *arg, unsigned roles, uint64_t serial)
{
    return link_arrived(arg, roles, serial);
}

static bool is_absent(void *arg, uint32_t instance)
{
    return link_absent(arg, instance);
}

/* The daemon's self is not there yet; nothing is asked of it before the loop runs. */
static void make_slots(struct runtime *rt)
{
    struct address    self = { rt->spec->role, instance_key(rt->d.instance), link_incarnation(rt->d.link) };
    struct slots_ways ways = { rt->d.link, send_slots, say_ready, last_sent, has_arrived, is_absent };
    struct slots_spec spec = rt->spec->slots ? *rt->spec->slots : (struct slots_spec){ 0 };

    spec.live = rt->d.live;
    spec.live_table = LINK_LIVE_SLOTS;
    rt->d.slots = slots_new(rt->d.loop, &ways, &self, &spec);
}

/* Frame END of routerd, which says it to all in order (routerd/shutdown.h). */
static void on_end(void *arg, const struct frame *f)
{
    struct runtime *rt = arg;
    struct cursor   c = { f->body, false };
    bool            again = take_bool(&c);
    struct slice    text = take_sized(&c);
    char           *message;

    if (f->origin.role != ROLE_ROUTERD || !cursor_done(&c)) {
        log_warn("frame_refused", "kind", "END", "why", "malformed", NULL);
        return;
    }
    message = xstrndup(text);
    daemon_stop_later(rt, 0, message, again);
    free(message);
}

static bool make_link(struct runtime *rt)
{
    if (rt->spec->role == ROLE_ROUTERD)
        return true;
    char *path = xprintf("%s/router/%s.sock", rt->d.settings->dir.run, rt->spec->name);

    for (unsigned kind = 0; kind < FRAME_KIND_MAX; kind++)
        rt->handlers[kind] = rt->spec->handlers[kind] ? handle_frame : NULL;
    rt->handlers[FRAME_END] = on_end;
    rt->handlers[FRAME_SLOT_FENCE] = rt->handlers[FRAME_SLOT_STATE] = on_slots_frame;
    rt->d.link = link_new(rt->d.loop, &(struct link_spec){
        .socket_path = path, .instance = rt->d.instance, .handlers = rt->handlers, .daemon = rt,
        .queue_bytes = rt->d.settings->limits.router_queue_bytes, .live = rt->d.live,
        .on_kept = on_kept, .on_confirmed = on_confirmed, .on_peer_back = on_peer_back,
        .on_routes = on_routes, .on_peer_lost = on_peer_lost, .handed_in = handed_in, .stored = stored });
    free(path);
    if (rt->d.link)
        make_slots(rt);
    return rt->d.link != NULL;
}

/* ---- the end ---- */

/* What drain() handed to the link has to leave first, but nobody waits for a routerd that is away. */
static void end_when_flushed(void *arg)
{
    struct runtime *rt = arg;
    bool            empty = !rt->d.link || !link_up(rt->d.link) || link_queued(rt->d.link) == 0;

    if ((rt->drained && empty) || loop_now_ms(rt->d.loop) >= rt->end_by_ms)
        loop_stop(rt->d.loop);
    else
        timer_arm(rt->d.loop, &rt->end_timer, 100);
}

void daemon_drained(struct daemon *d)
{
    struct runtime *rt = &daemon_runtime;

    (void)d;
    if (rt->drained)
        return;
    rt->drained = true;
    log_info("daemon_drained", "instance", rt->d.instance, NULL);
    if (rt->state != DAEMON_STOPPING)
        return;
    uint64_t flushed_by = loop_now_ms(rt->d.loop) + FLUSH_MS;
    if (flushed_by < rt->end_by_ms)
        rt->end_by_ms = flushed_by;
    timer_arm(rt->d.loop, &rt->end_timer, 0);
}

void daemon_begin_drain(struct runtime *rt, const char *message)
{
    if (rt->d.draining)
        return;
    rt->d.draining = true;
    if (rt->state == DAEMON_RUNNING)
        rt->state = DAEMON_DRAINING;
    log_info("daemon_draining", "instance", rt->d.instance, "why", message, NULL);
    if (rt->spec->drain && rt->d.self)
        rt->spec->drain(rt->d.self, message);
    else
        daemon_drained(&rt->d);
}

void daemon_stop(struct daemon *d, const char *message)
{
    struct runtime *rt = &daemon_runtime;

    (void)d;
    if (rt->state == DAEMON_STOPPING)
        return;
    rt->state = DAEMON_STOPPING;
    rt->d.ending = true;
    sd_notify(0, "STOPPING=1\nSTATUS=stopping");
    rt->end_by_ms = loop_now_ms(rt->d.loop) + DRAIN_MS;
    daemon_begin_drain(rt, message);
    if (!timer_armed(&rt->end_timer))
        timer_arm(rt->d.loop, &rt->end_timer, rt->drained ? 0 : 100);
}

static void stop_now(void *arg)
{
    struct runtime *rt = arg;

    rt->d.for_good = !rt->again;
    daemon_stop(&rt->d, rt->message);
}

void daemon_stop_later(struct runtime *rt, uint64_t ms, const char *message, bool again)
{
    char *text = message && *message ? xstrdup(message) : NULL;

    free(rt->message);
    rt->message = text;
    rt->again = again;
    timer_arm(rt->d.loop, &rt->stop_timer, ms);
}

void daemon_end(struct daemon *d, bool again, const char *message)
{
    (void)d;
    daemon_stop_later(&daemon_runtime, 0, message, again);
}

/* ---- reload: a transaction; the old settings stay in memory, names borrowed from them live on ---- */

static void say_applied(struct ctl_reply *answer, const char *setting)
{
    if (!answer)
        return;
    ctl_row(answer);
    ctl_str(answer, "applied", setting);
}

static void apply_settings(struct runtime *rt, const struct settings *old, struct ctl_reply *answer)
{
    const struct settings *s = rt->d.settings;

    if (strcmp(old->server.log, s->server.log) != 0) {
        log_set_level((enum log_level)log_level_parse(s->server.log));
        say_applied(answer, "server.log");
    }
    if (old->server.pace_us != s->server.pace_us) {
        loop_look_every(rt->d.loop, (unsigned)s->server.pace_us);
        say_applied(answer, "server.pace_us");
    }
}

enum zerr daemon_reload(struct runtime *rt, struct ctl_reply *answer)
{
    const struct settings *old = rt->d.settings;
    struct settings       *fresh = settings_load(rt->options.config, rt->options.overrides);

    if (!fresh) {
        log_error("reload_refused", "why", "the faults are listed above", NULL);
        if (answer)
            ctl_reason(answer, "the configuration has faults, listed in the log; nothing was changed");
        return ZE_CONFIG;
    }
    rt->outdated = xrealloc(rt->outdated, (rt->outdated_count + 1) * sizeof(*rt->outdated));
    rt->outdated[rt->outdated_count++] = old;
    rt->d.settings = fresh;
    apply_settings(rt, old, answer);
    if (rt->spec->reload)
        rt->spec->reload(rt->d.self, answer);
    log_info("daemon_reloaded", "instance", rt->d.instance, NULL);
    return ZE_OK;
}

/* ---- signals ---- */

/* Whoever sends it decides whether there is another start. */
static void daemon_signalled(struct runtime *rt)
{
    rt->again = false;
    daemon_stop(&rt->d, NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct runtime *rt = handle->data;

    if (number == SIGHUP)
        daemon_reload(rt, NULL);
    else
        daemon_signalled(rt);
}

static void watch_signals(struct runtime *rt)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        uv_signal_init(loop_uv(rt->d.loop), &rt->signals[i]);
        rt->signals[i].data = rt;
        uv_signal_start(&rt->signals[i], on_signal, numbers[i]);
    }
}

static void feed_watchdog(void *arg)
{
    struct runtime *rt = arg;

    sd_notify(0, "WATCHDOG=1");
    timer_arm(rt->d.loop, &rt->watchdog, rt->watchdog_ms);
}

static void start_watchdog(struct runtime *rt)
{
    uint64_t usec;

    if (sd_watchdog_enabled(0, &usec) <= 0)
        return;
    rt->watchdog_ms = usec / 2000;
    feed_watchdog(rt);
}

/* ---- the order ---- */

static void prepare(struct runtime *rt)
{
    struct settings *s = settings_load(rt->options.config, rt->options.overrides);
    char first[32];

    if (!s)
        exit(EXIT_CONFIG);
    snprintf(first, sizeof(first), rt->spec->role == ROLE_ROUTERD ? "%s" : "%s-1", rt->spec->name);
    rt->d.settings = s;
    rt->d.instance = xstrdup(rt->options.instance ? rt->options.instance : first);
    daemon_check_instance(s, rt->d.instance, rt->spec->role);
    log_open(rt->d.instance, (enum log_level)log_level_parse(s->server.log));
    umask(0077);
    daemon_drop_root(rt->spec);
    daemon_raise_limits();
    daemon_make_places(s);
}

static bool start(struct runtime *rt)
{
    rt->d.loop = loop_new();
    loop_look_every(rt->d.loop, (unsigned)rt->d.settings->server.pace_us);
    rt->d.arena = arena_new();
    rt->started_ms = loop_now_ms(rt->d.loop);
    rt->stop_timer = (struct timer){ .fire = stop_now, .arg = rt };
    rt->end_timer = (struct timer){ .fire = end_when_flushed, .arg = rt };
    rt->watchdog = (struct timer){ .fire = feed_watchdog, .arg = rt };
    watch_signals(rt);
    if (!open_live(rt) || !make_link(rt))
        return false;
    rt->d.self = rt->spec->start(&rt->d);
    if (!rt->d.self)
        return false;
    if (rt->d.slots)
        slots_daemon(rt->d.slots, rt->d.self);
    if (rt->d.link)
        link_restore(rt->d.link);
    rt->tables[0] = daemon_verbs;
    rt->tables[1] = rt->spec->verbs;
    char *path = xprintf("%s/ctl/%s.sock", rt->d.settings->dir.run, rt->d.instance);
    rt->ctl = ctl_listen(rt->d.loop, path, rt->d.settings->server.admin_group, rt->tables, rt->d.self);
    free(path);
    if (!rt->ctl)
        return false;
    rt->state = DAEMON_RUNNING;
    log_info("daemon_started", "instance", rt->d.instance, NULL);
    sd_notify(0, rt->d.link ? "READY=1\nSTATUS=waiting for routerd" : "READY=1\nSTATUS=running");
    start_watchdog(rt);
    return true;
}

static void finish(struct runtime *rt)
{
    ctl_close(&rt->ctl);
    if (rt->d.live)
        live_freeze(rt->d.live);
    if (rt->d.live && rt->d.link)
        link_seal(rt->d.link);
    if (rt->d.self && rt->spec->stop)
        rt->spec->stop(rt->d.self);
    slots_free(&rt->d.slots);
    link_free(&rt->d.link);
    live_close(&rt->d.live);
    timer_disarm(&rt->stop_timer);
    timer_disarm(&rt->end_timer);
    timer_disarm(&rt->watchdog);
    for (size_t i = 0; i < COUNT_OF(rt->signals); i++)
        uv_close((uv_handle_t *)&rt->signals[i], NULL);
    log_info("daemon_stopped", "instance", rt->d.instance, NULL);
    loop_free(&rt->d.loop);
    arena_free(&rt->d.arena);
    for (size_t i = 0; i < rt->outdated_count; i++)
        settings_free((struct settings **)&rt->outdated[i]);
    free(rt->outdated);
    settings_free((struct settings **)&rt->d.settings);
    free((char *)rt->d.instance);
    free(rt->options.overrides);
    free(rt->message);
}

int daemon_main(int argc, char **argv, const struct daemon_spec *spec)
{
    struct runtime *rt = &daemon_runtime;

    rt->spec = spec;
    rt->options = daemon_options(argc, argv, spec);
    if (rt->options.leave >= 0) {
        free(rt->options.overrides);
        return rt->options.leave;
    }
    prepare(rt);
    bool started = start(rt);
    if (started)
        loop_run(rt->d.loop);
    finish(rt);
    return !started ? 1 : rt->again ? DAEMON_AGAIN : 0;
}
