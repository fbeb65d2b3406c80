/* The XML writer (xml_write.h): escaping, start tags with the namespaces they need, whole trees. */

#include "xml_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistr.h>

#include "ns.h"


enum { PLAIN, ESCAPE, BLANK, DROP, MULTIBYTE };
/* A stanza around its addresses, id and content, with some escapes: most are written in one piece. */
enum { TAGS_ROOM = 128 };

static const uint8_t byte_class[256] = {
    [0 ... 8] = DROP, ['\t'] = BLANK, ['\n'] = BLANK, [11 ... 12] = DROP, ['\r'] = ESCAPE, [14 ... 31] = DROP,
    ['&'] = ESCAPE, ['<'] = ESCAPE, ['>'] = ESCAPE, ['\''] = ESCAPE, ['"'] = ESCAPE,
    [128 ... 255] = MULTIBYTE,
};

static const char *escaped(uint8_t c)
{
    switch (c) {
    case '&':  return "&amp;";
    case '<':  return "&lt;";
    case '>':  return "&gt;";
    case '\'': return "&apos;";
    case '"':  return "&quot;";
    case '\t': return "&#9;";
    case '\n': return "&#10;";
    default:   return "&#13;";
    }
}

/* Bytes of the well-formed character of XML 1.0 2.2 at p, 0 when there is none. */
static size_t char_len(const uint8_t *p, size_t len)
{
    ucs4_t cp;
    int    used = u8_mbtoucr(&cp, p, len);

    return used > 0 && cp != 0xFFFE && cp != 0xFFFF ? (size_t)used : 0;
}

/* Blanks other than the space are white-space-normalised in attributes (XML 1.0 3.3.3): they are
 * escaped there and left alone in text, but for CR, which every parser turns into LF (2.11). */
static void escape(struct buf *out, struct slice text, bool blanks)
{
    size_t done = 0, i = 0;

    while (i < text.len) {
        unsigned class = byte_class[text.p[i]];
        size_t   skip = 1;
        if (class == MULTIBYTE && (skip = char_len(text.p + i, text.len - i)) == 0) {
            class = DROP;
            skip = 1;
        }
        if (class == PLAIN || class == MULTIBYTE || (class == BLANK && !blanks)) {
            i += skip;
            continue;
        }
        buf_put(out, text.p + done, i - done);
        if (class != DROP)
            buf_put_str(out, escaped(text.p[i]));
        done = ++i;
    }
    if (i > done)
        buf_put(out, text.p + done, i - done);
}

void xml_escape(struct buf *out, struct slice text)
{
    escape(out, text, true);
}

static void put_attr(struct buf *out, const char *name, struct slice value)
{
    buf_put_u8(out, ' ');
    buf_put_str(out, name);
    buf_put(out, "='", 2);
    xml_escape(out, value);
    buf_put_u8(out, '\'');
}

void xml_begin(struct xml_writer *w, struct buf *out, const char *default_ns)
{
    w->out = out;
    w->depth = 0;
    w->open = false;
    w->default_ns = slice_str(default_ns);
}

static struct slice ns_around(const struct xml_writer *w)
{
    return w->depth ? w->stack[w->depth - 1].ns : w->default_ns;
}

static void finish_tag(struct xml_writer *w)
{
    if (w->open)
        buf_put_u8(w->out, '>');
    w->open = false;
}

static void start_tag(struct buf *out, struct slice name, struct slice ns, struct slice around)
{
    buf_put_u8(out, '<');
    buf_put_slice(out, name);
    if (!slice_eq(ns, around))
        put_attr(out, "xmlns", ns);
}

void xml_open_slice(struct xml_writer *w, struct slice name, struct slice ns)
{
    if (w->depth == XML_WRITE_DEPTH)
        abort();   /* our own code nests that deep nowhere; trees do not pass here */
    finish_tag(w);
    start_tag(w->out, name, ns, ns_around(w));
    w->stack[w->depth].ns = ns;
    w->stack[w->depth++].name = name;
    w->open = true;
}

void xml_open(struct xml_writer *w, const char *name, const char *ns)
{
    xml_open_slice(w, slice_str(name), ns ? slice_str(ns) : ns_around(w));
}

void xml_attr_slice(struct xml_writer *w, const char *name, struct slice value)
{
    if (value.p)
        put_attr(w->out, name, value);
}

void xml_attr(struct xml_writer *w, const char *name, const char *value)
{
    xml_attr_slice(w, name, slice_str(value));
}

void xml_attr_num(struct xml_writer *w, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    xml_attr(w, name, text);
}

void xml_text(struct xml_writer *w, struct slice text)
{
    if (text.len == 0)
        return;
    finish_tag(w);
    escape(w->out, text, false);
}

void xml_text_str(struct xml_writer *w, const char *text)
{
    xml_text(w, slice_str(text));
}

void xml_raw(struct xml_writer *w, struct slice content)
{
    if (content.len == 0)
        return;
    finish_tag(w);
    buf_put_slice(w->out, content);
}

void xml_close(struct xml_writer *w)
{
    if (w->depth == 0)
        abort();
    w->depth--;
    if (w->open) {
        buf_put(w->out, "/>", 2);
        w->open = false;
        return;
    }
    buf_put(w->out, "</", 2);
    buf_put_slice(w->out, w->stack[w->depth].name);
    buf_put_u8(w->out, '>');
}

void xml_simple(struct xml_writer *w, const char *name, const char *ns, struct slice text)
{
    xml_open(w, name, ns);
    xml_text(w, text);
    xml_close(w);
}

/* Attributes are not in the default namespace: one that has a namespace gets a prefix of its own. */
static void tree_attribute(struct buf *out, const struct attribute *a, unsigned number)
{
    char prefix[24] = "xml:";

    if (a->ns.len == 0) {
        prefix[0] = 0;
    } else if (!slice_is(a->ns, NS_XML)) {
        snprintf(prefix, sizeof(prefix), "xmlns:a%u", number);
        put_attr(out, prefix, a->ns);
        snprintf(prefix, sizeof(prefix), "a%u:", number);
    }
    buf_put_u8(out, ' ');
    buf_put_str(out, prefix);
    buf_put_slice(out, a->name);
    buf_put(out, "='", 2);
    xml_escape(out, a->value);
    buf_put_u8(out, '\'');
}

static void tree_nodes(struct buf *out, const struct element *e, struct slice ns);

static void tree(struct buf *out, const struct element *e, struct slice around)
{
    unsigned number = 0;

    start_tag(out, e->name, e->ns, around);
    for (const struct attribute *a = e->attributes; a; a = a->next)
        tree_attribute(out, a, number++);
    if (!e->nodes) {
        buf_put(out, "/>", 2);
        return;
    }
    buf_put_u8(out, '>');
    tree_nodes(out, e, e->ns);
    buf_put(out, "</", 2);
    buf_put_slice(out, e->name);
    buf_put_u8(out, '>');
}

/* As deep as the parser's depth limit let the tree become. */
static void tree_nodes(struct buf *out, const struct element *e, struct slice ns)
{
    for (const struct element *n = e->nodes; n; n = n->next_node) {
        if (n->name.len)
            tree(out, n, ns);
        else
            escape(out, n->text, false);
    }
}

void xml_element(struct xml_writer *w, const struct element *e)
{
    if (e->name.len == 0 && !e->nodes) {
        xml_text(w, e->text);
        return;
    }
    finish_tag(w);
    if (e->name.len)
        tree(w->out, e, ns_around(w));
    else
        tree_nodes(w->out, e, ns_around(w));
}

static void put_slice_attr(struct buf *out, const char *name, struct slice value)
{
    if (value.len)
        put_attr(out, name, value);
}

/* Start tag up to the place of `to`. A message without a type is normal (RFC 6121 5.2.2). */
static void stanza_start(struct buf *out, const struct stanza *s, const char *xmlns)
{
    buf_put_u8(out, '<');
    buf_put_str(out, stanza_name_text(s->name));
    if (xmlns)
        buf_put_str(out, xmlns);
    put_slice_attr(out, "from", s->from);
    put_slice_attr(out, "id", s->id);
    if (s->type != TYPE_NORMAL)
        put_slice_attr(out, "type", slice_str(stanza_type_text(s->type)));
    put_slice_attr(out, "xml:lang", s->lang);
}

static void stanza_rest(struct buf *out, const struct stanza *s)
{
    if (s->content.len == 0) {
        buf_put(out, "/>", 2);
        return;
    }
    buf_put_u8(out, '>');
    buf_put_slice(out, s->content);
    buf_put(out, "</", 2);
    buf_put_str(out, stanza_name_text(s->name));
    buf_put_u8(out, '>');
}

void stanza_write(struct buf *out, const struct stanza *s, struct slice to)
{
    buf_reserve(out, s->content.len + s->from.len + s->id.len + to.len + s->to.len + TAGS_ROOM);
    stanza_start(out, s, NULL);
    put_slice_attr(out, "to", to.p ? to : s->to);
    stanza_rest(out, s);
}

void stanza_write_forwarded(struct buf *out, const struct stanza *s)
{
    stanza_start(out, s, " xmlns='" NS_CLIENT "'");
    put_slice_attr(out, "to", s->to);
    stanza_rest(out, s);
}

void stanza_write_split(struct buf *before, struct buf *after, const struct stanza *s)
{
    stanza_start(before, s, NULL);
    stanza_rest(after, s);
}
