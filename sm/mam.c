/* XEP-0313 Message Archive Management of an account: its owner asks, pages of the ledger answer. Reading and
 * writing a page of 50 costs less than the budget of a loop turn (docs/performance.md), so it is done on
 * the loop; a search that finds nothing for LEDGER_SCAN rows goes on in a later turn, one a session.
 * Results leave behind what the owner waits for: who sees a message in the archive may rely on it. */

#include <stdlib.h>

#include "archive.h"
#include "feature.h"
#include "jid.h"
#include "mam.h"
#include "ns.h"

static uint64_t pages, results;

static const struct stat_row stats[] = {
    { "archive_pages", "pages of archives sent", &pages },
    { "archive_results", "messages on them", &results },
    { 0 },
};

/* ---- a page ---- */

static void send_result(struct passage *p, const struct mam_request *m, struct ledger_record *r)
{
    char          id[LEDGER_ID_TEXT];
    struct buf    content = { 0 };
    struct stanza s = { .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .from = p->owner, .to = p->stanza->from };

    if (ledger_unpack(r, p->sm->arena))
        return;
    ledger_id_write(id, r->id);
    mam_result_write(&content, m, slice_str(id), r->id.time_us, &r->stanza);
    s.content = outcome_keep(p->out, &content);
    if (p->session)
        outcome_session(p->out, AFTER_COMMIT, p->session, &s);
    else
        outcome_route(p->out, AFTER_COMMIT, &s);
    results++;
}

static void send_page(struct passage *p, struct xml_writer *reply, struct ledger *l, const struct mam_request *m,
                      const struct ledger_query *q, struct ledger_page *page)
{
    for (unsigned i = 0; i < page->count; i++)
        send_result(p, m, mam_nth(m, page, i));
    mam_fin_write(reply, l, m, q, page);
    pages++;
}

/* ---- a search that takes several turns ---- */

/* Each takes its share of every loop turn. */
enum { SEARCHES_MAX = 100 };
static unsigned searches;

struct search {
    struct deferred     step;
    struct iq_later    *later;
    struct sm          *sm;
    struct arena       *arena;             /* of the request */
    uint64_t            trace, session;
    struct slice        owner, from;
    struct mam_request  request;
    struct ledger_query query;
};

static void search_end(struct search *s, enum zerr err, struct slice content)
{
    struct session *session = session_by_handle(s->sm->sessions, s->session);

    searches--;
    if (session)
        session->searching = false;
    iq_answer(&s->later, err, content);
    arena_free(&s->arena);
    free(s);
}

static void search_send(struct search *s, struct ledger *l, struct ledger_page *page)
{
    struct stanza     asked = { .name = STANZA_IQ, .type = TYPE_SET, .from = s->from, .to = s->owner };
    struct passage    p = { .sm = s->sm, .owner = s->owner, .exists = true, .stanza = &asked };
    struct buf        content = { 0 };
    struct xml_writer reply;

    p.out = outcome_new(s->sm, s->owner, s->trace);
    xml_begin(&reply, &content, NS_CLIENT);
    send_page(&p, &reply, l, &s->request, &s->query, page);
    outcome_settle(&p.out);
    search_end(s, ZE_OK, buf_slice(&content));
    buf_free(&content);
}

static void search_step(void *arg)
{
    struct search     *s = arg;
    struct sm         *sm = s->sm;
    struct store_view *view = store_view(sm->store.archive);
    struct ledger_page page;
    struct ledger      l;
    enum zerr          err = ledger_open(&l, sm_ledger(&sm->store), view, s->owner);

    if (!err)
        err = ledger_query(&l, &s->query, sm->arena, &page);
    if (err) {
        search_end(s, err, slice_of("", 0));
    } else if (page.unfinished && !page.count) {
        if (s->query.backwards)
            s->query.before = page.reached;
        else
            s->query.after = page.reached;
        loop_defer_next(sm->loop, &s->step);
    } else {
        search_send(s, &l, &page);
    }
    store_view_end(&view);
    arena_reset(sm->arena);
}

static struct slice own_copy(struct search *s, struct slice text)
{
    return text.p ? arena_copy(s->arena, text) : text;
}

static const struct ledger_id *own_ids(struct search *s, const struct ledger_query *q)
{
    struct ledger_id *ids = q->ids ? arena_alloc(s->arena, (q->ids_count + 1) * sizeof(*ids)) : NULL;

    return ids ? memcpy(ids, q->ids, q->ids_count * sizeof(*ids)) : NULL;
}

static int search_begin(struct iq *iq, const struct mam_request *m, const struct ledger_query *q)
{
    struct passage *p = iq->p;
    struct search  *s;

    if (!p->session || p->session->searching || searches >= SEARCHES_MAX)
        return ZE_FULL;
    s = xcalloc(1, sizeof(*s));
    *s = (struct search){
        .step = { .run = search_step, .arg = s }, .later = iq_defer(iq), .sm = p->sm, .arena = arena_new(),
        .trace = outcome_trace(p->out), .session = p->session->handle, .request = *m, .query = *q,
    };
    s->owner = own_copy(s, p->owner);
    s->from = own_copy(s, p->stanza->from);
    s->request.queryid = own_copy(s, m->queryid);
    s->request.with = s->query.with = own_copy(s, m->with);
    s->request.rsm.before = own_copy(s, m->rsm.before);
    s->request.rsm.after = own_copy(s, m->rsm.after);
    s->query.ids = own_ids(s, q);
    s->request.text = own_copy(s, m->text);
    mam_query_text(&s->request, s->arena, &s->query);
    searches++;
    p->session->searching = true;
    loop_defer(p->sm->loop, &s->step);
    return LATER;
}

/* ---- requests ---- */

static int serve(struct iq *iq, struct ledger *l, const struct mam_request *m)
{
    struct sm          *sm = iq->p->sm;
    struct ledger_query q;
    struct ledger_page  page;
    int                 err = mam_query(l, m, sm->settings->limits.archive_page_max, sm->arena, &q);

    if (!err)
        err = ledger_query(l, &q, sm->arena, &page);
    if (err)
        return err;
    if (page.unfinished && !page.count)
        return search_begin(iq, m, &q);
    send_page(iq->p, iq->reply, l, m, &q, &page);
    return ZE_OK;
}

static int query(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view;
    struct mam_request m;
    struct ledger      l;
    int                err;

    if (iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;                       /* 8.1 */
    err = mam_parse(p->sm->arena, iq->payload, ARCHIVE_OF_ACCOUNT, &m);
    if (err)
        return err;
    view = store_view(p->sm->store.archive);
    err = ledger_open(&l, sm_ledger(&p->sm->store), view, p->owner);
    if (!err)
        err = serve(iq, &l, &m);
    store_view_end(&view);
    if (err >= 0 && p->session && !p->session->asked_archive) {
        p->session->asked_archive = true;
        session_changed(p->session);
    }
    return err;
}

static int form(struct iq *iq)
{
    if (iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;
    mam_form_write(iq->reply, ARCHIVE_OF_ACCOUNT);
    return ZE_OK;
}

static int metadata(struct iq *iq)
{
    struct sm         *sm = iq->p->sm;
    struct store_view *view;
    struct ledger      l;
    enum zerr          err;

    if (iq->target != TO_OWN_ACCOUNT)
        return ZE_FORBIDDEN;
    view = store_view(sm->store.archive);
    err = ledger_open(&l, sm_ledger(&sm->store), view, iq->p->owner);
    if (!err)
        err = mam_metadata_write(iq->reply, &l, sm->arena);
    store_view_end(&view);
    return err;
}

static bool mam_on(const struct sm *sm)
{
    return sm->settings->server.archive;
}

/* Accounts are the archives (8); the server says so too for clients that ask nobody else (profanity 0.13, of Debian 12). */
static const char *const mam_disco_server[] = { NS_MAM, NULL };
static const char *const mam_disco[] = { NS_MAM, NS_MAM_EXTENDED, NS_MAM_GROUPS, NS_FULLTEXT, NULL };

static const struct iq_row mam_iqs[] = {
    { IQ_SET, NS_MAM, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, query },
    { IQ_GET, NS_MAM, "query", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, form },
    { IQ_GET, NS_MAM, "metadata", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, metadata },
    { 0 },
};

const struct sm_feature sm_mam = {
    .name = "mam", .spec = "XEP-0313", .disco_server = mam_disco_server, .disco_account = mam_disco,
    .iqs = mam_iqs, .stats = stats, .on = mam_on,
};
