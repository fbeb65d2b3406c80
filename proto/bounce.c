/* BOUNCE frames (bounce.h). */

#include "bounce.h"

#include "cursor.h"

bool bounce_make(const struct frame *original, struct slice bytes, enum zerr why, struct buf *body,
                 struct frame *out)
{
    struct frame header_only = *original;

    if (original->kind == FRAME_BOUNCE || !original->origin.instance || original->origin.role == ROLE_ROUTERD)
        return false;
    buf_put_u32(body, (uint32_t)why);
    if (bytes.len <= FRAME_MAX / 2) {
        buf_put_slice(body, bytes);
    } else {
        header_only.list = header_only.body = (struct slice){ 0 };
        frame_encode(body, &header_only);
    }
    *out = frame_make(FRAME_BOUNCE);
    out->dest = original->origin;
    out->handle = original->sender;
    out->sender = original->handle;
    out->trace = original->trace;
    out->body = buf_slice(body);
    return true;
}

enum zerr bounce_decode(const struct frame *f, enum zerr *why, struct frame *original)
{
    struct cursor c = { f->body, false };
    int32_t reason = (int32_t)take_u32(&c);
    ssize_t n = c.bad ? ZE_PROTOCOL : frame_decode(c.rest, original);

    if (n <= 0 || (size_t)n != c.rest.len || original->kind == FRAME_BOUNCE || reason >= 0
        || reason <= ZE_LAST)
        return ZE_PROTOCOL;
    *why = (enum zerr)reason;
    return ZE_OK;
}
