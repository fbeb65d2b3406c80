/* XEP-0012 Last Activity: of accounts, to those who may see their presence, and of the server, its uptime. To
 * anybody else an account that exists answers as one that does not (8).
 *
 * T_LAST  slot, owner -> u8 format 1, u64 when the last session went, in microseconds, then what it said
 *
 * Before presence in features.c: at the end of a session it must be seen whether it was still available. */

#include "account.h"
#include "cursor.h"
#include "feature.h"
#include "jid.h"
#include "last.h"
#include "ns.h"
#include "presence.h"

enum { FORMAT = 1, STATUS_MAX = 1024 };

/* ---- what is kept ---- */

static void keep(struct passage *p, struct slice status)
{
    struct buf value = { 0 };

    buf_put_u8(&value, FORMAT);
    buf_put_u64(&value, wall_us());
    if (status.len <= STATUS_MAX)
        buf_put_slice(&value, status);
    store_put(outcome_accounts(p->out), T_LAST, sm_key(p->sm, p->owner, slice_of(NULL, 0)), buf_slice(&value));
    buf_free(&value);
}

static unsigned others_available(const struct session *s)
{
    unsigned count = 0;

    ONLINE_EACH(s->account, node, other)
        count += other != s && other->available;
    return count;
}

/* The last one says good-bye (RFC 6121 4.5.1): 3 tells its words. */
static int last_outgoing(struct passage *p)
{
    const struct stanza  *s = p->stanza;
    const struct element *root;

    if (s->name != STANZA_PRESENCE || s->type != TYPE_UNAVAILABLE || s->to.len || !p->session->available ||
        others_available(p->session))
        return GO_ON;
    root = passage_content(p);
    keep(p, root ? element_child_text(p->sm->arena, root, "status") : slice_of(NULL, 0));
    return GO_ON;
}

/* It went without a word. */
static void last_offline(struct passage *p, struct session *s)
{
    if (p->exists && s->available && !others_available(s))
        keep(p, slice_of(NULL, 0));
}

static void last_removed(struct passage *p)
{
    store_delete(outcome_accounts(p->out), T_LAST, sm_key(p->sm, p->owner, slice_of(NULL, 0)));
}

/* ---- what is told ---- */

uint64_t last_seen_us(struct sm *sm, struct store_view *view, struct slice owner, struct slice *status)
{
    struct cursor c = { store_get(view, T_LAST, sm_key(sm, owner, slice_of(NULL, 0))), false };
    uint8_t       format = take_u8(&c);
    uint64_t      us = take_u64(&c);
    bool          known = !c.bad && format == FORMAT;

    if (status)
        *status = known ? c.rest : slice_of(NULL, 0);
    return known ? us : 0;
}

/* Since when nobody is there; an account that never was there: since it was made. */
static uint64_t since_us(struct passage *p, struct store_view *view, struct slice *status)
{
    struct account_info info = { 0 };
    uint64_t            us = last_seen_us(p->sm, view, p->owner, status);

    if (us)
        return us;
    account_get(view, p->owner, &info);
    return info.created_us;
}

static void answer(struct xml_writer *reply, uint64_t seconds, struct slice status)
{
    xml_open(reply, "query", NS_LAST);
    xml_attr_num(reply, "seconds", (int64_t)seconds);
    xml_text(reply, status);
    xml_close(reply);
}

static void of_account(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view = store_view(p->sm->store.accounts);
    uint64_t           now = wall_us(), since;
    struct slice       status;

    since = since_us(p, view, &status);
    if (session_online(p->sm->sessions, p->owner))
        answer(iq->reply, 0, slice_of(NULL, 0));
    else
        answer(iq->reply, now > since ? (now - since) / 1000000 : 0, status);
    store_view_end(&view);
}

static int last(struct iq *iq)
{
    struct passage *p = iq->p;

    if (iq->target == TO_SERVER)
        answer(iq->reply, (loop_now_ms(p->sm->loop) - p->sm->started_ms) / 1000, slice_of(NULL, 0));
    else if (!p->exists && iq->target == TO_OTHER_ACCOUNT)
        return ZE_FORBIDDEN;
    else if (!presence_may_see(p->sm, p->owner, jid_bare(p->stanza->from)))
        return ZE_FORBIDDEN;
    else
        of_account(iq);
    return ZE_OK;
}

/* ---- asked of a resource (4) ---- */

static int last_incoming(struct passage *p)
{
    const struct stanza  *s = p->stanza;
    const struct session *asked;

    if (s->name != STANZA_IQ || s->type != TYPE_GET || jid_is_bare(s->to) || !slice_is(s->payload_ns, NS_LAST))
        return GO_ON;
    asked = session_by_jid(p->sm->sessions, s->to);
    if (asked ? presence_is_shown(p->sm, asked, s->from)
              : p->exists && presence_may_see(p->sm, p->owner, jid_bare(s->from)))
        return GO_ON;
    return ZE_FORBIDDEN;
}

static const struct iq_row last_iqs[] = {
    { IQ_GET, NS_LAST, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT | TO_SERVER, last },
    { 0 },
};

static const char *const last_disco[] = { NS_LAST, NULL };

const struct sm_feature sm_last = {
    .name = "last", .spec = "XEP-0012", .disco_server = last_disco, .disco_account = last_disco, .iqs = last_iqs,
    .outgoing = last_outgoing, .incoming = last_incoming, .offline = last_offline, .removed = last_removed,
};
