#pragma once

/* A muc without daemons: stanzas in by hand, frames out into a list of lines, one a recipient. Included by
 * the test_muc_*.c programs only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "remove_tree.h"
#include "fanout.h"
#include "jid.h"
#include "keep.h"
#include "log.h"
#include "muc.h"
#include "ns.h"
#include "xml_write.h"

enum { LINES_MAX = 4096 };

static struct {
    char             dir[64];
    struct loop     *loop;
    struct settings *settings;
    struct routes   *routes;
    struct arena    *arena;
    struct muc      *muc;
    char            *line[LINES_MAX];      /* "RECIPIENT <stanza>" */
    size_t           lines, read;
    size_t           frames;
    unsigned         turns;                /* of the loop, so far */
    struct live     *live;
    struct live_hook after;                /* when set: called after each turn is true, before all else */
    bool             congested;            /* what the link says of its channels */
} t;

#define ROOM "room@muc.a.org"
#define JOIN "<x xmlns='" NS_MUC "'/>"
#define ALICE "alice@a.org/1"
#define BOB "bob@a.org/1"
#define CAROL "carol@b.org/1"      /* of another server */

static void keep_line(const struct stanza *s, struct slice to)
{
    struct buf xml = { 0 };

    assert_true(t.lines < LINES_MAX);
    stanza_write(&xml, s, to);
    t.line[t.lines++] = xprintf("%.*s %.*s", SLICE_FMT(to), SLICE_FMT(buf_slice(&xml)));
    buf_free(&xml);
}

static int take_frame(void *arg, struct frame *f)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry entry;
    struct stanza       s = f->stanza;

    (void)arg;
    t.frames++;
    s.content = f->body;
    if (f->kind == FRAME_STANZA)
        keep_line(&s, s.to);
    while (f->kind == FRAME_FANOUT && fanout_next(&c, &entry))
        keep_line(&s, entry.jid);
    assert_false(c.bad);
    return 0;
}

static const struct routes *take_routes(void *arg)
{
    (void)arg;
    return t.routes;
}

static bool take_congested(void *arg, uint32_t instance)
{
    (void)arg;
    (void)instance;
    return t.congested;
}

static void forget_lines(void)
{
    for (size_t i = 0; i < t.lines; i++)
        free(t.line[i]);
    t.lines = t.read = t.frames = 0;
}

/* Until every batch handed in is committed and told, and every search at its end. */
static void pump(void)
{
    struct store_figures figures;

    do {
        uv_run(loop_uv(t.loop), UV_RUN_NOWAIT);
        t.turns++;
        store_figures(t.muc->store, &figures);
    } while ((figures.pending_batches || (t.muc->linked && t.muc->search_count)) && usleep(200) == 0);
    uv_run(loop_uv(t.loop), UV_RUN_NOWAIT);
}

static void open_live(void)
{
    static const char *const tables[] = { LINK_LIVE_TABLES, KEEP_LIVE_TABLES, NULL };
    char                     path[96];
    struct live_spec         spec = { .path = path, .tables = tables, .map_bytes = 64 << 20, .reserve_bytes = 1 << 20 };

    snprintf(path, sizeof(path), "%s/live", t.dir);
    t.live = live_open(t.loop, &spec);
    assert_non_null(t.live);
    if (t.after.run)
        live_after_commit(t.live, &t.after);
}

static void open_muc(void)
{
    struct outlet     outlet = { NULL, take_frame, take_routes, take_congested };
    char              path[96];
    struct store_spec spec = { .path = path, .tables = room_tables, .schema = ROOMS_SCHEMA,
                               .map_bytes = 64 << 20, .writer = "muc-1" };

    snprintf(path, sizeof(path), "%s/rooms", t.dir);
    open_live();
    spec.live = t.live;
    struct store *store = store_open(t.loop, &spec);

    assert_non_null(store);
    t.muc = muc_new(t.loop, t.settings, store, t.live, t.arena, outlet);
    t.muc->now_us = 1000000000000000;
    t.muc->instance = instance_key("muc-1");
}

static void close_muc(void)
{
    muc_free(&t.muc);
    live_close(&t.live);
}

/* The link has a route table. */
static void linked(void)
{
    muc_on_routes(t.muc);
    pump();
}

static void start_again(bool same_boot)
{
    uint64_t now_us = t.muc->now_us, now_ms = t.muc->now_ms;

    live_freeze(t.live);
    close_muc();
    if (!same_boot) {
        open_live();
        live_clear(t.live);
        live_close(&t.live);
    }
    open_muc();
    t.muc->now_us = now_us;
    t.muc->now_ms = now_ms;
    forget_lines();
}

/* As after kill -9 and a new start: what was true at the end of the last turn is all there is. */
static void killed(void)
{
    start_again(true);
}

/* As after a power cut: live memory is void. */
static void rebooted(void)
{
    start_again(false);
    linked();
}


static int set_up(void **state)
{
    static const struct { const char *name; unsigned role; } domains[] = { { "a.org", ROLE_SM },
                                                                         { "muc.a.org", ROLE_MUC } };
    static const char *const instances[] = { "sm-1", "muc-1", "s2sd-1" };
    char  path[96];
    FILE *file;

    (void)state;
    memset(&t, 0, sizeof(t));
    snprintf(t.dir, sizeof(t.dir), "/tmp/zubr-muc-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    snprintf(path, sizeof(path), "%s/zubr.conf", t.dir);
    file = fopen(path, "w");
    fputs("domain \"a.org\" { }\nrooms \"muc.a.org\" { admins = {\"root@a.org\"} }\n", file);
    fclose(file);
    t.settings = settings_load(path, NULL);
    assert_non_null(t.settings);
    t.settings->limits.room_message_rate = 0;
    log_set_level(LOG_LEVEL_ERROR);
    t.loop = loop_new();
    t.arena = arena_new();
    t.routes = routes_new();
    for (size_t i = 0; i < COUNT_OF(instances); i++) {
        routes_add_instance(t.routes, instances[i]);
        routes_set_up(t.routes, instance_key(instances[i]), 7, true);
    }
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        assert_int_equal(routes_add_domain(t.routes, slice_str(domains[i].name), domains[i].role, 0), ZE_OK);
    routes_set_generation(t.routes, 1);
    routes_set_router(t.routes, 1);
    open_muc();
    linked();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pump();
    close_muc();
    routes_free(&t.routes);
    arena_free(&t.arena);
    loop_free(&t.loop);
    settings_free(&t.settings);
    forget_lines();
    assert_int_equal(remove_tree(t.dir), 0);
    xml_pool_free();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct frame frame_from(const char *from, const char *to)
{
    struct frame f = frame_make(FRAME_STANZA);
    bool         local = slice_is(jid_domain(slice_str(from)), "a.org");

    f.origin.role = local ? ROLE_SM : ROLE_S2SD;
    f.origin.instance = instance_key(local ? "sm-1" : "s2sd-1");
    f.origin.incarnation = 7;
    f.trace = 1;
    f.stanza.from = slice_str(from);
    f.stanza.to = slice_str(to);
    f.stanza.id = SLICE("i1");
    return f;
}

/* One stanza in; what came before it is forgotten, what comes of it is pumped out. */
static void in(const char *from, const char *to, unsigned name, unsigned type, const char *content)
{
    struct frame f = frame_from(from, to);

    forget_lines();
    f.stanza.name = (uint8_t)name;
    f.stanza.type = (uint8_t)type;
    f.stanza.content = f.body = slice_str(content);
    t.muc->now_us += 1000000;
    t.muc->now_ms += 1000;
    muc_on_stanza(t.muc, &f);
    arena_reset(t.arena);
    pump();
}

static void presence(const char *from, const char *to, const char *content)
{
    in(from, to, STANZA_PRESENCE, TYPE_NONE, content);
}

static void gone(const char *from, const char *to)
{
    in(from, to, STANZA_PRESENCE, TYPE_UNAVAILABLE, "");
}

static void say(const char *from, const char *content)
{
    in(from, ROOM, STANZA_MESSAGE, TYPE_GROUPCHAT, content);
}

static void iq_get(const char *from, const char *to, const char *content)
{
    in(from, to, STANZA_IQ, TYPE_GET, content);
}

static void iq_set(const char *from, const char *to, const char *content)
{
    in(from, to, STANZA_IQ, TYPE_SET, content);
}

#define ADMIN(items) "<query xmlns='" NS_MUC_ADMIN "'>" items "</query>"
#define OWNER(form) "<query xmlns='" NS_MUC_OWNER "'>" form "</query>"
#define INSTANT OWNER("<x xmlns='" NS_DATA "' type='submit'/>")
#define FIELD(name, value) "<field var='muc#" name "'><value>" value "</value></field>"
#define CONFIG(fields) OWNER("<x xmlns='" NS_DATA "' type='submit'>" fields "</x>")

static void enter(const char *who, const char *nick)
{
    char to[128];

    snprintf(to, sizeof(to), ROOM "/%s", nick);
    presence(who, to, JOIN);
}

/* Alice has made the room. */
static void made(void)
{
    enter(ALICE, "A");
    iq_set(ALICE, ROOM, INSTANT);
}

static bool has_all(const char *line, va_list parts)
{
    const char *part;

    while ((part = va_arg(parts, const char *)))
        if (!strstr(line, part))
            return false;
    return true;
}

/* The next line that goes to `to` (after those already asked for) holds all parts (NULL-ended). */
static bool next(const char *to, ...) __attribute__((sentinel));
static bool next(const char *to, ...)
{
    for (; t.read < t.lines; t.read++) {
        const char *line = t.line[t.read];
        va_list     parts;
        bool        all;

        if (strncmp(line, to, strlen(to)) != 0 || line[strlen(to)] != ' ')
            continue;
        va_start(parts, to);
        all = has_all(line, parts);
        va_end(parts);
        t.read++;
        if (!all)
            print_message("got: %s\n", line);
        return all;
    }
    print_message("nothing more to %s\n", to);
    return false;
}

/* Some line to `to` holds all parts. */
static bool some(const char *to, ...) __attribute__((sentinel));
static bool some(const char *to, ...)
{
    for (size_t i = 0; i < t.lines; i++) {
        va_list parts;
        bool    all;

        if (strncmp(t.line[i], to, strlen(to)) != 0 || t.line[i][strlen(to)] != ' ')
            continue;
        va_start(parts, to);
        all = has_all(t.line[i], parts);
        va_end(parts);
        if (all)
            return true;
    }
    return false;
}

static size_t count_to(const char *to)
{
    size_t count = 0;

    for (size_t i = 0; i < t.lines; i++)
        count += strncmp(t.line[i], to, strlen(to)) == 0 && t.line[i][strlen(to)] == ' ';
    return count;
}

/* Keeps the compiler quiet about helpers a test program does not need. */
static inline void harness_all_used(void)
{
    (void)gone;
    (void)iq_get;
    (void)say;
    (void)made;
    (void)next;
    (void)some;
    (void)count_to;
    (void)killed;
    (void)rebooted;
    (void)set_up;
    (void)tear_down;
}
