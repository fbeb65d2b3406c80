/* The two forms of a vCard (vcard4_convert.h). One row a property; its shape says how a value stands in either. */

#include "vcard4_convert.h"

#include <string.h>

#include "ns.h"

struct part {
    const char *temp, *v4;
};

struct row;

struct shape {
    void (*to_v4)(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *temp);
    void (*to_temp)(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *v4);
    bool typed;                        /* home, work... */
};

struct row {
    const char         *temp, *v4;
    const struct shape *shape;
    const char         *value;         /* the value's element in vCard4; of a TEL and an EMAIL in vcard-temp */
    const char         *scheme;        /* in vCard4, "xmpp:" */
    const struct part  *parts;         /* temp NULL ends them */
};

/* ---- values ---- */

static struct slice trimmed(struct slice text)
{
    while (text.len && memchr(" \t\r\n", text.p[0], 4))
        text = slice_cut(text, 1, text.len);
    while (text.len && memchr(" \t\r\n", text.p[text.len - 1], 4))
        text = slice_cut(text, 0, text.len - 1);
    return text;
}

/* The first one, whatever it is called. */
static struct slice value_of(struct arena *arena, const struct element *v4)
{
    const struct element *value = element_child(v4, NULL, NULL);

    while (value && slice_is(value->name, "parameters"))
        value = element_next(value, NULL, NULL);
    return value ? trimmed(element_text(arena, value)) : slice_of("", 0);
}

static struct slice without_scheme(struct slice value, const char *scheme)
{
    struct slice s = slice_str(scheme);

    return slice_starts(value, s) ? slice_cut(value, s.len, value.len) : value;
}

/* ---- types ---- */

static const struct part types[] = {
    { "HOME", "home" }, { "WORK", "work" },   { "CELL", "cell" },   { "FAX", "fax" },
    { "VOICE", "voice" }, { "PAGER", "pager" }, { "VIDEO", "video" }, { NULL, NULL },
};

static void types_to_v4(struct xml_writer *w, const struct element *temp)
{
    bool open = false, pref = element_child(temp, NULL, "PREF") != NULL;

    for (const struct part *t = types; t->temp; t++) {
        if (!element_child(temp, NULL, t->temp))
            continue;
        if (!open) {
            xml_open(w, "parameters", NULL);
            xml_open(w, "type", NULL);
        }
        open = true;
        xml_simple(w, "text", NULL, slice_str(t->v4));
    }
    if (open)
        xml_close(w);
    if (pref && !open)
        xml_open(w, "parameters", NULL);
    if (pref) {
        xml_open(w, "pref", NULL);
        xml_simple(w, "integer", NULL, SLICE("1"));
        xml_close(w);
    }
    if (open || pref)
        xml_close(w);
}

static bool has_type(struct arena *arena, const struct element *parameters, const char *name)
{
    const struct element *type = element_child(parameters, NULL, "type");
    const struct element *text = type ? element_child(type, NULL, "text") : NULL;

    while (text && !slice_is(trimmed(element_text(arena, text)), name))
        text = element_next(text, NULL, "text");
    return text != NULL;
}

static void empty(struct xml_writer *w, const char *name)
{
    xml_open(w, name, NULL);
    xml_close(w);
}

static void types_to_temp(struct xml_writer *w, struct arena *arena, const struct element *v4)
{
    const struct element *parameters = element_child(v4, NULL, "parameters");

    if (!parameters)
        return;
    for (const struct part *t = types; t->temp; t++)
        if (has_type(arena, parameters, t->v4))
            empty(w, t->temp);
    if (element_child(parameters, NULL, "pref"))
        empty(w, "PREF");
}

/* ---- shapes ---- */

static void put_v4(struct xml_writer *w, const struct row *row, const struct element *temp, struct slice value)
{
    if (!value.len)
        return;
    xml_open(w, row->v4, NULL);
    if (row->shape->typed)
        types_to_v4(w, temp);
    xml_open(w, row->value, NULL);
    if (row->scheme && !slice_starts(value, slice_str(row->scheme)))
        xml_text_str(w, row->scheme);
    xml_text(w, value);
    xml_close(w);
    xml_close(w);
}

/* <FN>A</FN>, <fn><text>A</text></fn> */
static void single_to_v4(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *temp)
{
    put_v4(w, row, temp, trimmed(element_text(arena, temp)));
}

static void single_to_temp(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *v4)
{
    struct slice value = value_of(arena, v4);

    if (row->scheme)
        value = without_scheme(value, row->scheme);
    if (value.len)
        xml_simple(w, row->temp, NULL, value);
}

static const struct shape single = { single_to_v4, single_to_temp, false };

/* <EMAIL><HOME/><USERID>a</USERID></EMAIL>, <email><parameters/><text>a</text></email> */
static void inner_to_v4(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *temp)
{
    put_v4(w, row, temp, trimmed(element_child_text(arena, temp, row->parts->temp)));
}

static void inner_to_temp(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *v4)
{
    struct slice value = without_scheme(value_of(arena, v4), row->parts->v4);

    if (!value.len)
        return;
    xml_open(w, row->temp, NULL);
    types_to_temp(w, arena, v4);
    xml_simple(w, row->parts->temp, NULL, value);
    xml_close(w);
}

static const struct shape inner = { inner_to_v4, inner_to_temp, true };

/* <N><FAMILY>A</FAMILY></N>, <n><surname>A</surname></n> */
static bool some_part(struct arena *arena, const struct row *row, const struct element *e, bool temp)
{
    for (const struct part *part = row->parts; part->temp; part++)
        if (trimmed(element_child_text(arena, e, temp ? part->temp : part->v4)).len)
            return true;
    return false;
}

static void parts_write(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *e,
                        bool from_temp)
{
    for (const struct part *part = row->parts; part->temp; part++) {
        struct slice value = trimmed(element_child_text(arena, e, from_temp ? part->temp : part->v4));
        if (value.len)
            xml_simple(w, from_temp ? part->v4 : part->temp, NULL, value);
    }
}

static void parts_to_v4(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *temp)
{
    if (!some_part(arena, row, temp, true))
        return;
    xml_open(w, row->v4, NULL);
    if (row->shape->typed)
        types_to_v4(w, temp);
    parts_write(w, arena, row, temp, true);
    xml_close(w);
}

static void parts_to_temp(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *v4)
{
    if (!some_part(arena, row, v4, false))
        return;
    xml_open(w, row->temp, NULL);
    if (row->shape->typed)
        types_to_temp(w, arena, v4);
    parts_write(w, arena, row, v4, false);
    xml_close(w);
}

static const struct shape parts = { parts_to_v4, parts_to_temp, false };
static const struct shape typed_parts = { parts_to_v4, parts_to_temp, true };

/* <ORG><ORGNAME>A</ORGNAME><ORGUNIT>B</ORGUNIT></ORG>, <org><text>A</text><text>B</text></org> */
static void org_to_v4(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *temp)
{
    if (!trimmed(element_child_text(arena, temp, "ORGNAME")).len)
        return;
    xml_open(w, row->v4, NULL);
    xml_simple(w, "text", NULL, trimmed(element_child_text(arena, temp, "ORGNAME")));
    for (const struct element *u = element_child(temp, NULL, "ORGUNIT"); u; u = element_next(u, NULL, "ORGUNIT"))
        if (trimmed(element_text(arena, u)).len)
            xml_simple(w, "text", NULL, trimmed(element_text(arena, u)));
    xml_close(w);
}

static void org_to_temp(struct xml_writer *w, struct arena *arena, const struct row *row, const struct element *v4)
{
    const struct element *text = element_child(v4, NULL, "text");
    const char           *name = "ORGNAME";

    if (!text || !trimmed(element_text(arena, text)).len)
        return;
    xml_open(w, row->temp, NULL);
    for (; text; text = element_next(text, NULL, "text"), name = "ORGUNIT")
        if (trimmed(element_text(arena, text)).len)
            xml_simple(w, name, NULL, trimmed(element_text(arena, text)));
    xml_close(w);
}

static const struct shape org = { org_to_v4, org_to_temp, false };

/* ---- properties ---- */

static const struct part name_parts[] = {
    { "FAMILY", "surname" }, { "GIVEN", "given" }, { "MIDDLE", "additional" }, { "PREFIX", "prefix" },
    { "SUFFIX", "suffix" }, { NULL, NULL },
};
static const struct part address_parts[] = {
    { "POBOX", "pobox" }, { "EXTADD", "ext" }, { "STREET", "street" }, { "LOCALITY", "locality" },
    { "REGION", "region" }, { "PCODE", "code" }, { "CTRY", "country" }, { NULL, NULL },
};
/* Of one value inside: its element, and the scheme that it may have in vCard4. */
static const struct part number[] = { { "NUMBER", "tel:" }, { NULL, NULL } };
static const struct part user_id[] = { { "USERID", "mailto:" }, { NULL, NULL } };

static const struct row rows[] = {
    { "FN", "fn", &single, "text", NULL, NULL },
    { "N", "n", &parts, NULL, NULL, name_parts },
    { "NICKNAME", "nickname", &single, "text", NULL, NULL },
    { "BDAY", "bday", &single, "date", NULL, NULL },
    { "ADR", "adr", &typed_parts, NULL, NULL, address_parts },
    { "TEL", "tel", &inner, "text", NULL, number },
    { "EMAIL", "email", &inner, "text", NULL, user_id },
    { "JABBERID", "impp", &single, "uri", "xmpp:", NULL },
    { "TITLE", "title", &single, "text", NULL, NULL },
    { "ROLE", "role", &single, "text", NULL, NULL },
    { "ORG", "org", &org, NULL, NULL, NULL },
    { "URL", "url", &single, "uri", NULL, NULL },
    { "DESC", "note", &single, "text", NULL, NULL },               /* 11.1.1 */
};

bool vcard4_maps_temp(const struct element *child)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (element_is(child, NS_VCARD, rows[i].temp))
            return true;
    return false;
}

/* An <impp/> of another network has none. */
static bool of_row(const struct element *child, const struct row *row)
{
    const struct element *uri = row->scheme ? element_child(child, NULL, "uri") : NULL;
    const struct element *text = uri ? uri->nodes : NULL;

    if (!element_is(child, NS_VCARD4, row->v4))
        return false;
    return !row->scheme || (text && slice_starts(text->text, slice_str(row->scheme)));
}

bool vcard4_maps(const struct element *child)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (of_row(child, &rows[i]))
            return true;
    return false;
}

void vcard4_write(struct xml_writer *w, struct arena *arena, const struct element *vcard_temp)
{
    for (const struct row *row = rows; vcard_temp && row < rows + COUNT_OF(rows); row++)
        for (const struct element *e = vcard_temp->children; e; e = e->next)
            if (element_is(e, NS_VCARD, row->temp))
                row->shape->to_v4(w, arena, row, e);
}

void vcard4_write_temp(struct xml_writer *w, struct arena *arena, const struct element *vcard)
{
    for (const struct row *row = rows; vcard && row < rows + COUNT_OF(rows); row++)
        for (const struct element *e = vcard->children; e; e = e->next)
            if (of_row(e, row))
                row->shape->to_temp(w, arena, row, e);
}
