/* The two forms of bookmarks (bookmarks_convert.h). */

#include "bookmarks_convert.h"

#include "jid.h"
#include "ns.h"
#include "xml_write.h"

static bool is_true(struct slice value)
{
    return slice_is(value, "true") || slice_is(value, "1");
}

struct slice bookmark_jid(struct arena *arena, struct slice text)
{
    struct jid jid;

    if (!text.len || jid_parse(text, &jid) != ZE_OK || !jid.local_len)
        return slice_of(NULL, 0);
    return arena_copy(arena, jid_bare(jid_slice(&jid)));
}

static bool room_jid(struct arena *arena, struct slice text, struct slice *out)
{
    *out = bookmark_jid(arena, text);
    return out->len > 0;
}

static struct slice child_text(struct arena *arena, const struct element *e, const char *name)
{
    const struct element *child = element_child(e, NULL, name);
    struct slice          text = child ? element_text(arena, child) : slice_of(NULL, 0);

    return child && !text.p ? slice_of("", 0) : text;
}

/* Both forms have the same fields, each in its own namespace. */
static void read_fields(struct arena *arena, const struct element *e, struct bookmark *b)
{
    b->name = element_attr(e, "name");
    b->autojoin = is_true(element_attr(e, "autojoin"));
    b->nick = child_text(arena, e, "nick");
    b->password = child_text(arena, e, "password");
    b->extensions = element_child(e, NULL, "extensions");
}

const struct bookmark *bookmark_find(const struct bookmark *list, struct slice jid)
{
    while (list && !slice_eq(list->jid, jid))
        list = list->next;
    return list;
}

static bool read_room(struct arena *arena, const struct element *e, struct bookmark *b)
{
    *b = (struct bookmark){ 0 };
    if (!element_is(e, NS_BOOKMARKS, "conference") || !room_jid(arena, element_attr(e, "jid"), &b->jid))
        return false;
    read_fields(arena, e, b);
    return true;
}

struct bookmark *bookmarks_of_storage(struct arena *arena, const struct element *storage)
{
    struct bookmark *list = NULL, **end = &list, one;

    for (const struct element *e = storage->children; e; e = e->next)
        if (read_room(arena, e, &one) && !bookmark_find(list, one.jid)) {
            *end = arena_alloc(arena, sizeof(**end));
            **end = one;
            end = &(*end)->next;
        }
    return list;
}

bool bookmark_of_item(struct arena *arena, struct slice id, const struct element *conference, struct bookmark *out)
{
    *out = (struct bookmark){ 0 };
    if (!conference || !element_is(conference, NS_BOOKMARKS_2, "conference") || !room_jid(arena, id, &out->jid))
        return false;
    read_fields(arena, conference, out);
    return true;
}

/* ---- the same ---- */

static bool text_same(struct slice a, struct slice b)
{
    return (a.p != NULL) == (b.p != NULL) && slice_eq(a, b);
}

static void write_children(struct xml_writer *w, const struct element *e)
{
    for (const struct element *node = e->nodes; node; node = node->next_node)
        if (node->name.len)
            xml_element(w, node);
        else
            xml_text(w, node->text);
}

/* <extensions/> belongs to the form, its children to whoever made them. */
static void write_extensions(struct xml_writer *w, const struct element *extensions)
{
    if (!extensions)
        return;
    xml_open(w, "extensions", NULL);
    write_children(w, extensions);
    xml_close(w);
}

static bool extensions_same(const struct element *a, const struct element *b)
{
    struct buf        texts[2] = { { 0 }, { 0 } };
    struct xml_writer w;
    bool              same;

    if (!a || !b)
        return true;
    xml_begin(&w, &texts[0], "");
    write_extensions(&w, a);
    xml_begin(&w, &texts[1], "");
    write_extensions(&w, b);
    same = slice_eq(buf_slice(&texts[0]), buf_slice(&texts[1]));
    buf_free(&texts[0]);
    buf_free(&texts[1]);
    return same;
}

bool bookmark_same(const struct bookmark *a, const struct bookmark *b)
{
    return slice_eq(a->jid, b->jid) && text_same(a->name, b->name) && text_same(a->nick, b->nick) &&
           text_same(a->password, b->password) && a->autojoin == b->autojoin &&
           extensions_same(a->extensions, b->extensions);
}

/* ---- writing ---- */

static void write_fields(struct xml_writer *w, const struct bookmark *b)
{
    xml_attr_slice(w, "name", b->name);
    xml_attr(w, "autojoin", b->autojoin ? "true" : NULL);
    if (b->nick.p)
        xml_simple(w, "nick", NULL, b->nick);
    if (b->password.p)
        xml_simple(w, "password", NULL, b->password);
    write_extensions(w, b->extensions);
}

void bookmarks_write_storage(struct buf *out, struct arena *arena, const struct bookmark *list, const struct element *rest)
{
    struct xml_writer w;
    struct bookmark   room;

    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "storage", NS_BOOKMARKS);
    for (const struct bookmark *b = list; b; b = b->next) {
        xml_open(&w, "conference", NULL);
        xml_attr_slice(&w, "jid", b->jid);
        write_fields(&w, b);
        xml_close(&w);
    }
    for (const struct element *e = rest ? rest->children : NULL; e; e = e->next)
        if (!read_room(arena, e, &room))
            xml_element(&w, e);
    xml_close(&w);
}

void bookmark_write_item(struct buf *out, const struct bookmark *b)
{
    struct xml_writer w;

    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "conference", NS_BOOKMARKS_2);
    write_fields(&w, b);
    xml_close(&w);
}
