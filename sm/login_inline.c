/* Rows of what happens when a login succeeds (login_inline.h). */

#include "login_inline.h"

#include "clients.h"
#include "fast.h"
#include "ns.h"
#include "sm.h"

/* Ended by ns NULL. */
static const struct login_inline_row rows[] = {
    { NS_SASL2, "user-agent", client_logged_in },
    { NS_FAST, "request-token", fast_succeeded },
    { 0 },
};

const struct element *login_inline(struct sm *sm, struct slice inlines, const char *ns, const char *name)
{
    struct xml_limits limits = sm_xml_limits(sm);

    return inlines.len ? element_child(xml_parse_content(sm->arena, inlines, NS_SASL2, &limits), ns, name) : NULL;
}

struct store_batch *login_batch(struct login_success *l)
{
    l->stored = true;
    return outcome_accounts(l->out);
}

void login_inlines_run(struct login_success *l)
{
    for (const struct login_inline_row *row = rows; row->ns; row++)
        row->succeeded(l, login_inline(l->sm, l->start->inlines, row->ns, row->element));
}
