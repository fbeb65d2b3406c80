/* Write batches: an encoded list of operations and preconditions, built by handlers (store.h). */

#include "store_inner.h"

#include <stdlib.h>

#include "cursor.h"
#include "mem.h"

enum { BATCH_FORMAT = 1, FIRST_BYTES = 512 };   /* enough for one record's rows */

static struct store_batch *batch_new(size_t bytes)
{
    struct store_batch *b = xmalloc(sizeof *b);

    memset(b, 0, offsetof(struct store_batch, few));
    b->ops = b->few;
    b->op_room = BATCH_FEW;
    buf_reserve(&b->bytes, bytes);
    return b;
}

static struct store_op *op_new(struct store_batch *b)
{
    if (b->op_count == b->op_room) {
        struct store_op *more = xmalloc(2 * b->op_room * sizeof *more);

        memcpy(more, b->ops, b->op_count * sizeof *more);
        if (b->ops != b->few)
            free(b->ops);
        b->ops = more;
        b->op_room *= 2;
    }
    return &b->ops[b->op_count++];
}

static bool has_value(uint8_t kind)
{
    return kind == OP_PUT || kind == OP_VALUE;
}

struct store_batch *store_batch(struct slice owner)
{
    struct store_batch *b = batch_new(FIRST_BYTES);

    buf_put_u8(&b->bytes, BATCH_FORMAT);
    buf_put_sized(&b->bytes, owner);
    b->owner.len = owner.len;
    return b;
}

static void add(struct store_batch *b, enum store_op_kind kind, unsigned table, struct slice key,
                struct slice value)
{
    struct store_op *op = op_new(b);

    *op = (struct store_op){
        .kind = (uint8_t)kind,
        .table = (uint8_t)(table < STORE_TABLES_MAX ? table : STORE_TABLES_MAX),
        .key.len = key.len,
        .value.len = value.len,
    };
    buf_put_u8(&b->bytes, op->kind);
    buf_put_u8(&b->bytes, op->table);
    buf_put_sized(&b->bytes, key);
    op->key_at = buf_len(&b->bytes) - key.len;
    if (has_value(op->kind))
        buf_put_sized(&b->bytes, value);
}

void store_put(struct store_batch *b, unsigned table, struct slice key, struct slice value)
{
    add(b, OP_PUT, table, key, value);
}

void store_delete(struct store_batch *b, unsigned table, struct slice key)
{
    add(b, OP_DELETE, table, key, SLICE(""));
}

void store_expect_absent(struct store_batch *b, unsigned table, struct slice key)
{
    add(b, OP_ABSENT, table, key, SLICE(""));
}

void store_expect_value(struct store_batch *b, unsigned table, struct slice key, struct slice value)
{
    add(b, OP_VALUE, table, key, value);
}

bool store_batch_empty(const struct store_batch *b)
{
    return b->op_count == 0;
}

struct slice store_batch_bytes(const struct store_batch *b)
{
    return buf_slice(&b->bytes);
}

void store_batch_free(struct store_batch **b)
{
    if (!*b)
        return;
    for (size_t i = 0; i < (*b)->op_count; i++)
        free((*b)->ops[i].folded);
    if ((*b)->ops != (*b)->few)
        free((*b)->ops);
    buf_free(&(*b)->bytes);
    free(*b);
    *b = NULL;
}

struct store_batch *store_batch_from(struct slice bytes)
{
    struct cursor       c = { bytes, false };
    struct store_batch *b = batch_new(bytes.len);
    bool                good = take_u8(&c) == BATCH_FORMAT;

    b->owner.len = take_sized(&c).len;
    while (good && !c.bad && c.rest.len) {
        struct store_op *op = op_new(b);

        *op = (struct store_op){ .kind = take_u8(&c), .table = take_u8(&c) };
        op->key.len = take_sized(&c).len;
        op->key_at = bytes.len - c.rest.len - op->key.len;
        if (has_value(op->kind))
            op->value.len = take_sized(&c).len;
        good = op->kind >= OP_PUT && op->kind <= OP_VALUE;
    }
    buf_put_slice(&b->bytes, bytes);
    if (!good || c.bad)
        store_batch_free(&b);
    return b;
}

static bool place_key(struct store_op *op)
{
    struct folded folded;

    op->disk_key = op->key;
    if (is_short_key(op->key))
        return true;
    if (!fold_key(op->key, &folded))
        return false;
    if (slice_eq(slice_of(folded.bytes, folded.len), op->key))
        return true;
    op->folded = xmalloc(sizeof *op->folded);
    *op->folded = folded;
    op->disk_key = slice_of(op->folded->bytes, op->folded->len);
    return true;
}

enum { OWNER_AT = 1 + 4, SIZE_BYTES = 4 };

void batch_seal(struct store_batch *b, size_t table_count)
{
    const uint8_t *bytes = buf_slice(&b->bytes).p;

    b->owner.p = bytes + OWNER_AT;
    for (size_t i = 0; i < b->op_count; i++) {
        struct store_op *op = &b->ops[i];

        op->key.p = bytes + op->key_at;
        if (has_value(op->kind))
            op->value.p = op->key.p + op->key.len + SIZE_BYTES;
        b->bad |= op->table >= table_count || !place_key(op);
    }
}
