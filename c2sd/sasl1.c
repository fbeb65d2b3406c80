/* The SASL profile of RFC 6120 6.4. */

#include "encode.h"
#include "ns.h"
#include "sasl_inner.h"
#include "xml_write.h"

/* ---- to the client ---- */

void sasl1_features(struct conn *c, struct buf *out)
{
    struct sasl_offer offer;

    sasl_offer_take(c, &offer);
    buf_put_str(out, "<mechanisms xmlns='" NS_SASL "'>");
    sasl_offer_mechanisms(&offer, out);
    buf_put_str(out, "</mechanisms>");
    sasl_offer_free(&offer);
}

static void put_base64(struct conn *c, const char *element, struct slice bytes, bool present)
{
    struct buf *out = conn_out(c);

    buf_printf(out, "<%s xmlns='" NS_SASL "'", element);
    if (!present) {
        buf_put_str(out, "/>");
        return;
    }
    buf_put_str(out, ">");
    if (bytes.len)
        base64_put(out, bytes);
    else
        buf_put_str(out, "=");
    buf_printf(out, "</%s>", element);
}

static void challenge(struct conn *c, struct slice bytes)
{
    put_base64(c, "challenge", bytes, bytes.len > 0);       /* 6.4.2: an empty one has no text */
}

/* 6.5. Back to the features. */
static void failure(struct conn *c, const char *condition, struct slice text, struct slice content)
{
    struct buf *out = conn_out(c);

    (void)content;
    buf_printf(out, "<failure xmlns='" NS_SASL "'><%s/>", condition);
    if (text.len) {
        buf_put_str(out, "<text xml:lang='en'>");
        xml_escape(out, text);
        buf_put_str(out, "</text>");
    }
    buf_put_str(out, "</failure>");
}

static void success(struct conn *c, const struct auth_done *done)
{
    struct xml_limits limits = conn_limits(c);

    put_base64(c, "success", done->data, done->has_data);
    xml_stream_restart(c->xml);
    xml_stream_limits(c->xml, &limits);
    conn_enter(c, CONN_OPENING);
}

const struct sasl_profile sasl1 = { challenge, failure, success, NULL };

/* ---- from the client ---- */

/* 6.4.2: "=" is an empty response, no text is none at all. False: not base64. */
static bool take_text(struct conn *c, const struct element *e, struct buf *bytes, bool *present)
{
    struct slice text = element_text(c->c2sd->arena, e);

    *present = text.len > 0;
    return text.len == 0 || slice_is(text, "=") || base64_take(bytes, text);
}

void sasl1_auth(struct conn *c, const struct heard *heard)
{
    struct auth_start a = { .mechanism = element_attr(heard->element, "mechanism") };
    struct buf        initial = { 0 };

    if (take_text(c, heard->element, &initial, &a.has_initial)) {
        a.initial = buf_slice(&initial);
        sasl_begin(c, &sasl1, &a);
    } else {
        sasl_fail(c, &sasl1, "incorrect-encoding", NULL, NULL);
    }
    sasl_wipe(&initial);
}

void sasl1_too_early(struct conn *c, const struct heard *heard)
{
    (void)heard;
    sasl_fail(c, &sasl1, "encryption-required", NULL, NULL);        /* 6.5.4 */
}

void sasl1_response(struct conn *c, const struct heard *heard)
{
    struct buf bytes = { 0 };
    bool       present;

    if (take_text(c, heard->element, &bytes, &present))
        sasl_say(c, &(struct auth_step){ .kind = AUTH_BYTES, .data = buf_slice(&bytes) });
    else
        sasl_aborted(c, "incorrect-encoding");
    sasl_wipe(&bytes);
}

void sasl1_abort(struct conn *c, const struct heard *heard)
{
    (void)heard;
    sasl_aborted(c, "aborted");
}
