/* The control verbs every daemon has (DESIGN.md 8): status stats log drain stop reload. `help` is the
 * control socket's own. */

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon_runtime.h"
#include "log.h"

enum { ANSWER_LEAVES_MS = 100, DELAY_MAX_S = 86400 };

/* Running means: of use to others, which takes a route table (DESIGN.md 9, `ready`). */
const char *daemon_state_name(const struct runtime *rt)
{
    static const char *const names[] = { "starting", "running", "draining", "stopping" };

    if (rt->state == DAEMON_RUNNING && rt->d.link && !rt->was_linked)
        return names[DAEMON_STARTING];
    return names[rt->state];
}

static int verb_status(void *self, int argc, char **argv, struct ctl_reply *r)
{
    const struct runtime *rt = &daemon_runtime;
    const struct link    *link = rt->d.link;

    (void)argc;
    (void)argv;
    ctl_row(r);
    ctl_str(r, "name", rt->d.instance);
    ctl_str(r, "role", rt->spec->name);
    ctl_int(r, "pid", getpid());
    ctl_str(r, "state", daemon_state_name(rt));
    ctl_int(r, "uptime", (int64_t)(loop_now_ms(rt->d.loop) - rt->started_ms) / 1000);
    ctl_str(r, "version", ZUBR_VERSION);
    ctl_str(r, "link", !link ? "none" : link_up(link) ? "up" : "down");
    if (rt->spec->status)
        rt->spec->status(self, r);
    return ZE_OK;
}

static void stats_row(void *arg, const struct stat_row *row)
{
    struct ctl_reply *r = arg;

    ctl_row(r);
    ctl_str(r, "name", row->name);
    ctl_int(r, "value", (int64_t)*row->value);
    ctl_str(r, "help", row->help);
}

static int verb_stats(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)self;
    (void)argc;
    (void)argv;
    stats_each(stats_row, r);
    return ZE_OK;
}

static int verb_log(void *self, int argc, char **argv, struct ctl_reply *r)
{
    int level = argc ? log_level_parse(argv[0]) : (int)log_level();

    (void)self;
    if (level < 0) {
        ctl_reason(r, "levels are error, warn, info, debug");
        return ZE_BAD_REQUEST;
    }
    log_set_level((enum log_level)level);
    ctl_row(r);
    ctl_str(r, "level", log_level_name((enum log_level)level));
    return ZE_OK;
}

/* [--in SECONDS] [--message TEXT] */
static int take_delay_and_message(int argc, char **argv, long *seconds, const char **message,
                                  struct ctl_reply *r)
{
    *seconds = 0;
    *message = NULL;
    for (int i = 0; i < argc; i += 2) {
        char *end = NULL;
        if (i + 1 < argc && strcmp(argv[i], "--message") == 0) {
            *message = argv[i + 1];
            continue;
        }
        if (i + 1 < argc && strcmp(argv[i], "--in") == 0)
            *seconds = strtol(argv[i + 1], &end, 10);
        if (!end || end == argv[i + 1] || *end || *seconds < 0 || *seconds > DELAY_MAX_S) {
            ctl_reason(r, "expected [--in SECONDS] [--message TEXT]");
            return ZE_BAD_REQUEST;
        }
    }
    return ZE_OK;
}

static int verb_stop(void *self, int argc, char **argv, struct ctl_reply *r)
{
    long        seconds;
    const char *message;
    int         err = take_delay_and_message(argc, argv, &seconds, &message, r);

    (void)self;
    if (!err)
        daemon_stop_later(&daemon_runtime, (uint64_t)seconds * 1000 + ANSWER_LEAVES_MS, message, false);
    return err;
}

static int verb_drain(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)self;
    if (argc == 1 || (argc == 2 && strcmp(argv[0], "--message") != 0)) {
        ctl_reason(r, "expected [--message TEXT]");
        return ZE_BAD_REQUEST;
    }
    daemon_begin_drain(&daemon_runtime, argc ? argv[1] : NULL);
    return ZE_OK;
}

static int verb_reload(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)self;
    (void)argc;
    (void)argv;
    return daemon_reload(&daemon_runtime, r);
}

const struct ctl_verb daemon_verbs[] = {
    { "status", "", "how this daemon is", "name role pid state uptime version link", "", 0, 0, verb_status },
    { "stats", "", "counters and gauges", "name value help", "", 0, 0, verb_stats },
    { "log", "[LEVEL]", "show or set the log level: error, warn, info, debug", "level", "",
      0, 1, verb_log },
    { "drain", "[--message TEXT]", "take no new work and finish what there is", "", "",
      0, 2, verb_drain },
    { "stop", "[--in SECONDS] [--message TEXT]", "drain, then end; it is not started again", "",
      "", 0, 4, verb_stop },
    { "reload", "", "read the configuration anew; a faulty one changes nothing", "applied needs_restart",
      "config", 0, 0, verb_reload },
    { 0 },
};
