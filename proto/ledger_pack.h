#pragma once

/* Packing of records in the ledger: zstd with a trained dictionary, 485 -> 211 bytes on the corpus of
 * tests/bench/archive for 2.5 us in and 1.3 us out (docs/performance.md). */

#include "buf.h"
#include "err.h"
#include "mem.h"

/* The byte of a record. A dictionary never changes and never goes: a better one is number 2. */
enum { PACKING_RAW = 0, PACKING_ZSTD_1 = 1, PACKING_COUNT };

/* Appends the packed form; false, and nothing appended: it does not pay. */
bool ledger_pack(struct buf *out, struct slice record);
/* `len`: of what comes out. p NULL: damaged. */
struct slice ledger_unpacked(unsigned packing, struct slice packed, size_t len, struct arena *arena);
