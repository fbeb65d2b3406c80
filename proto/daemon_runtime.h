#pragma once

/* What the parts of daemon_main share (daemon.c, daemon_setup.c, daemon_verbs.c). There is one a
 * process. */

#include "daemon.h"

struct options {
    const char  *config;
    const char  *instance;      /* NULL: <role>-1 */
    const char **overrides;     /* NULL-ended */
    int          leave;         /* exit status to end with now; -1: go on */
};

enum daemon_state { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_DRAINING, DAEMON_STOPPING };

struct runtime {
    struct daemon             d;
    const struct daemon_spec *spec;
    struct options            options;
    const struct settings   **outdated;     /* of before each reload: names borrowed from them may live on */
    size_t                    outdated_count;
    uint64_t                  started_ms;
    enum daemon_state         state;
    bool                      was_linked;   /* has had a route table once */
    bool                      drained;
    bool                      again;        /* ends with DAEMON_AGAIN */
    char                     *message;      /* the operator's text, or NULL */
    uint64_t                  end_by_ms;    /* the process ends then in any case */
    struct timer              stop_timer, end_timer, watchdog;
    uint64_t                  watchdog_ms;
    uv_signal_t               signals[3];
    struct ctl_server        *ctl;
    const struct ctl_verb    *tables[3];    /* ours, the daemon's, NULL */
    frame_handler            *handlers[FRAME_KIND_MAX];
    struct store             *stores[LINK_STORES];    /* opened by daemon_open_store */
    size_t                    store_count;
};

extern struct runtime daemon_runtime;

/* daemon_setup.c: the steps before there is a loop. */
struct options daemon_options(int argc, char **argv, const struct daemon_spec *spec);
void           daemon_check_instance(const struct settings *s, const char *instance, unsigned role);
void           daemon_drop_root(const struct daemon_spec *spec);
void           daemon_raise_limits(void);
void           daemon_make_places(const struct settings *s);

/* daemon_verbs.c */
extern const struct ctl_verb daemon_verbs[];
const char *daemon_state_name(const struct runtime *rt);

/* daemon.c */
void daemon_begin_drain(struct runtime *rt, const char *message);
/* Stops after `ms`, so that an answer to whoever asked can still leave; for good, or to be started again. */
void daemon_stop_later(struct runtime *rt, uint64_t ms, const char *message, bool again);
/* `answer` may be NULL. ZE_CONFIG: the old settings stay. */
enum zerr daemon_reload(struct runtime *rt, struct ctl_reply *answer);
