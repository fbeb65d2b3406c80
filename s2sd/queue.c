/* Stanzas for a stream (queue.h). */

#include "queue.h"

#include <stdlib.h>

#include "mem.h"

struct queued *queued_new(struct blob *frame, struct slice to, struct receipt *receipt)
{
    struct queued *item = xcalloc(1, sizeof(*item) + to.len);

    item->frame = blob_ref(frame);
    item->receipt = receipt ? receipt_ref(receipt) : NULL;
    item->to_len = to.len;
    if (to.len)
        memcpy(item->to, to.p, to.len);
    return item;
}

bool queued_frame(const struct queued *item, struct frame *out)
{
    if (item->written || frame_decode(blob_slice(item->frame), out) <= 0)
        return false;
    out->stanza.content = out->body;
    return true;
}

void queued_free(struct queued **item)
{
    struct queued *q = *item;

    *item = NULL;
    if (!q)
        return;
    blob_unref(&q->frame);
    receipt_unref(&q->receipt);
    free(q);
}

void queued_abandon(struct queued **item)
{
    receipt_abandon(&(*item)->receipt);
    queued_free(item);
}

struct slice queued_to(const struct queued *item)
{
    return slice_of(item->to, item->to_len);
}

size_t queue_cost(const struct blob *frame, struct slice to)
{
    return sizeof(struct queued) + frame->len + to.len;
}

void queue_init(struct queue *q)
{
    *q = (struct queue){ 0 };
    list_init(&q->items);
}

static void count_in(struct queue *q, const struct queued *item)
{
    q->count++;
    q->bytes += queue_cost(item->frame, queued_to(item));
}

void queue_push(struct queue *q, struct queued *item)
{
    list_append(&q->items, &item->link);
    count_in(q, item);
}

void queue_push_first(struct queue *q, struct queued *item)
{
    list_append(q->items.next, &item->link);       /* before the first, or before the head itself */
    count_in(q, item);
}

struct queued *queue_first(const struct queue *q)
{
    return list_empty(&q->items) ? NULL : LIST_OWNER(q->items.next, struct queued, link);
}

struct queued *queue_last(const struct queue *q)
{
    return list_empty(&q->items) ? NULL : LIST_OWNER(q->items.prev, struct queued, link);
}

void queue_remove(struct queue *q, struct queued *item)
{
    list_remove(&item->link);
    q->count--;
    q->bytes -= queue_cost(item->frame, queued_to(item));
}
