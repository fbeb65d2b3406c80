#pragma once

/* Borrowed bytes: no terminator; len 0 means absent. Whoever hands one out says how long it lives. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t         len;
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A string literal as a slice; for static tables: SLICE_INIT. */
#define SLICE(literal) ((struct slice){ (const uint8_t *)("" literal), sizeof(literal) - 1 })
#define SLICE_INIT(literal) { (const uint8_t *)("" literal), sizeof(literal) - 1 }
/* For printf("%.*s"). */
#define SLICE_FMT(s) (int)(s).len, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t len)
{
    return (struct slice){ p, len };
}

/* NULL gives the empty slice. */
static inline struct slice slice_str(const char *text)
{
    return (struct slice){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_eq(a, slice_str(text));
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

/* Bytewise order, shorter first on a tie: <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int    order = common ? memcmp(a.p, b.p, common) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Bytes [from, to) of s; the caller keeps from <= to <= s.len. */
static inline struct slice slice_cut(struct slice s, size_t from, size_t to)
{
    return (struct slice){ s.p + from, to - from };
}
