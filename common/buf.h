#pragma once

/* A growing byte buffer. `{0}` is an empty one; buf_free gives the memory back and leaves `{0}`.
 * Readers consume from the front with buf_consume. */

#include "slice.h"

struct buf {
    uint8_t *bytes;
    size_t   start, end;   /* valid bytes are [start, end) */
    size_t   room;         /* bytes allocated */
};

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){ b->bytes + b->start, b->end - b->start };
}

/* Makes room for `bytes` more and returns where to write them; follow with buf_added. */
uint8_t *buf_reserve(struct buf *b, size_t bytes);
void     buf_added(struct buf *b, size_t bytes);
void     buf_put(struct buf *b, const void *bytes, size_t len);
void     buf_put_slice(struct buf *b, struct slice s);
void     buf_put_str(struct buf *b, const char *text);
void     buf_put_u8(struct buf *b, uint8_t v);
/* Little-endian. */
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* u32 length, then the bytes (see cursor.h take_sized). */
void buf_put_sized(struct buf *b, struct slice s);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *b, size_t bytes);
/* Takes back what was put behind the first `len` bytes. */
void buf_cut(struct buf *b, size_t len);
/* Empties it; memory above `keep` bytes is given back (0: all of it). */
void buf_reset(struct buf *b, size_t keep);
void buf_free(struct buf *b);
