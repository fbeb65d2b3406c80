/* Events of the small world (world.h). */

#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "intake.h"

enum kind { SYNC = 1, BLANK, FRAME, CONFIRM, TABLE, END };
enum link { LINK_DOWN, LINK_GREETING, LINK_UP };
enum conn { CONN_NONE, CONN_OPEN, CONN_ENDING };   /* as the router has it; ENDING: an END is on its way */

static const struct scenario *at;       /* of the event that runs */

#define BIT(message) ((uint8_t)(1u << (message)))

static bool faulty(enum fault fault)
{
    return at->fault == fault;
}

static void wrong(struct world *w, const char *what)
{
    if (!w->wrong)
        w->wrong = what;
}

/* ---- queues ---- */

static void push(struct world *w, struct queue *q, struct message m)
{
    if (q->count == QUEUE)
        wrong(w, "the model's queue is too short");
    else
        q->at[q->count++] = m;
}

static void clear(struct queue *q)
{
    memset(q, 0, sizeof(*q));
}

static void keep_first(struct queue *q, unsigned count)
{
    memset(q->at + count, 0, (q->count - count) * sizeof(q->at[0]));
    q->count = (uint8_t)count;
}

static struct message pop(struct queue *q)
{
    struct message m = q->at[0];

    memmove(q->at, q->at + 1, (q->count - 1u) * sizeof(q->at[0]));
    keep_first(q, q->count - 1u);
    return m;
}

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

/* ---- A: the sending daemon (link_channels.c, link_table.c) ---- */

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

static void a_sends(struct world *w)
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

static void a_is_cut(struct world *w)
{
    w->link[WHO_A] = LINK_DOWN;
    w->up = false;
    clear(&w->turn);
    load_out(&w->a.out);
    if (!faulty(FAULT_NO_CUT))
        channel_cut(&channel);
    store_out(&w->a.out);
}

static void a_reads(struct world *w)
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
static void a_gives_up(struct world *w)
{
    w->away--;
    load_out(&w->a.out);
    if (!at->receiver_lives)
        life_lost(w);
    take_out(w, channel_is_unsent_question, 0);
    pump(w);
    store_out(&w->a.out);
}

static void a_commits(struct world *w)
{
    w->a_saved = w->a;
    w->a_saved.out.synced = w->a_saved.out.router = w->a_saved.out.joins = 0;
    w->a_saved.out.cursor = w->a.out.base;
    for (unsigned what = 1; at->sender_lives && what < w->next; what++)
        w->accepted |= BIT(what);
    w->open[WHO_A] = false;
}

/* `dies_after`: so many messages have left when it dies. */
static void a_says(struct world *w, unsigned count)
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

static void b_reads(struct world *w)
{
    struct message m = pop(&w->from_router[WHO_B]);

    if (m.kind == END)
        w->link[WHO_B] = LINK_DOWN;
    else
        b_hears(w, &m);
}

static void b_finishes(struct world *w, unsigned what)
{
    load_in(&w->b.in);
    b_applies(w, what);
    intake_done(&intake, b_sees(w->b.in_hand_life), w->b.in_hand[what]);
    w->b.in_hand[what] = 0;
    w->b.owes = w->open[WHO_B] = true;
    store_in(w, &w->b.in);
}

static void b_commits(struct world *w)
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

static void b_says(struct world *w)
{
    if (!w->b.owes || w->link[WHO_B] != LINK_UP || w->conn[WHO_B] != CONN_OPEN)
        return;
    load_in(&w->b.in);
    b_says_confirm(w);
    store_in(w, &w->b.in);
}

/* ---- the router ---- */

static void tell_a(struct world *w)
{
    if (w->conn[WHO_A] == CONN_OPEN && w->alive[WHO_A])
        push(w, &w->from_router[WHO_A], (struct message){ .kind = TABLE, .number = w->router_life,
             .last = w->joins, .what = w->b_up, .dest = w->b_life });
}

/* What B reads in the table changes nothing for the channel: it is not told. */
static void greets(struct world *w, unsigned who)
{
    w->conn[who] = CONN_OPEN;
    w->link[who] = who == WHO_A ? LINK_GREETING : LINK_UP;
    if (who == WHO_B) {
        w->joins++;
        w->b_life = w->b.life;
        w->b_up = true;
    }
    tell_a(w);
}

static void leaves(struct world *w, unsigned who)
{
    w->conn[who] = CONN_NONE;
    if (who == WHO_A)
        return;
    w->b_up = false;
    tell_a(w);
}

static void router_reads(struct world *w, unsigned who)
{
    struct message m = pop(&w->to_router[who]);
    unsigned       to = !who;

    if (m.kind == END)
        leaves(w, who);
    else if (w->conn[to] == CONN_OPEN && w->alive[to] && (m.kind != FRAME || !m.dest || m.dest == w->b_life))
        push(w, &w->from_router[to], m);
}

/* ---- deaths and returns ---- */

/* Its end of the socket is gone: what it had not read is lost, what it had said is read before the END. */
static void hangs_up(struct world *w, unsigned who)
{
    w->link[who] = LINK_DOWN;
    clear(&w->from_router[who]);
    if (w->conn[who] == CONN_OPEN) {
        push(w, &w->to_router[who], (struct message){ .kind = END });
        w->conn[who] = CONN_ENDING;
    }
}

static void spend(struct world *w, unsigned who)
{
    w->deaths[who]--;
    w->all_deaths--;
}

static void dies(struct world *w, unsigned who)
{
    spend(w, who);
    w->alive[who] = false;
    w->open[who] = false;
    hangs_up(w, who);
    if (who == WHO_A) {
        clear(&w->turn);
        w->up = false;
        w->forgiven |= (uint8_t)((BIT(w->next) - 1u) & ~w->accepted & ~w->confirmed);
    }
}

static void link_breaks(struct world *w, unsigned who)
{
    spend(w, who == WHO_A ? WHO_LINK_A : WHO_LINK_B);
    hangs_up(w, who);
    if (who == WHO_A)
        a_is_cut(w);
}

/* What it had read and not passed on is lost, and a tail of what it had passed on. */
static void router_dies(struct world *w, unsigned left_for_a, unsigned left_for_b)
{
    const unsigned left[2] = { left_for_a, left_for_b };

    spend(w, WHO_ROUTER);
    w->alive[WHO_ROUTER] = false;
    for (unsigned who = WHO_A; who <= WHO_B; who++) {
        clear(&w->to_router[who]);
        if (w->conn[who] == CONN_OPEN && w->alive[who]) {
            keep_first(&w->from_router[who], left[who]);
            push(w, &w->from_router[who], (struct message){ .kind = END });
        }
        w->conn[who] = CONN_NONE;
    }
    w->joins = w->b_up = w->b_life = 0;
}

static void a_returns(struct world *w, bool with_memory)
{
    w->alive[WHO_A] = true;
    w->a = w->a_saved;
    if (with_memory) {
        if (faulty(FAULT_LEFT_LOST))
            w->a.out.left = (uint8_t)(w->a.out.base - 1);
        if (faulty(FAULT_KEPT_LOST) || faulty(FAULT_NUMBERS_RESET))
            memset(w->a.out.what, 0, sizeof(w->a.out.what));
        if (faulty(FAULT_KEPT_LOST))
            w->a.out.base = w->a.out.cursor = w->a.out.next;
        if (faulty(FAULT_NUMBERS_RESET))
            w->a.out.base = w->a.out.cursor = w->a.out.next = 1;
        return;
    }
    w->a = (struct sender){ .out = { .base = 1, .cursor = 1, .next = 1 }, .life = ++w->lives[WHO_A] };
    w->a_saved = w->a;
    w->forgiven |= (uint8_t)((BIT(w->next) - 1u) & ~w->confirmed);
}

static void b_returns(struct world *w, bool with_memory)
{
    w->alive[WHO_B] = true;
    if (with_memory) {
        w->b = w->b_saved;
        return;
    }
    struct receiver fresh = { .life = ++w->lives[WHO_B] };
    if (at->receiver_lives) {       /* effects that are not in a synced store are lost with the machine */
        w->forgiven |= w->b.applied | w->confirmed;
    } else {                        /* effects are outside: on a client's socket */
        fresh.applied = w->b.applied;
        fresh.bounced = w->b.bounced;
    }
    w->b = w->b_saved = fresh;
}

/* ---- the list of events ---- */

void world_begin(struct world *w, const struct scenario *s)
{
    memset(w, 0, sizeof(*w));
    at = s;
    w->next = 1;
    memcpy(w->deaths, s->deaths, sizeof(w->deaths));
    w->all_deaths = s->all_deaths;
    w->boots = s->boots;
    w->away = s->away;
    memset(w->alive, 1, sizeof(w->alive));
    w->router_life = w->lives[WHO_A] = w->lives[WHO_B] = 1;
    w->a = (struct sender){ .out = { .base = 1, .cursor = 1, .next = 1 }, .life = 1 };
    w->b.life = 1;
    w->a_saved = w->a;
    w->b_saved = w->b;
    greets(w, WHO_B);
    greets(w, WHO_A);
    a_reads(w);
    a_commits(w);
}

/* One of `count` ways is chosen: *i counts down to it. */
static bool chosen(unsigned *i, bool possible, unsigned count, unsigned *way)
{
    if (!possible)
        return false;
    if (*i >= count) {
        *i -= count;
        return false;
    }
    if (way)
        *way = *i;
    return true;
}

static bool may_die(const struct world *w, unsigned who)
{
    return w->alive[who] && w->deaths[who] && w->all_deaths;
}

static bool may_connect(const struct world *w, unsigned who)
{
    return w->alive[who] && w->alive[WHO_ROUTER] && w->link[who] == LINK_DOWN && w->conn[who] == CONN_NONE
           && !w->from_router[who].count;
}

static unsigned in_hand(const struct world *w)
{
    unsigned count = 0;

    for (unsigned what = 1; what <= MESSAGES; what++)
        count += w->b.in_hand[what] != 0;
    return w->alive[WHO_B] ? count : 0;
}

static unsigned nth_in_hand(const struct world *w, unsigned n)
{
    unsigned what = 1;

    while (!w->b.in_hand[what] || n--)
        what++;
    return what;
}

/* What has to happen sooner or later. */
static const char *progress(struct world *w, unsigned *i)
{
    unsigned way = 0;

    if (chosen(i, w->alive[WHO_A] && w->next <= at->messages, 1, NULL))
        return a_sends(w), "A sends";
    if (chosen(i, w->alive[WHO_A] && w->open[WHO_A], 1, NULL))
        return a_commits(w), a_says(w, w->turn.count), "A ends its turn";
    if (chosen(i, w->alive[WHO_A] && w->from_router[WHO_A].count, 1, NULL))
        return a_reads(w), "A reads";
    if (chosen(i, w->alive[WHO_B] && w->open[WHO_B], 1, NULL))
        return b_commits(w), b_says(w), "B ends its turn";
    if (chosen(i, w->alive[WHO_B] && w->from_router[WHO_B].count, 1, NULL))
        return b_reads(w), "B reads";
    if (chosen(i, in_hand(w), in_hand(w), &way))
        return b_finishes(w, nth_in_hand(w, way)), "B finishes one";
    if (chosen(i, w->alive[WHO_ROUTER] && w->to_router[WHO_A].count, 1, NULL))
        return router_reads(w, WHO_A), "the router reads from A";
    if (chosen(i, w->alive[WHO_ROUTER] && w->to_router[WHO_B].count, 1, NULL))
        return router_reads(w, WHO_B), "the router reads from B";
    if (chosen(i, may_connect(w, WHO_A), 1, NULL))
        return greets(w, WHO_A), "A connects";
    if (chosen(i, may_connect(w, WHO_B), 1, NULL))
        return greets(w, WHO_B), "B connects";
    if (chosen(i, !w->alive[WHO_ROUTER], 1, NULL))
        return w->alive[WHO_ROUTER] = true, w->router_life++, "the router returns";
    if (chosen(i, !w->alive[WHO_A], 1, NULL))
        return a_returns(w, at->sender_lives), "A returns";
    if (chosen(i, !w->alive[WHO_B], 1, NULL))
        return b_returns(w, at->receiver_lives), "B returns";
    return NULL;
}

static const char *misfortune(struct world *w, unsigned *i)
{
    unsigned way = 0, ways_a = w->from_router[WHO_A].count + 1u, ways_b = w->from_router[WHO_B].count + 1u;

    if (chosen(i, w->away && w->alive[WHO_A] && w->link[WHO_A] == LINK_UP && !w->up, 1, NULL))
        return a_gives_up(w), "A gives up waiting";
    if (chosen(i, may_die(w, WHO_A), 1, NULL))
        return dies(w, WHO_A), "A dies";
    if (chosen(i, may_die(w, WHO_A) && w->open[WHO_A], w->turn.count + 1u, &way))
        return a_commits(w), a_says(w, way), dies(w, WHO_A), "A dies, its turn committed and partly said";
    if (chosen(i, may_die(w, WHO_B), 1, NULL))
        return dies(w, WHO_B), "B dies";
    if (chosen(i, may_die(w, WHO_B) && w->open[WHO_B], 1, NULL))
        return b_commits(w), dies(w, WHO_B), "B dies, its turn committed and not said";
    if (chosen(i, may_die(w, WHO_ROUTER), ways_a * ways_b, &way))
        return router_dies(w, way % ways_a, way / ways_a), "the router dies";
    if (chosen(i, w->link[WHO_A] == LINK_UP && w->deaths[WHO_LINK_A] && w->all_deaths, 1, NULL))
        return link_breaks(w, WHO_A), "A's link breaks";
    if (chosen(i, w->link[WHO_B] == LINK_UP && w->deaths[WHO_LINK_B] && w->all_deaths, 1, NULL))
        return link_breaks(w, WHO_B), "B's link breaks";
    if (chosen(i, w->boots && !w->alive[WHO_A] && at->sender_lives, 1, NULL))
        return w->boots--, a_returns(w, false), "A returns without its memory";
    if (chosen(i, w->boots && !w->alive[WHO_B] && at->receiver_lives, 1, NULL))
        return w->boots--, b_returns(w, false), "B returns without its memory";
    return NULL;
}

bool world_event(struct world *w, const struct scenario *s, unsigned i, const char **name, bool *bad_luck)
{
    at = s;
    *bad_luck = false;
    *name = progress(w, &i);
    if (*name)
        return true;
    *bad_luck = true;
    *name = misfortune(w, &i);
    return *name != NULL;
}

const char *world_at_rest(const struct world *w, const struct scenario *s)
{
    uint8_t settled = w->b.applied | w->b.bounced | w->a.returned | w->forgiven;

    for (unsigned n = 0; n < NUMBERS; n++)
        if (w->a.out.what[n])
            return "all are there, and a frame is not confirmed";
    for (unsigned what = 1; what <= s->messages; what++)
        if (!(settled & BIT(what)))
            return "accepted and lost";
    return NULL;
}
