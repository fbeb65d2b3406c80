/* The notification itself (XEP-0357 7): a publish with a summary, and what the client wants with each. */

#include "push_inner.h"

#include "data_form.h"
#include "ns.h"

/* What it says, when that may be told and can be read. Services hold one without a text for unimportant, so that
 * each message has one, a call too. */
static struct slice text_of(const struct pushing *t)
{
    if (buf_len(&t->body) && t->sm->settings->server.push_body)
        return buf_slice(&t->body);
    return t->waiting ? slice_str(t->sm->settings->server.push_text) : slice_of(NULL, 0);
}

static void write_summary(struct xml_writer *w, const struct pushing *t)
{
    struct slice text = text_of(t);

    form_open(w, "result", NS_PUSH_SUMMARY);
    if (t->waiting)
        form_put_num(w, "message-count", NULL, NULL, t->waiting);
    if (t->requests)
        form_put_num(w, "pending-subscription-count", NULL, NULL, t->requests);
    if (t->sm->settings->server.push_sender && buf_len(&t->sender))
        form_put(w, "last-message-sender", NULL, NULL, buf_slice(&t->sender));
    if (text.len)
        form_put(w, "last-message-body", NULL, NULL, text);
    xml_close(w);
}

void push_write(struct buf *content, const struct pushing *t, struct slice options)
{
    struct xml_writer w;

    xml_begin(&w, content, NS_CLIENT);
    xml_open(&w, "pubsub", NS_PUBSUB);
    xml_open(&w, "publish", NULL);
    if (t->node.len)
        xml_attr_slice(&w, "node", t->node);
    xml_open(&w, "item", NULL);
    xml_open(&w, "notification", NS_PUSH);
    write_summary(&w, t);
    xml_close(&w);
    xml_close(&w);
    xml_close(&w);
    if (options.len) {
        xml_open(&w, "publish-options", NULL);
        xml_raw(&w, options);
        xml_close(&w);
    }
    xml_close(&w);
}
