#pragma once

/* Reading untrusted bytes: a sticky cursor, then one check (STYLE.md C4). Little-endian.
 * After the first short read `bad` stays set and everything taken is zero or empty.
 * Slices taken borrow from the input. */

#include "err.h"
#include "slice.h"

struct cursor {
    struct slice rest;
    bool         bad;
};

uint8_t      take_u8(struct cursor *c);
uint16_t     take_u16(struct cursor *c);
uint32_t     take_u32(struct cursor *c);
uint64_t     take_u64(struct cursor *c);
struct slice take_bytes(struct cursor *c, size_t bytes);
/* u32 length, then that many bytes (written by buf_put_sized). */
struct slice take_sized(struct cursor *c);
/* The same, at most so many bytes. */
struct slice take_limited(struct cursor *c, size_t max);
/* u8 0 or 1. */
bool take_bool(struct cursor *c);
/* i32: ZE_OK or an error of the list. */
enum zerr take_err(struct cursor *c);
/* True when nothing failed and nothing is left over. */
bool cursor_done(const struct cursor *c);
