/* The outbox of the archive environment (outbox.h). */

#include "outbox.h"

#include <stdlib.h>

#include "buf.h"
#include "cursor.h"
#include "jid.h"
#include "log.h"
#include "outcome.h"
#include "stats.h"
#include "store.h"
#include "table.h"

enum { FORMAT = 1, KEY_LEN = 2 + 4 + 8, FORGET_MS = 500 };

/* Beside stream management's mark in the highest bit (resume.h). */
static const uint64_t TAG_MARK = 1ull << 62, ID_MASK = (1ull << 62) - 1;

static uint64_t outbox_rows, outbox_again;

static const struct stat_row rows[] = {
    { "outbox_rows", "messages noted until another daemon has confirmed them", &outbox_rows },
    { "outbox_sent_again", "messages sent again from the outbox after a power cut", &outbox_again },
    { 0 },
};

struct outbox {
    struct sm    *sm;
    struct timer  forget;
    struct buf    done;           /* keys of confirmed rows */
    struct table *found;          /* ids that live memory holds; only at the start */
    uint64_t      last_id;
    bool          again;          /* live memory was void */
};

/* ---- keys ---- */

static void put_big(uint8_t *at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

static uint64_t take_big(const uint8_t *at, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v = v << 8 | at[i];
    return v;
}

static struct slice key_of(const struct sm *sm, uint8_t key[KEY_LEN], struct slice from, uint64_t id)
{
    put_big(key, slot_of(jid_bare(from)), 2);
    put_big(key + 2, sm->self.instance, 4);
    put_big(key + 6, id, 8);
    return slice_of(key, KEY_LEN);
}

/* ---- one by one ---- */

bool outbox_is_tag(uint64_t tag)
{
    return (tag & ~ID_MASK) == TAG_MARK;
}

static bool leaves(const struct sm *sm, const struct frame *f)
{
    return f->kind == FRAME_STANZA && f->stanza.name == STANZA_MESSAGE && f->dest.role != ROLE_C2SD &&
           f->dest.instance != sm->self.instance && f->stanza.from.len;
}

void outbox_put(struct sm *sm, struct store_batch *batch, struct frame *f)
{
    uint8_t    key[KEY_LEN];
    struct buf row = { 0 };

    if (!leaves(sm, f))
        return;
    f->number = TAG_MARK | ++sm->outbox->last_id;
    buf_put_u8(&row, FORMAT);
    if (frame_encode(&row, f) == ZE_OK)
        store_put(batch, A_OUTBOX, key_of(sm, key, f->stanza.from, sm->outbox->last_id), buf_slice(&row));
    buf_free(&row);
    outbox_rows++;
}

/* Many in one batch: a row too much costs nothing but a scan at the next start. */
static void forget(void *arg)
{
    struct outbox      *ob = arg;
    struct slice        keys = buf_slice(&ob->done);
    struct store_batch *batch;

    if (!keys.len)
        return;
    batch = store_batch(slice_of(NULL, 0));         /* rows of many slots, made by this instance alone */
    for (; keys.len >= KEY_LEN; keys = slice_cut(keys, KEY_LEN, keys.len))
        store_delete(batch, A_OUTBOX, slice_cut(keys, 0, KEY_LEN));
    store_commit(ob->sm->store.archive, &batch, NULL, NULL);
    buf_reset(&ob->done, 4096);
}

static void forget_key(struct outbox *ob, struct slice key)
{
    buf_put_slice(&ob->done, key);
    if (!timer_armed(&ob->forget))
        timer_arm(ob->sm->loop, &ob->forget, FORGET_MS);
}

void outbox_done(struct sm *sm, uint64_t tag, struct slice from)
{
    uint8_t key[KEY_LEN];

    if (outbox_is_tag(tag))
        forget_key(sm->outbox, key_of(sm, key, from, tag & ID_MASK));
}

void outbox_confirmed(struct sm *sm, const struct kept *k)
{
    struct frame f;

    if (outbox_is_tag(kept_tag(k)) && frame_decode(kept_bytes(k), &f) > 0)
        outbox_done(sm, kept_tag(k), f.stanza.from);
}

/* ---- after a restart ---- */

void outbox_found(struct sm *sm, uint64_t tag)
{
    struct outbox *ob = sm->outbox;
    uint64_t       id = tag & ID_MASK;

    if (!outbox_is_tag(tag) || !ob->found)
        return;
    table_put(ob->found, slice_of(&id, sizeof(id)), ob);
    if (id > ob->last_id)
        ob->last_id = id;
}

struct resuming {
    struct sm  *sm;
    bool        again;
    struct buf  frames;           /* each sized, with its id before it */
};

static int look(void *arg, struct slice key, struct slice value)
{
    struct resuming *r = arg;
    struct outbox   *ob = r->sm->outbox;
    uint64_t         id;

    if (key.len != KEY_LEN || take_big(key.p + 2, 4) != r->sm->self.instance)
        return 0;
    id = take_big(key.p + 6, 8);
    if (id > ob->last_id)
        ob->last_id = id;
    if (table_get(ob->found, slice_of(&id, sizeof(id))))
        return 0;
    if (!r->again || value.len < 1 || value.p[0] != FORMAT) {
        forget_key(ob, key);
        return 0;
    }
    buf_put_u64(&r->frames, id);
    buf_put_sized(&r->frames, slice_cut(value, 1, value.len));
    return 0;
}

/* To wherever the receiver lives now. */
static void send_again(struct sm *sm, struct slice bytes, uint64_t id)
{
    struct frame f;

    if (frame_decode(bytes, &f) != (ssize_t)bytes.len)
        return;
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), f.trace);
    enum zerr       err = routes_find(sm->routes, f.stanza.to, &f.dest, &f.generation);
    f.number = TAG_MARK | id;
    f.sender = 0;
    outbox_again++;
    if (err) {
        outbox_done(sm, f.number, f.stanza.from);
        outcome_undeliverable(sm, &f, err);
    } else {
        outcome_frame(o, AHEAD, &f);
    }
    outcome_settle(&o);
}

void outbox_begin(struct sm *sm)
{
    struct outbox     *ob = sm->outbox;
    struct store_view *view = store_view(sm->store.archive);
    struct resuming    r = { .sm = sm, .again = ob->again };

    store_each(view, A_OUTBOX, slice_of(NULL, 0), slice_of(NULL, 0), false, look, &r);
    store_view_end(&view);
    for (struct cursor c = { buf_slice(&r.frames), false }; c.rest.len && !c.bad;) {
        uint64_t     id = take_u64(&c);
        struct slice bytes = take_sized(&c);
        send_again(sm, bytes, id);
        arena_reset(sm->arena);
    }
    if (buf_len(&r.frames))
        log_info("outbox_sent_again", "instance", sm->instance, "bytes", log_num((int64_t)buf_len(&r.frames)),
                 NULL);
    buf_free(&r.frames);
    table_free(&ob->found);
}

struct outbox *outbox_new(struct sm *sm, bool live_was_void)
{
    static bool    registered;
    struct outbox *ob = xcalloc(1, sizeof(*ob));

    if (!registered)
        stats_register(rows);
    registered = true;
    ob->sm = sm;
    ob->again = live_was_void;
    ob->forget = (struct timer){ .fire = forget, .arg = ob };
    ob->found = table_new();
    ob->last_id = wall_us();       /* higher than any id of an earlier life that has been forgotten */
    return ob;
}

void outbox_free(struct outbox **obp)
{
    struct outbox *ob = *obp;

    if (!ob)
        return;
    timer_disarm(&ob->forget);
    forget(ob);
    buf_free(&ob->done);
    table_free(&ob->found);
    free(ob);
    *obp = NULL;
}
