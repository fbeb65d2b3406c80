/* Shared groups: their rows, and the operator's verbs (groups.h). */

#include "groups.h"

#include <stdlib.h>

#include "account.h"
#include "ctl.h"
#include "cursor.h"
#include "feature.h"
#include "jid.h"
#include "log.h"
#include "routes.h"
#include "walk.h"

enum { FORMAT = 1, TITLE_MAX = 256 };

/* ---- rows ---- */

static struct slice member_key(const struct sm *sm, struct slice domain, struct slice group, struct slice member)
{
    uint8_t *rest = arena_alloc(sm->arena, group.len + 1 + member.len);

    memcpy(rest, group.p, group.len);
    rest[group.len] = 0;
    if (member.len)
        memcpy(rest + group.len + 1, member.p, member.len);
    return sm_key(sm, domain, slice_of(rest, group.len + 1 + member.len));
}

static void version_key(struct buf *key)
{
    store_key(key, 0, SLICE("version"));
}

uint64_t groups_version(struct store_view *view)
{
    struct buf key = { 0 };

    version_key(&key);
    struct cursor c = { store_get(view, T_GROUP, buf_slice(&key)), false };
    buf_free(&key);
    uint8_t  format = take_u8(&c);
    uint64_t version = take_u64(&c);
    return cursor_done(&c) && format == FORMAT ? version : 0;
}

static void put_version(struct store_batch *batch)
{
    struct buf key = { 0 }, value = { 0 };

    version_key(&key);
    buf_put_u8(&value, FORMAT);
    buf_put_u64(&value, wall_us());
    store_put(batch, T_GROUP, buf_slice(&key), buf_slice(&value));
    buf_free(&key);
    buf_free(&value);
}

void groups_account_made(struct store *accounts, struct store_batch *batch)
{
    struct store_view *view = store_view(accounts);

    if (groups_version(view))
        put_version(batch);
    store_view_end(&view);
}

void groups_mark(const struct sm *sm, struct store_batch *batch, struct slice account, bool has)
{
    static const uint8_t value[] = { FORMAT };
    struct slice         key = sm_key(sm, account, slice_of(NULL, 0));

    if (has)
        store_put(batch, T_GROUP, key, slice_of(value, sizeof(value)));
    else
        store_delete(batch, T_GROUP, key);
}

/* Up to the next NUL; true: there was one. */
static bool cut_name(struct slice *rest, struct slice *name)
{
    const uint8_t *nul = rest->len ? memchr(rest->p, 0, rest->len) : NULL;
    size_t         len = nul ? (size_t)(nul - rest->p) : rest->len;

    *name = slice_cut(*rest, 0, len);
    *rest = slice_cut(*rest, nul ? len + 1 : len, rest->len);
    return nul != NULL;
}

static int walk_row(void *arg, struct slice key, struct slice value)
{
    const struct groups_walk *w = arg;
    struct slice              rest = slice_cut(key, 2, key.len), owner, group, member;

    if (key.len <= 2 || !value.len || value.p[0] != FORMAT)
        return 0;
    if (!cut_name(&rest, &owner)) {
        if (jid_local(owner).len && w->account)
            w->account(w->arg, owner);
    } else if (!cut_name(&rest, &group)) {
        if (w->group && value.len >= 2)
            w->group(w->arg, owner, group, value.p[1], slice_cut(value, 2, value.len));
    } else if (cut_name(&rest, &member), w->member)
        w->member(w->arg, owner, group, member);
    return 0;
}

void groups_walk(struct store_view *view, const struct groups_walk *walk)
{
    store_each(view, T_GROUP, slice_of(NULL, 0), slice_of(NULL, 0), false, walk_row, (void *)walk);
}

/* ---- the account goes ---- */

struct leaving {
    struct passage *p;
    bool            found;
};

static void leave(void *arg, struct slice domain, struct slice group, struct slice member)
{
    struct leaving *l = arg;

    if (!slice_eq(member, l->p->owner))
        return;
    store_delete(outcome_accounts(l->p->out), T_GROUP, member_key(l->p->sm, domain, group, member));
    l->found = true;
}

static void groups_removed(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct leaving     l = { .p = p };

    if (groups_version(view)) {
        groups_mark(p->sm, outcome_accounts(p->out), p->owner, false);
        groups_walk(view, &(struct groups_walk){ .member = leave, .arg = &l });
        put_version(outcome_accounts(p->out));
    }
    store_view_end(&view);
}

const struct sm_feature sm_groups = { .name = "groups", .spec = "shared roster groups", .removed = groups_removed };

/* ---- arguments ---- */

struct request {
    struct sm *sm;
    struct jid jid;
    struct slice domain, group;      /* of the jid */
    bool       exists, everybody;
    size_t     groups, members;      /* how many there are; members of this one */
};

static void count_group(void *arg, struct slice domain, struct slice group, bool everybody, struct slice title)
{
    struct request *q = arg;

    (void)title;
    q->groups++;
    if (slice_eq(domain, q->domain) && slice_eq(group, q->group)) {
        q->exists = true;
        q->everybody = everybody;
    }
}

static void count_member(void *arg, struct slice domain, struct slice group, struct slice member)
{
    struct request *q = arg;

    (void)member;
    q->members += slice_eq(domain, q->domain) && slice_eq(group, q->group);
}

/* GROUP@DOMAIN, of a domain whose slot is ours. */
static enum zerr read_group(struct sm *sm, const char *raw_jid, struct request *q)
{
    struct store_view *view;

    *q = (struct request){ .sm = sm };
    if (jid_parse(slice_str(raw_jid), &q->jid) || !q->jid.local_len || q->jid.resource_len)
        return ZE_BAD_JID;
    q->domain = jid_domain(jid_slice(&q->jid));
    q->group = jid_local(jid_slice(&q->jid));
    if (!sm_serves(sm, q->domain))
        return ZE_NOT_FOUND;
    if (!sm_owns(sm, q->domain))
        return ZE_NO_ROUTE;
    view = store_view(sm->store.accounts);
    groups_walk(view, &(struct groups_walk){ .group = count_group, .member = count_member, .arg = q });
    store_view_end(&view);
    return ZE_OK;
}

/* ---- changes ---- */

static void on_committed(void *arg, enum zerr err)
{
    if (arg)
        ctl_finish(arg, err);
}

static struct outcome *change_begin(struct request *q)
{
    return outcome_new(q->sm, q->domain, 0);
}

static int change_end(struct request *q, struct outcome *o, struct ctl_reply *r, const char *what)
{
    put_version(outcome_accounts(o));
    outcome_then(o, on_committed, r);
    log_info(what, "group", log_slice(jid_slice(&q->jid)), "from", "control", NULL);
    outcome_settle(&o);
    arena_reset(q->sm->arena);
    return LATER;
}

static int set_group(struct request *q, struct slice title, bool everybody, struct ctl_reply *r)
{
    struct outcome *o = change_begin(q);
    struct buf      value = { 0 };

    buf_put_u8(&value, FORMAT);
    buf_put_u8(&value, everybody);
    buf_put_slice(&value, title);
    store_put(outcome_accounts(o), T_GROUP, sm_key(q->sm, q->domain, q->group), buf_slice(&value));
    buf_free(&value);
    return change_end(q, o, r, "group_set");
}

/* A group of everybody: all accounts are counted first, in steps. */
struct counting {
    struct request    q;
    struct ctl_reply *reply;
    const char       *title;           /* as the request has it */
    struct buf        at;
    size_t            accounts;
};

static int count_account(void *arg, struct slice jid, const struct account_info *info)
{
    struct counting *c = arg;

    (void)info;
    c->accounts += slice_eq(jid_domain(jid), c->q.domain);
    return c->accounts > (size_t)c->q.sm->settings->limits.group_members_max;
}

static int count_some(void *arg)
{
    struct counting *c = arg;

    return account_some(c->q.sm->store.accounts, &c->at, count_account, c);
}

static void counted(void *arg, enum zerr err)
{
    struct counting *c = arg;

    if (!err && c->accounts > (size_t)c->q.sm->settings->limits.group_members_max)
        err = ZE_FULL;
    if (err)
        on_committed(c->reply, err);
    else
        set_group(&c->q, slice_str(c->title), true, c->reply);
    buf_free(&c->at);
    free(c);
}

static int set_for_everybody(const struct request *q, const char *title, struct ctl_reply *r)
{
    struct counting *c = xcalloc(1, sizeof(*c));

    *c = (struct counting){ .q = *q, .reply = r, .title = title };
    c->q.domain = jid_domain(jid_slice(&c->q.jid));
    c->q.group = jid_local(jid_slice(&c->q.jid));
    walk_begin(q->sm, &(struct walk_spec){ count_some, counted, c });
    return LATER;
}

int verb_group_set(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    struct request q;
    enum zerr      err = read_group(sm, argv[0], &q);
    struct slice   title = slice_str(argv[1]);
    bool           everybody = argc > 2 && strcmp(argv[2], "everybody") == 0;

    if (!err && (title.len == 0 || title.len > TITLE_MAX || (argc > 2 && !everybody)))
        err = ZE_BAD_REQUEST;
    if (!err && !q.exists && q.groups >= (size_t)q.sm->settings->limits.groups_max)
        err = ZE_FULL;
    if (err)
        return err;
    return everybody ? set_for_everybody(&q, argv[1], r) : set_group(&q, title, false, r);
}

struct deletion {
    struct request     *q;
    struct store_batch *batch;
};

static void delete_member(void *arg, struct slice domain, struct slice group, struct slice member)
{
    struct deletion *d = arg;

    if (slice_eq(domain, d->q->domain) && slice_eq(group, d->q->group))
        store_delete(d->batch, T_GROUP, member_key(d->q->sm, domain, group, member));
}

int verb_group_delete(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    struct request     q;
    enum zerr          err = read_group(sm, argv[0], &q);
    struct outcome    *o;
    struct store_view *view;

    (void)argc;
    if (err || !q.exists)
        return err ? (int)err : ZE_NOT_FOUND;
    o = change_begin(&q);
    store_delete(outcome_accounts(o), T_GROUP, sm_key(sm, q.domain, q.group));
    struct deletion d = { &q, outcome_accounts(o) };
    view = store_view(q.sm->store.accounts);
    groups_walk(view, &(struct groups_walk){ .member = delete_member, .arg = &d });
    store_view_end(&view);
    return change_end(&q, o, r, "group_deleted");
}

/* The account of the second argument, of any of our domains and any instance. */
static enum zerr read_member(const struct request *q, const char *raw_jid, struct jid *member)
{
    if (jid_parse(slice_str(raw_jid), member) || !member->local_len || member->resource_len)
        return ZE_BAD_JID;
    return q->exists && sm_serves(q->sm, jid_domain(jid_slice(member))) ? ZE_OK : ZE_NOT_FOUND;
}

static enum zerr may_enter(struct request *q, struct slice member, struct slice key)
{
    (void)key;
    if (!account_look(q->sm->store.accounts, member, NULL))
        return ZE_NOT_FOUND;
    return q->members < (size_t)q->sm->settings->limits.group_members_max ? ZE_OK : ZE_FULL;
}

/* Who was added and has no account any more can be taken out. */
static enum zerr may_leave(struct request *q, struct slice member, struct slice key)
{
    struct store_view *view = store_view(q->sm->store.accounts);
    bool               found = store_get(view, T_GROUP, key).p;

    (void)member;
    store_view_end(&view);
    return found ? ZE_OK : ZE_NOT_FOUND;
}

static int change_member(struct sm *sm, char **argv, bool in, struct ctl_reply *r)
{
    static const uint8_t value[] = { FORMAT };
    struct request       q;
    struct jid           member;
    struct slice         key;
    struct outcome      *o;
    enum zerr            err = read_group(sm, argv[0], &q);

    if (!err)
        err = read_member(&q, argv[1], &member);
    if (err)
        return err;
    key = member_key(sm, q.domain, q.group, jid_slice(&member));
    err = (in ? may_enter : may_leave)(&q, jid_slice(&member), key);
    if (err)
        return err;
    o = change_begin(&q);
    if (in)
        store_put(outcome_accounts(o), T_GROUP, key, slice_of(value, sizeof(value)));
    else
        store_delete(outcome_accounts(o), T_GROUP, key);
    return change_end(&q, o, r, in ? "group_member_added" : "group_member_removed");
}

int verb_group_add(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return change_member(sm, argv, true, r);
}

int verb_group_remove(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    (void)argc;
    return change_member(sm, argv, false, r);
}

/* ---- lists ---- */

struct listing {
    struct sm        *sm;
    struct ctl_reply *reply;
    struct request   *of;            /* members of this one */
};

static void list_group(void *arg, struct slice domain, struct slice group, bool everybody, struct slice title)
{
    struct listing *l = arg;
    struct buf      name = { 0 };

    if (!sm_serves(l->sm, domain) || !sm_owns(l->sm, domain))
        return;
    buf_printf(&name, "%.*s@%.*s", SLICE_FMT(group), SLICE_FMT(domain));
    ctl_row(l->reply);
    ctl_slice(l->reply, "group", buf_slice(&name));
    ctl_slice(l->reply, "title", title);
    ctl_bool(l->reply, "everybody", everybody);
    buf_free(&name);
}

int verb_groups(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    struct listing     l = { .sm = sm, .reply = r };
    struct store_view *view = store_view(l.sm->store.accounts);

    (void)argc;
    (void)argv;
    groups_walk(view, &(struct groups_walk){ .group = list_group, .arg = &l });
    store_view_end(&view);
    return ZE_OK;
}

static void list_member(void *arg, struct slice domain, struct slice group, struct slice member)
{
    struct listing *l = arg;

    if (!slice_eq(domain, l->of->domain) || !slice_eq(group, l->of->group))
        return;
    ctl_row(l->reply);
    ctl_slice(l->reply, "jid", member);
}

int verb_group_members(void *sm, int argc, char **argv, struct ctl_reply *r)
{
    struct request     q;
    enum zerr          err = read_group(sm, argv[0], &q);
    struct listing     l = { sm, r, &q };
    struct store_view *view;

    (void)argc;
    if (err || !q.exists)
        return err ? (int)err : ZE_NOT_FOUND;
    view = store_view(q.sm->store.accounts);
    groups_walk(view, &(struct groups_walk){ .member = list_member, .arg = &l });
    store_view_end(&view);
    return ZE_OK;
}
