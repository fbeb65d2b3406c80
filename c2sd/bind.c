/* Resource binding (bind.h), RFC 6120 7. */

#include "bind.h"

#include <stdlib.h>

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

static enum zerr send_bind(struct conn *c, struct slice resource)
{
    const struct routes *routes = link_routes(c->c2sd->daemon->link);
    struct frame         f = frame_make(FRAME_BIND);
    struct buf           body = { 0 };
    char                 ip[ADDRESS_MAX];
    struct bind_request  request = { buf_slice(&c->login->ticket), resource, slice_str(conn_address(c, ip)),
                                     c->secure };

    f.stanza.to = conn_jid(c);
    f.trace = c->login->trace = trace_new();
    enum zerr err = routes_find(routes, f.stanza.to, &f.dest, &f.generation);
    if (err)
        return err;
    bind_request_put(&body, &request);
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
        err = send_bind(c, slice_of(resource, len));
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
    refuse_iq(c, buf_slice(&c->login->iq_id), why);
    conn_answered(c);
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

void bind_on_bound(struct conn *c, const struct frame *f)
{
    struct bound bound;
    char         ip[ADDRESS_MAX];

    if (bound_take(f->body, &bound) != ZE_OK || bound.err) {
        bind_unanswered(c, bound.err ? bound.err : ZE_INTERNAL);
        return;
    }
    if (!slice_eq(jid_bare(bound.jid), conn_jid(c)) || jid_resource(bound.jid).len == 0) {
        log_warn("frame_refused", "kind", "BOUND", "conn", log_hex(c->handle), "jid",
                 log_slice(bound.jid), NULL);
        bind_unanswered(c, ZE_INTERNAL);
        return;
    }
    free(c->jid);
    c->jid = xstrndup(bound.jid);
    owner_set(c, f, bound.secret);
    reply_bound(c);
    conn_login_done(c);
    conn_answered(c);
    conn_enter(c, CONN_ACTIVE);
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
