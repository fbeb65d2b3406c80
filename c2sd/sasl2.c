/* The SASL profile of XEP-0388 (sasl.h). What the client wants besides is inline.c's. */

#include "encode.h"
#include "inline.h"
#include "ns.h"
#include "sasl_inner.h"
#include "xml_write.h"

enum { UUID_LEN = 36 };

/* ---- to the client ---- */

void sasl2_features(struct conn *c, struct buf *out)
{
    struct sasl_offer offer;

    sasl_offer_take(c, &offer);
    buf_put_str(out, "<authentication xmlns='" NS_SASL2 "'>");
    sasl_offer_mechanisms(&offer, out);
    inline_features(c, out);
    buf_put_str(out, "</authentication>");
    sasl_offer_free(&offer);
}

bool sasl2_speaks(const struct conn *c)
{
    return c->login && c->login->profile == &sasl2;
}

/* 2.2: an element without text is an empty string. */
static void put_base64(struct buf *out, const char *element, struct slice bytes)
{
    buf_printf(out, "<%s>", element);
    base64_put(out, bytes);
    buf_printf(out, "</%s>", element);
}

static void challenge(struct conn *c, struct slice bytes)
{
    struct buf *out = conn_out(c);

    buf_put_str(out, "<challenge xmlns='" NS_SASL2 "'>");
    base64_put(out, bytes);
    buf_put_str(out, "</challenge>");
}

/* 2.6.2 */
static void failure(struct conn *c, const char *condition, struct slice text, struct slice content)
{
    struct buf *out = conn_out(c);

    buf_printf(out, "<failure xmlns='" NS_SASL2 "'><%s xmlns='" NS_SASL "'/>", condition);
    buf_put_slice(out, content);
    if (text.len) {
        buf_put_str(out, "<text>");
        xml_escape(out, text);
        buf_put_str(out, "</text>");
    }
    buf_put_str(out, "</failure>");
    inlines_free(&c->login->inlines);
}

/* 2.6.1: no new stream begins; the limits of one that is authenticated hold from here. */
static void success(struct conn *c, const struct auth_done *done)
{
    struct xml_limits limits = conn_limits(c);

    xml_stream_limits(c->xml, &limits);
    inline_begin(c, done);
}

/* 2.6.3 */
static void put_continue(struct buf *out, const struct auth_step *step)
{
    buf_put_str(out, "<continue xmlns='" NS_SASL2 "'>");
    if (step->has_data)
        put_base64(out, "additional-data", step->data);
    buf_put_str(out, "<tasks><task>");
    xml_escape(out, step->task);
    buf_put_str(out, "</task></tasks></continue>");
}

static void step(struct conn *c, const struct auth_step *step)
{
    struct buf *out = conn_out(c);

    if (step->kind == AUTH_CONTINUE) {
        put_continue(out, step);
        return;
    }
    buf_put_str(out, "<task-data xmlns='" NS_SASL2 "'>");
    buf_put_slice(out, step->content);
    buf_put_str(out, "</task-data>");
}

const struct sasl_profile sasl2 = { challenge, failure, success, step };

/* ---- from the client ---- */

/* Base64; 2.2 says SHOULD NOT of white space and shows it in the examples. */
static bool take_base64(struct conn *c, const struct element *e, struct buf *bytes)
{
    struct slice text = element_text(c->c2sd->arena, e);

    while (text.len && memchr(" \t\r\n", text.p[0], 4))
        text = slice_cut(text, 1, text.len);
    while (text.len && memchr(" \t\r\n", text.p[text.len - 1], 4))
        text.len--;
    return text.len == 0 || base64_take(bytes, text);
}

/* 8, type Uuid. */
static bool is_uuid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? id.p[i] != '-' : !memchr("0123456789abcdefABCDEF", id.p[i], 22))
            return false;
    }
    return id.len == UUID_LEN;
}

/* 2.3. NULL, or what is wrong with it. The id is kept in lower case for BIND. */
static const char *take_client(struct conn *c, const struct element *agent, struct auth_client *client)
{
    struct slice id = element_attr(agent, "id");

    buf_reset(&c->login->client, 0);
    if (id.p && !is_uuid(id))
        return "the id of <user-agent/> is no UUID";
    for (size_t i = 0; i < id.len; i++)
        buf_put_u8(&c->login->client, (uint8_t)(id.p[i] >= 'A' && id.p[i] <= 'F' ? id.p[i] | 0x20 : id.p[i]));
    client->id = buf_slice(&c->login->client);
    client->software = element_child_text(c->c2sd->arena, agent, "software");
    client->device = element_child_text(c->c2sd->arena, agent, "device");
    return client->software.len > CLIENT_TEXT_MAX || client->device.len > CLIENT_TEXT_MAX
               ? "<user-agent/> says too much" : NULL;
}

void sasl2_authenticate(struct conn *c, const struct heard *heard)
{
    const struct element *e = heard->element, *initial = element_child(e, NS_SASL2, "initial-response");
    struct auth_start     a = { .mechanism = element_attr(e, "mechanism"), .has_initial = initial };
    const char           *wrong = take_client(c, element_child(e, NS_SASL2, "user-agent"), &a.client);
    struct buf            bytes = { 0 };

    inlines_free(&c->login->inlines);
    if (wrong) {
        sasl_fail(c, &sasl2, "malformed-request", wrong, NULL);
    } else if (initial && !take_base64(c, initial, &bytes)) {
        sasl_fail(c, &sasl2, "incorrect-encoding", NULL, NULL);
    } else {
        c->login->inlines = inlines_take(c, e);
        a.initial = buf_slice(&bytes);
        a.inlines = inlines_for_sm(c->login->inlines);
        sasl_begin(c, &sasl2, &a);
    }
    sasl_wipe(&bytes);
}

void sasl2_too_early(struct conn *c, const struct heard *heard)
{
    (void)heard;
    sasl_fail(c, &sasl2, "encryption-required", NULL, NULL);
}

void sasl2_response(struct conn *c, const struct heard *heard)
{
    struct buf bytes = { 0 };

    if (take_base64(c, heard->element, &bytes))
        sasl_say(c, &(struct auth_step){ .kind = AUTH_BYTES, .data = buf_slice(&bytes) });
    else
        sasl_aborted(c, "incorrect-encoding");
    sasl_wipe(&bytes);
}

static void say_task(struct conn *c, const struct element *e, enum auth_step_kind kind)
{
    struct auth_step  step = { .kind = kind, .task = element_attr(e, "task") };
    struct buf        content = { 0 };
    struct xml_writer w;

    xml_begin(&w, &content, NS_SASL2);
    for (const struct element *child = e->children; child; child = child->next)
        xml_element(&w, child);
    step.content = buf_slice(&content);
    if (step.task.len <= TASK_NAME_MAX)
        sasl_say(c, &step);
    else
        sasl_aborted(c, "malformed-request");
    sasl_wipe(&content);
}

void sasl2_next(struct conn *c, const struct heard *heard)
{
    say_task(c, heard->element, AUTH_NEXT);
}

void sasl2_task_data(struct conn *c, const struct heard *heard)
{
    say_task(c, heard->element, AUTH_TASK_DATA);
}

void sasl2_abort(struct conn *c, const struct heard *heard)
{
    (void)heard;
    sasl_aborted(c, "aborted");
}
