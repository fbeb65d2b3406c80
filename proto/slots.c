/* Hand-over of slots (slots.h). A member's progress through one change of members is three facts: who has
 * fenced, whether it has handed over, who has ended; all but the fences are a row of live memory. */

#include "slots.h"

#include <stdlib.h>

#include "cursor.h"
#include "log.h"
#include "mem.h"

enum { QUIET_LOOK_MS = 5, ROW_FORMAT = 1 };

/* What one other instance has said. */
struct other {
    struct other *next;
    uint32_t      instance;
    uint32_t      fenced;          /* highest generation */
    uint32_t      ended;           /* highest generation whose state it has sent to us whole */
    uint32_t      told;            /* generation of our last fence to it */
};

struct slots {
    uv_timer_t           look;
    struct loop         *loop;
    struct slots_ways    ways;
    struct address       self;
    struct slots_spec    spec;
    const struct routes *routes;   /* the last table; NULL before */
    uint32_t             generation;   /* of the change this is about; 0: none was seen */
    bool                 handed;       /* our slots of that change have been given away */
    bool                 complete;     /* all that became ours has come */
    bool                 settled;
    bool                 looking;
    bool                 closing;      /* nothing waits here; has it arrived */
    uint64_t             last_serial;  /* up to here? */
    struct other        *others;
};

/* ---- who is who ---- */

static struct other *other_of(struct slots *s, uint32_t instance)
{
    struct other *o = s->others;

    while (o && o->instance != instance)
        o = o->next;
    if (o)
        return o;
    o = xcalloc(1, sizeof(*o));
    o->instance = instance;
    o->next = s->others;
    s->others = o;
    return o;
}

static unsigned own_bits(const struct slots *s)
{
    const struct route_instance *it = s->routes ? routes_instance(s->routes, s->self.instance) : NULL;

    return it && role_owns_slots(it->role) ? it->member : 0;
}

static bool is_self(const struct slots *s, const struct route_instance *it)
{
    return it && it->key == s->self.instance;
}

static bool owner_is_self(const struct slots *s, unsigned slot, bool before)
{
    return is_self(s, before ? routes_slot_owner_before(s->routes, s->self.role, slot)
                             : routes_slot_owner(s->routes, s->self.role, slot));
}

bool slots_leaves(const struct slots *s, unsigned slot)
{
    return s->routes && !routes_settled(s->routes) && !s->handed && owner_is_self(s, slot, true)
           && !owner_is_self(s, slot, false);
}

bool slots_owns(const struct slots *s, unsigned slot)
{
    if (!s->routes)
        return false;
    if (owner_is_self(s, slot, false))
        return routes_settled(s->routes) || s->complete || owner_is_self(s, slot, true);
    return slots_leaves(s, slot);
}

/* ---- the row ---- */

static void save(struct slots *s)
{
    struct buf row = { 0 };

    if (!s->spec.live)
        return;
    buf_put_u8(&row, ROW_FORMAT);
    buf_put_u32(&row, s->generation);
    buf_put_u8(&row, s->handed);
    for (struct other *o = s->others; o; o = o->next)
        if (o->ended) {
            buf_put_u32(&row, o->instance);
            buf_put_u32(&row, o->ended);
        }
    live_put_u64(s->spec.live, s->spec.live_table, s->self.instance, buf_slice(&row));
    buf_free(&row);
}

static void load(struct slots *s)
{
    struct buf    key = { 0 };
    struct cursor c;

    for (int shift = 56; shift >= 0; shift -= 8)
        buf_put_u8(&key, (uint8_t)((uint64_t)s->self.instance >> shift));
    c = (struct cursor){ live_get(s->spec.live, s->spec.live_table, buf_slice(&key)), false };
    buf_free(&key);
    if (!c.rest.len || take_u8(&c) != ROW_FORMAT)
        return;
    s->generation = take_u32(&c);
    s->handed = take_u8(&c) == 1;
    while (c.rest.len && !c.bad) {
        struct other *o = other_of(s, take_u32(&c));
        o->ended = take_u32(&c);
    }
}

/* ---- frames ---- */

static void tell(struct slots *s, enum frame_kind kind, const struct route_instance *to, struct slice item)
{
    struct frame f = frame_make(kind);
    struct buf   body = { 0 };
    enum zerr    err;

    buf_put_u32(&body, s->generation);
    buf_put_slice(&body, item);
    f.dest = (struct address){ .role = to->role, .instance = to->key };
    f.body = buf_slice(&body);
    err = s->ways.send(s->ways.arg, &f);
    if (err)
        log_error("slots_not_sent", "kind", frame_kinds[kind].name, "peer", to->name, "err", err_name(err), NULL);
    buf_free(&body);
}

void slots_give(struct slots *s, unsigned slot, struct slice item)
{
    const struct route_instance *to = routes_slot_owner(s->routes, s->self.role, slot);

    if (to && item.len)
        tell(s, FRAME_SLOT_STATE, to, item);
}

static void fence(struct slots *s, const struct route_instance *it)
{
    struct other *o = other_of(s, it->key);

    if (!routes_changing(s->routes, it->role) || !(it->member & MEMBER_BEFORE) || is_self(s, it) ||
        o->told == s->generation)
        return;
    o->told = s->generation;
    tell(s, FRAME_SLOT_FENCE, it, slice_of("", 0));
}

/* s2sd says what it has seen when it confirms, and this it confirms at once. */
static void ask_what_is_seen(struct slots *s)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(s->routes, i)); i++)
        if (it->role == ROLE_S2SD && it->up)
            tell(s, FRAME_SLOT_FENCE, it, slice_of("", 0));
}

/* ---- progress ---- */

/* Who is down and has no live memory will send nothing more. A member of the role that changes comes back, or is
 * evicted: the change needs it. Of the other role nobody knows for how long it is down. */
static bool has_to_fence(const struct slots *s, const struct route_instance *it)
{
    if (it->up || !role_owns_slots(it->role) || !it->member)
        return it->up;
    return it->role == s->self.role || !s->ways.absent(s->ways.arg, it->key);
}

static bool everybody_fenced(struct slots *s)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(s->routes, i)); i++)
        if (!is_self(s, it) && has_to_fence(s, it) && other_of(s, it->key)->fenced != s->generation)
            return false;
    return true;
}

/* Each member gets its end from each old one, also when nothing was for it. */
static void end_to_all(struct slots *s)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(s->routes, i)); i++)
        if (it->role == s->self.role && it->member & MEMBER_NOW && !is_self(s, it))
            tell(s, FRAME_SLOT_STATE, it, slice_of("", 0));
}

static void hand_over(struct slots *s)
{
    s->spec.hand_over(s->spec.daemon, s);
    end_to_all(s);
    s->handed = true;
    save(s);
    log_info("slots_given", "generation", log_num(s->generation), NULL);
}

static bool all_ended(struct slots *s)
{
    const struct route_instance *it;

    for (size_t i = 0; (it = routes_at(s->routes, i)); i++)
        if (it->role == s->self.role && it->member & MEMBER_BEFORE && !is_self(s, it) &&
            other_of(s, it->key)->ended != s->generation)
            return false;
    return true;
}

static void on_look(uv_timer_t *timer);

static void look_again(struct slots *s, unsigned ms)
{
    if (!s->looking)
        uv_timer_start(&s->look, on_look, ms, 0);
    s->looking = true;
}

/* What had been sent when nothing waited any more. */
static bool all_arrived(struct slots *s)
{
    if (!s->closing) {
        ask_what_is_seen(s);
        s->last_serial = s->ways.serial(s->ways.arg);
        s->closing = true;
    }
    return s->ways.arrived(s->ways.arg, ROLE_ANY, s->last_serial);
}

static void give_away(struct slots *s)
{
    if (s->handed || !(own_bits(s) & MEMBER_BEFORE))
        return;
    if (!everybody_fenced(s) || !s->spec.quiet(s->spec.daemon, s)) {
        s->closing = false;
    } else if (all_arrived(s)) {
        hand_over(s);
        return;
    }
    look_again(s, QUIET_LOOK_MS);
}

static void take_over(struct slots *s)
{
    bool ready = own_bits(s) & MEMBER_NOW && (s->handed || !(own_bits(s) & MEMBER_BEFORE)) && all_ended(s);

    if (!ready)
        return;
    if (!s->complete)
        log_info("slots_taken", "generation", log_num(s->generation), NULL);
    s->complete = true;
    s->ways.ready(s->ways.arg, s->generation, false);
}

/* What was held here goes to members alone. */
static void say_released(struct slots *s)
{
    if (s->ways.arrived(s->ways.arg, s->self.role, s->last_serial))
        s->ways.ready(s->ways.arg, s->generation, true);
    else
        look_again(s, QUIET_LOOK_MS);
}

static void progress(struct slots *s)
{
    if (!s->routes || !s->spec.take)
        return;
    if (s->settled && s->generation == routes_generation(s->routes)) {
        say_released(s);
    } else if (routes_changing(s->routes, s->self.role)) {
        give_away(s);
        take_over(s);
    }
}

static void on_look(uv_timer_t *timer)
{
    struct slots *s = timer->data;

    s->looking = false;
    progress(s);
}

/* ---- what happens ---- */

static void begin(struct slots *s)
{
    if (s->generation != routes_generation(s->routes)) {
        s->generation = routes_generation(s->routes);
        s->handed = s->complete = s->closing = false;
        save(s);
        log_info("slots_moving", "generation", log_num(s->generation), NULL);
    }
}

void slots_on_routes(struct slots *s, const struct routes *routes)
{
    const struct route_instance *it;

    s->routes = routes;
    s->settled = routes_settled(routes);
    if (s->settled) {       /* the link lets go of what it held when this returns */
        s->last_serial = s->ways.serial(s->ways.arg);
        s->closing = false;
        if (s->spec.take)
            look_again(s, 0);
        return;
    }
    begin(s);
    for (size_t i = 0; (it = routes_at(routes, i)); i++)
        fence(s, it);
    progress(s);
}

/* What it had noted of our fence may be gone with it. */
void slots_on_peer_back(struct slots *s, const struct address *peer)
{
    const struct route_instance *it = s->routes ? routes_instance(s->routes, peer->instance) : NULL;

    other_of(s, peer->instance)->told = 0;
    if (it && !s->settled)
        fence(s, it);
}

static void on_state(struct slots *s, uint32_t instance, uint32_t generation, struct slice item)
{
    if (item.len && s->spec.take(s->spec.daemon, item))
        log_error("slots_item_refused", "peer", log_hex(instance), "err", err_name(ZE_PROTOCOL), NULL);
    if (item.len)
        return;
    other_of(s, instance)->ended = generation;
    save(s);
    progress(s);
}

void slots_on_frame(struct slots *s, const struct frame *f)
{
    struct cursor c = { f->body, false };
    uint32_t      generation = take_u32(&c);

    if (f->kind == FRAME_SLOT_FENCE && s->self.role == ROLE_S2SD)
        return;             /* ask_what_is_seen() */
    if (c.bad || !role_owns_slots(s->self.role) || !s->spec.take) {
        log_warn("frame_refused", "kind", frame_kinds[f->kind].name, "peer", log_hex(f->origin.instance), NULL);
        return;
    }
    if (f->kind == FRAME_SLOT_STATE && f->origin.role == s->self.role) {
        on_state(s, f->origin.instance, generation, c.rest);
        return;
    }
    other_of(s, f->origin.instance)->fenced = generation;
    progress(s);
}

/* ---- life ---- */

void slots_daemon(struct slots *s, void *daemon)
{
    s->spec.daemon = daemon;
}

struct slots *slots_new(struct loop *loop, const struct slots_ways *ways, const struct address *self,
                        const struct slots_spec *spec)
{
    struct slots *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->ways = *ways;
    s->self = *self;
    s->spec = *spec;
    s->settled = true;
    uv_timer_init(loop_uv(loop), &s->look);
    s->look.data = s;
    if (spec->live)
        load(s);
    return s;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void slots_free(struct slots **sp)
{
    struct slots *s = *sp;

    if (!s)
        return;
    *sp = NULL;
    while (s->others) {
        struct other *gone = s->others;
        s->others = gone->next;
        free(gone);
    }
    uv_close((uv_handle_t *)&s->look, on_closed);
}
