/* XEP-0359 (stanza_id.h). */

#include "stanza_id.h"

#include "jid.h"
#include "ns.h"
#include "xml_cut.h"
#include "xml_write.h"

#define ID_START "<stanza-id xmlns='" NS_SID "' by='"
#define ID_MIDDLE "' id='"
#define ID_END "'/>"

void stanza_id_write(struct buf *content, struct slice by, struct slice id)
{
    buf_put_str(content, ID_START);
    xml_escape(content, by);
    buf_put_str(content, ID_MIDDLE);
    xml_escape(content, id);
    buf_put_str(content, ID_END);
}

/* 3.7: addresses are compared as prepared ones. */
struct claim {
    bool (*ours)(void *arg, struct slice bare);
    void  *arg;
};

static bool claims(void *arg, const struct element *e)
{
    const struct claim *c = arg;
    struct jid          by;

    return element_is(e, NS_SID, "stanza-id") && jid_parse(element_attr(e, "by"), &by) == ZE_OK &&
           c->ours(c->arg, jid_bare(jid_slice(&by)));
}

struct slice stanza_id_strip(struct arena *arena, const struct stanza *s, bool (*ours)(void *arg, struct slice bare),
                             void *arg, const struct xml_limits *limits)
{
    struct claim claim = { ours, arg };

    if (!(s->flags & STANZA_HAS_ID))
        return s->content;
    return xml_cut(arena, s->content, limits, claims, &claim);
}

/* What may stand behind ours: the stamp of a copy that was sent again. */
static bool is_delay_or_nothing(struct slice rest)
{
    struct slice start = SLICE("<delay xmlns='" NS_DELAY "'"), end = SLICE("/>");

    return !rest.len || (slice_starts(rest, start) && rest.len > end.len && !memchr(rest.p + 1, '<', rest.len - 1) &&
                         slice_eq(slice_cut(rest, rest.len - end.len, rest.len), end));
}

static const uint8_t *last_of(struct slice text, struct slice what)
{
    const uint8_t *last = NULL, *end = text.p + text.len, *at = text.p;

    while (at && (at = memmem(at, (size_t)(end - at), what.p, what.len)))
        last = at++;
    return last;
}

/* The last one begins behind whatever a sender could have written: it and a stamp reach to the very end, so
 * that it is inside no other element. */
struct slice stanza_id_own(struct slice content, struct slice by)
{
    struct buf     start = { 0 };
    struct slice   id = { 0 }, rest;
    const uint8_t *at, *quote;

    buf_put_str(&start, ID_START);
    xml_escape(&start, by);
    buf_put_str(&start, ID_MIDDLE);
    at = last_of(content, buf_slice(&start));
    if (at) {
        rest = slice_of(at + buf_len(&start), content.len - (size_t)(at - content.p) - buf_len(&start));
        quote = memchr(rest.p, '\'', rest.len);
        if (quote && slice_starts(slice_cut(rest, (size_t)(quote - rest.p), rest.len), SLICE(ID_END)) &&
            is_delay_or_nothing(slice_cut(rest, (size_t)(quote - rest.p) + strlen(ID_END), rest.len)))
            id = slice_of(rest.p, (size_t)(quote - rest.p));
    }
    buf_free(&start);
    return id;
}
