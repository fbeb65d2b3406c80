/* XEP-0313 (mam.h). */

#include "mam.h"

#include "datetime.h"
#include "jid.h"
#include "ns.h"

enum { PAGE_BYTES = 1 << 20 };         /* of contents: a page of the largest messages is a short one */

/* ---- the form ---- */

static enum zerr take_with(struct arena *arena, struct slice value, struct mam_request *m)
{
    struct jid jid;

    if (jid_parse(value, &jid))
        return ZE_BAD_JID;
    m->with = arena_copy(arena, jid_slice(&jid));
    return ZE_OK;
}

static enum zerr take_start(struct arena *arena, struct slice value, struct mam_request *m)
{
    (void)arena;
    return datetime_parse(value, &m->start_us);
}

static enum zerr take_end(struct arena *arena, struct slice value, struct mam_request *m)
{
    (void)arena;
    return datetime_parse(value, &m->end_us);
}

static enum zerr take_form_type(struct arena *arena, struct slice value, struct mam_request *m)
{
    (void)arena;
    (void)m;
    return slice_is(value, NS_MAM) ? ZE_OK : ZE_BAD_REQUEST;
}

static const struct {
    const char *var, *type;
    enum zerr (*take)(struct arena *arena, struct slice value, struct mam_request *m);
} fields[] = {
    { "FORM_TYPE", "hidden", take_form_type },
    { "with", "jid-single", take_with },
    { "start", "text-single", take_start },
    { "end", "text-single", take_end },
};

static enum zerr take_field(struct arena *arena, const struct element *field, struct mam_request *m)
{
    const struct element *value = element_child(field, NULL, "value");
    struct slice          text = element_text(arena, value);

    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (slice_is(element_attr(field, "var"), fields[i].var))
            return text.len || i == 0 ? fields[i].take(arena, text, m) : ZE_OK;
    return ZE_FEATURE;
}

static enum zerr take_form(struct arena *arena, const struct element *form, struct mam_request *m)
{
    bool      typed = false;
    enum zerr err = slice_is(element_attr(form, "type"), "submit") ? ZE_OK : ZE_BAD_REQUEST;

    for (const struct element *f = element_child(form, NULL, "field"); f && !err; f = element_next(f, NULL, "field")) {
        typed |= slice_is(element_attr(f, "var"), "FORM_TYPE");
        err = take_field(arena, f, m);
    }
    return err || typed ? err : ZE_BAD_REQUEST;
}

enum zerr mam_parse(struct arena *arena, const struct element *query, struct mam_request *out)
{
    const struct element *form = element_child(query, NS_DATA, "x");
    enum zerr             err;

    *out = (struct mam_request){ .queryid = element_attr(query, "queryid") };
    if (element_attr(query, "node").p)
        return ZE_NOT_FOUND;
    if (element_child(query, NULL, "flip-page"))
        return ZE_FEATURE;
    err = form ? take_form(arena, form, out) : ZE_OK;
    return err ? err : rsm_parse(arena, query, &out->rsm);
}

void mam_form_write(struct xml_writer *w)
{
    xml_open(w, "query", NS_MAM);
    xml_open(w, "x", NS_DATA);
    xml_attr(w, "type", "form");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        xml_open(w, "field", NULL);
        xml_attr(w, "type", fields[i].type);
        xml_attr(w, "var", fields[i].var);
        if (i == 0)
            xml_simple(w, "value", NULL, SLICE(NS_MAM));
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
}

/* ---- asking the ledger ---- */

static enum zerr known_id(struct ledger *l, struct slice text, struct ledger_id *id)
{
    struct ledger_record record;
    enum zerr            err = text.len ? ledger_id_parse(text, id) : ZE_OK;

    if (err || !text.len)
        return err;
    err = ledger_get(l, *id, &record);
    return err ? err : record.views & LEDGER_ARCHIVE ? ZE_OK : ZE_NOT_FOUND;
}

enum zerr mam_query(struct ledger *l, const struct mam_request *m, long page_max, struct ledger_query *q)
{
    enum zerr err;

    *q = (struct ledger_query){
        .with = m->with, .start_us = m->start_us, .end_us = m->end_us, .backwards = m->rsm.has_before,
        .max = (unsigned)page_max, .bytes_max = PAGE_BYTES,
    };
    if (m->rsm.has_max && m->rsm.max < (uint32_t)page_max)
        q->max = m->rsm.max;
    err = known_id(l, m->rsm.before, &q->before);
    return err ? err : known_id(l, m->rsm.after, &q->after);
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
