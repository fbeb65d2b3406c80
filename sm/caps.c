/* XEP-0115 and XEP-0390 (caps.h): the feature, and what it is made of. */

#include "caps_inner.h"

#include <stdlib.h>

#include "disco.h"
#include "jid.h"
#include "ns.h"

uint64_t caps_asked, caps_answered, caps_wrong, caps_unanswered, caps_over, caps_forgotten;

static const struct stat_row stats[] = {
    { "caps_asked", "questions about the capabilities of a client", &caps_asked },
    { "caps_answered", "answers that were what the client's hash says", &caps_answered },
    { "caps_wrong", "answers that were something else", &caps_wrong },
    { "caps_unanswered", "questions answered with an error or not at all", &caps_unanswered },
    { "caps_over", "clients not asked or not remembered because of a limit", &caps_over },
    { "caps_forgotten", "clients of contacts elsewhere forgotten for newer ones", &caps_forgotten },
    { 0 },
};

/* ---- start and end ---- */

void caps_start(struct sm *sm)
{
    struct caps *c = xcalloc(1, sizeof(*c));

    c->sm = sm;
    c->remembered = table_new();
    c->questions = table_new();
    c->ids = table_new();
    c->own = table_new();
    c->bares = table_new();
    list_init(&c->recent);
    list_init(&c->contacts);
    list_init(&c->changed);
    sm->caps = c;
    caps_live_start(sm);
}

void caps_free(struct sm *sm)
{
    struct caps *c = sm->caps;

    if (!c)
        return;
    list_remove(&c->hook.link);
    caps_ask_free(c);
    caps_contacts_free(c);
    caps_server_forget(sm);
    caps_cache_free(c);
    table_free(&c->questions);
    table_free(&c->ids);
    table_free(&c->own);
    table_free(&c->bares);
    free(c);
    sm->caps = NULL;
}

/* ---- the feature ---- */

static bool is_reply(const struct stanza *s)
{
    return s->name == STANZA_IQ && (s->type == TYPE_RESULT || s->type == TYPE_ERROR);
}

static int caps_outgoing(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (!is_reply(s) || !(s->to.len == 0 || slice_eq(s->to, p->owner)))
        return GO_ON;
    return caps_reply(p->sm, p->owner, s) ? TAKEN : GO_ON;
}

static int caps_incoming(struct passage *p)
{
    const struct stanza *s = p->stanza;

    if (is_reply(s) && jid_is_bare(s->to))
        return caps_reply(p->sm, p->owner, s) ? TAKEN : GO_ON;
    return s->name == STANZA_PRESENCE ? caps_contact_presence(p) : GO_ON;
}

static const char *const caps_disco[] = { NS_CAPS, NS_CAPS_2, NULL };

static int server_info(struct iq *iq, struct slice node)
{
    (void)node;
    disco_info_write(iq);
    return ZE_OK;
}

static const struct disco_node caps_disco_nodes[] = {
    { TO_SERVER, NULL, caps_server_node, server_info, NULL },
    { 0 },
};

const struct sm_feature sm_caps = {
    .name = "caps", .spec = "XEP-0115, XEP-0390", .disco_server = caps_disco, .disco_nodes = caps_disco_nodes,
    .stats = stats,
    .outgoing = caps_outgoing, .incoming = caps_incoming,
};
