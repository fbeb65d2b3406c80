#pragma once

/* Stanzas waiting for a stream, in order. Pure: time is an argument. */

#include "blob.h"
#include "list.h"

struct queued {
    struct list  link;
    uint64_t     due_ms;
    struct blob *frame;       /* an encoded STANZA frame; shared by the recipients of a fan-out */
    size_t       to_len;
    uint8_t      to[];        /* canonical JID: the frame's own may be empty */
};

struct queue {
    struct list items;
    size_t      count, bytes;
};

void queue_init(struct queue *q);
/* Takes a reference of its own. */
void queue_push(struct queue *q, struct blob *frame, struct slice to, uint64_t due_ms);
/* NULL: empty. */
struct queued *queue_first(const struct queue *q);
/* Takes it out; the caller ends it with queued_free. */
struct queued *queue_take(struct queue *q);
void           queued_free(struct queued **item);
/* Bytes one item counts for. */
size_t       queue_cost(const struct blob *frame, struct slice to);
struct slice queued_to(const struct queued *item);
