#pragma once

/* The one main() (DESIGN.md 1, STYLE.md C22): settings, sockets from systemd, privileges, link to
 * routerd, control socket, READY, loop, drain on TERM. The same order in all five.
 *
 * Command line: zubr-<role> --config FILE [--instance NAME] [--set section.key=value]...
 *               [--help] [--version] [--print-config] [--print-control] [--print-instances]
 * Exit status: 0 stopped, 75 (DAEMON_AGAIN) to be started again, 78 bad configuration, 1 anything else. */

#include "ctl.h"
#include "link.h"
#include "loop.h"
#include "settings.h"
#include "slots.h"
#include "stats.h"
#include "store.h"

/* The exit status by which a daemon that was told to restart asks its supervisor (systemd, `./dev run`) for it. */
enum { DAEMON_AGAIN = 75 };

/* What every daemon gets; lives as long as the process. */
struct daemon {
    struct loop           *loop;
    const struct settings *settings;
    struct link           *link;          /* NULL in routerd */
    struct live           *live;          /* NULL: this role has no live memory (spec->live_tables) */
    struct slots          *slots;         /* which slots this instance handles (slots.h); NULL in routerd */
    const char            *instance;      /* "sm-1" */
    struct arena          *arena;         /* reset after each frame handled */
    void                  *self;          /* what start() returned */
    bool                   draining;
    bool                   ending;        /* the process ends with the drain (TERM, `stop`) */
    bool                   for_good;      /* the verbs `stop` and `shutdown stop` end it: nobody will start it again by himself. A
                                             signal may as well be a restart */
};

struct daemon_spec {
    const char           *name;           /* "sm" */
    unsigned              role;
    frame_handler *const *handlers;       /* by kind; called with daemon->self; NULL in routerd */
    const struct ctl_verb *verbs;         /* ended by { 0 }; run with daemon->self */
    /* Live memory (common/live.h) in <data>/live-<instance>: its tables, NULL-ended, LINK_LIVE_TABLES
     * first. Opened before the link, which finds its incarnation in it. NULL: none, each start is a new
     * life. */
    const char *const     *live_tables;
    /* Of sm and muc: how slots are handed over; `daemon`, `live` and its table are filled in. */
    const struct slots_spec *slots;
    /* Opens what needs the network or the store. Returns the daemon's self, or NULL (it logged why;
     * exit 1). The link exists but has not said HELLO yet. Then come the kept frames of an earlier life
     * (on_kept), and then the link connects. */
    void *(*start)(struct daemon *d);
    /* Stop taking new work and finish: call daemon_drained when done (at the latest after 5 s the
     * process ends anyway). NULL: nothing to do. `message`: the operator's text for users, or NULL. */
    void (*drain)(void *self, const char *message);
    /* Settings were reloaded (d->settings is the new struct; what was borrowed from the old one stays
     * good until the process ends). NULL: nothing to do. Says in `answer` rows with a field `applied`
     * or `needs_restart`; answer is NULL when SIGHUP asked. */
    void (*reload)(void *self, struct ctl_reply *answer);
    /* Fields of its own in `status` beyond name role pid state uptime. May be NULL. */
    void (*status)(void *self, struct ctl_reply *r);
    void (*on_routes)(void *self, const struct routes *routes);
    void (*on_peer_lost)(void *self, const struct address *life);
    /* As in link_spec; each may be NULL. */
    void (*on_kept)(void *self, struct kept *k);
    void (*on_confirmed)(void *self, const struct kept *k);
    void (*on_peer_back)(void *self, const struct address *peer);
    /* Frees everything (leak checks run in the test build). Live memory stays as it is. */
    void (*stop)(void *self);
};

int  daemon_main(int argc, char **argv, const struct daemon_spec *spec);
void daemon_drained(struct daemon *d);
/* Begins the orderly end, as TERM does. */
void daemon_stop(struct daemon *d, const char *message);

/* The same, as the verb `stop` does, in a moment: for good, or with DAEMON_AGAIN. */
void daemon_end(struct daemon *d, bool again, const char *message);

/* Opens <data>/NAME, a synced environment of this instance: its batches have numbers that survive, wait
 * for the end of the turn where there is live memory, and <data>/records/NAME says that it has held data.
 * Of `own` the rows tables, schema, runs and gather_ms are taken. NULL: logged why. Close it before the daemon's self is
 * gone. */
struct store *daemon_open_store(struct daemon *d, const char *name, const struct store_spec *own);

/* A listening stream socket handed over by systemd whose name (FileDescriptorName=) is `name`:
 * descriptor or -1. Each is handed out once. */
int daemon_socket(const char *name);
