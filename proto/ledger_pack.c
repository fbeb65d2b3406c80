/* zstd (ledger_pack.h). A frame is kept without its magic number, its content size and its dictionary's id:
 * the record says all three. */

#include "ledger_pack.h"

#include <stdlib.h>
#include <zstd.h>

#include "ledger_dictionary.h"

enum { LEVEL = 1, MAGIC = 4, LEAST = 48 };

static _Thread_local ZSTD_CCtx *packer;
static _Thread_local ZSTD_DCtx *unpacker;

static ZSTD_CCtx *packer_get(void)
{
    static ZSTD_CDict *dictionary;     /* digested once; borrowed by the contexts */

    if (packer)
        return packer;
    if (!dictionary)
        dictionary = ZSTD_createCDict(ledger_dictionary_1, sizeof(ledger_dictionary_1), LEVEL);
    packer = ZSTD_createCCtx();
    if (!dictionary || !packer)
        abort();
    ZSTD_CCtx_setParameter(packer, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(packer, ZSTD_c_dictIDFlag, 0);
    ZSTD_CCtx_refCDict(packer, dictionary);
    return packer;
}

bool ledger_pack(struct buf *out, struct slice record)
{
    size_t   room = ZSTD_compressBound(record.len);
    uint8_t *to;
    size_t   len;

    if (record.len < LEAST)
        return false;
    to = buf_reserve(out, room);
    len = ZSTD_compress2(packer_get(), to, room, record.p, record.len);
    if (ZSTD_isError(len) || len - MAGIC >= record.len)
        return false;
    memmove(to, to + MAGIC, len - MAGIC);
    buf_added(out, len - MAGIC);
    return true;
}

static ZSTD_DCtx *unpacker_get(void)
{
    static ZSTD_DDict *dictionary;

    if (unpacker)
        return unpacker;
    if (!dictionary)
        dictionary = ZSTD_createDDict(ledger_dictionary_1, sizeof(ledger_dictionary_1));
    unpacker = ZSTD_createDCtx();
    if (!dictionary || !unpacker)
        abort();
    ZSTD_DCtx_refDDict(unpacker, dictionary);
    return unpacker;
}

struct slice ledger_unpacked(unsigned packing, struct slice packed, size_t len, struct arena *arena)
{
    static const uint8_t magic[MAGIC] = { 0x28, 0xB5, 0x2F, 0xFD };
    uint8_t             *frame, *to;

    if (packing == PACKING_RAW)
        return packed;
    frame = arena_alloc(arena, packed.len + MAGIC);
    to = arena_alloc(arena, len + 1);
    memcpy(frame, magic, MAGIC);
    if (packed.len)
        memcpy(frame + MAGIC, packed.p, packed.len);
    if (ZSTD_decompressDCtx(unpacker_get(), to, len, frame, packed.len + MAGIC) != len)
        return slice_of(NULL, 0);
    return slice_of(to, len);
}
