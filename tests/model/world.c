/* Events of the small world (world.h): the router, deaths and returns, and the list of what can happen. */

#include "world_priv.h"

#include <string.h>

const struct scenario *at;

void wrong(struct world *w, const char *what)
{
    if (!w->wrong)
        w->wrong = what;
}

/* ---- queues ---- */

void push(struct world *w, struct queue *q, struct message m)
{
    if (q->count == QUEUE)
        wrong(w, "the model's queue is too short");
    else
        q->at[q->count++] = m;
}

void clear(struct queue *q)
{
    memset(q, 0, sizeof(*q));
}

void keep_first(struct queue *q, unsigned count)
{
    memset(q->at + count, 0, (q->count - count) * sizeof(q->at[0]));
    q->count = (uint8_t)count;
}

struct message pop(struct queue *q)
{
    struct message m = q->at[0];

    memmove(q->at, q->at + 1, (q->count - 1u) * sizeof(q->at[0]));
    keep_first(q, q->count - 1u);
    return m;
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
