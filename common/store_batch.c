/* Write batches: an encoded list of operations and preconditions, built by handlers (store.h). */

#include "store_inner.h"

#include <stdlib.h>

#include "cursor.h"
#include "mem.h"

enum { BATCH_FORMAT = 1 };

struct store_batch *store_batch(struct slice owner)
{
    struct store_batch *b = xcalloc(1, sizeof *b);

    buf_put_u8(&b->bytes, BATCH_FORMAT);
    buf_put_sized(&b->bytes, owner);
    return b;
}

static void add(struct store_batch *b, enum store_op_kind kind, unsigned table, struct slice key)
{
    buf_put_u8(&b->bytes, (uint8_t)kind);
    buf_put_u8(&b->bytes, (uint8_t)(table < STORE_TABLES_MAX ? table : STORE_TABLES_MAX));
    buf_put_sized(&b->bytes, key);
    b->op_count++;
    b->writes += kind == OP_PUT || kind == OP_DELETE;
}

void store_put(struct store_batch *b, unsigned table, struct slice key, struct slice value)
{
    add(b, OP_PUT, table, key);
    buf_put_sized(&b->bytes, value);
}

void store_delete(struct store_batch *b, unsigned table, struct slice key)
{
    add(b, OP_DELETE, table, key);
}

void store_expect_absent(struct store_batch *b, unsigned table, struct slice key)
{
    add(b, OP_ABSENT, table, key);
}

void store_expect_value(struct store_batch *b, unsigned table, struct slice key, struct slice value)
{
    add(b, OP_VALUE, table, key);
    buf_put_sized(&b->bytes, value);
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
    for (size_t i = 0; (*b)->ops && i < (*b)->op_count; i++)
        free((*b)->ops[i].folded);
    free((*b)->ops);
    buf_free(&(*b)->bytes);
    free(*b);
    *b = NULL;
}

static bool place_key(struct store_op *op)
{
    struct folded folded;

    op->disk_key = op->key;
    if (!fold_key(op->key, &folded))
        return false;
    if (slice_eq(slice_of(folded.bytes, folded.len), op->key))
        return true;
    op->folded = xmalloc(sizeof *op->folded);
    *op->folded = folded;
    op->disk_key = slice_of(op->folded->bytes, op->folded->len);
    return true;
}

static bool has_value(uint8_t kind)
{
    return kind == OP_PUT || kind == OP_VALUE;
}

struct store_batch *store_batch_from(struct slice bytes)
{
    struct cursor       c = { bytes, false };
    struct store_batch *b = xcalloc(1, sizeof *b);
    bool                good = take_u8(&c) == BATCH_FORMAT;

    take_sized(&c);
    while (good && !c.bad && c.rest.len) {
        uint8_t kind = take_u8(&c);

        take_u8(&c);
        take_sized(&c);
        if (has_value(kind))
            take_sized(&c);
        good = kind >= OP_PUT && kind <= OP_VALUE;
        b->op_count++;
        b->writes += kind == OP_PUT || kind == OP_DELETE;
    }
    buf_put_slice(&b->bytes, bytes);
    if (!good || c.bad)
        store_batch_free(&b);
    return b;
}

void batch_seal(struct store_batch *b, size_t table_count)
{
    struct cursor c = { buf_slice(&b->bytes), false };

    take_u8(&c);
    b->owner = take_sized(&c);
    b->ops = xcalloc(b->op_count + 1, sizeof *b->ops);
    for (size_t i = 0; i < b->op_count; i++) {
        struct store_op *op = &b->ops[i];

        op->kind = take_u8(&c);
        op->table = take_u8(&c);
        op->key = take_sized(&c);
        if (has_value(op->kind))
            op->value = take_sized(&c);
        b->bad |= op->table >= table_count || !place_key(op);
    }
    b->bad |= !cursor_done(&c);
}
