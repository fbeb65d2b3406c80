/* zubr-muc: rooms (XEP-0045).
 * Holds: the rooms environment, who is in which room, the rooms' last messages.
 * Never: opens a network socket, reads an account, a password or a roster, speaks for an account or for a
 * domain that is no room service of the configuration. If it is taken over, the attacker owns the rooms and
 * what is said in them, and no account. */

#include <stdlib.h>

#include "archive.h"
#include "daemon.h"
#include "handover.h"
#include "jid.h"
#include "keep.h"
#include "log.h"
#include "muc.h"

static int send_frame(void *arg, struct frame *f)
{
    return link_send(((struct daemon *)arg)->link, f);
}

static const struct routes *routes(void *arg)
{
    return link_routes(((struct daemon *)arg)->link);
}

static bool congested(void *arg, uint32_t instance)
{
    return link_congested(((struct daemon *)arg)->link, instance);
}

/* ---- stats ---- */

#define FIGURES(X)                                                          \
    X(messages, "messages taken for all occupants")                         \
    X(private_messages, "private messages between occupants")               \
    X(presences, "presences taken")                                         \
    X(entered, "clients that entered a room")                               \
    X(left, "clients that left a room, by themselves or not")               \
    X(refused, "stanzas answered with an error")                            \
    X(ghosts, "clients removed because they could not be reached")          \
    X(fanouts, "fan-out frames sent")                                       \
    X(recipients, "recipients in them")                                     \
    X(archive_pages, "pages of room archives sent")                         \
    X(archive_results, "messages on them")                                  \
    X(archive_expired, "rows of archives looked at that were over a limit") \
    X(archive_retracted, "messages of rooms that their senders took back") \
    X(commits_failed, "store batches that failed")                          \
    X(bad_origin, "stanzas with a from their daemon may not use")           \
    X(bad_content, "stanzas whose content was not well-formed")             \
    X(no_route, "stanzas to a domain nobody serves")

static struct stat_row *stat_rows(struct muc *m)
{
#define X(name, help) + 1
    enum { COUNT = 0 FIGURES(X) };
#undef X
    struct stat_row *rows = xcalloc(COUNT + 1, sizeof(*rows));
    size_t           i = 0;

#define X(name, help) rows[i++] = (struct stat_row){ #name, help, &m->figures.name };
    FIGURES(X)
#undef X
    return rows;
}

/* ---- the daemon ---- */

static void set_clock(struct muc *m)
{
    m->now_us = wall_us();
    m->now_ms = loop_now_ms(m->loop);
}

static void on_stanza(void *daemon, const struct frame *f)
{
    struct muc *m = daemon;

    set_clock(m);
    if (f->stanza.to.len && jid_local(f->stanza.to).len && !slots_owns(m->slots, slot_of(jid_bare(f->stanza.to))))
        link_bounce(m->daemon->link, f, ZE_STALE);
    else
        muc_on_stanza(m, f);
}

static void on_fanout(void *daemon, const struct frame *f)
{
    struct muc *m = daemon;

    set_clock(m);
    muc_on_fanout(m, f);
}

static void on_bounce(void *daemon, const struct frame *f)
{
    struct muc  *m = daemon;
    struct frame original;
    enum zerr    why;

    set_clock(m);
    if (bounce_decode(f, &why, &original))
        log_warn("bounce_unreadable", "trace", log_hex(f->trace), NULL);
    else
        muc_on_bounce(m, &original, why, f->origin.role);
}

static void on_peer_lost(void *daemon, const struct address *life)
{
    struct muc *m = daemon;

    set_clock(m);
    muc_on_peer_lost(m, life);
}

static void on_routes(void *daemon, const struct routes *routes)
{
    (void)routes;
    set_clock(daemon);
    muc_on_routes(daemon);
}

static void *start(struct daemon *d)
{
    struct outlet outlet = { d, send_frame, routes, congested };
    /* Nothing gathers here: what is said in a room reaches its occupants behind the commit. */
    struct store_spec rooms = { .tables = room_tables, .schema = ROOMS_SCHEMA, .runs = ROOMS_RUNS };
    struct store     *store = daemon_open_store(d, "rooms", &rooms);
    struct muc       *m;

    if (!store)
        return NULL;
    m = muc_new(d->loop, d->settings, store, d->live, d->arena, outlet);
    m->daemon = d;
    m->slots = d->slots;
    m->instance = instance_key(d->instance);
    retention_start(m);
    m->stats = stat_rows(m);
    stats_register(m->stats);
    for (size_t i = 0; i < d->settings->rooms_count; i++)
        link_bind_domain(d->link, slice_str(d->settings->rooms[i].name));
    return m;
}

static void drained(struct muc *m)
{
    daemon_drained(m->daemon);
}

/* Whoever is in a room stays in: the rooms are there again with the next start of this boot. Only when the
 * operator says that there will be none (the verb `stop`) everybody is told to go. */
static void drain(void *daemon, const char *message)
{
    struct muc *m = daemon;

    (void)message;                     /* users are told by their session; rooms say 332 */
    set_clock(m);
    if (m->daemon->for_good)
        muc_say_goodbye(m);
    m->when_settled = drained;
    if (!m->outcomes_waiting)
        drained(m);
}

static void reload(void *daemon, struct ctl_reply *answer)
{
    struct muc *m = daemon;

    muc_settings(m, m->daemon->settings);
    ctl_row(answer);
    ctl_str(answer, "applied", "rooms, limits (new room services need a restart)");
}

static void status(void *daemon, struct ctl_reply *r)
{
    const struct muc *m = daemon;
    struct muc_census census = muc_census(m);

    ctl_int(r, "rooms", (int64_t)census.rooms);
    ctl_int(r, "occupants", (int64_t)census.occupants);
    ctl_int(r, "questions", (int64_t)table_count(m->questions));
}

static void stop(void *daemon)
{
    struct muc      *m = daemon;
    struct stat_row *rows = m->stats;

    retention_stop(m);
    muc_free(&m);
    free(rows);
}

/* ---- slots on the move ---- */

static bool quiet(void *daemon, const struct slots *slots)
{
    return handover_quiet(daemon, slots);
}

static void hand_over(void *daemon, struct slots *slots)
{
    handover_give(daemon, slots);
}

static enum zerr take_over(void *daemon, struct slice item)
{
    set_clock(daemon);
    return handover_take(daemon, item);
}

static const struct slots_spec slots = { .quiet = quiet, .hand_over = hand_over, .take = take_over };

static frame_handler *const handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,
    [FRAME_FANOUT] = on_fanout,
    [FRAME_BOUNCE] = on_bounce,
};

static const char *const live_tables[] = { LINK_LIVE_TABLES, KEEP_LIVE_TABLES, NULL };

static const struct daemon_spec spec = {
    .name = "muc", .role = ROLE_MUC, .handlers = handlers, .verbs = muc_verbs, .start = start, .drain = drain,
    .reload = reload, .status = status, .live_tables = live_tables, .slots = &slots, .on_routes = on_routes,
    .on_peer_lost = on_peer_lost, .stop = stop,
};

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &spec);
}
