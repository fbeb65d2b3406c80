/* Stanzas from and to other daemons (deliver.h). What is for a component goes to its stream, what is for
 * a remote domain to its pair. */

#include "deliver.h"

#include "component.h"
#include "fanout.h"
#include "jid.h"
#include "log.h"
#include "pair.h"
#include "stanza_error.h"

/* ---- errors ---- */

/* To whom it may concern: somebody here, or somebody far away. */
static enum zerr send_reply(struct s2sd *s, const struct stanza *reply, uint64_t trace)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza = *reply;
    f.body = reply->content;
    f.trace = trace;
    struct stream *component = component_find(s, jid_domain(reply->to));
    if (component) {
        component_send(component, &f, reply->to);
        return ZE_OK;
    }
    if (s2sd_is_ours(s, jid_domain(reply->to)))
        return link_route(s->daemon->link, &f);
    return pair_send(s, &(struct outbound){ .frame = &f, .to = reply->to });
}

void deliver_return(struct s2sd *s, const struct stanza *stanza, struct slice to, enum zerr why,
                    uint64_t trace)
{
    struct stanza asked = *stanza, reply;
    struct buf    content = { 0 };

    asked.to = to;
    s->counters.returned++;
    log_debug("stanza_returned", "trace", log_hex(trace), "kind", stanza_name_text(stanza->name), "from",
              log_slice(stanza->from), "to", log_slice(to), "err", err_name(why), NULL);
    if (stanza_error_reply(&asked, why, NULL, &content, &reply)) {
        enum zerr err = send_reply(s, &reply, trace);
        if (err)
            log_debug("reply_dropped", "trace", log_hex(trace), "err", err_name(err), NULL);
    }
    buf_free(&content);
}

/* ---- from streams ---- */

void deliver_inward(struct stream *st, const struct stanza *stanza)
{
    struct s2sd *s = st->s2sd;
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza = *stanza;
    f.body = stanza->content;
    f.trace = trace_new();
    enum zerr err = link_route(s->daemon->link, &f);
    log_debug("stanza_passed", "trace", log_hex(f.trace), "conn", log_hex(st->handle), "kind",
              stanza_name_text(stanza->name), "from", log_slice(stanza->from), "to", log_slice(stanza->to),
              "bytes", log_num((int64_t)stanza->content.len), "err", err_name(err), NULL);
    if (err)
        deliver_return(s, stanza, stanza->to, err, f.trace);
    else if (link_congested(s->daemon->link, f.dest.instance))
        stream_slow(st);
}

/* ---- from other daemons ---- */

/* Its words are its clients', and those pass through sm. */
static bool may_send_here(const struct frame *f)
{
    return f->origin.role & (ROLE_SM | ROLE_MUC | ROLE_S2SD);
}

/* A component that is configured and not connected has no route, and its name is nobody else's: the one
 * who asked is told so, since nobody but a connected component may answer in its name. */
static void deliver_outward(struct s2sd *s, const struct outbound *out)
{
    const struct frame *f = out->frame;
    struct slice        domain = jid_domain(out->to);
    struct stream      *component = component_find(s, domain);
    enum zerr           err;

    if (component) {
        component_send(component, f, out->to);
        return;
    }
    if (s2sd_is_ours(s, domain)) {
        link_bounce(s->daemon->link, f, ZE_NO_SUCH);
        return;
    }
    err = s2sd_is_ours(s, jid_domain(f->stanza.from)) ? pair_send(s, out) : ZE_FORBIDDEN;
    if (err == ZE_FORBIDDEN)
        log_warn("frame_refused", "kind", "STANZA", "from", log_slice(f->stanza.from), "trace",
                 log_hex(f->trace), "why", "not from a domain of ours", NULL);
    else if (err)
        deliver_return(s, &f->stanza, out->to, err, f->trace);
}

static void on_stanza(void *self, const struct frame *f)
{
    struct frame whole = *f;

    if (!may_send_here(f) || f->stanza.to.len == 0) {
        log_warn("frame_refused", "kind", "STANZA", "trace", log_hex(f->trace), NULL);
        return;
    }
    whole.stanza.content = f->body;
    deliver_outward(self, &(struct outbound){ .frame = &whole, .to = f->stanza.to });
}

/* Each recipient gets his own copy on the wire; those that wait share one. */
static void on_fanout(void *self, const struct frame *f)
{
    struct s2sd        *s = self;
    struct frame        whole = *f;
    struct cursor       list = { f->list, false };
    struct fanout_entry entry;
    struct blob        *kept = NULL;

    whole.stanza.content = f->body;
    while (fanout_next(&list, &entry))
        if (entry.jid.len)
            deliver_outward(s, &(struct outbound){ .frame = &whole, .to = entry.jid, .kept = &kept });
    if (list.bad)
        log_warn("frame_refused", "kind", "FANOUT", "trace", log_hex(f->trace), NULL);
    blob_unref(&kept);
}

/* What a stream sent could not be passed on: its sender is told. */
static void on_bounce(void *self, const struct frame *f)
{
    struct s2sd *s = self;
    struct frame original;
    enum zerr    why;

    if (bounce_decode(f, &why, &original) != ZE_OK || original.kind != FRAME_STANZA) {
        log_warn("frame_refused", "kind", "BOUNCE", NULL);
        return;
    }
    original.stanza.content = original.body;
    deliver_return(s, &original.stanza, original.stanza.to, why, f->trace);
}

frame_handler *const s2sd_handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,
    [FRAME_FANOUT] = on_fanout,
    [FRAME_BOUNCE] = on_bounce,
};
