#pragma once

/* XEP-0478 Stream Limits. */

#include "buf.h"

/* Appends <limits/>; of a limit that is 0 nothing is said. */
void stream_limits_write(struct buf *out, long max_bytes, long idle_seconds);
