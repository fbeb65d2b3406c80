/* The two daemons of the small world (world.h): the real ends of a channel, from bytes and back, and around
 * them what proto/link_*.c does. */

#include "world_priv.h"

#include <string.h>

#include "channel.h"
#include "intake.h"

/* ---- the real ends, from bytes and back ---- */

static struct channel     channel;
static struct kept       *ring[NUMBERS], *frames[NUMBERS];

static struct kept *as_kept(const struct out_end *o, unsigned number)
{
    unsigned     what = o->what[number];
    struct frame f = frame_make(FRAME_STANZA);
    struct kept *k = frames[number];

    f.stanza.name = at->nature[what - 1] == QUESTION ? STANZA_IQ : STANZA_MESSAGE;
    f.stanza.type = at->nature[what - 1] == QUESTION ? TYPE_GET : TYPE_NONE;
    f.dest.incarnation = o->dest[number];
    f.number = number;
    if (!k)
        k = frames[number] = kept_new(&f);
    frame_write(k->bytes, &f);
    k->number = number;
    k->tag = what;
    k->in_channel = true;
    k->next = NULL;
    return k;
}

static void load_out(const struct out_end *o)
{
    memset(ring, 0, sizeof(ring));
    channel = (struct channel){ .base = o->base, .cursor = o->cursor, .next = o->next, .left = o->left,
                                .synced = o->synced, .router = o->router, .joins = o->joins, .ring = ring,
                                .room = NUMBERS };
    for (unsigned n = 0; n < NUMBERS; n++)
        if (o->what[n]) {
            ring[n] = as_kept(o, n);
            channel.count++;
            channel.bytes += ring[n]->len;
        }
}

static void store_out(struct out_end *o)
{
    struct frame f;

    *o = (struct out_end){ (uint8_t)channel.base, (uint8_t)channel.cursor, (uint8_t)channel.next,
                           (uint8_t)channel.left, channel.synced, (uint8_t)channel.router,
                           (uint8_t)channel.joins };
    for (unsigned n = 0; n < NUMBERS; n++)
        if (ring[n] && frame_decode(slice_of(ring[n]->bytes, ring[n]->len), &f) > 0) {
            o->what[n] = (uint8_t)ring[n]->tag;
            o->dest[n] = (uint8_t)f.dest.incarnation;
        }
}

static struct intake     intake;
static struct done_range ranges[64], news[64];

static void load_in(const struct in_end *e)
{
    intake = (struct intake){ .life = e->life, .seen = e->seen, .done = e->done, .asked = e->asked,
                              .ask = e->ask, .all = e->all, .ranges = ranges, .count = e->count,
                              .room = COUNT_OF(ranges), .news = news, .news_count = e->news_count,
                              .news_room = COUNT_OF(news) };
    for (unsigned i = 0; i < e->count; i++)
        ranges[i] = (struct done_range){ e->range[i][0], e->range[i][1] };
    for (unsigned i = 0; i < e->news_count; i++)
        news[i] = (struct done_range){ e->news[i][0], e->news[i][1] };
}

static void store_in(struct world *w, struct in_end *e)
{
    *e = (struct in_end){ (uint8_t)intake.life, (uint8_t)intake.seen, (uint8_t)intake.done, intake.asked,
                          intake.ask, intake.all, (uint8_t)intake.count, { { 0 } }, (uint8_t)intake.news_count,
                          { { 0 } } };
    if (intake.count > RANGES || intake.news_count > RANGES)
        wrong(w, "the model's ranges are too few");
    for (unsigned i = 0; i < intake.count && i < RANGES; i++) {
        e->range[i][0] = (uint8_t)ranges[i].first;
        e->range[i][1] = (uint8_t)ranges[i].last;
    }
    for (unsigned i = 0; i < intake.news_count && i < RANGES; i++) {
        e->news[i][0] = (uint8_t)news[i].first;
        e->news[i][1] = (uint8_t)news[i].last;
    }
}

/* ---- A: the sending daemon (link_out.c, link_table.c) ---- */

/* The channel is loaded. */
static void pump(struct world *w)
{
    struct channel_step step;
    struct frame        f;

    while (w->link[WHO_A] == LINK_UP && w->up && channel_step(&channel, &step)) {
        struct message m = { .life = w->a.life };
        if (step.kind == STEP_FRAME && frame_decode(slice_of(step.kept->bytes, step.kept->len), &f) > 0) {
            m.kind = FRAME;
            m.number = (uint8_t)step.kept->number;
            m.what = (uint8_t)step.kept->tag;
            m.dest = (uint8_t)f.dest.incarnation;
        } else {
            m.kind = step.kind == STEP_SYNC ? SYNC : BLANK;
            m.number = (uint8_t)step.first;
            m.last = (uint8_t)step.last;
        }
        if (m.kind != BLANK || !faulty(FAULT_NO_VOID))
            push(w, faulty(FAULT_LEAVE_EARLY) ? &w->to_router[WHO_A] : &w->turn, m);
    }
    w->open[WHO_A] = true;
}

static void a_sends_one(struct world *w)
{
    uint8_t what = w->next++, nature = at->nature[what - 1];

    if (nature == FOR_LIFE && !w->a.peer) {     /* ZE_NO_ROUTE: never accepted */
        w->forgiven |= BIT(what);
        return;
    }
    load_out(&w->a.out);
    struct out_end fresh = { .what[0] = what, .dest[0] = nature == FOR_LIFE ? w->a.peer : 0 };
    struct kept   *k = as_kept(&fresh, 0);
    frames[0] = frames[channel.next];           /* its place in the pool is that of its number */
    frames[channel.next] = k;
    channel_enter(&channel, k);
    pump(w);
    store_out(&w->a.out);
}

void a_sends(struct world *w)
{
    do
        a_sends_one(w);
    while (at->burst && w->next <= at->messages);
}

/* Back to A as BOUNCE. */
static void take_out(struct world *w, channel_verdict *verdict, uint64_t life)
{
    for (struct kept *k = channel_take(&channel, verdict, life); k; k = k->next) {
        w->a.returned |= BIT(k->tag);
        if (at->nature[k->tag - 1] == QUESTION && w->b.applied & BIT(k->tag))
            wrong(w, "a question was returned that had its effect");
    }
}

static void life_lost(struct world *w)
{
    uint8_t life = w->a.peer;

    w->a.peer = 0;
    if (life)
        take_out(w, channel_is_for_life, life);
}

static void a_follows(struct world *w, const struct message *table)
{
    uint8_t life = table->dest;

    w->link[WHO_A] = LINK_UP;
    load_out(&w->a.out);
    if (life && w->a.peer && life != w->a.peer)
        life_lost(w);
    if (life && (table->what || w->a.peer))
        w->a.peer = life;
    w->up = table->what;
    if (w->up && !(faulty(FAULT_NO_JOIN) && channel.router))
        channel_join(&channel, table->number, table->last);
    else if (w->up && !channel.router)
        channel_join(&channel, table->number, table->last);
    pump(w);
    store_out(&w->a.out);
}

static void a_is_confirmed(struct world *w, const struct message *m)
{
    uint8_t        list[RANGES * 16] = { 0 };
    struct confirm said = { m->what, m->number, m->last, m->dest, slice_of(list, m->ranges * 16u) };

    if (m->what != w->a.life && !faulty(FAULT_ANY_CONFIRM))
        return;
    for (unsigned i = 0; i < m->ranges; i++) {
        list[i * 16] = m->range[i][0];
        list[i * 16 + 8] = m->range[i][1];
    }
    load_out(&w->a.out);
    const struct receiver *b = at->receiver_lives ? &w->b_saved : &w->b;
    for (struct kept *k = channel_confirm(&channel, &said, m->life == w->a.peer); k; k = k->next) {
        w->confirmed |= BIT(k->tag);
        if (!((b->applied | b->bounced | w->forgiven) & BIT(k->tag)))
            wrong(w, "confirmed, and its effect is not true");
    }
    pump(w);
    store_out(&w->a.out);
}

void a_is_cut(struct world *w)
{
    w->link[WHO_A] = LINK_DOWN;
    w->up = false;
    clear(&w->turn);
    load_out(&w->a.out);
    if (!faulty(FAULT_NO_CUT))
        channel_cut(&channel);
    store_out(&w->a.out);
}

void a_reads(struct world *w)
{
    struct message m = pop(&w->from_router[WHO_A]);

    if (m.kind == TABLE)
        a_follows(w, &m);
    else if (m.kind == CONFIRM)
        a_is_confirmed(w, &m);
    else
        a_is_cut(w);
    w->open[WHO_A] = true;
}

/* Questions that never left come back; a life without memory is given up for good. */
void a_gives_up(struct world *w)
{
    w->away--;
    load_out(&w->a.out);
    if (!at->receiver_lives)
        life_lost(w);
    take_out(w, channel_is_unsent_question, 0);
    pump(w);
    store_out(&w->a.out);
}

void a_commits(struct world *w)
{
    w->a_saved = w->a;
    w->a_saved.out.synced = w->a_saved.out.router = w->a_saved.out.joins = 0;
    w->a_saved.out.cursor = w->a.out.base;
    for (unsigned what = 1; at->sender_lives && what < w->next; what++)
        w->accepted |= BIT(what);
    w->open[WHO_A] = false;
}

void a_says(struct world *w, unsigned count)
{
    for (unsigned i = 0; i < count && w->link[WHO_A] == LINK_UP && w->conn[WHO_A] == CONN_OPEN; i++)
        push(w, &w->to_router[WHO_A], w->turn.at[i]);
    clear(&w->turn);
}

/* ---- B: the receiving daemon ---- */

static uint8_t b_sees(uint8_t life)
{
    return faulty(FAULT_ONE_LIFE) ? 1 : life;
}

static void b_applies(struct world *w, unsigned what)
{
    if (w->b.applied & BIT(what) && at->receiver_lives)
        wrong(w, "applied twice");
    if (w->a.returned & BIT(what) && at->nature[what - 1] == QUESTION)
        wrong(w, "a question had its effect that had been returned");
    w->b.applied |= BIT(what);
}

static void b_takes(struct world *w, const struct message *m)
{
    if (m->dest && m->dest != w->b.life) {
        w->b.bounced |= BIT(m->what);
        intake_done(&intake, b_sees(m->life), m->number);
        return;
    }
    if (m->what <= w->b.last)
        wrong(w, m->what == w->b.last ? "taken twice" : "out of order");
    w->b.last = m->what;
    if (at->receipts) {
        w->b.in_hand[m->what] = m->number;
        w->b.in_hand_life = m->life;
        if (faulty(FAULT_DONE_WHEN_SEEN))
            intake_done(&intake, b_sees(m->life), m->number);
        return;
    }
    b_applies(w, m->what);
    intake_done(&intake, b_sees(m->life), m->number);
}

static void b_says_confirm(struct world *w)
{
    struct buf     body = { 0 };
    struct confirm said;
    uint64_t       first, last;
    struct message m = { .kind = CONFIRM, .life = w->b.life };

    intake_confirm(&intake, &body);
    confirm_read(buf_slice(&body), &said);
    struct confirmed each = { .said = &said };
    m.what = faulty(FAULT_ONE_LIFE) ? w->a.life : (uint8_t)said.life;
    m.number = (uint8_t)said.done;
    m.last = (uint8_t)said.seen;
    m.dest = said.resend;
    for (; confirm_next(&each, &first, &last); m.ranges++) {
        m.range[m.ranges][0] = (uint8_t)first;
        m.range[m.ranges][1] = (uint8_t)last;
    }
    buf_free(&body);
    w->b.owes = false;
    if (!at->quick)
        push(w, &w->to_router[WHO_B], m);
    else if (w->conn[WHO_A] == CONN_OPEN && w->alive[WHO_A])
        push(w, &w->from_router[WHO_A], m);
}

static void b_hears(struct world *w, const struct message *m)
{
    uint8_t             life = b_sees(m->life);
    enum intake_verdict verdict = INTAKE_NEW;

    load_in(&w->b.in);
    if (m->kind == SYNC)
        intake_sync(&intake, life, m->number, m->last);
    else if (m->kind == BLANK)
        intake_void(&intake, life, m->number, m->last);
    else
        verdict = intake_take(&intake, life, m->number);
    if (m->kind == FRAME && verdict == INTAKE_GAP && faulty(FAULT_TAKE_GAPS)) {
        intake.seen = m->number;
        verdict = INTAKE_NEW;
    }
    if (m->kind == FRAME && (verdict == INTAKE_NEW || (verdict == INTAKE_DUPLICATE && faulty(FAULT_TAKE_DUPLICATES))))
        b_takes(w, m);
    w->b.owes = true;
    if (faulty(FAULT_CONFIRM_EARLY))
        b_says_confirm(w);
    store_in(w, &w->b.in);
    w->open[WHO_B] = true;
}

void b_reads(struct world *w)
{
    struct message m = pop(&w->from_router[WHO_B]);

    if (m.kind == END)
        w->link[WHO_B] = LINK_DOWN;
    else
        b_hears(w, &m);
}

void b_finishes(struct world *w, unsigned what)
{
    load_in(&w->b.in);
    b_applies(w, what);
    intake_done(&intake, b_sees(w->b.in_hand_life), w->b.in_hand[what]);
    w->b.in_hand[what] = 0;
    w->b.owes = w->open[WHO_B] = true;
    store_in(w, &w->b.in);
}

void b_commits(struct world *w)
{
    w->b_saved = w->b;
    w->b_saved.owes = false;
    load_in(&w->b.in);
    struct intake back = intake;
    intake_restore(&intake, back.life, back.done);      /* what was seen and not done comes again */
    store_in(w, &w->b_saved.in);
    if (faulty(FAULT_MARK_LOST))
        memset(&w->b_saved.in, 0, sizeof(w->b_saved.in));
    w->open[WHO_B] = false;
}

void b_says(struct world *w)
{
    if (!w->b.owes || w->link[WHO_B] != LINK_UP || w->conn[WHO_B] != CONN_OPEN)
        return;
    load_in(&w->b.in);
    b_says_confirm(w);
    store_in(w, &w->b.in);
}
