/* XEP-0313 of a room: who may enter may ask (5.1.2), real JIDs are shown to whom the room shows them. A search
 * that finds nothing among LEDGER_SCAN records goes on in a later turn: its request is kept as it came (also
 * over a restart), and served again from where it had got to. */

#include "mam.h"

#include <stdlib.h>

#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "xml_write.h"

enum { SEARCHES_MAX = 1000 };

/* ---- who may ---- */

/* 5.1.2: "the right to enter it at the time of the query". */
static enum zerr may_read(const struct request *r)
{
    const struct config *config = &r->room->config;
    enum affiliation     affiliation = request_affiliation(r);

    if (r->room->locked && affiliation != AFF_OWNER)
        return ZE_NOT_FOUND;
    if (affiliation == AFF_OUTCAST ||
        (config->number[CONFIG_MEMBERS_ONLY] && !affiliation_may(affiliation, MAY_ENTER_MEMBERS_ONLY)))
        return ZE_FORBIDDEN;
    /* The password is not in the query: who is in has said it, and admins can read it. */
    if (config->number[CONFIG_PROTECTED] && !r->session && affiliation < AFF_ADMIN)
        return ZE_FORBIDDEN;
    return ZE_OK;
}

static bool sees_jids(const struct request *r)
{
    return request_affiliation(r) >= AFF_ADMIN ||
           (r->session ? room_shows_jids_to(r->room, r->session->occupant)
                       : r->room->config.number[CONFIG_WHOIS] == WHOIS_ANYONE);
}

/* 4.1.1: by occupant JID for everybody, by real JID for who may know it. */
static enum zerr check_with(const struct request *r, struct ledger_query *q)
{
    q->unindexed = q->with.len && slice_eq(jid_bare(q->with), r->room_jid);
    return !q->with.len || q->unindexed || sees_jids(r) ? ZE_OK : ZE_FORBIDDEN;
}

/* ---- a page ---- */

static struct slice with_item(struct request *r, const struct ledger_record *record)
{
    struct buf        out = { 0 };
    struct xml_writer w;
    struct slice      kept;

    buf_put_slice(&out, record->stanza.content);
    xml_begin(&w, &out, NS_CLIENT);
    xml_open(&w, "x", NS_MUC_USER);
    xml_open(&w, "item", NULL);
    xml_attr_slice(&w, "jid", record->actor);
    xml_close(&w);
    xml_close(&w);
    kept = arena_copy(r->muc->arena, buf_slice(&out));
    buf_free(&out);
    return kept;
}

static void send_result(struct request *r, const struct mam_request *m, struct ledger_record *record, bool jids)
{
    char          id[LEDGER_ID_TEXT];
    struct buf    content = { 0 };
    struct stanza s = { .name = STANZA_MESSAGE, .type = TYPE_NORMAL, .from = r->room_jid, .to = r->s.from };

    if (ledger_unpack(record, r->muc->arena))
        return;
    ledger_id_write(id, record->id);
    record->stanza.to = (struct slice){ 0 };           /* 5.1.2 */
    if (jids && record->actor.len)
        record->stanza.content = with_item(r, record);
    mam_result_write(&content, m, slice_str(id), record->id.time_us, &record->stanza);
    s.content = buf_slice(&content);
    outcome_send(r->out, &s);
    buf_free(&content);
    r->muc->figures.archive_results++;
}

static void send_page(struct request *r, struct ledger *l, const struct mam_request *m, const struct ledger_query *q,
                      struct ledger_page *page)
{
    struct xml_writer w;
    bool              jids = sees_jids(r);

    for (unsigned i = 0; i < page->count; i++)
        send_result(r, m, mam_nth(m, page, i), jids);
    xml_begin(&w, r->reply, NS_CLIENT);
    mam_fin_write(&w, l, m, q, page);
    r->muc->figures.archive_pages++;
}

/* ---- a search that takes several turns ---- */

struct search {
    struct list      link;             /* muc->searches */
    struct keep      keep;
    struct muc      *muc;
    struct deferred  step;
    struct buf       request;          /* the frame it came in */
    struct slice     asker;            /* in it */
    struct ledger_id reached;
};

static void search_free(struct search *s)
{
    list_remove(&s->link);
    s->muc->search_count--;
    keep_drop(s->muc, &s->keep);
    loop_undefer(&s->step);
    buf_free(&s->request);
    free(s);
}

void searches_forget(struct muc *m)
{
    LIST_EACH(&m->searches, node)
        search_free(LIST_OWNER(node, struct search, link));
}

static void search_step(void *arg)
{
    struct search *s = arg;
    struct muc    *m = s->muc;
    struct frame   f;

    if (!m->linked)                    /* searches_go_on */
        return;
    m->now_us = wall_us();
    s->step.run = NULL;
    if (frame_decode(buf_slice(&s->request), &f) > 0)
        muc_serve(m, &f, s);
    arena_reset(m->arena);
    if (!s->step.run)                  /* it has been answered */
        search_free(s);
}

void searches_go_on(struct muc *m)
{
    LIST_EACH(&m->searches, node)
        loop_defer_next(m->loop, &LIST_OWNER(node, struct search, link)->step);
}

static void search_again(struct search *s, struct ledger_id reached)
{
    s->reached = reached;
    s->step = (struct deferred){ .run = search_step, .arg = s };
    keep_mark(s->muc, &s->keep, KEEP_SEARCH);
    loop_defer_next(s->muc->loop, &s->step);
}

static struct search *search_new(struct muc *m, struct slice request)
{
    struct search *s = xcalloc(1, sizeof(*s));
    struct frame   f;

    s->muc = m;
    buf_put_slice(&s->request, request);
    if (frame_decode(buf_slice(&s->request), &f) > 0)
        s->asker = f.stanza.from;
    list_append(&m->searches, &s->link);
    m->search_count++;
    return s;
}

/* One a client, so that nobody keeps the loop busy by himself. */
static bool is_searching(const struct muc *m, struct slice asker)
{
    LIST_EACH(&m->searches, node)
        if (slice_eq(LIST_OWNER(node, struct search, link)->asker, asker))
            return true;
    return false;
}

static enum zerr search_later(struct request *r, struct ledger_id reached)
{
    struct frame   f = frame_make(FRAME_STANZA);
    struct buf     bytes = { 0 };
    struct search *s = r->search;

    if (!s && (r->muc->search_count >= SEARCHES_MAX || is_searching(r->muc, r->s.from)))
        return ZE_FULL;
    if (!s) {
        f.origin = r->home;
        f.stanza = r->s;
        f.body = r->s.content;
        f.trace = r->out->trace;
        frame_encode(&bytes, &f);
        s = search_new(r->muc, buf_slice(&bytes));
        buf_free(&bytes);
    }
    search_again(s, reached);
    r->answered = true;                /* not now */
    return ZE_OK;
}

/* ---- the row: u8 format, u64 us, u16 tie, then the frame ---- */

enum { ROW_FORMAT = 1 };

static bool search_row(const struct keep *k, struct buf *row)
{
    const struct search *s = LIST_OWNER(k, struct search, keep);

    buf_put_u8(row, ROW_FORMAT);
    buf_put_u64(row, s->reached.time_us);
    buf_put_u16(row, s->reached.tie);
    buf_put_slice(row, buf_slice(&s->request));
    return true;
}

static bool search_restore(struct muc *m, uint64_t number, struct cursor *c)
{
    uint8_t          format = take_u8(c);
    struct ledger_id reached = { .time_us = take_u64(c) };
    struct search   *s;

    reached.tie = take_u16(c);
    if (c->bad || format != ROW_FORMAT)
        return false;
    s = search_new(m, c->rest);
    keep_again(m, &s->keep, KEEP_SEARCH, number);
    search_again(s, reached);
    return s->asker.len > 0;
}

const struct keep_row keep_search = { search_row, search_restore };

/* ---- requests ---- */

static void go_on_from(struct ledger_query *q, const struct search *s)
{
    if (q->backwards)
        q->before = s->reached;
    else
        q->after = s->reached;
}

static enum zerr serve(struct request *r, struct ledger *l, const struct mam_request *m)
{
    struct ledger_query q;
    struct ledger_page  page;
    enum zerr           err = mam_query(l, m, r->muc->settings->limits.archive_page_max, r->muc->arena, &q);

    if (!err)
        err = check_with(r, &q);
    if (!err && r->search)
        go_on_from(&q, r->search);
    if (!err)
        err = ledger_query(l, &q, r->muc->arena, &page);
    if (err)
        return err;
    if (page.unfinished && !page.count)
        return search_later(r, page.reached);
    send_page(r, l, m, &q, &page);
    return ZE_OK;
}

static enum zerr query(struct request *r, const struct element *payload)
{
    struct store_view *view;
    struct mam_request m;
    struct ledger      l;
    enum zerr          err = r->room ? may_read(r) : ZE_NOT_FOUND;

    if (!err)
        err = mam_parse(r->muc->arena, payload, ARCHIVE_OF_ROOM, &m);
    if (err)
        return err;
    view = store_view(r->muc->store);
    err = archive_open(&l, r->room, view);
    if (!err)
        err = serve(r, &l, &m);
    store_view_end(&view);
    return err;
}

static enum zerr form(struct request *r, const struct element *payload)
{
    struct xml_writer w;
    enum zerr         err = r->room ? may_read(r) : ZE_NOT_FOUND;

    (void)payload;
    if (err)
        return err;
    xml_begin(&w, r->reply, NS_CLIENT);
    mam_form_write(&w, ARCHIVE_OF_ROOM);
    return ZE_OK;
}

static enum zerr metadata(struct request *r, const struct element *payload)
{
    struct xml_writer  w;
    struct store_view *view;
    struct ledger      l;
    enum zerr          err = r->room ? may_read(r) : ZE_NOT_FOUND;

    (void)payload;
    if (err)
        return err;
    xml_begin(&w, r->reply, NS_CLIENT);
    view = store_view(r->muc->store);
    err = archive_open(&l, r->room, view);
    if (!err)
        err = mam_metadata_write(&w, &l, r->muc->arena);
    store_view_end(&view);
    return err;
}

static const char *const room_disco[] = { NS_MAM, NS_MAM_EXTENDED, NS_FULLTEXT, NS_SID, NULL };

static const struct iq_row iqs[] = {
    { IQ_SET, NS_MAM, "query", TO_ROOM, AFF_OUTCAST, query },
    { IQ_GET, NS_MAM, "query", TO_ROOM, AFF_OUTCAST, form },
    { IQ_GET, NS_MAM, "metadata", TO_ROOM, AFF_OUTCAST, metadata },
    { 0 },
};

const struct muc_feature muc_mam = {
    .name = "mam", .spec = "XEP-0313, XEP-0359", .room_disco = room_disco, .in_room = archive_on, .iqs = iqs,
};
