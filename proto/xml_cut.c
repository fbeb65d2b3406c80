/* Taking elements out of a content by their bytes (xml_cut.h). The parser decides what an element is (its
 * namespace, unescaped attributes), this scanner only where it begins and ends: in XML that has been parsed
 * and holds neither comments nor instructions nor a DOCTYPE (RFC 6120 11.1), that takes counting tags. */

#include "xml_cut.h"

#include "buf.h"
#include "ns.h"

static const uint8_t *find(const uint8_t *p, const uint8_t *end, const char *text, size_t len)
{
    const uint8_t *at = memmem(p, (size_t)(end - p), text, len);

    return at ? at + len : end;
}

/* Behind the '>' of the tag that begins at p; attribute values may hold '>'. */
static const uint8_t *tag_end(const uint8_t *p, const uint8_t *end)
{
    uint8_t quote = 0;

    for (; p < end; p++) {
        if (quote ? *p == quote : *p == '\'' || *p == '"')
            quote = quote ? 0 : *p;
        else if (!quote && *p == '>')
            return p + 1;
    }
    return end;
}

/* The next first-level element at or behind p: *begin, and the returned end; NULL: none. */
static const uint8_t *element_at(const uint8_t *p, const uint8_t *end, const uint8_t **begin)
{
    unsigned depth = 0;

    while ((p = memchr(p, '<', (size_t)(end - p)))) {
        const uint8_t *start = p;

        if (end - p > 8 && memcmp(p, "<![CDATA[", 9) == 0) {
            p = find(p, end, "]]>", 3);
            continue;
        }
        p = tag_end(p, end);
        if (depth == 0)
            *begin = start;
        if (start[1] == '/')
            depth--;
        else if (p[-2] != '/')
            depth++;
        if (depth == 0)
            return p;
    }
    return NULL;
}

struct slice xml_cut(struct arena *arena, struct slice content, const struct xml_limits *limits,
                     bool (*drop)(void *arg, const struct element *e), void *arg)
{
    const struct element *root = xml_parse_content(arena, content, NS_CLIENT, limits);
    const uint8_t        *p = content.p, *end = content.p + content.len, *begin = NULL, *behind;
    uint8_t              *out = NULL;
    size_t                len = 0;

    if (!root)
        return slice_of("", 0);
    for (const struct element *e = root->children; e && (behind = element_at(p, end, &begin)); e = e->next) {
        size_t keep = (size_t)((drop(arg, e) ? begin : behind) - p);

        if (!out)
            out = arena_alloc(arena, content.len);
        memcpy(out + len, p, keep);
        len += keep;
        p = behind;
    }
    if (!out || len == (size_t)(p - content.p))
        return content;
    memcpy(out + len, p, (size_t)(end - p));
    return slice_of(out, len + (size_t)(end - p));
}
