/* Message of the day and welcome (notices.h).
 *
 * T_NOTICE  slot, domain NUL name  -> u8 format 1, u64 since there is one, u64 when it was set, text
 *           slot, account NUL name -> u8 format 1, u64 when the one was set that this account was told
 * Times are microseconds since 1970; each text set has another one. */

#include "notices.h"

#include <stdlib.h>

#include "account.h"
#include "cursor.h"
#include "datetime.h"
#include "encode.h"
#include "errand.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "walk.h"

enum { FORMAT = 1 };

static const struct {
    const char *key, *subject;
} notices[NOTICE_COUNT] = {
    [NOTICE_MOTD] = { "motd", "Message of the day" },
    [NOTICE_WELCOME] = { "welcome", "Welcome" },
};

struct notice_row {
    uint64_t     since_us, set_us;
    struct slice text;                   /* borrowed from the view */
};

static struct slice key_of(struct sm *sm, struct slice owner, enum notice notice)
{
    return sm_key(sm, owner, slice_str(notices[notice].key));
}

static bool row_get(struct sm *sm, struct store_view *view, struct slice domain, enum notice notice,
                    struct notice_row *out)
{
    struct cursor c = { store_get(view, T_NOTICE, key_of(sm, domain, notice)), false };

    if (!c.rest.p)
        return false;
    bool known = take_u8(&c) == FORMAT;
    *out = (struct notice_row){ .since_us = take_u64(&c), .set_us = take_u64(&c) };
    out->text = c.rest;
    if (known && !c.bad)
        return true;
    log_error("notice_unreadable", "domain", log_slice(domain), NULL);
    return false;
}

/* Of the text that the account was told last; 0: none. */
static uint64_t told_get(struct sm *sm, struct store_view *view, struct slice account, enum notice notice)
{
    struct cursor c = { store_get(view, T_NOTICE, key_of(sm, account, notice)), false };
    uint8_t       format = take_u8(&c);
    uint64_t      set_us = take_u64(&c);

    return cursor_done(&c) && format == FORMAT ? set_us : 0;
}

struct slice notice_text(struct sm *sm, struct slice domain, enum notice notice)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct notice_row  row;
    struct slice       text = { 0 };

    if (row_get(sm, view, domain, notice, &row))
        text = arena_copy(sm->arena, row.text);
    store_view_end(&view);
    return text;
}

/* ---- telling ---- */

static bool is_due(struct sm *sm, struct store_view *view, struct slice account, enum notice notice,
                   const struct notice_row *row)
{
    uint64_t            told = told_get(sm, view, account, notice);
    struct account_info info;

    if (notice == NOTICE_MOTD)
        return told != row->set_us;
    return !told && account_get(view, account, &info) && info.created_us >= row->since_us;
}

static void mark_told(struct passage *p, enum notice notice, uint64_t set_us)
{
    struct buf row = { 0 };

    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, set_us);
    store_put(outcome_accounts(p->out), T_NOTICE, key_of(p->sm, p->owner, notice), buf_slice(&row));
    buf_free(&row);
}

static void say(struct passage *p, const struct session *s, enum notice notice, struct slice text)
{
    struct buf        content = { 0 };
    struct xml_writer w;
    char             *id = arena_alloc(p->sm->arena, RANDOM_ID);
    struct stanza     m = {
        .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .from = jid_domain(p->owner),
        .flags = STANZA_HAS_BODY | STANZA_HAS_SUBJECT | STANZA_MANY,
        .payload_ns = SLICE(NS_CLIENT), .payload_name = SLICE("subject"),
    };

    random_id(id);
    m.id = slice_str(id);
    xml_begin(&w, &content, NS_CLIENT);
    xml_simple(&w, "subject", NULL, slice_str(notices[notice].subject));
    xml_simple(&w, "body", NULL, text);
    m.content = outcome_keep(p->out, &content);
    outcome_session(p->out, AFTER_COMMIT, s, &m);
}

static void tell(struct passage *p, const struct session *s, enum notice notice)
{
    struct sm         *sm = p->sm;
    struct store_view *view = store_view(sm->store.accounts);
    struct notice_row  row;
    bool               due = row_get(sm, view, jid_domain(p->owner), notice, &row) &&
                             is_due(sm, view, p->owner, notice, &row);

    if (due)
        row.text = arena_copy(sm->arena, row.text);
    store_view_end(&view);
    if (!due)
        return;
    mark_told(p, notice, row.set_us);
    say(p, s, notice, row.text);
}

static void notices_receptive(struct passage *p, struct session *s)
{
    tell(p, s, NOTICE_WELCOME);
    tell(p, s, NOTICE_MOTD);
}

static void notices_removed(struct passage *p)
{
    for (int i = 0; i < NOTICE_COUNT; i++)
        store_delete(outcome_accounts(p->out), T_NOTICE, key_of(p->sm, p->owner, (enum notice)i));
}

/* ---- verbs ---- */

static int find_domain(struct sm *sm, const char *domain)
{
    if (!sm_serves(sm, slice_str(domain)))
        return ZE_NOT_FOUND;
    return sm_owns(sm, slice_str(domain)) ? ZE_OK : ZE_NO_ROUTE;
}

static int show(struct sm *sm, struct slice domain, enum notice notice, struct ctl_reply *r)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct notice_row  row;
    char               when[DATETIME_MAX];
    bool               there = row_get(sm, view, domain, notice, &row);

    if (there) {
        datetime_write(when, row.set_us / 1000000 * 1000000);
        ctl_row(r);
        ctl_slice(r, "domain", domain);
        ctl_str(r, "set", when);
        ctl_slice(r, "text", row.text);
    }
    store_view_end(&view);
    arena_reset(sm->arena);
    return there ? ZE_OK : ZE_NOT_FOUND;
}

struct change {
    struct ctl_reply *reply;
    char             *domain;
    enum notice       notice;
    bool              set;
};

static void on_told(void *arg, struct slice rows, enum zerr err, const char *reason)
{
    (void)arg;
    (void)rows;
    if (err)
        log_info("motd_untold", "why", reason, NULL);       /* they hear of it at their next login */
}

/* XEP-0133 4.23: who is online hears of it at once, in whichever sm. */
static void tell_online(struct sm *sm, struct slice domain)
{
    struct slice                 words[] = { SLICE("motd-tell"), domain };
    const struct route_instance *at;

    for (size_t i = 0; (at = routes_at(sm->routes, i)); i++)
        if (at->role == ROLE_SM && at->member & MEMBER_NOW && at->up)
            errand_run(sm, at, COUNT_OF(words), words, on_told, NULL);
}

void notices_set(struct sm *sm, enum zerr err, struct slice domain, struct slice name)
{
    if (!err && slice_is(name, notices[NOTICE_MOTD].key))
        tell_online(sm, domain);
}

static void on_changed(void *arg, enum zerr err)
{
    struct change *c = arg;

    if (!err) {
        log_info("notice_changed", "domain", c->domain, "kind", notices[c->notice].key, "state",
                 c->set ? "set" : "deleted", NULL);
        ctl_row(c->reply);
        ctl_str(c->reply, "domain", c->domain);
    }
    ctl_finish(c->reply, err);
    free(c->domain);
    free(c);
}

/* text NULL: there is none from now on. */
static int change(struct sm *sm, struct slice domain, enum notice notice, const char *text, struct ctl_reply *r)
{
    struct outcome    *o = outcome_new(sm, domain, random_u64());
    struct store_view *view = store_view(sm->store.accounts);
    struct notice_row  old = { 0 };
    struct buf         row = { 0 };
    struct change     *c = xcalloc(1, sizeof(*c));
    bool               had = row_get(sm, view, domain, notice, &old);

    *c = (struct change){ .reply = r, .domain = xstrndup(domain), .notice = notice, .set = text };
    store_view_end(&view);
    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, had ? old.since_us : wall_us());
    buf_put_u64(&row, wall_us());
    buf_put_str(&row, text ? text : "");
    if (text)
        store_put(outcome_accounts(o), T_NOTICE, key_of(sm, domain, notice), buf_slice(&row));
    else
        store_delete(outcome_accounts(o), T_NOTICE, key_of(sm, domain, notice));
    buf_free(&row);
    if (text)
        outcome_after(o, AFTER_NOTICE_SET, domain, slice_str(notices[notice].key));
    outcome_then(o, on_changed, c);
    outcome_settle(&o);
    arena_reset(sm->arena);
    return LATER;
}

static int show_or_set(struct sm *sm, enum notice notice, int argc, char **argv, struct ctl_reply *r)
{
    int err = find_domain(sm, argv[0]);

    if (err)
        return err;
    if (argc == 1)
        return show(sm, slice_str(argv[0]), notice, r);
    if (!argv[1][0] || strlen(argv[1]) > (size_t)sm->settings->limits.notice_max) {
        ctl_reason(r, "a text has 1 to %ld bytes", sm->settings->limits.notice_max);
        return ZE_NOT_ACCEPTABLE;
    }
    return change(sm, slice_str(argv[0]), notice, argv[1], r);
}

static int drop(struct sm *sm, enum notice notice, char **argv, struct ctl_reply *r)
{
    int err = find_domain(sm, argv[0]);

    return err ? err : change(sm, slice_str(argv[0]), notice, NULL, r);
}

int verb_motd(void *self, int argc, char **argv, struct ctl_reply *r)
{
    return show_or_set(self, NOTICE_MOTD, argc, argv, r);
}

int verb_motd_delete(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return drop(self, NOTICE_MOTD, argv, r);
}

int verb_welcome(void *self, int argc, char **argv, struct ctl_reply *r)
{
    return show_or_set(self, NOTICE_WELCOME, argc, argv, r);
}

int verb_welcome_delete(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return drop(self, NOTICE_WELCOME, argv, r);
}

static void tell_account(struct sm *sm, struct session *s)
{
    struct stanza  none = { 0 };
    struct passage p = { .sm = sm, .owner = arena_copy(sm->arena, session_bare(s)), .exists = true, .stanza = &none };

    p.out = outcome_new(sm, p.owner, random_u64());
    tell(&p, s, NOTICE_MOTD);
    outcome_settle(&p.out);
}

struct telling {
    struct sm        *sm;
    struct ctl_reply *reply;
    char             *domain;
    size_t            place;
};

static void tell_session(void *arg, struct session *s)
{
    struct telling *t = arg;

    if (s->available && s->priority >= 0 && slice_is(jid_domain(session_bare(s)), t->domain))
        tell_account(t->sm, s);
}

static int tell_some(void *arg)
{
    struct telling *t = arg;

    return walk_sessions(t->sm, &t->place, tell_session, t);
}

static void all_told(void *arg, enum zerr err)
{
    struct telling *t = arg;

    if (t->reply)
        ctl_finish(t->reply, err);
    free(t->domain);
    free(t);
}

/* reply NULL: nobody waits for the end of it. */
static void tell_all(struct sm *sm, struct slice domain, struct ctl_reply *reply)
{
    struct telling *t = xcalloc(1, sizeof(*t));

    *t = (struct telling){ .sm = sm, .reply = reply, .domain = xstrndup(domain) };
    walk_begin(sm, &(struct walk_spec){ tell_some, all_told, t });
}

int verb_motd_tell(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    if (!sm_serves(self, slice_str(argv[0])))
        return ZE_NOT_FOUND;
    tell_all(self, slice_str(argv[0]), r);
    return LATER;
}

void notices_begin(struct sm *sm)
{
    for (size_t i = 0; sessions_count(sm->sessions) && i < sm->settings->domain_count; i++) {
        struct slice domain = slice_str(sm->settings->domain[i].name);

        if (notice_text(sm, domain, NOTICE_MOTD).p)
            tell_all(sm, domain, NULL);
    }
    arena_reset(sm->arena);
}

const struct sm_feature sm_notices = {
    .name = "notices", .spec = "XEP-0133 4.23", .receptive = notices_receptive, .removed = notices_removed,
};
