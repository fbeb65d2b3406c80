/* The control verb `archive`: what an archive keeps, for how long, and emptying it. */

#include <stdlib.h>

#include "archive_purge.h"
#include "datetime.h"
#include "jid.h"
#include "log.h"
#include "preferences.h"
#include "verbs.h"

struct asked {
    struct sm        *sm;
    int               argc;
    char            **argv;            /* behind the JID */
    struct jid        jid;
    struct ctl_reply *reply;
};

/* ---- what it keeps ---- */

static void show_end(struct asked *a, struct ledger *l, const char *field, bool last)
{
    struct ledger_query q = { .max = 1, .bytes_max = SIZE_MAX, .backwards = last };
    struct ledger_page  page;
    char                stamp[DATETIME_MAX] = "";

    if (!ledger_query(l, &q, a->sm->arena, &page) && page.count)
        datetime_write(stamp, page.records[0].id.time_us);
    ctl_str(a->reply, field, stamp);
}

static void show_ends(struct asked *a)
{
    struct store_view *view = store_view(a->sm->store.archive);
    struct ledger      l;

    if (!ledger_open(&l, sm_ledger(&a->sm->store), view, jid_slice(&a->jid))) {
        show_end(a, &l, "first", false);
        show_end(a, &l, "last", true);
    }
    store_view_end(&view);
}

static int show(struct asked *a)
{
    struct sm         *sm = a->sm;
    struct slice       owner = jid_slice(&a->jid);
    struct store_view *view = store_view(sm->store.accounts);
    struct preferences p;

    preferences_read(sm, view, owner, &p);
    ctl_row(a->reply);
    ctl_slice(a->reply, "jid", owner);
    ctl_str(a->reply, "default", preference_text(preferences_default(sm, owner, &p)));
    ctl_int(a->reply, "always", p.always_count);
    ctl_int(a->reply, "never", p.never_count);
    store_view_end(&view);
    ctl_int(a->reply, "days", preferences_days(sm, owner));
    ctl_int(a->reply, "wish", p.wish == DAYS_OF_DOMAIN ? 0 : p.wish);
    show_ends(a);
    return ZE_OK;
}

/* ---- how long ---- */

static void kept(void *arg, enum zerr err)
{
    ctl_finish(arg, err);
}

static bool read_days(const char *text, long *days)
{
    char *end;

    if (strcmp(text, "domain") == 0) {
        *days = DAYS_OF_DOMAIN;
        return true;
    }
    *days = strtol(text, &end, 10);
    return end != text && !*end && *days >= 0 && *days <= DAYS_MOST;
}

static int keep(struct asked *a)
{
    struct sm         *sm = a->sm;
    struct slice       owner = arena_copy(sm->arena, jid_slice(&a->jid));
    struct store_view *view;
    struct outcome    *o;
    struct preferences p;
    long               days;

    if (a->argc != 1 || !read_days(a->argv[0], &days)) {
        ctl_reason(a->reply, "expected: archive keep JID DAYS, from 0 (for ever) to %d, or `domain`", DAYS_MOST);
        return ZE_BAD_REQUEST;
    }
    o = outcome_new(sm, owner, 0);
    view = store_view(sm->store.accounts);
    preferences_read(sm, view, owner, &p);
    p.days = days;
    preferences_put(o, sm, owner, &p);
    store_view_end(&view);
    log_info("archive_kept", "jid", log_slice(owner), "from", "control", NULL);
    outcome_then(o, kept, a->reply);
    outcome_settle(&o);
    return LATER;
}

/* ---- emptying it ---- */

struct purging {
    struct ctl_reply *reply;
    char             *jid;
};

static void purged(void *arg, enum zerr err, uint64_t count)
{
    struct purging *p = arg;

    log_info("archive_purged", "jid", p->jid, "count", log_num((int64_t)count), "err", err_name(err), NULL);
    ctl_row(p->reply);
    ctl_str(p->reply, "jid", p->jid);
    ctl_int(p->reply, "removed", (int64_t)count);
    ctl_finish(p->reply, err);
    free(p->jid);
    free(p);
}

static int purge(struct asked *a)
{
    uint64_t        before_us = wall_us();
    struct purging *p;

    if (a->argc > 1 || (a->argc == 1 && !archive_date(slice_str(a->argv[0]), &before_us))) {
        ctl_reason(a->reply, "expected: archive purge JID [DATE], the date as 2026-11-21 or 2026-11-21T10:00:00Z");
        return ZE_BAD_REQUEST;
    }
    p = xcalloc(1, sizeof(*p));
    *p = (struct purging){ a->reply, xstrndup(jid_slice(&a->jid)) };
    archive_purge(a->sm, jid_slice(&a->jid), before_us, purged, p);
    return LATER;
}

static const struct {
    const char *name;
    int       (*run)(struct asked *a);
} actions[] = {
    { "keep", keep },
    { "purge", purge },
};

int verb_archive(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct asked a = { self, argc - 1, argv + 1, { 0 }, r };
    int        (*run)(struct asked *a) = show;
    int          at = 0, err;

    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (argc > 1 && strcmp(argv[0], actions[i].name) == 0) {
            run = actions[i].run;
            at = 1;
        }
    a.argc -= at;
    a.argv += at;
    if (run == show && argc > 1)
        return ZE_BAD_REQUEST;
    err = verb_existing(a.sm, argv[at], &a.jid);
    if (!err)
        err = run(&a);
    arena_reset(a.sm->arena);
    return err;
}
