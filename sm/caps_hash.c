/* Verification strings (caps_hash.h). Both methods sort pieces by octets (i;octet) and join them. */

#include "caps_hash.h"

#include <stdlib.h>

#include "encode.h"
#include "ns.h"

/* XEP-0390 4.1: separators, which cannot occur in XML. */
enum { FS = 0x1c, GS = 0x1d, RS = 0x1e, US = 0x1f };

/* ---- what a presence says ---- */

static struct slice joined(struct arena *arena, struct slice a, const char *between, struct slice b)
{
    return slice_str(arena_printf(arena, "%.*s%s%.*s", SLICE_FMT(a), between, SLICE_FMT(b)));
}

/* XEP-0115 4. */
static struct caps_said said_1(struct arena *arena, const struct element *c)
{
    struct caps_said said = {
        .algorithm = element_attr(c, "hash"), .ver = element_attr(c, "ver"), .node = element_attr(c, "node"),
    };
    uint8_t hash[DIGEST_MAX];

    if (!said.ver.len || said.ver.len + said.node.len + said.algorithm.len > CAPS_SAID_MAX)
        return (struct caps_said){ 0 };
    said.node = joined(arena, said.node, "#", said.ver);
    said.format = digest_named(said.algorithm, SLICE(""), hash) ? CAPS_1 : CAPS_UNVERIFIED;
    return said;
}

/* XEP-0390 5.3; any hash of the set will do (4.4). */
static struct caps_said said_2(struct arena *arena, const struct element *c)
{
    struct caps_said said = { .format = CAPS_2 };
    uint8_t          hash[DIGEST_MAX];

    for (const struct element *e = element_child(c, NS_HASHES, "hash"); e; e = element_next(e, NS_HASHES, "hash")) {
        said.algorithm = element_attr(e, "algo");
        said.ver = element_text(arena, e);
        if (!said.ver.len || said.ver.len > CAPS_SAID_MAX || !digest_named(said.algorithm, SLICE(""), hash))
            continue;
        said.node = joined(arena, SLICE(NS_CAPS_2 "#"), "", joined(arena, said.algorithm, ".", said.ver));
        return said;
    }
    return (struct caps_said){ 0 };
}

struct caps_said caps_said(struct arena *arena, const struct element *root)
{
    const struct element *c = element_child(root, NS_CAPS_2, "c");
    struct caps_said      said = { 0 };

    if (c)
        said = said_2(arena, c);
    c = element_child(root, NS_CAPS, "c");
    return said.format || !c ? said : said_1(arena, c);
}

/* ---- pieces: sorted by key, no two alike where `distinct` ---- */

struct piece {
    struct slice key, text;
};

struct pieces {
    struct arena *arena;
    struct piece *items;
    size_t        count, room;
};

static void piece_add(struct pieces *ps, struct slice key, struct slice text)
{
    if (ps->count == ps->room) {
        struct piece *more = arena_alloc(ps->arena, (ps->room ? 2 * ps->room : 16) * sizeof(*more));
        if (ps->count)
            memcpy(more, ps->items, ps->count * sizeof(*more));
        ps->items = more;
        ps->room = ps->room ? 2 * ps->room : 16;
    }
    ps->items[ps->count++] = (struct piece){ key, text };
}

static int by_key(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return slice_cmp(x->key, y->key);
}

/* Appends the texts in order. False: two have the same key. */
static bool pieces_join(struct pieces *ps, struct buf *out)
{
    bool distinct = true;

    if (ps->count)
        qsort(ps->items, ps->count, sizeof(*ps->items), by_key);
    for (size_t i = 0; i < ps->count; i++) {
        if (i && slice_eq(ps->items[i].key, ps->items[i - 1].key))
            distinct = false;
        buf_put_slice(out, ps->items[i].text);
    }
    return distinct;
}

static struct slice kept(struct arena *arena, struct buf *b)
{
    struct slice s = arena_copy(arena, buf_slice(b));

    buf_reset(b, 65536);
    return s;
}

static void put_part(struct buf *out, struct slice text, uint8_t end)
{
    buf_put_slice(out, text);
    buf_put_u8(out, end);
}

/* The values of a field, each with `end`. */
static struct slice values(struct arena *arena, const struct element *field, uint8_t end)
{
    struct pieces ps = { .arena = arena };
    struct buf    b = { 0 };
    struct slice  s;

    for (const struct element *v = element_child(field, NS_DATA, "value"); v; v = element_next(v, NS_DATA, "value")) {
        put_part(&b, element_text(arena, v), end);
        s = kept(arena, &b);
        piece_add(&ps, s, s);
    }
    pieces_join(&ps, &b);
    s = kept(arena, &b);
    buf_free(&b);
    return s;
}

/* ---- XEP-0115 5.1 ---- */

/* What holds a '<' could be taken for two: nobody needs it. */
static bool plain(struct slice s)
{
    return !s.len || !memchr(s.p, '<', s.len);
}

static bool identities_1(struct arena *arena, const struct element *query, struct buf *out)
{
    struct pieces ps = { .arena = arena };

    for (const struct element *e = element_child(query, NS_DISCO_INFO, "identity"); e;
         e = element_next(e, NS_DISCO_INFO, "identity")) {
        struct slice category = element_attr(e, "category"), type = element_attr(e, "type");
        struct slice lang = element_attr_ns(e, NS_XML, "lang"), name = element_attr(e, "name");
        struct buf   key = { 0 };
        if (!plain(category) || !plain(type) || !plain(lang) || !plain(name))
            return false;
        put_part(&key, category, 0);
        put_part(&key, type, 0);
        put_part(&key, lang, 0);
        put_part(&key, name, 0);
        struct slice sorted = kept(arena, &key);
        put_part(&key, category, '/');
        put_part(&key, type, '/');
        put_part(&key, lang, '/');
        put_part(&key, name, '<');
        piece_add(&ps, sorted, kept(arena, &key));
        buf_free(&key);
    }
    return pieces_join(&ps, out);
}

static bool features_1(struct arena *arena, const struct element *query, struct buf *out)
{
    struct pieces ps = { .arena = arena };

    for (const struct element *e = element_child(query, NS_DISCO_INFO, "feature"); e;
         e = element_next(e, NS_DISCO_INFO, "feature")) {
        struct slice var = element_attr(e, "var");
        if (!plain(var))
            return false;
        piece_add(&ps, var, joined(arena, var, "", SLICE("<")));
    }
    return pieces_join(&ps, out);
}

static const struct element *form_type_of(const struct element *form)
{
    const struct element *f = element_child(form, NS_DATA, "field");

    while (f && !slice_is(element_attr(f, "var"), "FORM_TYPE"))
        f = element_next(f, NS_DATA, "field");
    return f;
}

/* 5.4: several values of FORM_TYPE that differ make the whole answer ill-formed. */
static bool one_form_type(struct arena *arena, const struct element *field, struct slice *type)
{
    const struct element *v = element_child(field, NS_DATA, "value");

    *type = v ? element_text(arena, v) : slice_of(NULL, 0);
    for (; v; v = element_next(v, NS_DATA, "value"))
        if (!slice_eq(element_text(arena, v), *type))
            return false;
    return true;
}

static bool form_1(struct arena *arena, const struct element *form, struct pieces *forms)
{
    const struct element *type_field = form_type_of(form);
    struct pieces         fields = { .arena = arena };
    struct buf            text = { 0 };
    struct slice          type;

    if (!type_field || !slice_is(element_attr(type_field, "type"), "hidden"))
        return true;                                     /* 5.4: ignored */
    if (!one_form_type(arena, type_field, &type) || !plain(type))
        return false;
    for (const struct element *f = element_child(form, NS_DATA, "field"); f; f = element_next(f, NS_DATA, "field")) {
        struct slice var = element_attr(f, "var");
        if (f != type_field && !slice_is(var, "FORM_TYPE"))
            piece_add(&fields, var, joined(arena, var, "<", values(arena, f, '<')));
    }
    put_part(&text, type, '<');
    pieces_join(&fields, &text);
    piece_add(forms, type, kept(arena, &text));
    buf_free(&text);
    return true;
}

static enum zerr input_1(struct arena *arena, const struct element *query, struct slice lang, struct buf *out)
{
    struct pieces forms = { .arena = arena };

    (void)lang;                                          /* only what stands on the identity */
    if (!identities_1(arena, query, out) || !features_1(arena, query, out))
        return ZE_BAD_REQUEST;
    for (const struct element *x = element_child(query, NS_DATA, "x"); x; x = element_next(x, NS_DATA, "x"))
        if (!form_1(arena, x, &forms))
            return ZE_BAD_REQUEST;
    return pieces_join(&forms, out) ? ZE_OK : ZE_BAD_REQUEST;
}

/* ---- XEP-0390 4.1 ---- */

static void whole_piece(struct pieces *ps, struct buf *text)
{
    struct slice s = kept(ps->arena, text);

    piece_add(ps, s, s);
}

static void identity_2(struct pieces *ps, const struct element *e, struct slice lang)
{
    struct slice own = element_attr_ns(e, NS_XML, "lang");
    struct buf   text = { 0 };

    put_part(&text, element_attr(e, "category"), US);
    put_part(&text, element_attr(e, "type"), US);
    put_part(&text, own.p ? own : lang, US);
    put_part(&text, element_attr(e, "name"), US);
    buf_put_u8(&text, RS);
    whole_piece(ps, &text);
    buf_free(&text);
}

static bool form_2(struct pieces *ps, const struct element *form)
{
    const struct element *type = form_type_of(form);
    struct pieces         fields = { .arena = ps->arena };
    struct buf            text = { 0 };

    /* XEP-0068: FORM_TYPE is hidden, with one value. */
    if (!type || !slice_is(element_attr(type, "type"), "hidden") || !element_child(type, NS_DATA, "value") ||
        element_child(form, NS_DATA, "reported") || element_child(form, NS_DATA, "item"))
        return false;
    for (const struct element *f = element_child(form, NS_DATA, "field"); f; f = element_next(f, NS_DATA, "field")) {
        put_part(&text, element_attr(f, "var"), US);
        put_part(&text, values(ps->arena, f, US), RS);
        whole_piece(&fields, &text);
    }
    pieces_join(&fields, &text);
    buf_put_u8(&text, GS);
    whole_piece(ps, &text);
    buf_free(&text);
    return true;
}

static enum zerr input_2(struct arena *arena, const struct element *query, struct slice lang, struct buf *out)
{
    struct pieces features = { .arena = arena }, identities = { .arena = arena }, forms = { .arena = arena };
    struct slice  around = element_attr_ns(query, NS_XML, "lang");
    struct buf    text = { 0 };
    bool          good = true;

    for (const struct element *e = query->children; e && good; e = e->next) {
        if (element_is(e, NS_DISCO_INFO, "feature")) {
            put_part(&text, element_attr(e, "var"), US);
            whole_piece(&features, &text);
        } else if (element_is(e, NS_DISCO_INFO, "identity")) {
            identity_2(&identities, e, around.p ? around : lang);
        } else {
            good = element_is(e, NS_DATA, "x") && form_2(&forms, e);
        }
    }
    buf_free(&text);
    pieces_join(&features, out);
    buf_put_u8(out, FS);
    pieces_join(&identities, out);
    buf_put_u8(out, FS);
    pieces_join(&forms, out);
    buf_put_u8(out, FS);
    return good ? ZE_OK : ZE_BAD_REQUEST;
}

enum zerr caps_hash(struct arena *arena, const struct element *query, enum caps_format format,
                    struct slice algorithm, struct slice lang, struct buf *out)
{
    struct buf input = { 0 };
    uint8_t    hash[DIGEST_MAX];
    enum zerr  err = format == CAPS_2 ? input_2(arena, query, lang, &input) : input_1(arena, query, lang, &input);
    size_t     len = digest_named(algorithm, buf_slice(&input), hash);

    buf_free(&input);
    if (err || !len)
        return err ? err : ZE_NO_SUCH;
    base64_put(out, slice_of(hash, len));
    return ZE_OK;
}

/* ---- nodes ---- */

void caps_nodes(const struct element *query, struct buf *out)
{
    static const struct slice suffix = SLICE_INIT("+notify");

    for (const struct element *e = element_child(query, NS_DISCO_INFO, "feature"); e;
         e = element_next(e, NS_DISCO_INFO, "feature")) {
        struct slice var = element_attr(e, "var");
        if (var.len <= suffix.len || !slice_eq(slice_cut(var, var.len - suffix.len, var.len), suffix) ||
            buf_len(out) + var.len > CAPS_NODES_BYTES)
            continue;
        put_part(out, slice_cut(var, 0, var.len - suffix.len), 0);
    }
}

bool caps_nodes_have(struct slice nodes, struct slice node)
{
    while (nodes.len) {
        const uint8_t *end = memchr(nodes.p, 0, nodes.len);
        size_t         len = end ? (size_t)(end - nodes.p) : nodes.len;
        if (slice_eq(slice_cut(nodes, 0, len), node))
            return true;
        nodes = slice_cut(nodes, end ? len + 1 : len, nodes.len);
    }
    return false;
}
