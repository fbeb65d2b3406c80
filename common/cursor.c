/* Reading untrusted bytes (cursor.h). */

#include "cursor.h"

static uint64_t take_uint(struct cursor *c, size_t bytes)
{
    struct slice taken = take_bytes(c, bytes);
    uint64_t     value = 0;

    for (size_t i = taken.len; i > 0; i--)
        value = value << 8 | taken.p[i - 1];
    return value;
}

uint8_t take_u8(struct cursor *c)
{
    return (uint8_t)take_uint(c, 1);
}

uint16_t take_u16(struct cursor *c)
{
    return (uint16_t)take_uint(c, 2);
}

uint32_t take_u32(struct cursor *c)
{
    return (uint32_t)take_uint(c, 4);
}

uint64_t take_u64(struct cursor *c)
{
    return take_uint(c, 8);
}

struct slice take_bytes(struct cursor *c, size_t bytes)
{
    struct slice taken = { c->rest.p, bytes };

    if (c->bad || c->rest.len < bytes) {
        c->bad = true;
        return (struct slice){ 0 };
    }
    if (bytes) {
        c->rest.p += bytes;
        c->rest.len -= bytes;
    }
    return taken;
}

struct slice take_sized(struct cursor *c)
{
    return take_bytes(c, take_u32(c));
}

struct slice take_limited(struct cursor *c, size_t max)
{
    struct slice s = take_sized(c);

    if (s.len > max)
        c->bad = true;
    return s;
}

bool take_bool(struct cursor *c)
{
    uint8_t value = take_u8(c);

    if (value > 1)
        c->bad = true;
    return value == 1;
}

enum zerr take_err(struct cursor *c)
{
    int32_t err = (int32_t)take_u32(c);

    if (err > 0 || err <= ZE_LAST)
        c->bad = true;
    return (enum zerr)err;
}

bool cursor_done(const struct cursor *c)
{
    return !c->bad && c->rest.len == 0;
}
