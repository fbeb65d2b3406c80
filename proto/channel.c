/* The sending end of one channel (channel.h). */

#include "channel.h"

#include <stdlib.h>

#include "log.h"
#include "mem.h"

enum { ROOM_MIN = 16, SILENT_TICKS = 3 };

/* ---- kept frames ---- */

static struct kept *new_kept(size_t len)
{
    struct kept *k = xmalloc(sizeof(*k) + len);

    *k = (struct kept){ .refs = 1, .len = len };
    return k;
}

struct kept *kept_new(const struct frame *f)
{
    size_t len = frame_length(f);

    if (!len)
        return NULL;
    struct kept *k = new_kept(len);
    frame_write(k->bytes, f);
    return k;
}

struct kept *kept_from_bytes(struct slice frame)
{
    struct kept *k = new_kept(frame.len);

    memcpy(k->bytes, frame.p, frame.len);
    return k;
}

/* ---- the ring ---- */

static struct kept **place(const struct channel *c, uint64_t number)
{
    return &c->ring[number & (c->room - 1)];
}

/* [from, to) shall have places; what is there keeps its number. */
static void make_room(struct channel *c, uint64_t from, uint64_t to)
{
    size_t room = c->room ? c->room : ROOM_MIN;

    while (room < to - from)
        room *= 2;
    if (room == c->room)
        return;
    struct channel grown = *c;
    grown.ring = xcalloc(room, sizeof(*grown.ring));
    grown.room = room;
    for (uint64_t n = c->base; n < c->next; n++)
        *place(&grown, n) = *place(c, n);
    free(c->ring);
    *c = grown;
}

static void put(struct channel *c, struct kept *k)
{
    k->in_channel = true;
    *place(c, k->number) = k;
    c->bytes += k->len;
    c->count++;
}

/* Leaves a hole; the caller moves the base. */
static struct kept *lift(struct channel *c, uint64_t number)
{
    struct kept *k = *place(c, number);

    if (!k)
        return NULL;
    *place(c, number) = NULL;
    k->in_channel = false;
    k->next = NULL;
    c->bytes -= k->len;
    c->count--;
    return k;
}

static void move_base(struct channel *c)
{
    while (c->base < c->next && !*place(c, c->base))
        c->base++;
    if (c->count == 0 && c->room > ROOM_MIN * 64) {     /* a burst is over */
        free(c->ring);
        c->ring = NULL;
        c->room = 0;
    }
}

void channel_init(struct channel *c)
{
    *c = (struct channel){ .base = 1, .cursor = 1, .next = 1 };
}

void channel_free(struct channel *c)
{
    free(c->ring);
    channel_init(c);
}

void channel_enter(struct channel *c, struct kept *k)
{
    make_room(c, c->base, c->next + 1);
    k->number = c->next++;
    put(c, k);
}

void channel_put_back(struct channel *c, struct kept *k)
{
    uint64_t base = k->number < c->base || c->count == 0 ? k->number : c->base;
    uint64_t next = k->number < c->next ? c->next : k->number + 1;

    make_room(c, base, next);
    c->base = base;
    c->next = next;
    put(c, k);
}

void channel_put_back_end(struct channel *c, uint64_t next, uint64_t left)
{
    if (next < c->next)
        next = c->next;
    if (c->count == 0)
        c->base = next;
    make_room(c, c->base, next);
    c->next = next;
    c->left = left;
    channel_cut(c);
}

/* ---- joins ---- */

/* Everything kept goes again. */
void channel_cut(struct channel *c)
{
    c->router = 0;
    c->synced = false;
    c->cursor = c->base;
    c->seen = 0;
    c->silent = 0;
}

bool channel_join(struct channel *c, uint64_t router, uint32_t joins)
{
    if (c->router == router && c->joins == joins)
        return false;
    channel_cut(c);
    c->router = router;
    c->joins = joins;
    return true;
}

/* ---- what leaves ---- */

static uint64_t first_kept(const struct channel *c, uint64_t from)
{
    while (from < c->next && (from < c->base || !*place(c, from)))
        from++;
    return from;
}

static struct channel_step sync_step(const struct channel *c)
{
    return (struct channel_step){ .kind = STEP_SYNC, .first = c->base, .last = c->cursor - 1 };
}

bool channel_step(struct channel *c, struct channel_step *step)
{
    if (c->cursor == c->next)
        return false;
    if (!c->synced) {
        *step = sync_step(c);
        c->synced = true;
        return true;
    }
    uint64_t kept = first_kept(c, c->cursor);
    if (kept > c->cursor) {
        *step = (struct channel_step){ .kind = STEP_VOID, .first = c->cursor, .last = kept - 1 };
        c->cursor = kept;
    } else {
        *step = (struct channel_step){ .kind = STEP_FRAME, .kept = *place(c, kept), .again = kept <= c->left };
        c->cursor++;
    }
    if (c->cursor - 1 > c->left)
        c->left = c->cursor - 1;
    return true;
}

/* ---- what comes back ---- */

struct chain {
    struct kept *first, **end;
};

static void chain_add(struct chain *chain, struct kept *k)
{
    if (!k)
        return;
    *chain->end = k;
    chain->end = &k->next;
}

static void take_numbers(struct channel *c, uint64_t first, uint64_t last, struct chain *chain)
{
    if (first < c->base)
        first = c->base;
    if (last >= c->next)
        last = c->next - 1;
    for (uint64_t n = first; n <= last; n++)
        chain_add(chain, lift(c, n));
}

/* The receiver misses something: from what it has seen, if it is the one we know. */
static void send_again(struct channel *c, uint64_t from)
{
    c->synced = false;
    if (from < c->base)
        from = c->base;
    if (from < c->cursor)
        c->cursor = from;
}

/* A frame that was never sent cannot be confirmed, whatever is said of it. */
struct kept *channel_confirm(struct channel *c, const struct confirm *said, bool same_life)
{
    struct chain     chain = { .end = &chain.first };
    struct confirmed each = { .said = said };
    uint64_t         first, last;

    c->silent = 0;
    if (same_life && c->seen < said->seen)
        c->seen = said->seen;
    take_numbers(c, c->base, said->done < c->left ? said->done : c->left, &chain);
    while (confirm_next(&each, &first, &last))
        take_numbers(c, first, last < c->left ? last : c->left, &chain);
    move_base(c);
    if (said->resend)
        send_again(c, same_life ? said->seen + 1 : c->base);
    return chain.first;
}

bool channel_tick(struct channel *c, struct channel_step *step)
{
    if (c->cursor <= c->base || !c->synced || ++c->silent < SILENT_TICKS)
        return false;
    c->silent = 0;
    *step = sync_step(c);
    return true;
}

struct kept *channel_take(struct channel *c, channel_verdict *verdict, uint64_t life)
{
    struct chain chain = { .end = &chain.first };

    for (uint64_t n = c->base; n < c->next; n++)
        if (*place(c, n) && verdict(c, *place(c, n), life))
            chain_add(&chain, lift(c, n));
    move_base(c);
    return chain.first;
}

/* ---- verdicts ---- */

bool frame_is_question(const struct frame *f)
{
    return f->kind == FRAME_STANZA && f->stanza.name == STANZA_IQ
           && (f->stanza.type == TYPE_GET || f->stanza.type == TYPE_SET);
}

bool channel_is_unsent_question(const struct channel *c, const struct kept *k, uint64_t life)
{
    struct frame f;

    (void)life;
    return k->number > c->left && frame_decode(slice_of(k->bytes, k->len), &f) > 0 && frame_is_question(&f);
}

bool channel_is_for_life(const struct channel *c, const struct kept *k, uint64_t life)
{
    struct frame f;

    (void)c;
    return frame_decode(slice_of(k->bytes, k->len), &f) > 0 && f.dest.incarnation == life;
}

bool channel_is_any(const struct channel *c, const struct kept *k, uint64_t life)
{
    (void)c;
    (void)k;
    (void)life;
    return true;
}

static bool keeps_from(const struct channel *c, uint64_t number, uint64_t serial)
{
    for (uint64_t n = number; n < c->next; n++)
        if (*place(c, n) && (*place(c, n))->serial <= serial)
            return true;
    return false;
}

bool channel_keeps_before(const struct channel *c, uint64_t serial)
{
    return keeps_from(c, c->base, serial);
}

bool channel_unseen_before(const struct channel *c, uint64_t serial)
{
    return keeps_from(c, c->seen < c->base ? c->base : c->seen + 1, serial);
}
