/* Stream management (management.h), XEP-0198. */

#include "management.h"

#include <stdlib.h>

#include "inline.h"
#include "log.h"
#include "manage.h"
#include "ns.h"
#include "owner.h"
#include "xml_write.h"

enum { FAILED_RESUMES_MAX = 10 };

void management_features(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<sm xmlns='" NS_SM "'/>");
}

/* ---- to the client ---- */

/* XEP-0198 6: the condition is one of the stanza errors. */
void management_put_failed(struct buf *out, enum zerr why, const uint32_t *h)
{
    buf_put_str(out, "<failed xmlns='" NS_SM "'");
    if (h)
        buf_printf(out, " h='%u'", *h);
    buf_printf(out, "><%s xmlns='" NS_STANZAS "'/></failed>", err_condition(why ? why : ZE_INTERNAL));
}

static void write_failed(struct conn *c, enum zerr why, const uint32_t *h)
{
    management_put_failed(conn_out(c), why, h);
    log_debug("management_refused", "conn", log_hex(c->handle), "err", err_name(why), NULL);
}

static void put_text(struct buf *out, const char *name, struct slice value)
{
    if (!value.len)
        return;
    buf_printf(out, " %s='", name);
    xml_escape(out, value);
    buf_put_str(out, "'");
}

void management_put_enabled(struct buf *out, const struct manage *m)
{
    buf_put_str(out, "<enabled xmlns='" NS_SM "'");
    if (m->resume) {
        buf_put_str(out, " resume='true'");
        put_text(out, "id", m->id);
        buf_printf(out, " max='%u'", m->max);
        put_text(out, "location", m->location);
    }
    buf_put_str(out, "/>");
}

static void write_enabled(struct conn *c, const struct manage *m)
{
    management_put_enabled(conn_out(c), m);
    c->managed = true;
}

static void write_ack(struct conn *c, const struct manage *m)
{
    buf_printf(conn_out(c), "<a xmlns='" NS_SM "' h='%u'/>", m->h);
}

static void write_failed_enable(struct conn *c, const struct manage *m)
{
    write_failed(c, m->err, NULL);
}

/* XEP-0198 6. */
static void end_overstated(struct conn *c, const struct manage *m)
{
    char text[100], element[120];

    if (inline_runs(c)) {       /* XEP-0388: a login stands whatever becomes of its inlines */
        conn_answered(c);
        inline_not_resumed(c, ZE_BAD_REQUEST, NULL);
        return;
    }
    snprintf(text, sizeof(text), "You acknowledged %u stanzas, but I only sent you %u so far.", m->h,
             m->max);
    snprintf(element, sizeof(element), "<handled-count-too-high xmlns='" NS_SM "' h='%u' send-count='%u'/>",
             m->h, m->max);
    if (c->state == CONN_RESUMING)
        conn_answered(c);
    c->session = 0;             /* sm knows */
    conn_fail_with(c, SE_UNDEFINED_CONDITION, text, element);
}

static void (*const from_sm[MANAGE_OP_END])(struct conn *c, const struct manage *m) = {
    [MANAGE_ENABLED] = write_enabled, [MANAGE_FAILED] = write_failed_enable, [MANAGE_ACK] = write_ack,
    [MANAGE_TOO_HIGH] = end_overstated,
};

void management_on_frame(struct conn *c, const struct frame *f)
{
    struct manage m;

    if (manage_take(f->body, &m) != ZE_OK || !from_sm[m.op] ||
        (c->state == CONN_RESUMING && m.op != MANAGE_TOO_HIGH))
        log_warn("frame_refused", "kind", "MANAGE", "conn", log_hex(c->handle), NULL);
    else
        from_sm[m.op](c, &m);
}

/* ---- to sm ---- */

static enum zerr send_manage(struct conn *c, const struct manage *m, const struct stanza *about)
{
    struct frame f = frame_make(FRAME_MANAGE);
    struct buf   body = { 0 };

    manage_put(&body, m);
    f.dest = c->owner;
    f.handle = c->session;
    f.body = buf_slice(&body);
    if (about)
        f.stanza = (struct stanza){
            .name = about->name, .type = about->type, .id = about->id, .to = about->to,
        };
    enum zerr err = conn_send_frame(c, &f);
    buf_free(&body);
    return err;
}

/* What sm does not hear of it could not count: better a stream that resumes. */
static void send_or_break(struct conn *c, const struct manage *m, const struct stanza *about)
{
    enum zerr err = c->session ? send_manage(c, m, about) : ZE_OK;

    if (err == ZE_POLICY)
        conn_fail(c, SE_POLICY_VIOLATION, "no attribute may be that long");
    else if (err)
        conn_fail(c, SE_RESOURCE_CONSTRAINT, "the session cannot be reached now");
}

void management_unexpected(struct conn *c, const struct heard *heard)
{
    (void)heard;
    write_failed(c, ZE_UNEXPECTED, NULL);
}

void management_enable(struct conn *c, const struct heard *heard)
{
    struct manage m;
    enum zerr     err;

    if (c->managing) {          /* XEP-0198 3: at most once; a second one ends the stream */
        write_failed(c, ZE_UNEXPECTED, NULL);
        conn_fail(c, SE_POLICY_VIOLATION, "stream management is enabled already");
        return;
    }
    err = manage_enable_take(heard->element, &m);
    if (!err)
        err = send_manage(c, &m, NULL);
    if (err)
        write_failed(c, err, NULL);
    else
        c->managing = true;
}

void management_request(struct conn *c, const struct heard *heard)
{
    if (c->managing)
        send_or_break(c, &(struct manage){ .op = MANAGE_REQUEST }, NULL);
    else
        management_unexpected(c, heard);
}

void management_ack(struct conn *c, const struct heard *heard)
{
    uint32_t h;

    if (!c->managing) {
        management_unexpected(c, heard);
        return;
    }
    if (!manage_number(element_attr(heard->element, "h"), &h)) {
        conn_fail(c, SE_POLICY_VIOLATION, "an acknowledgement without a number");
        return;
    }
    c->ack_h = h;
    c->acked = true;
    c->asked = false;
    if (c->unasked)
        conn_out(c);            /* what left meanwhile is asked for at the end of this turn */
}

void management_flush(struct conn *c)
{
    if (!c->acked)
        return;
    c->acked = false;
    if (c->session)             /* one that is lost is no harm: the next h says it too */
        send_manage(c, &(struct manage){ .op = MANAGE_ACK, .h = c->ack_h }, NULL);
}

void management_ask(struct conn *c, struct buf *out)
{
    if (!c->unasked || c->asked)
        return;
    c->unasked = false;
    c->asked = true;
    buf_put_str(out, "<r xmlns='" NS_SM "'/>");
}

bool management_answers(struct conn *c, const struct stanza *s, enum zerr why)
{
    if (!c->managing)
        return false;
    send_or_break(c, &(struct manage){ .op = MANAGE_REFUSED, .err = why }, s);
    return true;
}

/* ---- client state (XEP-0352) ---- */

bool csi_offered(const struct conn *c)
{
    return c2sd_settings(c->c2sd)->limits.csi_stanzas > 0;
}

void csi_features(struct conn *c, struct buf *out)
{
    if (csi_offered(c))
        buf_put_str(out, "<csi xmlns='" NS_CSI "'/>");
}

/* 5: in the order of the stanzas around it. One that is lost leaves the client better served than it asked. */
void management_csi(struct conn *c, const struct heard *heard)
{
    struct manage m = { .op = slice_is(heard->element->name, "active") ? MANAGE_ACTIVE : MANAGE_INACTIVE };

    send_or_break(c, &m, NULL);
}

/* ---- resumption (XEP-0198 5) ---- */

enum zerr management_take_resume(const struct element *e, struct slice *previd, uint32_t *h)
{
    *previd = element_attr(e, "previd");
    if (!previd->len || !manage_number(element_attr(e, "h"), h))
        return ZE_BAD_REQUEST;
    return previd->len > RESUME_ID_MAX ? ZE_NOT_FOUND : ZE_OK;
}

enum zerr management_send_resume(struct conn *c, struct slice previd, uint32_t h)
{
    struct frame          f = frame_make(FRAME_RESUME_AT);
    struct buf            body = { 0 };
    char                  ip[ADDRESS_MAX];
    struct resume_request r = {
        buf_slice(&c->login->ticket), previd, h, slice_str(conn_address(c, ip)), c->secure,
    };

    f.stanza.to = conn_jid(c);
    f.trace = c->login->trace;
    enum zerr err = routes_find(link_routes(c->c2sd->daemon->link), f.stanza.to, &f.dest, &f.generation);
    if (err)
        return err;
    resume_request_put(&body, &r);
    f.body = buf_slice(&body);
    err = conn_send_frame(c, &f);
    buf_free(&body);
    return err;
}

/* A failed resume costs sm a look-up each time: there is an end to it. */
static void refuse_resume(struct conn *c, enum zerr why, const uint32_t *h)
{
    write_failed(c, why, h);
    if (++c->login->failures > FAILED_RESUMES_MAX)
        conn_fail(c, SE_POLICY_VIOLATION, "too many attempts to resume");
}

void management_resume(struct conn *c, const struct heard *heard)
{
    struct slice previd;
    uint32_t     h;
    enum zerr    err = management_take_resume(heard->element, &previd, &h);

    if (!err)
        err = management_send_resume(c, previd, h);
    if (err) {
        refuse_resume(c, err, NULL);
        return;
    }
    conn_enter(c, CONN_RESUMING);
    conn_wait(c);
}

static void not_resumed(struct conn *c, enum zerr why, const uint32_t *h)
{
    conn_answered(c);
    if (inline_runs(c)) {
        inline_not_resumed(c, why, h);
        return;
    }
    conn_enter(c, CONN_FEATURES);
    refuse_resume(c, why, h);
}

void management_unanswered(struct conn *c, enum zerr why)
{
    not_resumed(c, why, NULL);
}

void management_put_resumed(struct buf *out, const struct resumed *r)
{
    buf_printf(out, "<resumed xmlns='" NS_SM "' h='%u'", r->h);
    put_text(out, "previd", r->previd);
    buf_put_str(out, "/>");
}

static void resumed(struct conn *c, const struct frame *f, const struct resumed *r)
{
    char ip[ADDRESS_MAX];

    free(c->jid);
    c->jid = xstrndup(r->jid);
    owner_set(c, f, r->secret);
    if (inline_runs(c))
        inline_resumed(c, r);
    else
        management_put_resumed(conn_out(c), r);
    c->managing = c->managed = true;
    conn_login_done(c);
    conn_answered(c);
    conn_enter(c, CONN_ACTIVE);
    c->c2sd->counters.resumptions++;
    log_info("session_resumed", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "jid", c->jid,
             "kind", c->secure ? tls_version(c->transport.tls) : "clear", NULL);
}

void management_on_resumed(struct conn *c, const struct frame *f)
{
    struct resumed r;

    if (resumed_take(f->body, &r) != ZE_OK ||
        (!r.err && (!slice_eq(jid_bare(r.jid), conn_jid(c)) || !jid_resource(r.jid).len))) {
        log_warn("frame_refused", "kind", "RESUMED", "conn", log_hex(c->handle), NULL);
        management_unanswered(c, ZE_INTERNAL);
        return;
    }
    if (r.err)
        not_resumed(c, r.err, r.has_h ? &r.h : NULL);
    else
        resumed(c, f, &r);
}
