/* Control verbs that look at accounts, and those that shut them out and let them in (verbs.h). */

#include <stdio.h>
#include <stdlib.h>

#include "account.h"
#include "cursor.h"
#include "datetime.h"
#include "dispatch.h"
#include "encode.h"
#include "jid.h"
#include "last.h"
#include "ledger.h"
#include "log.h"
#include "resume.h"
#include "roster.h"
#include "verbs.h"
#include "walk.h"

/* ---- disabled accounts ---- */

/* XEP-0133 4.3: its sessions end, and nothing of it is lost. */
static int set_disabled(struct sm *sm, const char *raw_jid, bool disabled, struct ctl_reply *r)
{
    struct stanza      none = { 0 };
    struct jid         jid;
    struct passage     p = { .sm = sm, .exists = true, .stanza = &none };
    int                err = verb_account(sm, raw_jid, &jid);
    struct store_view *view;
    struct online     *account;

    if (err)
        return err;
    p.owner = none.from = arena_copy(sm->arena, jid_slice(&jid));
    p.out = outcome_new(sm, p.owner, random_u64());
    view = store_view(sm->store.accounts);
    err = account_set_disabled(view, outcome_accounts(p.out), p.owner, disabled);
    store_view_end(&view);
    while (!err && disabled && (account = session_online(sm->sessions, p.owner))) {
        struct session *s = LIST_OWNER(account->sessions.next, struct session, link);
        dispatch_close_session(&p, &s, AFTER_COMMIT, "not-authorized", "Account disabled");
    }
    if (err)
        outcome_abandon(p.out);
    else
        outcome_then(p.out, verb_done, verb_wait(r, &jid, disabled ? "account_disabled" : "account_enabled"));
    outcome_settle(&p.out);
    arena_reset(sm->arena);
    return err ? err : LATER;
}

int verb_disable(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return set_disabled(self, argv[0], true, r);
}

int verb_enable(void *self, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return set_disabled(self, argv[0], false, r);
}

/* ---- which there are ---- */

/* In use: some client of it is connected, available, and looked at (XEP-0352). */
static bool is_active(const struct online *account)
{
    if (!account)
        return false;
    ONLINE_EACH(account, node, s)
        if (s->available && !s->inactive && !resume_hibernates(s))
            return true;
    return false;
}

enum which { ALL, DISABLED, ONLINE, ACTIVE, IDLE, WHICH_COUNT };
static const char *const which_names[] = { "all", "disabled", "online", "active", "idle" };

static bool is_among(enum which which, const struct account_info *info, const struct online *online)
{
    return which == ALL || (which == DISABLED && info->disabled) || (which == ONLINE && online) ||
           (which == ACTIVE && is_active(online)) || (which == IDLE && online && !is_active(online));
}

struct listing {
    struct sm        *sm;
    struct ctl_reply *reply;
    struct slice      domain;
    enum which        which;
    long              left;
    struct buf        at;
};

static int list_account(void *arg, struct slice jid, const struct account_info *info)
{
    struct listing *l = arg;
    struct online  *online = session_online(l->sm->sessions, jid);
    char            created[DATETIME_MAX];

    if ((l->domain.len && !slice_eq(l->domain, jid_domain(jid))) || !is_among(l->which, info, online) ||
        !sm_owns(l->sm, jid))
        return 0;
    datetime_write(created, info->created_us / 1000000 * 1000000);
    ctl_row(l->reply);
    ctl_slice(l->reply, "jid", jid);
    ctl_str(l->reply, "created", created);
    ctl_int(l->reply, "sessions", online ? online->count : 0);
    ctl_bool(l->reply, "disabled", info->disabled);
    return l->left-- == 1;
}

static int list_some(void *arg)
{
    struct listing *l = arg;

    return account_some(l->sm->store.accounts, &l->at, list_account, l);
}

static void listed(void *arg, enum zerr err)
{
    struct listing *l = arg;

    ctl_finish(l->reply, err);
    buf_free(&l->at);
    free(l);
}

static int read_which(const char *text, enum which *out)
{
    for (unsigned i = 0; i < WHICH_COUNT; i++)
        if (strcmp(text, which_names[i]) == 0) {
            *out = (enum which)i;
            return ZE_OK;
        }
    return ZE_BAD_REQUEST;
}

int verb_users(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm      *sm = self;
    struct listing  l = { .sm = sm, .reply = r, .domain = slice_str(argc ? argv[0] : NULL) }, *own;
    int             err = argc > 1 ? read_which(argv[1], &l.which) : ZE_OK;

    if (argc && !sm_serves(sm, l.domain))
        return ZE_NOT_FOUND;
    if (argc > 2)
        l.left = strtol(argv[2], NULL, 10);
    if (err || l.left < 0) {
        ctl_reason(r, "expected all, disabled, online, active or idle, and how many at most");
        return ZE_BAD_REQUEST;
    }
    own = xmalloc(sizeof(*own));
    *own = l;
    walk_begin(sm, &(struct walk_spec){ list_some, listed, own });
    return LATER;
}

struct tally {
    struct slice domain;
    int64_t      count[WHICH_COUNT];
};

/* Of all domains asked for in one walk. */
struct counting {
    struct sm        *sm;
    struct ctl_reply *reply;
    struct buf        at;
    size_t            domains;
    struct tally      of[];
};

static int count_account(void *arg, struct slice jid, const struct account_info *info)
{
    struct counting     *c = arg;
    struct tally        *t = c->of, *end = c->of + c->domains;
    const struct online *online;

    while (t < end && !slice_eq(t->domain, jid_domain(jid)))
        t++;
    if (t == end || !sm_owns(c->sm, jid))
        return 0;
    online = session_online(c->sm->sessions, jid);
    for (unsigned i = 0; i < WHICH_COUNT; i++)
        t->count[i] += is_among((enum which)i, info, online);
    return 0;
}

static int count_some(void *arg)
{
    struct counting *c = arg;

    return account_some(c->sm->store.accounts, &c->at, count_account, c);
}

static void counted(void *arg, enum zerr err)
{
    struct counting *c = arg;

    for (size_t n = 0; n < c->domains && !err; n++) {
        ctl_row(c->reply);
        ctl_slice(c->reply, "domain", c->of[n].domain);
        ctl_int(c->reply, "registered", c->of[n].count[ALL]);
        for (unsigned i = DISABLED; i < WHICH_COUNT; i++)
            ctl_int(c->reply, which_names[i], c->of[n].count[i]);
    }
    ctl_finish(c->reply, err);
    buf_free(&c->at);
    free(c);
}

int verb_counts(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm             *sm = self;
    const struct settings *settings = sm->settings;
    struct counting       *c;

    if (argc && !sm_serves(sm, slice_str(argv[0])))
        return ZE_NOT_FOUND;
    c = xcalloc(1, sizeof(*c) + settings->domain_count * sizeof(c->of[0]));
    c->sm = sm;
    c->reply = r;
    for (size_t i = 0; i < settings->domain_count; i++)
        if (!argc || strcmp(argv[0], settings->domain[i].name) == 0)
            c->of[c->domains++].domain = slice_str(settings->domain[i].name);
    walk_begin(sm, &(struct walk_spec){ count_some, counted, c });
    return LATER;
}

/* ---- one account ---- */

static int count_item(void *arg, const struct roster_item *item)
{
    (void)item;
    ++*(int64_t *)arg;
    return 0;
}

/* When the newest of its sessions came; nobody is there: when the last one went. */
static uint64_t last_there(struct sm *sm, struct store_view *view, struct slice jid, const struct online *account)
{
    uint64_t last = 0;

    if (!account)
        return last_seen_us(sm, view, jid, NULL);
    ONLINE_EACH(account, node, s)
        last = s->since_us > last ? s->since_us : last;
    return last;
}

static void show_account(struct sm *sm, struct store_view *view, struct slice jid, struct ctl_reply *r)
{
    struct account_info info = { 0 };
    struct online      *account = session_online(sm->sessions, jid);
    uint64_t            login = last_there(sm, view, jid, account);
    int64_t             contacts = 0;
    char                when[DATETIME_MAX];

    account_get(view, jid, &info);
    roster_each(sm, view, jid, count_item, &contacts);
    datetime_write(when, info.created_us / 1000000 * 1000000);
    ctl_row(r);
    ctl_slice(r, "jid", jid);
    ctl_str(r, "created", when);
    ctl_bool(r, "disabled", info.disabled);
    ctl_int(r, "roster", contacts);
    ctl_int(r, "sessions", account ? account->count : 0);
    datetime_write(when, login / 1000000 * 1000000);
    ctl_str(r, "login", login ? when : "");
}

int verb_user(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm         *sm = self;
    struct store_view *view;
    struct jid         jid;
    int                err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    view = store_view(sm->store.accounts);
    show_account(sm, view, jid_slice(&jid), r);
    store_view_end(&view);
    arena_reset(sm->arena);
    return ZE_OK;
}

static const char *subscription_of(unsigned flags)
{
    static const char *const names[] = { "none", "to", "from", "both" };

    return names[(flags & ROSTER_TO ? 1 : 0) + (flags & ROSTER_FROM ? 2 : 0)];
}

static void put_groups(struct buf *names, struct slice list)
{
    struct cursor groups = { list, false };

    while (groups.rest.len && !groups.bad) {
        if (buf_len(names))
            buf_put_u8(names, '\n');
        buf_put_slice(names, take_sized(&groups));
    }
}

static int list_contact(void *arg, const struct roster_item *item)
{
    struct ctl_reply *r = arg;
    struct buf        names = { 0 };

    put_groups(&names, item->groups);
    put_groups(&names, item->shared);
    ctl_row(r);
    ctl_slice(r, "jid", item->contact);
    ctl_slice(r, "name", item->name);
    ctl_str(r, "subscription", subscription_of(item->flags));
    ctl_slice(r, "groups", buf_slice(&names));
    buf_free(&names);
    return 0;
}

int verb_roster(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm         *sm = self;
    struct store_view *view;
    struct jid         jid;
    int                err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    view = store_view(sm->store.accounts);
    err = roster_each(sm, view, jid_slice(&jid), list_contact, r);
    store_view_end(&view);
    arena_reset(sm->arena);
    return err;
}

/* ---- administrators ---- */

int verb_admins(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;

    if (argc && !sm_serves(sm, slice_str(argv[0])))
        return ZE_NOT_FOUND;
    if (argc && !sm_owns(sm, slice_str(argv[0])))
        return ZE_NO_ROUTE;
    for (size_t i = 0; i < sm->settings->domain_count; i++) {
        const struct settings_domain *domain = &sm->settings->domain[i];

        if ((argc && strcmp(argv[0], domain->name) != 0) || !sm_owns(sm, slice_str(domain->name)))
            continue;
        for (size_t n = 0; n < domain->admins.count; n++) {
            ctl_row(r);
            ctl_str(r, "domain", domain->name);
            ctl_str(r, "jid", domain->admins.item[n]);
        }
    }
    return ZE_OK;
}
