/* Stanza errors (RFC 6120 8.3) from the error list of common/err.h, and back. */

#include "stanza_error.h"

#include "jid.h"
#include "ns.h"
#include "xml_write.h"

void stanza_error_write(struct buf *out, enum zerr err, const char *text, struct slice by)
{
    stanza_error_detailed(out, err, &(struct error_detail){ .text = text }, by);
}

void stanza_error_detailed(struct buf *out, enum zerr err, const struct error_detail *detail, struct slice by)
{
    struct xml_writer w;

    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "error", NULL);
    xml_attr_slice(&w, "by", by.len ? by : (struct slice){ 0 });
    xml_attr(&w, "type", err_type(err));
    xml_open(&w, err_condition(err), NS_STANZAS);
    xml_close(&w);
    if (detail->text) {
        xml_open(&w, "text", NS_STANZAS);
        xml_attr(&w, "xml:lang", "en");
        xml_text_str(&w, detail->text);
        xml_close(&w);
    }
    if (detail->condition) {
        xml_open(&w, detail->condition, detail->ns);
        if (detail->attr)
            xml_attr(&w, detail->attr, detail->value);
        xml_close(&w);
    }
    xml_close(&w);
}

/* RFC 6120 8.3.1: an error is never answered, nor is a result (8.2.3). Presence is answered only when it
 * is directed at nobody: an address that is none, a domain that cannot be reached. So the answer tells
 * nothing about an account (RFC 6121 8.5.1). */
bool stanza_error_answers(const struct stanza *s, enum zerr err)
{
    if (s->type == TYPE_ERROR || s->type == TYPE_RESULT)
        return false;
    if (s->name != STANZA_PRESENCE)
        return s->name == STANZA_MESSAGE || s->name == STANZA_IQ;
    return s->to.len > 0 && (s->type == TYPE_NONE || s->type == TYPE_SUBSCRIBE) &&
           (err == ZE_BAD_JID || err == ZE_NO_ROUTE || err == ZE_REMOTE || err == ZE_TIMEOUT);
}

bool stanza_error_reply(const struct stanza *s, enum zerr err, const char *text, struct buf *buf,
                        struct stanza *reply)
{
    return stanza_error_reply_detailed(s, err, &(struct error_detail){ .text = text }, buf, reply);
}

bool stanza_error_reply_detailed(const struct stanza *s, enum zerr err, const struct error_detail *detail,
                                 struct buf *buf, struct stanza *reply)
{
    size_t       before = buf_len(buf);
    struct slice payload = detail->payload.p ? detail->payload : s->content;

    if (!stanza_error_answers(s, err))
        return false;
    if (payload.len <= STANZA_ERROR_PAYLOAD_MAX || detail->payload.p)
        buf_put_slice(buf, payload);
    stanza_error_detailed(buf, err, detail, (struct slice){ 0 });

    struct stanza out = *s;
    out.type = TYPE_ERROR;
    out.from = s->to.len ? s->to : jid_bare(s->from);
    out.to = s->from;
    out.content = slice_cut(buf_slice(buf), before, buf_len(buf));
    if (out.content.len == 0 || (payload.len > STANZA_ERROR_PAYLOAD_MAX && !detail->payload.p) || s->flags & STANZA_EMPTY) {
        out.flags = 0;
        out.payload_ns = SLICE(NS_CLIENT);
        out.payload_name = SLICE("error");
    } else {
        out.flags |= STANZA_MANY;
    }
    *reply = out;
    return true;
}

static enum zerr condition_error(struct slice condition)
{
    for (int err = -1; err > ZE_LAST; err--)
        if (slice_is(condition, err_condition(err)))
            return (enum zerr)err;
    return ZE_UNDEFINED;
}

enum zerr stanza_error_parse(const struct element *content)
{
    const struct element *error = content;

    if (content && content->name.len == 0)
        error = element_child(content, NULL, "error");

    for (const struct element *e = element_child(error, NS_STANZAS, NULL); e;
         e = element_next(e, NS_STANZAS, NULL))
        if (!slice_is(e->name, "text"))
            return condition_error(e->name);
    return ZE_UNDEFINED;
}
