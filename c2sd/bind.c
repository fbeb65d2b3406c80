/* Resource binding (bind.h), RFC 6120 7. */

#include "bind.h"

#include <stdlib.h>

#include "inline.h"
#include "log.h"
#include "login.h"
#include "management.h"
#include "ns.h"
#include "owner.h"
#include "stanza_error.h"
#include "xml_write.h"

void bind_features(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<bind xmlns='" NS_BIND "'/>");
}

static void refuse_iq(struct conn *c, struct slice id, enum zerr why)
{
    struct buf    error = { 0 };
    struct stanza reply = { .name = STANZA_IQ, .type = TYPE_ERROR, .id = id };

    stanza_error_write(&error, why, NULL, (struct slice){ 0 });
    reply.content = buf_slice(&error);
    stanza_write(conn_out(c), &reply, (struct slice){ 0 });
    buf_free(&error);
}

/* RFC 6120 7.7.2.1: what cannot be prepared is bad-request. `room` in, length out. */
static enum zerr take_resource(struct conn *c, const struct stanza *s, char *out, size_t *len)
{
    struct xml_limits     limits = conn_limits(c);
    const struct element *root = xml_parse_content(c->c2sd->arena, s->content, NS_CLIENT, &limits);
    const struct element *bind = root ? element_child(root, NS_BIND, "bind") : NULL;

    if (!bind)
        return ZE_BAD_REQUEST;
    struct slice raw = element_child_text(c->c2sd->arena, bind, "resource");
    if (raw.len == 0) {
        *len = 0;
        return ZE_OK;
    }
    return jid_prep_resource(raw, out, len) == ZE_OK ? ZE_OK : ZE_BAD_REQUEST;
}

enum zerr bind_send(struct conn *c, struct bind_request *r)
{
    const struct routes *routes = link_routes(c->c2sd->daemon->link);
    struct frame         f = frame_make(FRAME_BIND);
    struct buf           body = { 0 };
    char                 ip[ADDRESS_MAX];

    r->ticket = buf_slice(&c->login->ticket);
    r->client = buf_slice(&c->login->client);
    r->address = slice_str(conn_address(c, ip));
    r->secure = c->secure;
    f.stanza.to = conn_jid(c);
    f.trace = c->login->trace = trace_new();
    enum zerr err = routes_find(routes, f.stanza.to, &f.dest, &f.generation);
    if (err)
        return err;
    bind_request_put(&body, r);
    f.body = buf_slice(&body);
    err = conn_send_frame(c, &f);
    buf_free(&body);
    return err;
}

void bind_request(struct conn *c, const struct heard *heard)
{
    const struct stanza *s = heard->stanza;
    char                 resource[JID_PART_MAX + 1];
    size_t               len = JID_PART_MAX;
    enum zerr            err = s->type == TYPE_SET && s->id.len ? ZE_OK : ZE_BAD_REQUEST;

    if (!err && c->state == CONN_ACTIVE)
        err = ZE_NOT_ALLOWED;               /* RFC 6120 7.1: one resource a stream */
    if (!err)
        err = take_resource(c, s, resource, &len);
    if (!err)
        err = bind_send(c, &(struct bind_request){ .resource = slice_of(resource, len) });
    if (err && management_answers(c, s, err))
        return;
    if (err) {
        refuse_iq(c, s->id, err);
        return;
    }
    buf_reset(&c->login->iq_id, 0);
    buf_put_slice(&c->login->iq_id, s->id);
    conn_enter(c, CONN_BINDING);
    conn_wait(c);
}

void bind_unanswered(struct conn *c, enum zerr why)
{
    conn_answered(c);
    if (inline_runs(c)) {
        log_info("inline_bind_failed", "conn", log_hex(c->handle), "jid", c->jid, "err", err_name(why), NULL);
        inline_not_bound(c);
        return;
    }
    refuse_iq(c, buf_slice(&c->login->iq_id), why);
    conn_enter(c, CONN_FEATURES);
}

static void reply_bound(struct conn *c)
{
    struct buf    content = { 0 };
    struct stanza reply = { .name = STANZA_IQ, .type = TYPE_RESULT, .id = buf_slice(&c->login->iq_id) };

    buf_put_str(&content, "<bind xmlns='" NS_BIND "'><jid>");
    xml_escape(&content, conn_jid(c));
    buf_put_str(&content, "</jid></bind>");
    reply.content = buf_slice(&content);
    stanza_write(conn_out(c), &reply, (struct slice){ 0 });
    buf_free(&content);
}

/* managed->op 0: nothing was said of stream management. */
static enum zerr check_bound(struct conn *c, const struct frame *f, struct bound *bound, struct manage *managed)
{
    enum zerr err = bound_take(f->body, bound);

    if (err || bound->err)
        return err ? ZE_INTERNAL : bound->err;
    *managed = (struct manage){ 0 };
    if (slice_eq(jid_bare(bound->jid), conn_jid(c)) && jid_resource(bound->jid).len &&
        (!bound->managed.len || (manage_take(bound->managed, managed) == ZE_OK && inline_runs(c))))
        return ZE_OK;
    log_warn("frame_refused", "kind", "BOUND", "conn", log_hex(c->handle), "jid", log_slice(bound->jid), NULL);
    return ZE_INTERNAL;
}

void bind_on_bound(struct conn *c, const struct frame *f)
{
    struct bound  bound;
    struct manage managed;
    bool          in_success = inline_runs(c);
    char          ip[ADDRESS_MAX];
    enum zerr     err = check_bound(c, f, &bound, &managed);

    if (err) {
        bind_unanswered(c, err);
        return;
    }
    free(c->jid);
    c->jid = xstrndup(bound.jid);
    owner_set(c, f, bound.secret);
    if (in_success)
        inline_bound(c, &bound, &managed);
    else
        reply_bound(c);
    c->managing = c->managed = managed.op == MANAGE_ENABLED;
    conn_login_done(c);
    conn_answered(c);
    conn_enter(c, CONN_ACTIVE);
    if (in_success)
        negotiate_features(c);
    log_info("session_opened", "conn", log_hex(c->handle), "peer", conn_address(c, ip), "jid", c->jid, "kind",
             c->secure ? tls_version(c->transport.tls) : "clear", NULL);
}

/* RFC 3921 3: nothing to do any more, but the old clients wait for the answer. */
void bind_session(struct conn *c, const struct heard *heard)
{
    struct stanza reply = { .name = STANZA_IQ, .type = TYPE_RESULT, .id = heard->stanza->id };
    bool          fine = heard->stanza->type == TYPE_SET && heard->stanza->id.len;

    if (management_answers(c, heard->stanza, fine ? ZE_OK : ZE_BAD_REQUEST))
        return;
    if (fine)
        stanza_write(conn_out(c), &reply, (struct slice){ 0 });
    else
        refuse_iq(c, heard->stanza->id, ZE_BAD_REQUEST);
}
