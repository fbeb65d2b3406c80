/* Counted bytes (blob.h). */

#include "blob.h"

#include <stdlib.h>

#include "mem.h"

struct blob *blob_copy(struct slice s)
{
    struct blob *b = xmalloc(sizeof(*b) + s.len);

    b->refs = 1;
    b->len = s.len;
    if (s.len)
        memcpy(b->bytes, s.p, s.len);
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    b->refs++;
    return b;
}

void blob_unref(struct blob **b)
{
    if (*b && --(*b)->refs == 0)
        free(*b);
    *b = NULL;
}
