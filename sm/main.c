/* sm: accounts, sessions, rosters, presence, delivery, offline messages.
 * Holds: the accounts and archive environments, the keys of every account of this host. Never: a network
 * socket, TLS, bytes of a stranger that no border daemon has parsed. */

#include <stdlib.h>

#include "absent.h"
#include "anonymous.h"
#include "archive.h"
#include "broadcast.h"
#include "caps.h"
#include "commands.h"
#include "daemon.h"
#include "credentials.h"
#include "dispatch.h"
#include "errand.h"
#include "groups.h"
#include "handover.h"
#include "log.h"
#include "logins.h"
#include "notices.h"
#include "ns.h"
#include "offline.h"
#include "outbox.h"
#include "outcome.h"
#include "presence_bus.h"
#include "register.h"
#include "retention.h"
#include "push.h"
#include "resume.h"
#include "sasl.h"
#include "session_live.h"
#include "sm_live.h"
#include "verbs.h"
#include "walk.h"
#include "xml_stream.h"

struct self {
    struct sm      sm;              /* first: frame handlers and verbs take it as their daemon */
    struct daemon *daemon;
    struct timer   drain_check;
};

/* ---- the way out: the only use of the link in sm ---- */

static enum zerr outlet_send(void *arg, struct frame *f, uint64_t tag, struct kept **kept)
{
    struct self *self = arg;

    if (kept)
        *kept = NULL;
    if (routes_settled(self->sm.routes) && presence_bus_take(self->sm.bus, f))
        return ZE_OK;
    return link_send_kept(self->daemon->link, f, tag, kept);
}

static struct kept *outlet_keep(void *arg, struct frame *f, uint64_t tag)
{
    struct self *self = arg;

    return link_keep(self->daemon->link, f, tag);
}

static void outlet_unref(void *arg, struct kept **kept)
{
    struct self *self = arg;

    kept_unref(self->daemon->link, kept);
}

static uint64_t outlet_serial(void *arg)
{
    struct self *self = arg;

    return link_serial(self->daemon->link);
}

static void outlet_bounce(void *arg, const struct frame *f, enum zerr why)
{
    struct self *self = arg;

    link_bounce(self->daemon->link, f, why);
}

/* ---- store ---- */

static bool open_stores(struct self *self)
{
    struct sm_store  *s = &self->sm.store;
    struct store_spec accounts = { .tables = sm_account_tables, .schema = ACCOUNTS_SCHEMA };
    struct store_spec archive = {
        .tables = sm_archive_tables, .schema = ARCHIVE_SCHEMA, .runs = ARCHIVE_RUNS,
        .gather_ms = (unsigned)self->daemon->settings->limits.archive_gather_ms,
    };

    s->accounts = daemon_open_store(self->daemon, "accounts", &accounts);
    s->archive = s->accounts ? daemon_open_store(self->daemon, "archive", &archive) : NULL;
    if (s->archive)
        return true;
    if (s->accounts)
        store_close(&s->accounts);
    return false;
}

/* ---- daemon ---- */

static void bind_domains(struct self *self)
{
    const struct settings *settings = self->daemon->settings;

    for (size_t i = 0; i < settings->domain_count; i++)
        link_bind_domain(self->daemon->link, slice_str(settings->domain[i].name));
}

/* An address may reach each of the instances, an account has one. */
static void apply_login_rules(struct self *self)
{
    const struct settings *s = self->daemon->settings;
    struct login_rules     rules = {
        .pair_max = s->limits.login_failures_max,
        .address_max = settings_share(s, self->daemon->instance, s->limits.login_failures_per_address),
        .account_max = s->limits.login_failures_per_account,
        .refuse_ms = (uint64_t)s->limits.login_refuse_seconds * 1000,
        .refuse_max_ms = (uint64_t)s->limits.login_refuse_max * 1000,
        .delay_max_ms = (uint64_t)s->limits.login_delay_max * 1000,
    };

    sasl_rules(self->sm.sasl, &rules);
}

/* What modules keep of the settings, at start and after each reload. */
static void apply_settings(struct self *self)
{
    const struct settings *settings = self->daemon->settings;

    self->sm.settings = settings;
    credentials_usual_iterations(settings->server.scram_iterations);
    sasl_allow_clear(self->sm.sasl, !settings->server.require_tls);
    apply_login_rules(self);
    for (size_t i = 0; i < settings->domain_count; i++)
        if (strcmp(settings->domain[i].registration, "invite") == 0 ||
            strcmp(settings->domain[i].registration, "review") == 0)
            log_info("registration_closed", "domain", settings->domain[i].name, "why",
                     "this version admits nobody by invitation or review", NULL);
    bind_domains(self);
    caps_server_forget(&self->sm);
    presence_bus_settings(self->sm.bus);
}

static void *start(struct daemon *d)
{
    struct self  *self = xcalloc(1, sizeof(*self));
    struct sm    *sm = &self->sm;
    struct outlet outlet = { outlet_send, outlet_keep, outlet_unref, outlet_serial, outlet_bounce, self };

    self->daemon = d;
    sm->loop = d->loop;
    sm->settings = d->settings;
    sm->routes = link_routes(d->link);
    sm->arena = d->arena;
    sm->instance = d->instance;
    sm->self = (struct address){ ROLE_SM, instance_key(d->instance), link_incarnation(d->link) };
    if (!open_stores(self)) {
        free(self);
        return NULL;
    }
    stats_register(dispatch_stats);
    features_register_stats();
    sm->ways = ways_new(&outlet, dispatch_local);
    sm->live = d->live;
    sm->slots = d->slots;
    bool live_was_void = !sm_live_check(d->live, sm->self.incarnation);
    sm->outbox = outbox_new(sm, live_was_void);
    if (live_was_void)
        archive_cold_start(sm, wall_us());
    sm->resumes = resumes_new(sm);
    sm->push = push_new(sm, live_was_void);
    sm->sessions = sessions_new(d->live);
    sessions_live_start(sm);
    caps_start(sm);
    ways_restore(sm);
    sm->logins = logins_new();
    sm->sasl = sasl_new(&sm->store, d->loop);
    sm->started_ms = loop_now_ms(d->loop);
    sm->registrations = throttle_new();
    sm->absent = absent_new();
    sm->guests = throttle_new();
    sasl_admit(sm->sasl, anonymous_admit, sm);
    sm->reporters = throttle_new();
    sm->commands = commands_new();
    list_init(&sm->walks);
    sm->errands = errands_new(d->link);
    sm->groups = groups_new(sm);
    sm->bus = presence_bus_new(sm, d->link);
    apply_settings(self);
    sm->retention = retention_new(sm);
    return self;
}

static void drain_look(void *arg)
{
    struct self *self = arg;

    if (ways_waiting(self->sm.ways) == 0 && !walks_count(&self->sm))
        daemon_drained(self->daemon);
    else
        timer_arm(self->sm.loop, &self->drain_check, 100);
}

/* What waits for a commit is committed. An end is no end for the sessions: they are in live memory, as all
 * that has not left yet, and the next process goes on with them, so nobody is refused meanwhile. (When the
 * whole suite stops, c2sd warns the clients and closes their streams.) An operator who drains and does not
 * stop wants nothing new to begin here. */
static void drain(void *arg, const char *message)
{
    struct self *self = arg;

    (void)message;
    self->sm.stopping = !self->daemon->ending;
    self->drain_check = (struct timer){ .fire = drain_look, .arg = self };
    drain_look(self);
}

static void reload(void *arg, struct ctl_reply *answer)
{
    struct self *self = arg;

    apply_settings(self);
    ctl_row(answer);
    ctl_str(answer, "applied", "domains, limits, registration, require_tls");
}

static void status(void *arg, struct ctl_reply *r)
{
    struct self *self = arg;

    ctl_int(r, "sessions", (int64_t)sessions_count(self->sm.sessions));
    ctl_int(r, "accounts_online", (int64_t)sessions_accounts(self->sm.sessions));
    ctl_int(r, "logins", (int64_t)logins_count(self->sm.logins));
    ctl_int(r, "waiting_commits", (int64_t)ways_waiting(self->sm.ways));
    presence_bus_status(self->sm.bus, r);
}

static void on_routes(void *arg, const struct routes *routes)
{
    struct self *self = arg;

    self->sm.routes = routes;
    if (ways_begin(&self->sm))
        notices_begin(&self->sm);
    presence_bus_routes(self->sm.bus);
    push_routes(&self->sm);
}

static void on_kept(void *arg, struct kept *k)
{
    struct self *self = arg;

    outbox_found(&self->sm, kept_tag(k));
    resume_on_kept(&self->sm, k);
}

static void on_confirmed(void *arg, const struct kept *k)
{
    struct self *self = arg;

    offline_confirmed(&self->sm, k);
    outbox_confirmed(&self->sm, k);
    resume_on_confirmed(&self->sm, k);
}

static void on_peer_lost(void *arg, const struct address *life)
{
    struct self *self = arg;

    if (life->role == ROLE_C2SD)
        login_peer_lost(&self->sm, life);
}

static void stop(void *arg)
{
    struct self *self = arg;
    struct sm   *sm = &self->sm;

    timer_disarm(&self->drain_check);
    walks_forget(sm);
    ways_end(sm);
    derive_end();
    offline_free(sm);
    outbox_free(&sm->outbox);
    logins_free(&sm->logins);
    sasl_free(&sm->sasl);
    presence_bus_free(&sm->bus);
    while (store_finish(sm->store.accounts) | store_finish(sm->store.archive))
        ;
    store_close(&sm->store.archive);
    store_close(&sm->store.accounts);
    retention_free(&sm->retention);
    caps_free(sm);
    sessions_live_stop(sm);
    push_free(&sm->push);
    resumes_free(&sm->resumes);
    sessions_free(&sm->sessions);
    throttle_free(&sm->registrations);
    absent_free(&sm->absent);
    throttle_free(&sm->guests);
    throttle_free(&sm->reporters);
    commands_free(&sm->commands);
    errands_free(&sm->errands);
    groups_free(&sm->groups);
    ways_free(&sm->ways);
    xml_pool_free();
    free(self);
}

/* ---- slots on the move (handover.h) ---- */

static bool quiet(void *arg, const struct slots *slots)
{
    struct self *self = arg;

    return handover_quiet(&self->sm, slots);
}

static void hand_over(void *arg, struct slots *slots)
{
    handover_give(arg, slots);
}

static enum zerr take_over(void *arg, struct slice item)
{
    return handover_take(arg, item);
}

static const struct slots_spec slots = { .quiet = quiet, .hand_over = hand_over, .take = take_over };

static frame_handler *const handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA]      = on_stanza,
    [FRAME_FANOUT]      = on_fanout,
    [FRAME_BOUNCE]      = on_bounce,
    [FRAME_AUTH_START]  = on_auth_start,
    [FRAME_AUTH_STEP]   = on_auth_step,
    [FRAME_AUTH_ABORT]  = on_auth_abort,
    [FRAME_REGISTER]    = on_register,
    [FRAME_REGISTERED]  = on_registered,
    [FRAME_BIND]        = on_bind,
    [FRAME_SESSION_END] = on_session_end,
    [FRAME_PRESENCE_BUS] = on_presence_bus,
    [FRAME_ANNOUNCE]    = on_announce,
    [FRAME_MANAGE]      = on_manage,
    [FRAME_RESUME_AT]   = on_resume_at,
    [FRAME_ERRAND]      = on_errand,
    [FRAME_ERRAND_DONE] = on_errand_done,
    [FRAME_PLANNED]     = on_planned,
    [FRAME_WARN]        = on_warn,
};

static const struct daemon_spec spec = {
    .name = "sm", .role = ROLE_SM, .handlers = handlers, .verbs = sm_verbs, .live_tables = sm_live_tables,
    .slots = &slots, .start = start, .drain = drain, .reload = reload, .status = status,
    .on_routes = on_routes, .on_peer_lost = on_peer_lost, .on_kept = on_kept, .on_confirmed = on_confirmed, .stop = stop,
};

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &spec);
}
