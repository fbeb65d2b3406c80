/* The form of a query (XEP-0313 4.1; mam.h): one row a field. */

#include "data_form.h"
#include "datetime.h"
#include "jid.h"
#include "mam.h"
#include "ns.h"

typedef enum zerr take_field(struct arena *arena, const struct element *field, struct slice value,
                             struct mam_request *m);

static enum zerr take_with(struct arena *arena, const struct element *field, struct slice value, struct mam_request *m)
{
    struct jid jid;

    (void)field;
    if (jid_parse(value, &jid))
        return ZE_BAD_JID;
    m->with = arena_copy(arena, jid_slice(&jid));
    return ZE_OK;
}

static enum zerr take_start(struct arena *arena, const struct element *field, struct slice value, struct mam_request *m)
{
    (void)arena;
    (void)field;
    return datetime_parse(value, &m->start_us);
}

static enum zerr take_end(struct arena *arena, const struct element *field, struct slice value, struct mam_request *m)
{
    (void)arena;
    (void)field;
    return datetime_parse(value, &m->end_us);
}

static enum zerr take_before_id(struct arena *arena, const struct element *field, struct slice value,
                                struct mam_request *m)
{
    (void)arena;
    (void)field;
    m->before_id = value;
    return ZE_OK;
}

static enum zerr take_after_id(struct arena *arena, const struct element *field, struct slice value,
                               struct mam_request *m)
{
    (void)arena;
    (void)field;
    m->after_id = value;
    return ZE_OK;
}

static enum zerr take_ids(struct arena *arena, const struct element *field, struct slice value, struct mam_request *m)
{
    (void)value;
    m->ids = arena_alloc(arena, MAM_IDS_MOST * sizeof(*m->ids));
    for (const struct element *v = element_child(field, NS_DATA, "value"); v; v = element_next(v, NS_DATA, "value")) {
        if (m->ids_count == MAM_IDS_MOST)
            return ZE_FULL;
        m->ids[m->ids_count++] = element_text(arena, v);
    }
    return ZE_OK;
}

/* White space alone is no word. */
static enum zerr take_text(struct arena *arena, const struct element *field, struct slice value, struct mam_request *m)
{
    (void)arena;
    (void)field;
    for (size_t i = 0; i < value.len; i++)
        if (!strchr(" \t\r\n", value.p[i])) {
            m->text = value;
            break;
        }
    return ZE_OK;
}

/* 4.1.4: archives of accounts hold none (archive_rules.c), asked for or not. */
static enum zerr take_groupchat(struct arena *arena, const struct element *field, struct slice value,
                                struct mam_request *m)
{
    bool wanted;

    (void)arena;
    (void)field;
    (void)m;
    return form_bool(value, &wanted) ? ZE_OK : ZE_BAD_REQUEST;
}

enum { ACCOUNT = 1 << ARCHIVE_OF_ACCOUNT, ROOM = 1 << ARCHIVE_OF_ROOM };

static const struct {
    const char *var, *type;
    unsigned    places;
    take_field *take;
} fields[] = {
    { "with", "jid-single", ACCOUNT | ROOM, take_with },
    { "start", "text-single", ACCOUNT | ROOM, take_start },
    { "end", "text-single", ACCOUNT | ROOM, take_end },
    { "before-id", "text-single", ACCOUNT | ROOM, take_before_id },
    { "after-id", "text-single", ACCOUNT | ROOM, take_after_id },
    { "ids", "list-multi", ACCOUNT | ROOM, take_ids },
    { "{" NS_FULLTEXT "}fulltext", "text-single", ACCOUNT | ROOM, take_text },
    { "withtext", "text-single", ACCOUNT | ROOM, take_text },          /* its name before XEP-0431 */
    { "include-groupchat", "boolean", ACCOUNT, take_groupchat },
};

/* A field without a value says nothing. */
static enum zerr take_one(struct arena *arena, const struct element *field, unsigned place, struct mam_request *m)
{
    struct slice          var = element_attr(field, "var");
    const struct element *value = element_child(field, NS_DATA, "value");
    struct slice          text = value ? element_text(arena, value) : slice_of(NULL, 0);

    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (slice_is(var, fields[i].var) && fields[i].places & place)
            return text.len ? fields[i].take(arena, field, text, m) : ZE_OK;
    return slice_is(var, "FORM_TYPE") ? ZE_OK : ZE_FEATURE;
}

enum zerr mam_parse(struct arena *arena, const struct element *query, enum archive_place place,
                    struct mam_request *out)
{
    const struct element *form;
    enum zerr             err;

    *out = (struct mam_request){ .queryid = element_attr(query, "queryid") };
    if (element_attr(query, "node").p)
        return ZE_NOT_FOUND;
    out->flip = element_child(query, NULL, "flip-page");
    err = form_take(arena, query, NS_MAM, &form, NULL);
    if (!err && form)
        for (const struct element *f = element_child(form, NS_DATA, "field"); f && !err;
             f = element_next(f, NS_DATA, "field"))
            err = take_one(arena, f, 1u << place, out);
    return err ? err : rsm_parse(arena, query, &out->rsm);
}

/* 4.1.5: all ids would be a long list, so any is a valid one (XEP-0122). */
static void open_write(struct xml_writer *w)
{
    xml_open(w, "validate", NS_VALIDATE);
    xml_attr(w, "datatype", "xs:string");
    xml_simple(w, "open", NULL, slice_of("", 0));
    xml_close(w);
}

void mam_form_write(struct xml_writer *w, enum archive_place place)
{
    xml_open(w, "query", NS_MAM);
    form_open(w, "form", NS_MAM);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!(fields[i].places & 1u << place))
            continue;
        form_field_open(w, fields[i].var, fields[i].type, NULL);
        if (fields[i].take == take_ids)
            open_write(w);
        xml_close(w);
    }
    xml_close(w);
    xml_close(w);
}
