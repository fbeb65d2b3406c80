/* XEP-0077 In-Band Registration after login: one's own password, and the end of the account. */

#include "register_inner.h"

#include <stdlib.h>

#include "account.h"
#include "clients.h"
#include "dispatch.h"
#include "jid.h"
#include "log.h"
#include "ns.h"
#include "stats.h"

/* ---- the password ---- */

struct change {
    struct sm    *sm;
    account_done *done;
    void         *arg;
    uint64_t      session, trace;      /* who asked */
    char         *jid;
};

/* Who changed it goes on; every other session may be somebody who knew the old one. */
static void on_changed(void *arg, enum zerr err)
{
    struct change *c = arg;

    c->done(c->arg, err);
    if (!err)
        clients_end_sessions(c->sm, slice_str(c->jid), c->session, c->trace);
    free(c->jid);
    free(c);
}

void register_set_password(struct passage *p, struct slice password, account_done *done, void *arg)
{
    struct change *c = xcalloc(1, sizeof(*c));

    *c = (struct change){
        .sm = p->sm, .done = done, .arg = arg, .session = p->session->handle, .trace = outcome_trace(p->out),
        .jid = xstrndup(p->owner),
    };
    account_set_password(&p->sm->store, p->sm->loop, p->owner, password, p->sm->settings->server.scram_iterations,
                         on_changed, c);
}

static void answer(void *arg, enum zerr err)
{
    struct iq_later *later = arg;

    iq_answer(&later, err, slice_of("", 0));
}

static int change_password(struct iq *iq, struct slice username, struct slice password)
{
    struct passage *p = iq->p;
    struct jid      j;

    p->stanza->content = slice_of("", 0);      /* 3.3: no error shows what was sent */
    if (!username.len || !password.len || jid_make(username, jid_domain(p->owner), slice_of(NULL, 0), &j))
        return ZE_BAD_REQUEST;
    if (!slice_eq(jid_slice(&j), p->owner))
        return ZE_NOT_ALLOWED;                 /* 3.3: one's own only */
    register_set_password(p, password, answer, iq_defer(iq));
    return LATER;
}

/* ---- the end ---- */

void register_remove_account(struct passage *p)
{
    struct online *account;

    register_removed++;
    log_info("account_removed", "jid", log_slice(p->owner), "trace", log_hex(outcome_trace(p->out)), NULL);
    p->exists = false;          /* what waits for its clients is not stored any more */
    while ((account = session_online(p->sm->sessions, p->owner))) {
        struct session *s = LIST_OWNER(account->sessions.next, struct session, link);
        dispatch_close_session(p, &s, AFTER_COMMIT, "not-authorized", "Account removed");
    }
    features_removed(p);
    account_remove(outcome_accounts(p->out), p->owner);
}

/* 3.2: the result first, then the streams end. */
static int remove_own(struct iq *iq)
{
    struct passage *p = iq->p;

    iq_reply_now(p);
    p->session = NULL;
    register_remove_account(p);
    return LATER;
}

/* ---- the request ---- */

static int register_iq(struct iq *iq)
{
    struct passage *p = iq->p;
    struct arena   *arena = p->sm->arena;

    if (!p->session)
        return ZE_NOT_ALLOWED;
    if (iq->type == IQ_GET) {
        register_form_write(iq->reply, jid_local(p->owner));
        return ZE_OK;
    }
    if (element_child(iq->payload, NULL, "remove"))
        return iq->payload->children->next ? ZE_BAD_REQUEST : remove_own(iq);      /* 3.2 */
    return change_password(iq, element_child_text(arena, iq->payload, "username"),
                           element_child_text(arena, iq->payload, "password"));
}

static const char *const register_disco[] = { NS_REGISTER, NULL };

static const struct iq_row register_iqs[] = {
    { IQ_GET | IQ_SET, NS_REGISTER, "query", TO_OWN_ACCOUNT | TO_SERVER, register_iq },
    { 0 },
};

const struct sm_feature sm_register = {
    .name = "register", .spec = "XEP-0077", .disco_server = register_disco, .stats = register_stats,
    .iqs = register_iqs,
};
