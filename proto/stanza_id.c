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

struct slice stanza_id_own(struct slice content, struct slice by)
{
    struct buf   start = { 0 };
    struct slice end = SLICE(ID_END), id = { 0 };
    const void  *at;

    buf_put_str(&start, ID_START);
    xml_escape(&start, by);
    buf_put_str(&start, ID_MIDDLE);
    if (content.len > end.len && slice_eq(slice_cut(content, content.len - end.len, content.len), end) &&
        (at = memmem(content.p, content.len, start.bytes + start.start, buf_len(&start)))) {
        /* the last one: it begins behind whatever a sender could have written */
        for (const void *next = at; next; next = memmem((const uint8_t *)next + 1,
             (size_t)(content.p + content.len - (const uint8_t *)next - 1), start.bytes + start.start, buf_len(&start)))
            at = next;
        id = slice_cut(content, (size_t)((const uint8_t *)at - content.p) + buf_len(&start), content.len - end.len);
        if (memchr(id.p, '\'', id.len))
            id = (struct slice){ 0 };
    }
    buf_free(&start);
    return id;
}
