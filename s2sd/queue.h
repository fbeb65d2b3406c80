#pragma once

/* Stanzas for a stream, in order: waiting for it, or written to it and not yet taken by the kernel. Each
 * carries the receipt of the frame it came in, which is confirmed when the stanza is done with: so the
 * daemon that sent it keeps it exactly as long (DESIGN.md 2.7). Pure: time is an argument. */

#include "blob.h"
#include "link.h"
#include "list.h"

struct pair;

struct queued {
    struct list     link;
    uint64_t        due_ms;
    uint64_t        end;       /* in flight: where it ends in what was written to its stream */
    struct pair    *pair;      /* NULL: a component's */
    struct receipt *receipt;   /* NULL: nobody waits for it */
    bool            written;   /* `frame` is the stanza itself, as XML: an answer of ours that fits in no frame, as what
                                  it answers came in none and has an id or language longer than FRAME_PART_MAX */
    struct blob    *frame;     /* an encoded STANZA frame; shared by the recipients of a fan-out */
    size_t          to_len;
    uint8_t         to[];      /* canonical JID: the frame's own may be empty */
};

struct queue {
    struct list items;
    size_t      count, bytes;
};

/* Takes references of its own to frame and receipt (may be NULL). */
struct queued *queued_new(struct blob *frame, struct slice to, struct receipt *receipt);
/* The frame it came in; false: it came in none (`written`). */
bool           queued_frame(const struct queued *item, struct frame *out);
/* Done with, for better or worse: its frame is confirmed. */
void           queued_free(struct queued **item);
/* Not done, and this process ends: the frame comes again to the next. */
void           queued_abandon(struct queued **item);
struct slice   queued_to(const struct queued *item);

void           queue_init(struct queue *q);
void           queue_push(struct queue *q, struct queued *item);
void           queue_push_first(struct queue *q, struct queued *item);
/* NULL: empty. */
struct queued *queue_first(const struct queue *q);
struct queued *queue_last(const struct queue *q);
/* Takes it out of its queue. */
void           queue_remove(struct queue *q, struct queued *item);
/* Bytes one item counts for. */
size_t         queue_cost(const struct blob *frame, struct slice to);
