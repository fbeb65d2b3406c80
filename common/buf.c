/* A growing byte buffer (buf.h). */

#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "mem.h"

enum { SMALLEST = 64 };

uint8_t *buf_reserve(struct buf *b, size_t bytes)
{
    size_t len = buf_len(b);

    if (b->room - b->end >= bytes)
        return b->bytes + b->end;
    if (bytes > SIZE_MAX / 4 - len)
        fatal("buf_too_large", "bytes", log_num((int64_t)bytes), NULL);
    if (b->start) {
        memmove(b->bytes, b->bytes + b->start, len);
        b->start = 0;
        b->end = len;
    }
    if (b->room - len < bytes) {
        size_t room = b->room ? b->room : SMALLEST;

        while (room < len + bytes)
            room *= 2;
        b->bytes = xrealloc(b->bytes, room);
        b->room = room;
    }
    return b->bytes + b->end;
}

void buf_added(struct buf *b, size_t bytes)
{
    if (bytes > b->room - b->end)
        fatal("buf_overrun", "bytes", log_num((int64_t)bytes), NULL);
    b->end += bytes;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
    if (!len)
        return;
    memcpy(buf_reserve(b, len), bytes, len);
    b->end += len;
}

void buf_put_slice(struct buf *b, struct slice s)
{
    buf_put(b, s.p, s.len);
}

void buf_put_str(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

static void put_uint(struct buf *b, uint64_t v, size_t bytes)
{
    uint8_t *to = buf_reserve(b, bytes);

    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(v >> 8 * i);
    b->end += bytes;
}

void buf_put_u8(struct buf *b, uint8_t v)
{
    put_uint(b, v, 1);
}

void buf_put_u16(struct buf *b, uint16_t v)
{
    put_uint(b, v, 2);
}

void buf_put_u32(struct buf *b, uint32_t v)
{
    put_uint(b, v, 4);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    put_uint(b, v, 8);
}

void buf_put_sized(struct buf *b, struct slice s)
{
    if (s.len > UINT32_MAX)
        fatal("buf_too_large", "bytes", log_num((int64_t)s.len), NULL);
    buf_put_u32(b, (uint32_t)s.len);
    buf_put_slice(b, s);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    char    probe[1];

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(probe, sizeof(probe), format, args);
    va_end(args);
    if (len > 0) {
        vsnprintf((char *)buf_reserve(b, (size_t)len + 1), (size_t)len + 1, format, again);
        b->end += (size_t)len;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t bytes)
{
    if (bytes > buf_len(b))
        fatal("buf_underrun", "bytes", log_num((int64_t)bytes), NULL);
    b->start += bytes;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_cut(struct buf *b, size_t len)
{
    if (len > buf_len(b))
        fatal("buf_underrun", "bytes", log_num((int64_t)len), NULL);
    b->end = b->start + len;
}

void buf_reset(struct buf *b, size_t keep)
{
    b->start = b->end = 0;
    if (b->room <= keep)
        return;
    if (!keep) {
        buf_free(b);
        return;
    }
    b->bytes = xrealloc(b->bytes, keep);
    b->room = keep;
}

void buf_free(struct buf *b)
{
    free(b->bytes);
    *b = (struct buf){ 0 };
}
