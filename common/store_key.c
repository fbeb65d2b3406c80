/* Keys of the store: the slot in front, and the folding of runs too long for LMDB (store_inner.h). */

#include "store_inner.h"

#include "cursor.h"
#include "encode.h"

enum { SLOT_BYTES = 2 };

void store_key(struct buf *out, unsigned slot, struct slice rest)
{
    buf_put_u8(out, (uint8_t)(slot >> 8));
    buf_put_u8(out, (uint8_t)slot);
    buf_put_slice(out, rest);
}

static size_t run_length(struct slice s, size_t at)
{
    const uint8_t *nul = memchr(s.p + at, 0, s.len - at);

    return nul ? (size_t)(nul - s.p) - at : s.len - at;
}

static bool folded_add(struct folded *out, const void *bytes, size_t len)
{
    if (out->len + len > sizeof out->bytes)
        return false;
    memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
    return true;
}

static bool folded_add_long(struct folded *out, struct slice run)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t           sum[32], text[1 + 64] = { 0xFF };

    sha256(run, sum);
    for (size_t i = 0; i < sizeof sum; i++) {
        text[1 + 2 * i] = (uint8_t)hex[sum[i] >> 4];
        text[2 + 2 * i] = (uint8_t)hex[sum[i] & 15];
    }
    return folded_add(out, run.p, FOLD_KEEP) && folded_add(out, text, sizeof text);
}

bool is_short_key(struct slice key)
{
    return key.len > 0 && key.len <= SLOT_BYTES + FOLD_ABOVE;
}

bool fold_key(struct slice key, struct folded *out)
{
    out->len = 0;
    if (key.len == 0)
        return false;
    if (is_short_key(key))
        return folded_add(out, key.p, key.len);
    folded_add(out, key.p, SLOT_BYTES);
    for (size_t at = SLOT_BYTES; at <= key.len; at++) {
        size_t len = run_length(key, at);
        bool   fits = len > FOLD_ABOVE ? folded_add_long(out, slice_cut(key, at, at + len))
                                       : folded_add(out, key.p + at, len);
        at += len;
        if (!fits || (at < key.len && !folded_add(out, "", 1)))
            return false;
    }
    return true;
}

bool fold_prefix(struct slice prefix, struct folded *out, bool *exact)
{
    size_t last = prefix.len;      /* where the unfinished run begins */

    *exact = true;
    out->len = 0;
    while (last > SLOT_BYTES && prefix.p[last - 1] != 0)
        last--;
    if (prefix.len <= SLOT_BYTES || prefix.len - last <= FOLD_KEEP)
        return prefix.len == 0 || (prefix.len == last ? fold_key(prefix, out)
                                                      : fold_key(slice_cut(prefix, 0, last), out) &&
                                                            folded_add(out, prefix.p + last,
                                                                       prefix.len - last));
    *exact = false;
    return fold_key(slice_cut(prefix, 0, last), out) && folded_add(out, prefix.p + last, FOLD_KEEP);
}

bool is_folded(struct slice disk_key)
{
    if (disk_key.len < SLOT_BYTES + FOLD_LEN)
        return false;
    for (size_t at = SLOT_BYTES; at < disk_key.len; at++) {
        size_t len = run_length(disk_key, at);

        if (len > FOLD_ABOVE)
            return true;
        at += len;
    }
    return false;
}

bool unfold(struct slice disk_key, struct slice disk_value, struct slice *key, struct slice *value)
{
    struct cursor c = { disk_value, false };

    *key = disk_key;
    *value = disk_value;
    if (!is_folded(disk_key))
        return true;
    *key = take_sized(&c);
    *value = c.rest;
    return !c.bad;
}
