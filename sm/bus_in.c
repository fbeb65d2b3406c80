/* The way in of the presence bus: packets in the order of their numbers, each once (bus.h). */

#include <stdlib.h>

#include "bus_inner.h"
#include "log.h"
#include "mem.h"

/* What is held here, its sender counts as unconfirmed; more than a few times that is no Zubr. */
enum { HELD_FACTOR = 4 };

void bus_in_init(struct bus_peer *p)
{
    list_init(&p->in.held);
}

static void item_free(struct bus *b, struct bus_in *in, struct bus_item *item)
{
    if (item->receipt)
        b->ways.release(b->ways.arg, item->receipt);
    in->held_bytes -= buf_len(&item->body);
    list_remove(&item->link);
    buf_free(&item->body);
    free(item);
}

void bus_in_free(struct bus *b, struct bus_peer *p)
{
    LIST_EACH(&p->in.held, node)
        item_free(b, &p->in, LIST_OWNER(node, struct bus_item, link));
}

static void apply(struct bus *b, struct bus_peer *p, struct slice frames)
{
    struct frame f;

    while (bus_frame_next(&frames, &f)) {
        f.origin = (struct address){ ROLE_SM, p->instance, p->life };
        b->ways.deliver(b->ways.arg, &f);
    }
}

static void apply_held(struct bus *b, struct bus_peer *p, struct bus_item *item)
{
    struct bus_packet packet;

    if (bus_packet_take(buf_slice(&item->body), &packet) == ZE_OK)
        apply(b, p, packet.frames);
    p->in.next = item->number + 1;
    item_free(b, &p->in, item);
}

/* `all`: what is missing in between will not come any more. */
static void apply_due(struct bus *b, struct bus_peer *p, bool all)
{
    LIST_EACH(&p->in.held, node) {
        struct bus_item *item = LIST_OWNER(node, struct bus_item, link);
        if (item->number != p->in.next && !all)
            return;
        apply_held(b, p, item);
    }
}

static void adopt(struct bus *b, struct bus_peer *p, uint64_t stream, uint64_t next)
{
    if (p->in.stream == stream)
        return;
    apply_due(b, p, true);
    p->in.stream = stream;
    p->in.next = next;
    p->in.confirm_at_ms = p->in.confirm_bytes = 0;
    bus_save_state(b, p, ROW_IN, stream, next);
}

void bus_in_hello(struct bus *b, struct bus_peer *p, const struct bus_packet *hello)
{
    adopt(b, p, hello->stream, hello->number);
}

static struct list *place_of(struct bus_in *in, uint64_t number)
{
    struct list *at = in->held.prev;

    while (at != &in->held && LIST_OWNER(at, struct bus_item, link)->number > number)
        at = at->prev;
    return at;
}

/* What came by routerd is not confirmed while it is held: if this process ends, it comes again. What came
 * by Redis is not confirmed either. */
static void hold(struct bus *b, struct bus_peer *p, const struct bus_packet *packet, bool by_router)
{
    struct bus_in   *in = &p->in;
    struct list     *after = place_of(in, packet->number);
    struct bus_item *item;

    if ((after != &in->held && LIST_OWNER(after, struct bus_item, link)->number == packet->number) ||
        in->held_bytes > HELD_FACTOR * b->limits.unconfirmed_bytes) {
        bus_counters.late++;
        return;
    }
    bus_counters.held++;
    item = xcalloc(1, sizeof(*item));
    item->number = packet->number;
    item->receipt = by_router ? b->ways.receipt(b->ways.arg) : NULL;
    bus_packet_put(&item->body, packet);
    in->held_bytes += buf_len(&item->body);
    list_append(after->next, &item->link);       /* appending to a node is inserting before it */
}

static void confirm(struct bus *b, struct bus_peer *p)
{
    struct bus_packet packet = { .op = BUS_CONFIRM, .stream = p->in.stream, .number = p->in.next - 1 };
    struct buf        body = { 0 };

    p->in.confirm_at_ms = p->in.confirm_bytes = 0;
    bus_packet_put(&body, &packet);
    b->ways.send(b->ways.arg, p->instance, buf_slice(&body));
    buf_free(&body);
}

/* What comes by routerd alone needs no confirm: its channel has one. */
static void owe_confirm(struct bus *b, struct bus_peer *p, size_t bytes, uint64_t now_ms)
{
    if (!p->in.confirm_at_ms)
        p->in.confirm_at_ms = now_ms + BUS_CONFIRM_MS;
    p->in.confirm_bytes += bytes;
    if (p->in.confirm_bytes >= BUS_CONFIRM_BYTES)
        confirm(b, p);
}

void bus_in_packet(struct bus *b, struct bus_peer *p, const struct bus_packet *packet, bool by_router,
                   uint64_t now_ms)
{
    struct bus_in *in = &p->in;

    *(by_router ? &bus_counters.received_router : &bus_counters.received_redis) += 1;
    if (by_router)
        adopt(b, p, packet->stream, packet->number);
    if (packet->stream != in->stream || packet->number < in->next) {
        bus_counters.late++;
        log_debug("presence_late", "instance", p->name, "count", log_num((int64_t)packet->number), NULL);
        return;
    }
    if (!by_router || !list_empty(&in->held))
        owe_confirm(b, p, packet->frames.len, now_ms);
    if (packet->number > in->next) {
        hold(b, p, packet, by_router);
        return;
    }
    in->next++;
    apply(b, p, packet->frames);
    apply_due(b, p, false);
    bus_save_state(b, p, ROW_IN, in->stream, in->next);
}

bool bus_in_tick(struct bus *b, struct bus_peer *p, uint64_t now_ms)
{
    if (p->in.confirm_at_ms && now_ms >= p->in.confirm_at_ms)
        confirm(b, p);
    return p->in.confirm_at_ms != 0;
}
