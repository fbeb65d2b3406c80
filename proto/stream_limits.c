/* XEP-0478 (stream_limits.h). */

#include "stream_limits.h"

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
