/* Control verbs: which clients have access to an account, and its end (clients.h). */

#include "verbs.h"

#include <stdlib.h>

#include "account.h"
#include "clients.h"
#include "datetime.h"
#include "jid.h"

/* Whoever had the old password is out. */
struct password_verb {
    struct sm           *sm;
    struct waiting_verb *verb;
    char                *jid;
};

struct password_verb *verb_password(struct sm *sm, struct ctl_reply *r, const struct jid *jid)
{
    struct password_verb *w = xcalloc(1, sizeof(*w));

    w->sm = sm;
    w->verb = verb_wait(r, jid, "password_changed");
    w->jid = xstrndup(jid_slice(jid));
    return w;
}

void verb_password_done(void *arg, enum zerr err)
{
    struct password_verb *w = arg;

    if (!err)
        clients_end_sessions(w->sm, slice_str(w->jid), 0, random_u64());
    verb_done(w->verb, err);
    free(w->jid);
    free(w);
}

static void list_client(void *arg, const struct client_info *info)
{
    struct ctl_reply *r = arg;
    char              first[DATETIME_MAX], last[DATETIME_MAX];

    datetime_write(first, info->first_us / 1000000 * 1000000);
    datetime_write(last, info->last_us / 1000000 * 1000000);
    ctl_row(r);
    ctl_str(r, "client", info->ref);
    ctl_int(r, "sessions", info->sessions);
    ctl_str(r, "first", first);
    ctl_str(r, "last", last);
    ctl_bool(r, "password", info->password);
    ctl_bool(r, "token", info->token);
    ctl_bool(r, "certificate", info->certificate);
    ctl_slice(r, "software", info->software);
    ctl_slice(r, "device", info->device);
}

int verb_clients(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm *sm = self;
    struct jid jid;
    enum zerr  err = verb_existing(sm, argv[0], &jid);

    (void)argc;
    if (err)
        return err;
    clients_each(sm, jid_slice(&jid), list_client, r);
    arena_reset(sm->arena);
    return ZE_OK;
}

struct revoked {
    struct ctl_reply *reply;
    char             *ref;
    unsigned          sessions;
    bool              password;
};

static void revoke_done(void *arg, enum zerr err)
{
    struct revoked *w = arg;

    if (!err) {
        ctl_row(w->reply);
        ctl_str(w->reply, "client", w->ref);
        ctl_int(w->reply, "sessions", w->sessions);
        ctl_bool(w->reply, "password", w->password);
    }
    ctl_finish(w->reply, err);
    free(w->ref);
    free(w);
}

int verb_revoke(void *self, int argc, char **argv, struct ctl_reply *r)
{
    struct sm      *sm = self;
    struct stanza   none = { 0 };
    struct passage  p = { .sm = sm, .exists = true, .stanza = &none };
    struct jid      jid;
    bool            password;
    enum zerr       err = verb_account(sm, argv[0], &jid);

    (void)argc;
    if (!err)
        err = clients_find(sm, jid_slice(&jid), argv[1], &password);
    if (err)
        return err;
    struct revoked *w = xcalloc(1, sizeof(*w));
    p.owner = none.from = arena_copy(sm->arena, jid_slice(&jid));
    p.out = outcome_new(sm, p.owner, random_u64());
    w->reply = r;
    w->ref = xstrdup(argv[1]);
    w->password = password;
    w->sessions = clients_revoke(&p, argv[1]);
    outcome_then(p.out, revoke_done, w);
    outcome_settle(&p.out);
    arena_reset(sm->arena);
    return LATER;
}
