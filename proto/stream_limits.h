#pragma once

/* XEP-0478 Stream Limits. */

#include "buf.h"
#include "element.h"

/* 0: not told. */
struct stream_limits {
    uint32_t max_bytes, idle_seconds;
};

/* Appends <limits/>; of a limit that is 0 nothing is said. */
void stream_limits_write(struct buf *out, long max_bytes, long idle_seconds);
/* What stream features announce. False: nothing, and `out` is untouched; what is no number is not told. */
bool stream_limits_read(struct arena *arena, const struct element *features, struct stream_limits *out);
