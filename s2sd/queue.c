/* Waiting stanzas (queue.h). */

#include "queue.h"

#include <stdlib.h>

#include "mem.h"

void queue_init(struct queue *q)
{
    *q = (struct queue){ 0 };
    list_init(&q->items);
}

size_t queue_cost(const struct blob *frame, struct slice to)
{
    return sizeof(struct queued) + frame->len + to.len;
}

struct slice queued_to(const struct queued *item)
{
    return slice_of(item->to, item->to_len);
}

void queue_push(struct queue *q, struct blob *frame, struct slice to, uint64_t due_ms)
{
    struct queued *item = xcalloc(1, sizeof(*item) + to.len);

    item->due_ms = due_ms;
    item->frame = blob_ref(frame);
    item->to_len = to.len;
    if (to.len)
        memcpy(item->to, to.p, to.len);
    list_append(&q->items, &item->link);
    q->count++;
    q->bytes += queue_cost(frame, to);
}

struct queued *queue_first(const struct queue *q)
{
    return list_empty(&q->items) ? NULL : LIST_OWNER(q->items.next, struct queued, link);
}

struct queued *queue_take(struct queue *q)
{
    struct queued *item = queue_first(q);

    if (!item)
        return NULL;
    list_remove(&item->link);
    q->count--;
    q->bytes -= queue_cost(item->frame, queued_to(item));
    return item;
}

void queued_free(struct queued **item)
{
    if (*item)
        blob_unref(&(*item)->frame);
    free(*item);
    *item = NULL;
}
