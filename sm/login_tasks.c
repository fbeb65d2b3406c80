/* Tasks between the exchange and <success/> (XEP-0388 2.6.3): upgrades of keys (upgrade.h). */

#include <stdlib.h>

#include "handles.h"
#include "log.h"
#include "logins_inner.h"
#include "upgrade.h"

enum { TASK_MS = 60000 };

static void task_late(void *arg)
{
    struct login *login = arg;
    struct sm    *sm = login->sm;

    login_fail(login, "temporary-auth-failure", NULL);
    login_free(login);
    arena_reset(sm->arena);
}

void login_go_on(struct login *login, struct slice data, bool by_password)
{
    login->upgrade = by_password ? upgrade_next(login->sm, &login->start, slice_str(login->jid)) : NULL;
    if (!login->upgrade) {
        login_finish(login, data);
        return;
    }
    login_step_send(login, &(struct auth_step){
        .kind = AUTH_CONTINUE, .has_data = data.len > 0, .data = data,
        .task = slice_str(upgrade_task(login->upgrade)),
    });
    login->patience = (struct timer){ .fire = task_late, .arg = login };
    timer_arm(login->sm->loop, &login->patience, TASK_MS);
}

struct upgrading {
    struct sm *sm;
    uint64_t   login;
};

static void upgraded(void *arg, enum zerr err)
{
    struct upgrading *w = arg;
    struct login   *login = handles_get(w->sm->logins->exchanges, w->login);

    free(w);
    if (!login)
        return;
    log_info("keys_upgraded", "jid", login->jid, "kind", upgrade_task(login->upgrade), "err",
             err_name(err), NULL);
    timer_disarm(&login->patience);
    upgrade_free(&login->upgrade);
    if (!err) {
        login_go_on(login, slice_of(NULL, 0), true);
    } else {
        login_fail(login, "temporary-auth-failure", NULL);
        login_free(login);
    }
}

static bool task_data(struct login *login, struct slice content)
{
    struct sm      *sm = login->sm;
    struct outcome *o = outcome_new(sm, slice_str(login->jid), login->trace);
    struct upgrading *w = xcalloc(1, sizeof(*w));
    bool            good = upgrade_finish(login->upgrade, sm, content, outcome_accounts(o));

    w->sm = sm;
    w->login = login->handle;
    if (good) {
        outcome_then(o, upgraded, w);
    } else {
        outcome_abandon(o);
        free(w);
    }
    outcome_settle(&o);
    return good;
}

static bool task_next(struct login *login, struct slice task)
{
    struct buf content = { 0 };
    bool       good = upgrade_begin(login->upgrade, task, &content);

    if (good)
        login_step_send(login, &(struct auth_step){ .kind = AUTH_TASK_DATA, .content = buf_slice(&content) });
    buf_free(&content);
    return good;
}

bool login_take_step(struct login *login, const struct auth_step *step)
{
    if (login->exchange && step->kind == AUTH_BYTES)
        sasl_step(login->exchange, step->data);
    else if (login->upgrade && step->kind == AUTH_NEXT)
        return task_next(login, step->task);
    else if (login->upgrade && step->kind == AUTH_TASK_DATA)
        return task_data(login, step->content);
    else
        return false;
    return true;
}
