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
static const uint64_t TAG_MARK = 1ull << 62, ACCOUNTS_MARK = 1ull << 61, ID_MASK = (1ull << 61) - 1;

static uint64_t outbox_rows, outbox_again;

static const struct stat_row rows[] = {
    { "outbox_rows", "stanzas noted until another daemon or account has taken them over", &outbox_rows },
    { "outbox_sent_again", "stanzas sent again from the outbox after a power cut", &outbox_again },
    { 0 },
};

struct outbox {
    struct sm    *sm;
    struct timer  forget;
    struct buf    done[OUTBOX_PLACES];       /* keys of confirmed rows */
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

static enum outbox_place place_of(uint64_t tag)
{
    return tag & ACCOUNTS_MARK ? OUTBOX_ACCOUNTS : OUTBOX_ARCHIVE;
}

static unsigned table_of(enum outbox_place place)
{
    return place == OUTBOX_ACCOUNTS ? T_HANDED : A_OUTBOX;
}

static struct store *store_of(const struct sm *sm, enum outbox_place place)
{
    return place == OUTBOX_ACCOUNTS ? sm->store.accounts : sm->store.archive;
}

/* Of the frame with its tag. A row of T_HANDED lies with the addressee's: his batch takes it away. */
static struct slice key_of(const struct sm *sm, uint8_t key[KEY_LEN], const struct frame *f)
{
    bool handed = place_of(f->number) == OUTBOX_ACCOUNTS;

    put_big(key, slot_of(jid_bare(handed ? f->stanza.to : f->stanza.from)), 2);
    put_big(key + 2, sm->self.instance, 4);
    put_big(key + 6, f->number & ID_MASK, 8);
    return slice_of(key, KEY_LEN);
}

/* ---- one by one ---- */

bool outbox_is_tag(uint64_t tag)
{
    return (tag & 3ull << 62) == TAG_MARK;
}

static bool leaves(const struct sm *sm, const struct frame *f)
{
    return f->stanza.name == STANZA_MESSAGE && f->dest.instance != sm->self.instance;
}

/* What one account says that the other's rows depend on, and messages that only such a batch makes true. */
static bool hands_over(const struct stanza *s)
{
    if (s->name == STANZA_PRESENCE)
        return s->type >= TYPE_SUBSCRIBE && s->type <= TYPE_UNSUBSCRIBED;
    return s->name == STANZA_MESSAGE && s->type != TYPE_ERROR && s->type != TYPE_HEADLINE;
}

static bool needs_row(const struct sm *sm, enum outbox_place place, const struct frame *f)
{
    if (f->kind != FRAME_STANZA || f->dest.role == ROLE_C2SD || !f->stanza.from.len || !f->stanza.to.len)
        return false;
    return place == OUTBOX_ARCHIVE ? leaves(sm, f) : hands_over(&f->stanza);
}

bool outbox_put(struct sm *sm, enum outbox_place place, struct store_batch *batch, struct frame *f)
{
    uint8_t    key[KEY_LEN];
    struct buf row = { 0 };

    if (!needs_row(sm, place, f))
        return false;
    f->number = TAG_MARK | (place == OUTBOX_ACCOUNTS ? ACCOUNTS_MARK : 0) | ++sm->outbox->last_id;
    buf_put_u8(&row, FORMAT);
    if (frame_encode(&row, f) == ZE_OK)
        store_put(batch, table_of(place), key_of(sm, key, f), buf_slice(&row));
    buf_free(&row);
    outbox_rows++;
    return true;
}

static void forget_in(struct outbox *ob, enum outbox_place place)
{
    struct slice        keys = buf_slice(&ob->done[place]);
    struct store_batch *batch;

    if (!keys.len)
        return;
    batch = store_batch(slice_of(NULL, 0));         /* rows of many slots, made by this instance alone */
    for (; keys.len >= KEY_LEN; keys = slice_cut(keys, KEY_LEN, keys.len))
        store_delete(batch, table_of(place), slice_cut(keys, 0, KEY_LEN));
    store_commit(store_of(ob->sm, place), &batch, NULL, NULL);
    buf_reset(&ob->done[place], 4096);
}

/* Many in one batch: a row too much costs nothing but a scan at the next start. */
static void forget(void *arg)
{
    struct outbox *ob = arg;

    forget_in(ob, OUTBOX_ARCHIVE);
    forget_in(ob, OUTBOX_ACCOUNTS);
}

static void forget_key(struct outbox *ob, enum outbox_place place, struct slice key)
{
    buf_put_slice(&ob->done[place], key);
    if (!timer_armed(&ob->forget))
        timer_arm(ob->sm->loop, &ob->forget, FORGET_MS);
}

void outbox_done(struct sm *sm, const struct frame *f)
{
    uint8_t key[KEY_LEN];

    if (outbox_is_tag(f->number))
        forget_key(sm->outbox, place_of(f->number), key_of(sm, key, f));
}

void outbox_taken(struct sm *sm, struct store_batch *batch, const struct frame *f)
{
    uint8_t key[KEY_LEN];

    store_delete(batch, T_HANDED, key_of(sm, key, f));
}

void outbox_confirmed(struct sm *sm, const struct kept *k)
{
    struct frame f;

    if (!outbox_is_tag(kept_tag(k)) || frame_decode(kept_bytes(k), &f) <= 0)
        return;
    f.number = kept_tag(k);
    outbox_done(sm, &f);
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
    struct sm        *sm;
    enum outbox_place place;
    struct buf        frames;     /* each sized, with its id before it */
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
    if (!ob->again || value.len < 1 || value.p[0] != FORMAT) {
        forget_key(ob, r->place, key);
        return 0;
    }
    buf_put_u64(&r->frames, id);
    buf_put_sized(&r->frames, slice_cut(value, 1, value.len));
    return 0;
}

/* To wherever the receiver lives now. */
static void send_again(struct sm *sm, struct slice bytes, uint64_t tag)
{
    struct frame f;

    if (frame_decode(bytes, &f) != (ssize_t)bytes.len)
        return;
    struct outcome *o = outcome_new(sm, slice_of(NULL, 0), f.trace);
    enum zerr       err = routes_find(sm->routes, f.stanza.to, &f.dest, &f.generation);
    f.number = tag;
    f.sender = 0;
    outbox_again++;
    if (err) {
        outbox_done(sm, &f);
        outcome_undeliverable(sm, &f, err);
    } else {
        outcome_frame(o, AHEAD, &f);
    }
    outcome_settle(&o);
}

static void begin_in(struct sm *sm, enum outbox_place place)
{
    struct store_view *view = store_view(store_of(sm, place));
    struct resuming    r = { .sm = sm, .place = place };

    store_each(view, table_of(place), slice_of(NULL, 0), slice_of(NULL, 0), false, look, &r);
    store_view_end(&view);
    for (struct cursor c = { buf_slice(&r.frames), false }; c.rest.len && !c.bad;) {
        uint64_t     id = take_u64(&c);
        struct slice bytes = take_sized(&c);
        send_again(sm, bytes, TAG_MARK | (place == OUTBOX_ACCOUNTS ? ACCOUNTS_MARK : 0) | id);
        arena_reset(sm->arena);
    }
    if (buf_len(&r.frames))
        log_info("outbox_sent_again", "instance", sm->instance, "bytes", log_num((int64_t)buf_len(&r.frames)),
                 NULL);
    buf_free(&r.frames);
}

void outbox_begin(struct sm *sm)
{
    begin_in(sm, OUTBOX_ARCHIVE);
    begin_in(sm, OUTBOX_ACCOUNTS);
    table_free(&sm->outbox->found);
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
    buf_free(&ob->done[OUTBOX_ARCHIVE]);
    buf_free(&ob->done[OUTBOX_ACCOUNTS]);
    table_free(&ob->found);
    free(ob);
    *obp = NULL;
}
