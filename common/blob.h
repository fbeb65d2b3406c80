#pragma once

/* Bytes written once and sent many times (fan-out). Counted; single-threaded. */

#include "slice.h"

struct blob {
    unsigned refs;
    size_t   len;
    uint8_t  bytes[];
};

/* One reference, the caller's. */
struct blob *blob_copy(struct slice s);
struct blob *blob_ref(struct blob *b);
/* Drops the caller's reference and clears the pointer; NULL is fine. */
void blob_unref(struct blob **b);

static inline struct slice blob_slice(const struct blob *b)
{
    return (struct slice){ b->bytes, b->len };
}
