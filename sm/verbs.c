/* Control verbs: accounts, sessions, messages to everybody. A JID of another sm instance is answered
 * with no_route, which zubrctl takes as "not here": it asks all instances. */

#include "verbs.h"

#include <stdlib.h>

#include "account.h"
#include "broadcast.h"
#include "csi.h"
#include "datetime.h"
#include "dispatch.h"
#include "encode.h"
#include "groups.h"
#include "jid.h"
#include "ledger.h"
#include "log.h"
#include "notices.h"
#include "push.h"
#include "register.h"
#include "resume.h"
#include "walk.h"

/* ---- JIDs of arguments ---- */

static enum zerr read_jid(struct sm *sm, const char *raw_jid, struct jid *out)
{
    if (jid_parse(slice_str(raw_jid), out))
        return ZE_BAD_JID;
    if (!out->local_len || !sm_serves(sm, jid_domain(jid_slice(out))))
        return ZE_NOT_FOUND;
    return sm_owns(sm, jid_bare(jid_slice(out))) ? ZE_OK : ZE_NO_ROUTE;
}

enum zerr verb_account(struct sm *sm, const char *raw_jid, struct jid *out)
{
    enum zerr err = read_jid(sm, raw_jid, out);

    return err ? err : jid_is_bare(jid_slice(out)) ? ZE_OK : ZE_BAD_JID;
}

enum zerr verb_existing(struct sm *sm, const char *raw_jid, struct jid *out)
{
    enum zerr err = verb_account(sm, raw_jid, out);

    return err ? err : account_look(sm->store.accounts, jid_slice(out), NULL) ? ZE_OK : ZE_NOT_FOUND;
}

/* ---- accounts ---- */

struct waiting_verb {
    struct ctl_reply *reply;
    char             *jid;
    const char       *event;
};

void verb_done(void *arg, enum zerr err)
{
    struct waiting_verb *w = arg;

    if (!err) {
        log_info(w->event, "jid", w->jid, "from", "control", NULL);
        ctl_row(w->reply);
        ctl_str(w->reply, "jid", w->jid);
    }
    ctl_finish(w->reply, err);
    free(w->jid);
    free(w);
}

struct waiting_verb *verb_wait(struct ctl_reply *r, const struct jid *jid, const char *event)
{
    struct waiting_verb *w = xcalloc(1, sizeof(*w));

    w->reply = r;
    w->jid = xstrndup(jid_slice(jid));
    w->event = event;
    return w;
}

static int verb_register(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;
    struct jid jid;
    enum zerr  err = verb_account(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    account_create(&sm->store, sm->loop, jid_slice(&jid), slice_str(argv[1]), sm->settings->server.scram_iterations,
                   verb_done, verb_wait(r, &jid, "account_registered"));
    wipe(argv[1], strlen(argv[1]));
    return LATER;
}

static int verb_passwd(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;
    struct jid jid;
    enum zerr  err = verb_account(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    account_set_password(&sm->store, sm->loop, jid_slice(&jid), slice_str(argv[1]),
                         sm->settings->server.scram_iterations, verb_password_done, verb_password(sm, r, &jid));
    wipe(argv[1], strlen(argv[1]));
    return LATER;
}

static int verb_unregister(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm     *sm = self;
    struct stanza  none = { 0 };
    struct jid     jid;
    struct passage p = { .sm = sm, .exists = true, .stanza = &none };
    enum zerr      err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    p.owner = none.from = arena_copy(sm->arena, jid_slice(&jid));
    p.out = outcome_new(sm, p.owner, 0);
    register_remove_account(&p);
    outcome_then(p.out, verb_done, verb_wait(r, &jid, "account_unregistered"));
    outcome_settle(&p.out);
    arena_reset(sm->arena);
    return LATER;
}

/* ---- sessions ---- */

static void show_of(struct sm *sm, const struct session *s, struct ctl_reply *r)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root;
    struct slice          show = { 0 };

    if (!s->available) {
        ctl_str(r, "show", "unavailable");
        return;
    }
    root = xml_parse_content(sm->arena, blob_slice(s->presence), "jabber:client", &limits);
    if (root)
        show = element_child_text(sm->arena, root, "show");
    if (show.len && show.len <= 4)
        ctl_slice(r, "show", show);
    else
        ctl_str(r, "show", "online");
}

static void list_session(struct sm *sm, const struct session *s, struct ctl_reply *r)
{
    const struct route_instance *c2sd = routes_instance(sm->routes, s->c2sd.instance);
    char                         since[DATETIME_MAX];

    datetime_write(since, s->since_us / 1000000 * 1000000);
    ctl_row(r);
    ctl_slice(r, "jid", session_jid(s));
    ctl_slice(r, "resource", session_resource(s));
    ctl_int(r, "priority", s->priority);
    show_of(sm, s, r);
    ctl_str(r, "c2sd", c2sd ? c2sd->name : "");
    ctl_slice(r, "address", session_address(s));
    ctl_bool(r, "secure", s->secure);
    ctl_str(r, "managed", resume_state(s));
    ctl_int(r, "queued", resume_queued(s));
    ctl_bool(r, "inactive", s->inactive);
    ctl_int(r, "held", csi_held(s));
    ctl_str(r, "since", since);
}

struct listing {
    struct sm        *sm;
    struct ctl_reply *reply;
    size_t            place;
};

static void list_one(void *arg, struct session *s)
{
    struct listing *l = arg;

    list_session(l->sm, s, l->reply);
}

static int list_some(void *arg)
{
    struct listing *l = arg;

    return walk_sessions(l->sm, &l->place, list_one, l);
}

static void listed(void *arg, enum zerr err)
{
    struct listing *l = arg;

    ctl_finish(l->reply, err);
    free(l);
}

static int list_all(struct sm *sm, struct ctl_reply *r)
{
    struct listing *l = xmalloc(sizeof(*l));

    *l = (struct listing){ sm, r, 0 };
    walk_begin(sm, &(struct walk_spec){ list_some, listed, l });
    return LATER;
}

static int verb_sessions(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm     *sm = self;
    struct online *account;
    struct jid     jid;
    enum zerr      err = argc ? verb_account(sm, argv[0], &jid) : ZE_OK;

    if (err)
        return err;
    if (!argc)
        return list_all(sm, r);
    if ((account = session_online(sm->sessions, jid_slice(&jid)))) {
        ONLINE_EACH(account, node, s)
            list_session(sm, s, r);
    }
    arena_reset(sm->arena);
    return ZE_OK;
}

/* Those meant by a bare or full JID, one at a time. */
static struct session *kick_next(struct sm *sm, struct slice jid)
{
    struct online *account;

    if (!jid_is_bare(jid))
        return session_by_jid(sm->sessions, jid);
    account = session_online(sm->sessions, jid);
    return account ? LIST_OWNER(account->sessions.next, struct session, link) : NULL;
}

static int verb_kick(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;
    struct jid jid;
    enum zerr  err = read_jid(sm, argv[0], &jid);
    unsigned   count = 0;

    if (err)
        return err;
    for (struct session *s; (s = kick_next(sm, jid_slice(&jid))); count++) {
        ctl_row(r);
        ctl_slice(r, "jid", session_jid(s));
        dispatch_end_session(sm, &s, "policy-violation", argc > 1 ? argv[1] : "Kicked by the operator",
                             random_u64());
    }
    arena_reset(sm->arena);
    return count ? ZE_OK : ZE_NOT_FOUND;
}

/* ---- messages ---- */

static int verb_offline(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm         *sm = self;
    struct store_view *view;
    struct ledger      ledger;
    struct jid         jid;
    enum zerr          err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    view = store_view(sm->store.archive);
    err = ledger_open(&ledger, sm_ledger(&sm->store), view, jid_slice(&jid));
    if (!err)
        err = ledger_waiting(&ledger);
    store_view_end(&view);
    if (err)
        return err;
    ctl_row(r);
    ctl_slice(r, "jid", jid_slice(&jid));
    ctl_int(r, "count", ledger.offline_count);
    ctl_int(r, "bytes", (int64_t)ledger.offline_bytes);
    return ZE_OK;
}

static int verb_push(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;
    struct jid jid;
    enum zerr  err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (!err)
        push_report(sm, jid_slice(&jid), r);
    arena_reset(sm->arena);
    return err;
}

const struct ctl_verb sm_verbs[] = {
    { "register", "JID PASSWORD", "make an account", "jid",
        "bad_jid not_found no_route conflict not_acceptable full store",
      2, 2, verb_register },
    { "passwd", "JID PASSWORD", "set an account's password; its sessions and tokens end", "jid",
      "bad_jid not_found no_route not_acceptable full store", 2, 2, verb_passwd },
    { "unregister", "JID", "remove an account and everything it has", "jid",
        "bad_jid not_found no_route store",
      1, 1, verb_unregister },
    { "disable", "JID", "end an account's sessions and let nobody log in; nothing is lost", "jid",
      "bad_jid not_found no_route store", 1, 1, verb_disable },
    { "enable", "JID", "let a disabled account log in again", "jid", "bad_jid not_found no_route store",
      1, 1, verb_enable },
    { "users", "[DOMAIN [all|disabled|online|active|idle [MOST]]]", "accounts", "jid created sessions disabled",
      "not_found bad_request store", 0, 3, verb_users },
    { "counts", "[DOMAIN]", "how many accounts there are, and how many are disabled, online, in use, idle",
      "domain registered disabled online active idle", "not_found store", 0, 1, verb_counts },
    { "user", "JID", "one account; login: when its newest session came, or its last one went", "jid created disabled roster sessions login", "bad_jid not_found no_route",
      1, 1, verb_user },
    { "admins", "[DOMAIN]", "who administers a domain (the setting admins)", "domain jid", "not_found no_route", 0, 1,
      verb_admins },
    { "roster", "JID", "the contacts of an account; its groups one a line", "jid name subscription groups",
      "bad_jid not_found no_route store", 1, 1, verb_roster },
    { "sessions", "[JID]", "who is connected", "jid resource priority show c2sd address secure managed queued inactive held since",
      "bad_jid not_found no_route", 0, 1, verb_sessions },
    { "kick", "JID [TEXT]", "end the sessions of a bare or full JID", "jid", "bad_jid not_found no_route",
      1, 2, verb_kick },
    { "clients", "JID", "which clients have access to an account",
      "client sessions first last password token certificate software device", "bad_jid not_found no_route store",
      1, 1, verb_clients },
    { "revoke", "JID CLIENT", "end a client's sessions and tokens; password: it knows the password still",
      "client sessions password", "bad_jid not_found no_route store", 2, 2, verb_revoke },
    { "announce", "TEXT [DOMAIN]", "a message to everybody who is connected", "sessions", "not_found", 1, 2, verb_announce },
    { "motd", "DOMAIN [TEXT]", "show or set the message of the day: each account is told once", "domain set text",
      "not_found no_route not_acceptable store", 1, 2, verb_motd },
    { "motd-delete", "DOMAIN", "no message of the day any more", "domain", "not_found no_route store",
      1, 1, verb_motd_delete },
    { "motd-tell", "DOMAIN", "tell those online who were not told; done after it was set", "", "not_found",
      1, 1, verb_motd_tell },
    { "welcome", "DOMAIN [TEXT]", "show or set what new accounts are told at their first login",
      "domain set text", "not_found no_route not_acceptable store", 1, 2, verb_welcome },
    { "welcome-delete", "DOMAIN", "no welcome any more", "domain", "not_found no_route store",
      1, 1, verb_welcome_delete },
    { "groups", "", "shared roster groups", "group title everybody", "", 0, 0, verb_groups },
    { "group-set", "GROUP@DOMAIN TITLE [everybody]", "make or change a shared roster group: its title in the rosters of its "
      "members, and whether all accounts of the domain are members",
      "", "bad_jid bad_request not_found no_route full store", 2, 3, verb_group_set },
    { "group-delete", "GROUP@DOMAIN", "delete a shared roster group", "", "bad_jid not_found no_route store",
      1, 1, verb_group_delete },
    { "group-members", "GROUP@DOMAIN", "who was added to a shared roster group", "jid", "bad_jid not_found no_route",
      1, 1, verb_group_members },
    { "group-add", "GROUP@DOMAIN JID", "add an account to a shared roster group", "",
      "bad_jid not_found no_route full store", 2, 2, verb_group_add },
    { "group-remove", "GROUP@DOMAIN JID", "take an account out of a shared roster group", "",
      "bad_jid not_found no_route store", 2, 2, verb_group_remove },
    { "push", "JID", "push services of an account, and what they were lately told of and why", "when what service why",
      "bad_jid not_found no_route", 1, 1, verb_push },
    { "offline", "JID", "messages that wait for an account", "jid count bytes",
        "bad_jid not_found no_route store",
      1, 1, verb_offline },
    { "archive", "JID | keep JID DAYS|domain | purge JID [BEFORE]",
        "an archive: what it keeps; how many days; empty it, or of what came before a date",
        "jid default always never days first last removed", "bad_jid not_found no_route store",
      1, 3, verb_archive },
    { 0 },
};
