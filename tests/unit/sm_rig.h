#pragma once

/* A whole sm without its link: frames go in, what would leave is written down as lines of text.
 *
 *     c1 <message ...>...            to the connection 1 of c2sd-1
 *     c1,c2 <presence ...>           one fan-out to two connections
 *     sm-2 / muc-1 / s2sd-1 <...>    to another daemon; of a fan-out [jid jid] before it */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "absent.h"
#include "account.h"
#include "caps.h"
#include "commands.h"
#include "dispatch.h"
#include "errand.h"
#include "fanout.h"
#include "groups.h"
#include "link.h"
#include "logins.h"
#include "manage.h"
#include "notices.h"
#include "offline.h"
#include "outbox.h"
#include "outcome.h"
#include "push.h"
#include "register.h"
#include "resume.h"
#include "session_live.h"
#include "sm_live.h"
#include "walk.h"
#include "xml_write.h"

#define RIG __attribute__((unused)) static

enum { RIG_LIFE = 77, RIG_TEXT = 1 << 20 };

static struct sm              rig;
static struct settings        rig_settings;
static struct settings_domain rig_domains[2];
static struct routes         *rig_routes;
static char                   rig_dir[64];
static char                  *rig_log;          /* shared with the processes that are killed */
static enum zerr              rig_refuses;      /* what the link says to every frame */
static uint64_t               rig_tag;          /* of the last frame sent with one */
static struct frame           rig_tagged;       /* what it was, without its bytes */
static struct link           *rig_link;         /* reaches nobody; keeps frames */


static void rig_say(const char *text, size_t len)
{
    size_t have = strlen(rig_log);

    assert_true(have + len + 1 < RIG_TEXT);
    memcpy(rig_log + have, text, len);
    rig_log[have + len] = 0;
}

static void rig_receivers(const struct frame *f, struct buf *line)
{
    struct cursor       c = { f->list, false };
    struct fanout_entry e;
    const char         *comma = "";
    bool                client = f->dest.role == ROLE_C2SD;

    if (!client)
        buf_printf(line, "%s%s", routes_instance(rig_routes, f->dest.instance)->name, f->list.len ? " [" : "");
    if (client && !f->list.len)
        buf_printf(line, "c%llu", (unsigned long long)f->handle);
    while (fanout_next(&c, &e)) {
        if (client)
            buf_printf(line, "%sc%llu", comma, (unsigned long long)e.handle);
        else
            buf_printf(line, "%s%.*s", comma, SLICE_FMT(e.jid));
        comma = client ? "," : " ";
    }
    buf_put_str(line, !client && f->list.len ? "] " : " ");
}

/* MANAGE and RESUMED with what is in them. */
static void rig_managed(const struct frame *f, struct buf *line)
{
    static const char *const ops[MANAGE_OP_END] = {
        "", "ENABLE", "ENABLED", "FAILED", "REQUEST", "ACK", "REFUSED", "TOO_HIGH",
        "ACTIVE", "INACTIVE",
    };
    struct manage  m;
    struct resumed r;

    if (f->kind == FRAME_MANAGE && manage_take(f->body, &m) == ZE_OK)
        buf_printf(line, " %s resume=%d max=%u h=%u err=%s", ops[m.op], m.resume, m.max, m.h, err_name(m.err));
    if (f->kind == FRAME_RESUMED && resumed_take(f->body, &r) == ZE_OK)
        buf_printf(line, " h=%u has_h=%d err=%s", r.h, r.has_h, err_name(r.err));
}

static struct kept *rig_keep(void *arg, struct frame *f, uint64_t tag)
{
    (void)arg;
    return link_keep(rig_link, f, tag);
}

static void rig_on_kept(void *arg, struct kept *k)
{
    outbox_found(arg, kept_tag(k));
    resume_on_kept(arg, k);
}

static uint64_t rig_serial(void *arg)
{
    (void)arg;
    return link_serial(rig_link);
}

static void rig_unref(void *arg, struct kept **kept)
{
    (void)arg;
    kept_unref(rig_link, kept);
}

static enum zerr rig_send_frame(void *arg, struct frame *f, uint64_t tag, struct kept **kept)
{
    struct buf    line = { 0 };
    struct stanza s = f->stanza;

    (void)arg;
    if (rig_refuses)
        return rig_refuses;
    if (kept)
        *kept = rig_keep(NULL, f, tag);
    if (tag) {
        rig_tag = tag;
        rig_tagged = (struct frame){
            .kind = f->kind, .dest = f->dest, .sender = f->sender, .stanza = { .name = f->stanza.name },
        };
    }
    rig_receivers(f, &line);
    s.content = f->body;
    if (s.name != STANZA_NONE)
        stanza_write(&line, &s, slice_of(NULL, 0));
    else
        buf_put_str(&line, frame_kinds[f->kind].name);
    rig_managed(f, &line);
    buf_put_u8(&line, '\n');
    rig_say((const char *)line.bytes + line.start, buf_len(&line));
    buf_free(&line);
    return ZE_OK;
}

static void rig_bounce(void *arg, const struct frame *f, enum zerr why)
{
    char line[64];

    (void)arg;
    (void)f;
    rig_say(line, (size_t)snprintf(line, sizeof(line), "bounce %s\n", err_name(why)));
}

static struct store *rig_store(const char *name, const char *const *tables)
{
    char              path[128];
    struct store_spec spec = { .path = path, .tables = tables, .schema = 1, .map_bytes = 64 << 20,
                               .writer = "sm-1", .live = rig.live };

    snprintf(path, sizeof(path), "%s/%s", rig_dir, name);
    return store_open(rig.loop, &spec);
}

static struct live *rig_live(void)
{
    char             path[128];
    struct live_spec spec = { .path = path, .tables = sm_live_tables, .map_bytes = 64 << 20, .reserve_bytes = 1 << 16 };

    snprintf(path, sizeof(path), "%s/live", rig_dir);
    return live_open(rig.loop, &spec);
}

static void rig_limits(void)
{
    rig_settings.limits.stanza_max = 262144;
    rig_settings.limits.depth_max = 64;
    rig_settings.limits.attributes_max = 128;
    rig_settings.limits.name_max = 1024;
    rig_settings.limits.sessions_per_account = 20;
    rig_settings.limits.roster_items_max = 100;
    rig_settings.limits.requests_max = 100;
    rig_settings.limits.request_size = 4096;
    rig_settings.limits.directed_max = 100;
    rig_settings.limits.offline_messages_max = 100;
    rig_settings.limits.offline_bytes_max = 1 << 20;
    rig_settings.limits.archive_page_max = 50;
    rig_settings.limits.csi_stanzas = 10;
    rig_settings.limits.push_registrations = 3;
    rig_settings.limits.push_options_bytes = 1000;
    rig_settings.limits.push_retry_seconds = 1;
    rig_settings.limits.push_failing_hours = 1;
    rig_settings.server.push_text = "New message";
    rig_settings.server.push_sender = true;
    rig_settings.limits.csi_bytes = 10000;
    rig_settings.limits.archive_preferences_max = 5;
    rig_settings.limits.resume_seconds = 600;
    rig_settings.limits.resume_queue_bytes = 1 << 20;
    rig_settings.limits.resume_queue_stanzas = 100;
    rig_settings.limits.resume_remembered = 3;
    rig_settings.limits.vcard_max = 10000;
    rig_settings.limits.private_max = 10000;
    rig_settings.limits.private_items_max = 5;
    rig_settings.limits.pep_item_max = 2000;
    rig_settings.limits.pep_items_max = 10;
    rig_settings.limits.pep_nodes_max = 5;
    rig_settings.limits.pep_bytes_max = 10000;
    rig_settings.limits.pep_subscriptions_max = 3;
    rig_settings.limits.registrations_per_hour = 3;
    rig_settings.limits.roster_groups_max = 3;
    rig_settings.limits.roster_name_max = 20;
    rig_settings.limits.groups_max = 2;
    rig_settings.limits.group_members_max = 3;
    rig_settings.limits.blocklist_max = 5;
    rig_settings.limits.reports_per_hour = 2;
    rig_settings.server.reports = true;
    rig_settings.limits.caps_stored = 512;
    rig_settings.limits.caps_remembered = 3;
    rig_settings.limits.caps_waiting = 4;
    rig_settings.limits.caps_contacts = 6;
    rig_settings.limits.caps_contact_resources = 3;
    rig_settings.limits.notice_max = 1000;
    rig_settings.limits.commands_max = 5;
    rig_settings.limits.commands_per_session = 3;
    rig_settings.limits.command_seconds = 1;
    rig_settings.server.scram_iterations = 4096;
}

static bool rig_second_sm;         /* there is an sm-2 */

static void rig_make_routes(void)
{
    const char *const names[] = { "sm-1", "c2sd-1", "muc-1", "s2sd-1", "sm-2" };

    rig_routes = routes_new();
    for (size_t i = 0; i < COUNT_OF(names) - !rig_second_sm; i++) {
        routes_add_instance(rig_routes, names[i]);
        routes_set_up(rig_routes, instance_key(names[i]), 5, true);
    }
    routes_add_domain(rig_routes, SLICE("a.org"), ROLE_SM, 0);
    routes_add_domain(rig_routes, SLICE("closed.org"), ROLE_SM, 0);
    routes_add_domain(rig_routes, SLICE("rooms.a.org"), ROLE_MUC, 0);
    routes_set_generation(rig_routes, 1);
}

RIG void rig_killed_here(void);
static bool rig_dies_between;      /* when one account of this instance would hear what another one said */

static void rig_local(struct sm *sm, const struct frame *f)
{
    if (rig_dies_between)
        rig_killed_here();
    dispatch_local(sm, f);
}

/* A process of this instance begins, with what the one before left in rig_dir. */
RIG void rig_open(void)
{
    static frame_handler *const no_handlers[FRAME_KIND_MAX];
    char          nowhere[80];
    struct outlet outlet = { rig_send_frame, rig_keep, rig_unref, rig_serial, rig_bounce, NULL };

    rig_make_routes();
    rig = (struct sm){
        .loop = loop_new(), .settings = &rig_settings, .routes = rig_routes, .arena = arena_new(),
        .self = { ROLE_SM, instance_key("sm-1"), 5 }, .instance = "sm-1",
    };
    rig.live = rig_live();
    assert_non_null(rig.live);
    bool live_was_void = !sm_live_check(rig.live, rig.self.incarnation);
    rig.outbox = outbox_new(&rig, live_was_void);
    rig.store.accounts = rig_store("accounts", sm_account_tables);
    rig.store.archive = rig_store("archive", sm_archive_tables);
    assert_non_null(rig.store.accounts);
    assert_non_null(rig.store.archive);
    snprintf(nowhere, sizeof(nowhere), "%s/nowhere", rig_dir);
    struct link_spec nobody = {
        .socket_path = nowhere, .instance = "sm-1", .handlers = no_handlers, .daemon = &rig, .live = rig.live,
        .on_kept = rig_on_kept,
    };
    rig_link = link_new(rig.loop, &nobody);
    rig.ways = ways_new(&outlet, rig_local);
    rig.resumes = resumes_new(&rig);
    rig.push = push_new(&rig, live_was_void);
    rig.sessions = sessions_new(rig.live);
    sessions_live_start(&rig);
    caps_start(&rig);
    ways_restore(&rig);
    link_restore(rig_link);
    rig.logins = logins_new();
    rig.registrations = throttle_new();
    rig.absent = absent_new();
    rig.guests = throttle_new();
    rig.reporters = throttle_new();
    rig.commands = commands_new();
    list_init(&rig.walks);
    rig.errands = errands_new(NULL);
    rig_refuses = ZE_OK;
    ways_begin(&rig);
    notices_begin(&rig);
    push_routes(&rig);
}

/* Its orderly end. */
RIG void rig_close(void)
{
    live_freeze(rig.live);
    walks_forget(&rig);
    ways_end(&rig);
    offline_free(&rig);
    outbox_free(&rig.outbox);
    logins_free(&rig.logins);
    store_close(&rig.store.archive);
    store_close(&rig.store.accounts);
    sessions_live_stop(&rig);
    push_free(&rig.push);
    resumes_free(&rig.resumes);
    caps_free(&rig);
    sessions_free(&rig.sessions);
    throttle_free(&rig.registrations);
    absent_free(&rig.absent);
    throttle_free(&rig.guests);
    throttle_free(&rig.reporters);
    commands_free(&rig.commands);
    errands_free(&rig.errands);
    groups_free(&rig.groups);
    ways_free(&rig.ways);
    link_free(&rig_link);
    live_close(&rig.live);
    arena_free(&rig.arena);
    loop_free(&rig.loop);
    routes_free(&rig_routes);
    xml_pool_free();
}

/* Runs `life` as an earlier process, with an open rig, until it says rig_killed_here. What it sent is in
 * rig_log afterwards; rig_open begins the next process. */
static int rig_tell;

RIG void rig_killed_here(void)
{
    if (write(rig_tell, "!", 1) != 1)
        _exit(3);
    for (;;)
        pause();
}

RIG void rig_live_and_die(void (*life)(void))
{
    int  ends[2];
    char said;

    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        close(ends[0]);
        rig_tell = ends[1];
        rig_open();
        life();
        _exit(2);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &said, 1), 1);
    close(ends[0]);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A directory, and nobody in it yet. */
RIG int rig_prepare(void **state)
{
    (void)state;
    rig_limits();
    rig_domains[0].name = "a.org";
    rig_domains[0].registration = "open";
    rig_domains[1].name = "closed.org";
    rig_domains[1].registration = "closed";
    rig_domains[0].archive_days = rig_domains[1].archive_days = -1;
    rig_settings.domain = rig_domains;
    rig_settings.domain_count = 2;
    if (!rig_log)
        rig_log = mmap(NULL, RIG_TEXT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    rig_log[0] = 0;
    snprintf(rig_dir, sizeof(rig_dir), "/tmp/zubr-rig-XXXXXX");
    assert_non_null(mkdtemp(rig_dir));
    return 0;
}

RIG int rig_setup(void **state)
{
    rig_prepare(state);
    rig_open();
    return 0;
}

RIG int rig_teardown(void **state)
{
    static const char *const envs[] = { "accounts", "archive", "live" };
    static const char *const files[] = { "data.mdb", "lock.mdb", "owner.lock", "boot_id" };
    char                     path[128];

    (void)state;
    rig_close();
    for (size_t i = 0; i < COUNT_OF(envs); i++) {
        for (size_t j = 0; j < COUNT_OF(files); j++) {
            snprintf(path, sizeof(path), "%s/%s/%s", rig_dir, envs[i], files[j]);
            unlink(path);
        }
        snprintf(path, sizeof(path), "%s/%s", rig_dir, envs[i]);
        rmdir(path);
    }
    return rmdir(rig_dir);
}

/* Until nothing waits for a commit. */
RIG void rig_wait(void)
{
    while (ways_waiting(rig.ways))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
}

/* Until all that was begun in steps is done. */
RIG void rig_finish_walks(void)
{
    for (int i = 0; i < 10; i++)
        uv_run(loop_uv(rig.loop), UV_RUN_NOWAIT);
    while (walks_count(&rig))
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
}

/* What left since the last call. */
RIG const char *rig_took(void)
{
    static char took[RIG_TEXT];

    rig_wait();
    memcpy(took, rig_log, RIG_TEXT);
    rig_log[0] = 0;
    return took;
}

RIG void rig_forget(void)
{
    rig_took();
}

#define assert_says(text, part)                                                     \
    do {                                                                            \
        const char *says_text = (text);                                             \
        if (!strstr(says_text, (part)))                                             \
            fail_msg("expected: %s\ngot:\n%s", (part), says_text);                  \
    } while (0)
#define assert_silent_about(text, part)                                             \
    do {                                                                            \
        const char *says_text = (text);                                             \
        if (strstr(says_text, (part)))                                              \
            fail_msg("not expected: %s\ngot:\n%s", (part), says_text);              \
    } while (0)

/* How often `part` stands in it. */
RIG unsigned occurrences(const char *text, const char *part)
{
    unsigned n = 0;

    while ((text = strstr(text, part))) {
        n++;
        text++;
    }
    return n;
}

static void rig_done(void *arg, enum zerr err)
{
    *(int *)arg = err ? err : 1;
}

RIG void rig_account(const char *jid)
{
    int done = 0;

    account_create(&rig.store, rig.loop, slice_str(jid), SLICE("secret"), 4096, rig_done, &done);
    while (!done)
        uv_run(loop_uv(rig.loop), UV_RUN_ONCE);
    assert_int_equal(done, 1);
}

/* A session at connection `conn` of c2sd-1. */
RIG struct session *rig_bind(const char *full, uint64_t conn)
{
    struct session_spec spec = {
        .jid = slice_str(full), .c2sd = { ROLE_C2SD, instance_key("c2sd-1"), RIG_LIFE }, .conn = conn, .now_us = 1,
    };

    return session_add(rig.sessions, &spec);
}

static unsigned rig_name(const char *name)
{
    return name[0] == 'm' ? STANZA_MESSAGE : name[0] == 'p' ? STANZA_PRESENCE : STANZA_IQ;
}

static uint64_t rig_trace;

static struct frame rig_stanza(const char *name, const char *type, const char *from, const char *to, const char *content)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = (uint8_t)rig_name(name);
    f.stanza.type = (uint8_t)stanza_type_parse(f.stanza.name, slice_str(type));
    f.stanza.from = slice_str(from);
    f.stanza.to = slice_str(to);
    f.stanza.id = SLICE("i1");
    f.body = slice_str(content ? content : "");
    f.trace = ++rig_trace;
    return f;
}

/* The client of `s` sends. to NULL: none. */
RIG void rig_client_id(const struct session *s, const char *name, const char *type, const char *to, const char *id,
                       const char *content)
{
    struct frame f = rig_stanza(name, type, NULL, to, content);

    if (id)
        f.stanza.id = slice_str(id);
    f.origin = s->c2sd;
    f.sender = s->conn;
    f.handle = s->handle;
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
}

RIG void rig_client(const struct session *s, const char *name, const char *type, const char *to, const char *content)
{
    rig_client_id(s, name, type, to, NULL, content);
}

/* A session that said it is there, of an account that exists. */
RIG struct session *rig_online(const char *full, uint64_t conn)
{
    struct session *s = rig_bind(full, conn);

    rig_client(s, "presence", "", NULL, "");
    return s;
}

/* With its account. */
RIG struct session *rig_user(const char *full, uint64_t conn)
{
    char bare[64];

    snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(full, "/"), full);
    rig_account(bare);
    return rig_online(full, conn);
}

RIG void rig_from(const char *instance, const char *name, const char *type, const char *from, const char *to,
                  const char *content)
{
    struct frame f = rig_stanza(name, type, from, to, content);

    f.origin = (struct address){ (uint8_t)role_of_instance(instance), instance_key(instance), 5 };
    on_stanza(&rig, &f);
    arena_reset(rig.arena);
}
