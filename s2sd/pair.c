/* Pairs and what waits for them (pair.h). */

#include "pair.h"

#include <stdlib.h>

#include "deliver.h"
#include "flight.h"
#include "jid.h"
#include "log.h"
#include "xml_write.h"

/* Above this much not taken by the socket, stanzas wait here, where they can still be returned. */
enum { SOCKET_BACKLOG = 262144, ANSWER_MS = 40000, PAIRS_MAX = 1000 };

static struct slice domain_of(const struct remote *r)
{
    return slice_str(r->domain);
}

/* ---- finding ---- */

static void expire(void *arg);
static void answer_late(void *arg);

static struct pair *pair_find(const struct remote *r, struct slice ours)
{
    LIST_EACH(&r->pairs, node) {
        struct pair *p = LIST_OWNER(node, struct pair, link);
        if (slice_is(ours, p->ours))
            return p;
    }
    return NULL;
}

static struct pair *pair_get(struct remote *r, struct slice ours)
{
    struct pair *p = pair_find(r, ours);

    if (p || r->pair_count >= PAIRS_MAX)
        return p;
    p = xcalloc(1, sizeof(*p));
    p->remote = r;
    p->ours = xstrndup(ours);
    p->expiry = (struct timer){ .fire = expire, .arg = p };
    p->patience = (struct timer){ .fire = answer_late, .arg = p };
    queue_init(&p->queue);
    list_append(&r->pairs, &p->link);
    r->pair_count++;
    return p;
}

/* ---- returning ---- */

static void account(struct remote *r, const struct queued *item, bool added)
{
    size_t cost = queue_cost(item->frame, queued_to(item));

    if (added) {
        r->queued += cost;
        r->s2sd->counters.queued_bytes += cost;
        r->s2sd->counters.queued++;
    } else {
        r->queued -= cost;
        r->s2sd->counters.queued_bytes -= cost;
        r->s2sd->counters.queued--;
    }
}

static struct queued *take(struct pair *p)
{
    struct queued *item = queue_first(&p->queue);

    if (item) {
        queue_remove(&p->queue, item);
        account(p->remote, item, false);
    }
    if (!item || p->queue.count == 0)
        timer_disarm(&p->expiry);
    return item;
}

static void give_back(struct pair *p, struct queued *item, enum zerr why)
{
    struct frame f;

    if (queued_frame(item, &f))
        deliver_return(p->remote->s2sd, &(struct returned){ &f.stanza, queued_to(item), f.trace, item->receipt },
                       why);
    queued_free(&item);
}

static void return_one(struct pair *p, enum zerr why)
{
    give_back(p, take(p), why);
}

/* Not by a daemon that is going to be started again: the next one is given all of it. */
static void return_all(struct pair *p, enum zerr why)
{
    if (s2sd_leaves(p->remote->s2sd))
        return;
    if (p->queue.count)
        log_info("queue_returned", "domain", p->remote->domain, "from", p->ours, "count",
                 log_num((int64_t)p->queue.count), "err", err_name(why), NULL);
    while (p->queue.count)
        return_one(p, why);
}

static void arm_expiry(struct pair *p)
{
    const struct queued *first = queue_first(&p->queue);
    uint64_t             now = s2sd_now(p->remote->s2sd);

    if (first)
        timer_arm(p->remote->s2sd->daemon->loop, &p->expiry, first->due_ms > now ? first->due_ms - now : 0);
}

static void expire(void *arg)
{
    struct pair         *p = arg;
    const struct queued *first;
    uint64_t             now = s2sd_now(p->remote->s2sd);

    while ((first = queue_first(&p->queue)) && first->due_ms <= now)
        return_one(p, ZE_TIMEOUT);
    arm_expiry(p);
}

void pairs_return(struct remote *r, enum zerr why)
{
    LIST_EACH(&r->pairs, node)
        return_all(LIST_OWNER(node, struct pair, link), why);
}

/* ---- sending ---- */

static bool may_send(const struct pair *p)
{
    const struct stream *st = p->remote->stream;

    return p->state == PAIR_VALID && st && st->state == STREAM_READY &&
           transport_waiting(&st->transport) < SOCKET_BACKLOG;
}

static void flush(struct pair *p)
{
    while (p->queue.count && may_send(p)) {
        struct queued *item = take(p);
        enum zerr      err = flight_write(p->remote->stream, item);
        if (err)
            give_back(p, item, err);
    }
    if (p->queue.count)
        arm_expiry(p);
    else
        p->retried = false;
}

void pairs_flush(struct remote *r)
{
    LIST_EACH(&r->pairs, node)
        flush(LIST_OWNER(node, struct pair, link));
}

/* ---- XEP-0220 2.1.1: asking to be let in ---- */

static void ask(struct pair *p)
{
    struct stream       *st = p->remote->stream;
    char                 key[DIALBACK_KEY];
    struct dialback_said said = { .from = slice_str(p->ours), .to = domain_of(p->remote) };

    dialback_key(&p->remote->s2sd->dialback, said.to, said.from, slice_str(st->id), key);
    said.key = slice_of(key, sizeof(key));
    dialback_write(stream_out(st), &said);
    stream_used(st);
    p->state = PAIR_ASKED;
    timer_arm(p->remote->s2sd->daemon->loop, &p->patience, ANSWER_MS);
}

static void refused(struct pair *p, enum zerr why)
{
    timer_disarm(&p->patience);
    p->state = PAIR_IDLE;
    p->remote->s2sd->counters.dialbacks_failed++;
    backoff_failed(&p->refused, s2sd_now(p->remote->s2sd));
    log_info("pair_refused", "domain", p->remote->domain, "from", p->ours, "err", err_name(why), NULL);
    return_all(p, why);
}

static void answer_late(void *arg)
{
    refused(arg, ZE_TIMEOUT);
}

/* Only an answer to a question of ours on this very stream counts (XEP-0220 4, unsolicited dialback). */
void pair_on_result(struct remote *r, const struct dialback_said *said)
{
    struct pair *p = slice_eq(said->from, domain_of(r)) ? pair_find(r, said->to) : NULL;

    if (!p || p->state != PAIR_ASKED) {
        log_warn("dialback_unsolicited", "domain", r->domain, "from", log_slice(said->from), "to",
                 log_slice(said->to), NULL);
        return;
    }
    stream_used(r->stream);
    if (said->type == DIALBACK_VALID) {
        timer_disarm(&p->patience);
        p->state = PAIR_VALID;
        backoff_clear(&p->refused);
        log_info("pair_valid", "domain", r->domain, "from", p->ours, "conn", log_hex(r->stream->handle),
                 NULL);
        flush(p);
    } else {
        refused(p, said->type == DIALBACK_INVALID ? ZE_INTERNAL : ZE_TIMEOUT);
    }
}

/* ---- streams come and go ---- */

void pairs_stream_ready(struct remote *r)
{
    LIST_EACH(&r->pairs, node) {
        struct pair *p = LIST_OWNER(node, struct pair, link);
        if (p->queue.count)
            ask(p);
    }
}

void pairs_take_back(struct stream *st)
{
    struct queued *item;

    if (!st->flying.count)
        return;
    transport_kill(&st->transport);         /* else it could still go out, and then again */
    while ((item = flight_take_back(st))) {
        queue_push_first(&item->pair->queue, item);
        account(item->pair->remote, item, true);
        arm_expiry(item->pair);
    }
}

/* A peer may close at any time (RFC 6120 4.4): what it has not been sent is tried on one more stream. */
void pairs_stream_ended(struct remote *r)
{
    LIST_EACH(&r->pairs, node) {
        struct pair *p = LIST_OWNER(node, struct pair, link);
        timer_disarm(&p->patience);
        p->state = PAIR_IDLE;
        if (p->queue.count && (p->retried || r->s2sd->draining))
            return_all(p, ZE_TIMEOUT);
        p->retried = p->queue.count > 0;
    }
}

void pairs_forgive(struct remote *r)
{
    LIST_EACH(&r->pairs, node)
        backoff_clear(&LIST_OWNER(node, struct pair, link)->refused);
}

bool pairs_waiting(const struct remote *r)
{
    return r->queued > 0;
}

const char *pairs_first_domain(const struct remote *r)
{
    LIST_EACH(&r->pairs, node) {
        const struct pair *p = LIST_OWNER(node, struct pair, link);
        if (p->queue.count)
            return p->ours;
    }
    return NULL;
}

/* ---- in ---- */

static struct blob *encoded(const struct frame *f)
{
    struct buf   bytes = { 0 };
    struct frame plain = *f;

    plain.kind = FRAME_STANZA;
    plain.list = (struct slice){ 0 };
    if (frame_encode(&bytes, &plain) != ZE_OK) {
        buf_free(&bytes);
        return NULL;
    }
    struct blob *b = blob_copy(buf_slice(&bytes));
    buf_free(&bytes);
    return b;
}

static struct blob *written(const struct outbound *out)
{
    struct buf    xml = { 0 };
    struct stanza s = out->frame->stanza;

    s.content = out->frame->body;
    stanza_write(&xml, &s, out->to);
    struct blob *b = blob_copy(buf_slice(&xml));
    buf_free(&xml);
    return b;
}

struct queued *outbound_item(const struct outbound *out)
{
    struct blob  *own = NULL;
    struct blob **kept = out->kept ? out->kept : &own;
    bool          fits = *kept || (*kept = encoded(out->frame));

    if (!fits)
        own = written(out);
    struct queued *item = queued_new(fits ? *kept : own, out->to, out->receipt);
    item->written = !fits;
    blob_unref(&own);
    return item;
}

/* Its place in the queue, or ZE_FULL. */
static enum zerr keep(struct pair *p, struct queued *item)
{
    struct remote         *r = p->remote;
    const struct settings *set = s2sd_settings(r->s2sd);

    if (r->queued + queue_cost(item->frame, queued_to(item)) > (size_t)set->limits.s2s_queue_bytes)
        return ZE_FULL;
    queue_push(&p->queue, item);
    account(r, item, true);
    if (p->queue.count == 1)
        arm_expiry(p);
    return ZE_OK;
}

/* ZE_OK: the item is taken. */
static enum zerr place(struct pair *p, struct queued *item)
{
    struct remote *r = p->remote;

    if (p->queue.count == 0 && may_send(p))
        return flight_write(r->stream, item);
    if (p->state == PAIR_IDLE && backoff_active(&p->refused, s2sd_now(r->s2sd)))
        return ZE_TIMEOUT;
    if (remote_is_shunned(r))
        return r->why;
    enum zerr err = keep(p, item);
    if (err)
        return err;
    if (r->stream && r->stream->state == STREAM_READY && p->state == PAIR_IDLE)
        ask(p);
    remote_want(r);
    return ZE_OK;
}

/* A stanza that comes again, since an earlier life of this daemon had not delivered it, has its time anew:
 * nobody knows when it came first. */
enum zerr pair_send(struct s2sd *s, const struct outbound *out)
{
    struct remote *r = s->draining ? NULL : remote_get(s, jid_domain(out->to));
    struct pair   *p = r ? pair_get(r, jid_domain(out->frame->stanza.from)) : NULL;

    if (!p)
        return s->draining ? ZE_TIMEOUT : ZE_FULL;
    struct queued *item = outbound_item(out);
    item->pair = p;
    item->due_ms = s2sd_now(s) + (uint64_t)s2sd_settings(s)->limits.s2s_queue_seconds * 1000;
    r->used_ms = s2sd_now(s);
    enum zerr err = place(p, item);
    if (err)
        queued_free(&item);
    return err;
}

void pair_free(struct pair *p)
{
    struct queued *item;

    while ((item = take(p)))
        queued_abandon(&item);
    timer_disarm(&p->patience);
    timer_disarm(&p->expiry);
    list_remove(&p->link);
    p->remote->pair_count--;
    free(p->ours);
    free(p);
}
