/* XEP-0313 (mam.h): what is asked of the ledger, and the answers. The form: mam_form.c. */

#include "mam.h"

#include <stdlib.h>

#include "datetime.h"
#include "fulltext.h"
#include "ns.h"

enum { PAGE_BYTES = 1 << 20 };         /* of contents: a page of the largest messages is a short one */

/* ---- asking the ledger ---- */

/* An empty text names none. */
static enum zerr known_id(struct ledger *l, struct slice text, struct ledger_id *id)
{
    struct ledger_record record;
    enum zerr            err = text.len ? ledger_id_parse(text, id) : ZE_OK;

    if (err || !text.len)
        return err;
    err = ledger_get(l, *id, &record);
    return err ? err : record.views & LEDGER_ARCHIVE ? ZE_OK : ZE_NOT_FOUND;
}

static int by_time(const void *a, const void *b)
{
    return ledger_id_cmp(*(const struct ledger_id *)a, *(const struct ledger_id *)b);
}

static enum zerr known_ids(struct ledger *l, const struct mam_request *m, struct arena *arena, struct ledger_query *q)
{
    struct ledger_id *ids = arena_alloc(arena, (m->ids_count + 1) * sizeof(*ids));
    enum zerr         err = ZE_OK;
    unsigned          count = 0;

    for (size_t i = 0; i < m->ids_count && !err; i++)
        err = m->ids[i].len ? known_id(l, m->ids[i], &ids[i]) : ZE_NOT_FOUND;
    if (err)
        return err;
    qsort(ids, m->ids_count, sizeof(*ids), by_time);
    for (size_t i = 0; i < m->ids_count; i++)
        if (!count || ledger_id_cmp(ids[count - 1], ids[i]))
            ids[count++] = ids[i];
    q->ids = ids;
    q->ids_count = count;
    return ZE_OK;
}

static bool has_words(const void *arg, const struct ledger_record *r, struct arena *scratch)
{
    return fulltext_matches(arg, r->stanza.content, scratch);
}

enum zerr mam_query_text(const struct mam_request *m, struct arena *arena, struct ledger_query *q)
{
    if (!m->text.len)
        return ZE_OK;
    q->accepts = has_words;
    q->accepts_arg = fulltext_new(arena, m->text);
    return q->accepts_arg ? ZE_OK : ZE_FULL;
}

enum zerr mam_query(struct ledger *l, const struct mam_request *m, long page_max, struct arena *arena,
                    struct ledger_query *q)
{
    enum zerr err;

    *q = (struct ledger_query){
        .with = m->with, .start_us = m->start_us, .end_us = m->end_us, .backwards = m->rsm.has_before,
        .max = (unsigned)page_max, .bytes_max = PAGE_BYTES,
    };
    if (m->rsm.has_max && m->rsm.max < (uint32_t)page_max)
        q->max = m->rsm.max;
    err = known_id(l, m->after_id, &q->set_after);
    if (!err)
        err = known_id(l, m->before_id, &q->set_before);
    if (!err)
        err = known_id(l, m->rsm.before, &q->before);
    if (!err)
        err = known_id(l, m->rsm.after, &q->after);
    if (!err)
        err = mam_query_text(m, arena, q);
    return err || !m->ids ? err : known_ids(l, m, arena, q);
}

/* ---- answering ---- */

void mam_result_write(struct buf *content, const struct mam_request *m, struct slice id, uint64_t us,
                      const struct stanza *s)
{
    char stamp[DATETIME_MAX];

    datetime_write(stamp, us);
    buf_reserve(content, s->content.len + m->queryid.len + 512);
    buf_put_str(content, "<result xmlns='" NS_MAM "'");
    if (m->queryid.p) {
        buf_put_str(content, " queryid='");
        xml_escape(content, m->queryid);
        buf_put_str(content, "'");
    }
    buf_put_str(content, " id='");
    xml_escape(content, id);
    buf_put_str(content, "'><forwarded xmlns='" NS_FORWARD "'><delay xmlns='" NS_DELAY "' stamp='");
    buf_put_str(content, stamp);
    buf_put_str(content, "'/>");
    stanza_write_forwarded(content, s);
    buf_put_str(content, "</forwarded></result>");
}

/* What is known without counting. */
static void tell_cheaply(const struct mam_request *m, const struct ledger_query *q, const struct ledger_page *page,
                         struct rsm_answer *a)
{
    bool from_start = q->backwards ? page->complete && !m->rsm.after.len : !m->rsm.after.len;
    bool to_end = q->backwards ? !m->rsm.before.len : page->complete;

    a->has_index = from_start;
    a->has_count = from_start && to_end;
    a->count = page->count;
}

/* 0059 2.7: of the whole set, wherever the page would be. */
static bool count_all(struct ledger *l, struct ledger_query q, uint64_t *count)
{
    q.before = q.after = (struct ledger_id){ 0 };
    q.backwards = false;
    return ledger_count(l, &q, count);
}

void mam_fin_write(struct xml_writer *w, struct ledger *l, const struct mam_request *m,
                   const struct ledger_query *q, const struct ledger_page *page)
{
    char              first[LEDGER_ID_TEXT], last[LEDGER_ID_TEXT];
    struct rsm_answer a = { 0 };

    if (page->count) {
        ledger_id_write(first, page->records[0].id);
        ledger_id_write(last, page->records[page->count - 1].id);
        a.first = slice_str(first);
        a.last = slice_str(last);
    }
    if (q->max == 0)
        a.has_count = count_all(l, *q, &a.count);
    else
        tell_cheaply(m, q, page, &a);
    xml_open(w, "fin", NS_MAM);
    xml_attr(w, "complete", page->complete ? "true" : NULL);
    rsm_write(w, &a);
    xml_close(w);
}

/* ---- metadata ---- */

static void end_write(struct xml_writer *w, const char *name, struct ledger_id id)
{
    char text[LEDGER_ID_TEXT], stamp[DATETIME_MAX];

    ledger_id_write(text, id);
    datetime_write(stamp, id.time_us);
    xml_open(w, name, NULL);
    xml_attr(w, "id", text);
    xml_attr(w, "timestamp", stamp);
    xml_close(w);
}

/* What is not archived and only waits is passed: there are no more of those than the offline limit allows. */
static enum zerr end_find(struct ledger *l, bool last, struct arena *arena, struct ledger_page *page)
{
    struct ledger_query q = { .max = 1, .bytes_max = SIZE_MAX, .backwards = last };
    enum zerr           err;

    do {
        err = ledger_query(l, &q, arena, page);
        if (last)
            q.before = page->reached;
        else
            q.after = page->reached;
    } while (!err && page->unfinished && !page->count);
    return err;
}

enum zerr mam_metadata_write(struct xml_writer *w, struct ledger *l, struct arena *arena)
{
    struct ledger_page first, last;
    enum zerr          err = end_find(l, false, arena, &first);

    if (!err)
        err = end_find(l, true, arena, &last);
    if (err)
        return err;
    xml_open(w, "metadata", NS_MAM);
    if (first.count && last.count) {
        end_write(w, "start", first.records[0].id);
        end_write(w, "end", last.records[0].id);
    }
    xml_close(w);
    return ZE_OK;
}
