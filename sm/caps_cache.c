/* What was verified (caps.h): what its key is made of, in memory by last use, and in the store. */

#include "caps_inner.h"

#include <stdlib.h>

#include "encode.h"
#include "log.h"

enum { FORMAT = 1, HEAPS = 256 };

/* ---- texts ---- */

struct caps_text *caps_text(const struct caps_said *said, struct slice full)
{
    bool              alone = said->format == CAPS_UNVERIFIED;
    size_t            key = 3 + said->algorithm.len + said->ver.len + (alone ? said->node.len + full.len + 1 : 0);
    struct caps_text *t = xcalloc(1, sizeof(*t) + key + said->node.len);
    struct buf        b = { 0 };

    buf_put_u8(&b, said->format);
    buf_put_slice(&b, said->algorithm);
    buf_put_u8(&b, 0);
    buf_put_slice(&b, said->ver);
    if (alone) {
        buf_put_u8(&b, 0);
        buf_put_slice(&b, said->node);
        buf_put_slice(&b, full);
    }
    memcpy(t->bytes, b.bytes + b.start, buf_len(&b));
    t->key = slice_of(t->bytes, buf_len(&b));
    memcpy(t->bytes + t->key.len, said->node.p, said->node.len);
    t->said.format = said->format;
    t->said.algorithm = slice_of(t->bytes + 1, said->algorithm.len);
    t->said.ver = slice_of(t->bytes + 2 + said->algorithm.len, said->ver.len);
    t->said.node = slice_of(t->bytes + t->key.len, said->node.len);
    buf_free(&b);
    return t;
}

bool caps_text_is(const struct caps_text *t, const struct caps_said *said)
{
    return t->said.format == said->format && slice_eq(t->said.algorithm, said->algorithm) &&
           slice_eq(t->said.ver, said->ver) &&
           (said->format != CAPS_UNVERIFIED || slice_eq(t->said.node, said->node));
}

/* ---- memory ---- */

struct remembered {
    struct list  order;
    struct blob *nodes;
    size_t       key_len;
    uint8_t      key[];
};

static void forget(struct caps *c, struct remembered *r)
{
    list_remove(&r->order);
    table_remove(c->remembered, slice_of(r->key, r->key_len));
    blob_unref(&r->nodes);
    free(r);
}

static void keep_in_memory(struct sm *sm, struct slice key, struct blob *nodes)
{
    struct caps       *c = sm->caps;
    struct remembered *r = table_get(c->remembered, key);

    if (r)
        forget(c, r);
    while (table_count(c->remembered) >= (size_t)sm->settings->limits.caps_remembered)
        forget(c, LIST_OWNER(c->recent.next, struct remembered, order));
    r = xcalloc(1, sizeof(*r) + key.len);
    r->nodes = blob_ref(nodes);
    r->key_len = key.len;
    memcpy(r->key, key.p, key.len);
    table_put(c->remembered, key, r);
    list_append(&c->recent, &r->order);
}

/* ---- store ---- */

static void row_key(struct buf *out, struct slice key)
{
    uint8_t    hash[32];
    struct buf hex = { 0 };

    sha256(key, hash);
    hex_put(&hex, slice_of(hash, sizeof(hash)));
    store_key(out, 0, buf_slice(&hex));
    buf_free(&hex);
}

static struct blob *from_store(struct sm *sm, struct slice key)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct buf         name = { 0 };
    struct blob       *nodes = NULL;

    row_key(&name, key);
    struct cursor c = { store_get(view, T_CAPS, buf_slice(&name)), false };
    if (take_u8(&c) == FORMAT) {
        take_u64(&c);
        if (slice_eq(take_sized(&c), key) && !c.bad)
            nodes = blob_copy(c.rest);
    }
    buf_free(&name);
    store_view_end(&view);
    return nodes;
}

struct heap {
    struct sm   *sm;
    size_t       rows;
    uint64_t     oldest_when;
    struct slice oldest;
};

static int heap_row(void *arg, struct slice key, struct slice value)
{
    struct heap  *h = arg;
    struct cursor c = { value, false };
    uint64_t      when = take_u8(&c) == FORMAT ? take_u64(&c) : 0;

    h->rows++;
    if (!h->oldest.p || when < h->oldest_when) {
        h->oldest = arena_copy(h->sm->arena, key);
        h->oldest_when = when;
    }
    return 0;
}

/* Makes room for one row more in the heap of that key. */
static void make_room(struct sm *sm, struct store_batch *batch, struct slice key)
{
    enum { SLOT_AND_HEAP = 4 };
    struct store_view *view = store_view(sm->store.accounts);
    struct heap        h = { .sm = sm };

    store_each(view, T_CAPS, slice_cut(key, 0, SLOT_AND_HEAP), slice_of(NULL, 0), false, heap_row, &h);
    store_view_end(&view);
    if (h.rows >= (size_t)sm->settings->limits.caps_stored / HEAPS)
        store_delete(batch, T_CAPS, h.oldest);
}

static void stored(void *arg, enum zerr err)
{
    (void)arg;
    if (err)
        log_warn("caps_not_stored", "err", err_name(err), NULL);
}

/* Not of any account, and no loss when it fails: it goes by no outcome. */
static void keep_in_store(struct sm *sm, struct slice key, struct blob *nodes)
{
    struct store_batch *batch = store_batch(SLICE(""));
    struct buf          name = { 0 }, row = { 0 };

    row_key(&name, key);
    make_room(sm, batch, buf_slice(&name));
    buf_put_u8(&row, FORMAT);
    buf_put_u64(&row, wall_us() / 1000000);
    buf_put_sized(&row, key);
    buf_put_slice(&row, blob_slice(nodes));
    store_put(batch, T_CAPS, buf_slice(&name), buf_slice(&row));
    store_commit(sm->store.accounts, &batch, stored, NULL);
    buf_free(&row);
    buf_free(&name);
}

struct blob *caps_recall(struct sm *sm, const struct caps_text *t)
{
    struct remembered *r = table_get(sm->caps->remembered, t->key);
    struct blob       *nodes;

    if (r) {
        list_remove(&r->order);
        list_append(&sm->caps->recent, &r->order);
        return blob_ref(r->nodes);
    }
    nodes = t->said.format == CAPS_UNVERIFIED ? NULL : from_store(sm, t->key);
    if (nodes)
        keep_in_memory(sm, t->key, nodes);
    return nodes;
}

/* XEP-0115 5.4: for all JIDs; what only one is believed is remembered for it alone, and not stored. */
void caps_remember(struct sm *sm, const struct caps_text *t, struct blob *nodes)
{
    keep_in_memory(sm, t->key, nodes);
    if (t->said.format != CAPS_UNVERIFIED)
        keep_in_store(sm, t->key, nodes);
}

void caps_cache_free(struct caps *c)
{
    while (!list_empty(&c->recent))
        forget(c, LIST_OWNER(c->recent.next, struct remembered, order));
    table_free(&c->remembered);
}
