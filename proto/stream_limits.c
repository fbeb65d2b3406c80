/* XEP-0478 (stream_limits.h). */

#include "stream_limits.h"

#include "data_form.h"
#include "ns.h"

void stream_limits_write(struct buf *out, long max_bytes, long idle_seconds)
{
    buf_put_str(out, "<limits xmlns='" NS_LIMITS "'>");
    if (max_bytes)
        buf_printf(out, "<max-bytes>%ld</max-bytes>", max_bytes);
    if (idle_seconds)
        buf_printf(out, "<idle-seconds>%ld</idle-seconds>", idle_seconds);
    buf_put_str(out, "</limits>");
}

static uint32_t number(struct slice text)
{
    uint64_t n;

    return form_number(text, UINT32_MAX, &n) ? (uint32_t)n : 0;
}

bool stream_limits_read(struct arena *arena, const struct element *features, struct stream_limits *out)
{
    const struct element *e = element_child(features, NS_LIMITS, "limits");

    if (!e)
        return false;
    out->max_bytes = number(element_child_text(arena, e, "max-bytes"));
    out->idle_seconds = number(element_child_text(arena, e, "idle-seconds"));
    return true;
}
