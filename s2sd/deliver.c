/* Stanzas from and to other daemons (deliver.h). What is for a component goes to its stream, what is for
 * a remote domain to its pair. */

#include "deliver.h"

#include <stdlib.h>

#include "component.h"
#include "fanout.h"
#include "jid.h"
#include "log.h"
#include "pair.h"
#include "stanza_error.h"

enum { CONGESTED_MS = 100 };           /* a peer is not read while other daemons cannot keep up */

/* ---- errors ---- */

/* Tags of frames: the handle of the stream a stanza came from, or the address of one of these. */
struct held {
    struct list     link;
    struct receipt *receipt;
};
#define TAG_HELD (1ull << 63)

static void held_free(struct held *h)
{
    list_remove(&h->link);
    receipt_unref(&h->receipt);
    free(h);
}

void deliver_end(struct s2sd *s)
{
    while (!list_empty(&s->held)) {
        struct held *h = LIST_OWNER(s->held.next, struct held, link);
        receipt_abandon(&h->receipt);
        held_free(h);
    }
}

void deliver_confirmed(void *self, const struct kept *k)
{
    uint64_t       tag = kept_tag(k);
    struct stream *st;

    if (tag & TAG_HELD)
        held_free((struct held *)(uintptr_t)(tag & ~TAG_HELD));
    else if (tag && (st = stream_find(self, tag)))
        stream_confirmed(st, kept_bytes(k).len);
}

/* The answer is in nobody's hands but ours until it is confirmed: so long the question is not. */
static enum zerr route_held(struct s2sd *s, struct frame *f, struct receipt *receipt)
{
    struct link *link = s->daemon->link;
    enum zerr    err = routes_find(link_routes(link), f->stanza.to, &f->dest, &f->generation);

    if (err || !receipt)
        return err ? err : link_send(link, f);
    struct held *h = xcalloc(1, sizeof(*h));
    h->receipt = receipt_ref(receipt);
    list_append(&s->held, &h->link);
    err = link_send_kept(link, f, TAG_HELD | (uintptr_t)h, NULL);
    if (err)
        held_free(h);
    return err;
}

/* To whom it may concern: somebody here, or somebody far away. */
static enum zerr send_reply(struct s2sd *s, const struct stanza *reply, const struct returned *r)
{
    struct frame    f = frame_make(FRAME_STANZA);
    struct outbound out = { .frame = &f, .to = reply->to, .receipt = r->receipt };

    f.stanza = *reply;
    f.body = reply->content;
    f.trace = r->trace;
    struct stream *component = component_find(s, jid_domain(reply->to));
    if (component)
        return component_send(component, &out);
    if (s2sd_is_ours(s, jid_domain(reply->to)))
        return route_held(s, &f, r->receipt);
    return pair_send(s, &out);
}

/* XEP-0478 3.1: the error may explain the limit. */
static const char *explained(const struct s2sd *s, const struct returned *r, enum zerr why, char room[80])
{
    const struct remote *remote = why == ZE_POLICY ? remote_find(s, jid_domain(r->to)) : NULL;

    if (!remote || !remote->stream)
        return NULL;
    snprintf(room, 80, "That server takes nothing longer than %u bytes", remote->stream->limits.max_bytes);
    return room;
}

void deliver_return(struct s2sd *s, const struct returned *r, enum zerr why)
{
    struct stanza asked = *r->stanza, reply;
    struct buf    content = { 0 };
    char          room[80];

    asked.to = r->to;
    s->counters.returned++;
    log_debug("stanza_returned", "trace", log_hex(r->trace), "kind", stanza_name_text(asked.name), "from",
              log_slice(asked.from), "to", log_slice(r->to), "err", err_name(why), NULL);
    if (stanza_error_reply(&asked, why, explained(s, r, why, room), &content, &reply)) {
        enum zerr err = send_reply(s, &reply, r);
        if (err)
            log_debug("reply_dropped", "trace", log_hex(r->trace), "err", err_name(err), NULL);
    }
    buf_free(&content);
}

/* ---- from streams ---- */

static enum zerr route_counted(struct stream *st, struct frame *f)
{
    struct link *link = st->s2sd->daemon->link;
    struct kept *kept;
    enum zerr    err = routes_find(link_routes(link), f->stanza.to, &f->dest, &f->generation);

    f->sender = st->handle;
    if (!err)
        err = link_send_kept(link, f, st->handle, &kept);
    if (err)
        return err;
    stream_passed(st, kept_bytes(kept).len);
    kept_unref(link, &kept);
    return ZE_OK;
}

void deliver_inward(struct stream *st, const struct stanza *stanza)
{
    struct s2sd *s = st->s2sd;
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza = *stanza;
    f.body = stanza->content;
    f.trace = trace_new();
    enum zerr err = route_counted(st, &f);
    log_debug("stanza_passed", "trace", log_hex(f.trace), "conn", log_hex(st->handle), "kind",
              stanza_name_text(stanza->name), "from", log_slice(stanza->from), "to", log_slice(stanza->to),
              "bytes", log_num((int64_t)stanza->content.len), "err", err_name(err), NULL);
    if (err)
        deliver_return(s, &(struct returned){ stanza, stanza->to, f.trace, NULL }, err);
    else if (link_congested(s->daemon->link, f.dest.instance))
        stream_slow(st, CONGESTED_MS);
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

    if (!component && s2sd_is_ours(s, domain)) {
        link_bounce(s->daemon->link, f, ZE_NO_SUCH);
        return;
    }
    if (component)
        err = component_send(component, out);
    else
        err = s2sd_is_ours(s, jid_domain(f->stanza.from)) ? pair_send(s, out) : ZE_FORBIDDEN;
    if (err == ZE_FORBIDDEN)
        log_warn("frame_refused", "kind", "STANZA", "from", log_slice(f->stanza.from), "trace",
                 log_hex(f->trace), "why", "not from a domain of ours", NULL);
    else if (err)
        deliver_return(s, &(struct returned){ &f->stanza, out->to, f->trace, out->receipt }, err);
}

/* NULL: a daemon that leaves takes nothing more; the next one gets it. */
static struct receipt *take_receipt(struct s2sd *s, const struct frame *f)
{
    struct receipt *receipt = link_receipt(s->daemon->link, f);

    if (s2sd_leaves(s))
        receipt_abandon(&receipt);
    return receipt;
}

static void on_stanza(void *self, const struct frame *f)
{
    struct frame    whole = *f;
    struct receipt *receipt;

    if (!may_send_here(f) || f->stanza.to.len == 0) {
        log_warn("frame_refused", "kind", "STANZA", "trace", log_hex(f->trace), NULL);
        return;
    }
    receipt = take_receipt(self, f);
    if (!receipt)
        return;
    whole.stanza.content = f->body;
    deliver_outward(self, &(struct outbound){ .frame = &whole, .to = f->stanza.to, .receipt = receipt });
    receipt_unref(&receipt);
}

/* Each recipient gets his own copy on the wire; those that wait share one. */
static void on_fanout(void *self, const struct frame *f)
{
    struct s2sd        *s = self;
    struct frame        whole = *f;
    struct cursor       list = { f->list, false };
    struct fanout_entry entry;
    struct blob        *kept = NULL;
    struct receipt     *receipt = take_receipt(s, f);

    if (!receipt)
        return;
    whole.stanza.content = f->body;
    while (fanout_next(&list, &entry))
        if (entry.jid.len)
            deliver_outward(s, &(struct outbound){ .frame = &whole, .to = entry.jid, .kept = &kept,
                                                   .receipt = receipt });
    if (list.bad)
        log_warn("frame_refused", "kind", "FANOUT", "trace", log_hex(f->trace), NULL);
    blob_unref(&kept);
    receipt_unref(&receipt);
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
    struct stream  *st = original.sender ? stream_find(s, original.sender) : NULL;
    struct receipt *receipt = take_receipt(s, f);
    if (st && f->origin.role == ROLE_ROUTERD)       /* our own link gave up on it; else it was confirmed too */
        stream_confirmed(st, f->body.len - sizeof(int32_t));
    if (!receipt)
        return;
    original.stanza.content = original.body;
    deliver_return(s, &(struct returned){ &original.stanza, original.stanza.to, f->trace, receipt }, why);
    receipt_unref(&receipt);
}

frame_handler *const s2sd_handlers[FRAME_KIND_MAX] = {
    [FRAME_STANZA] = on_stanza,
    [FRAME_FANOUT] = on_fanout,
    [FRAME_BOUNCE] = on_bounce,
};
