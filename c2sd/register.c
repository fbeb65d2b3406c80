/* In-band registration before login (register.h), XEP-0077 3.1. sm decides; nothing is checked here
 * but that the domain takes registrations at all (the rule in negotiate.c). */

#include "register.h"

#include "log.h"
#include "ns.h"
#include "stanza_error.h"
#include "xml_write.h"

void register_features(struct conn *c, struct buf *out)
{
    (void)c;
    buf_put_str(out, "<register xmlns='" NS_REGISTER_F "'/>");
}

static void write_reply(struct conn *c, struct stanza *reply)
{
    reply->name = STANZA_IQ;
    reply->id = buf_slice(&c->login->iq_id);
    reply->from = slice_str(c->domain);
    reply->to = (struct slice){ 0 };
    stanza_write(conn_out(c), reply, (struct slice){ 0 });
}

void register_unanswered(struct conn *c, enum zerr why)
{
    struct buf    error = { 0 };
    struct stanza reply = { .type = TYPE_ERROR };

    stanza_error_write(&error, why, NULL, (struct slice){ 0 });
    reply.content = buf_slice(&error);
    write_reply(c, &reply);
    buf_free(&error);
    conn_answered(c);
}

/* The same sm for all of an address, so that its count of registrations is the whole count. */
static enum zerr relay(struct conn *c, const struct stanza *s)
{
    const struct routes         *routes = link_routes(c->c2sd->daemon->link);
    const struct route_instance *sm = routes_any(routes, ROLE_SM, slot_of(limits_key(&c->ip)));
    struct frame                 f = frame_make(FRAME_REGISTER);
    char                         ip[ADDRESS_MAX];

    if (!sm || !sm->up)
        return ZE_UNAVAILABLE;
    f.stanza = *s;
    f.stanza.from = (struct slice){ 0 };
    f.stanza.to = slice_str(c->domain);
    f.body = s->content;
    f.list = slice_str(conn_address(c, ip));
    f.dest = (struct address){ .role = ROLE_SM, .instance = sm->key };
    return conn_send_frame(c, &f);
}

static void remember_id(struct conn *c, const struct stanza *s)
{
    buf_reset(&c->login->iq_id, 0);
    buf_put_slice(&c->login->iq_id, s->id);
}

void register_closed(struct conn *c, const struct heard *heard)
{
    remember_id(c, heard->stanza);
    register_unanswered(c, ZE_NO_SUCH);
}

void register_iq(struct conn *c, const struct heard *heard)
{
    const struct stanza *s = heard->stanza;

    remember_id(c, s);
    enum zerr err = s->id.len ? relay(c, s) : ZE_BAD_REQUEST;
    if (err)
        register_unanswered(c, err);
    else
        conn_wait(c);
}

/* sm's content is its own; type and content are taken, the rest is this stream's. */
void register_on_registered(struct conn *c, const struct frame *f)
{
    struct stanza reply = f->stanza;

    if (reply.type != TYPE_RESULT && reply.type != TYPE_ERROR) {
        log_warn("frame_refused", "kind", "REGISTERED", "conn", log_hex(c->handle), NULL);
        register_unanswered(c, ZE_INTERNAL);
        return;
    }
    reply.content = f->body;
    write_reply(c, &reply);
    conn_answered(c);
}
