/* A link's memory that outlives the process (link_priv.h, common/live.h).
 *
 *   LINK_LIVE_OUT   key u64 serial: u8 format, u64 tag, u32 destination instance (0: none), u64 number,
 *                   u8 flags, the encoded frame. Put when it is sent or kept, deleted with its last reference.
 *   LINK_LIVE_MARK  key u32 sender instance: u8 format, u64 its incarnation, u64 done, then pairs of u64: done
 *                   out of order
 *   LINK_LIVE_META  key "self": u8 format, u64 incarnation, u64 last serial
 *                   key "routes": the last route table: work goes on before routerd is found
 *                   key "peer" u32 instance: u8 format, u8 role, u64 its life, u64 base, u64 next, u64 left
 *
 * A kept frame below `base` was confirmed: only others hold it. */

#include <stdlib.h>

#include "cursor.h"
#include "link_priv.h"
#include "log.h"
#include "mem.h"

enum { FORMAT = 1, OUT_HEAD = 22, OUT_NOT_IN_CHANNEL = 1, OUT_HELD = 2 };

/* ---- rows written as things happen ---- */

void link_live_put(struct link *l, struct kept *k)
{
    if (!l->spec.live)
        return;
    struct buf *row = &l->scratch;
    buf_reset(row, SIZE_MAX);
    buf_put_u8(row, FORMAT);
    buf_put_u64(row, k->tag);
    buf_put_u32(row, k->instance);
    buf_put_u64(row, k->number);
    buf_put_u8(row, (k->in_channel ? 0 : OUT_NOT_IN_CHANNEL) | (k->held ? OUT_HELD : 0));
    buf_put_slice(row, kept_bytes(k));
    live_append_u64(l->spec.live, LINK_LIVE_OUT, k->serial, buf_slice(row));
    buf_reset(row, 64 * 1024);
    k->has_row = true;
}

void link_live_forget(struct link *l, struct kept *k)
{
    if (l->spec.live && k->has_row)
        live_delete_u64(l->spec.live, LINK_LIVE_OUT, k->serial);
}

void link_live_routes(struct link *l, struct slice body)
{
    if (l->spec.live)
        live_put(l->spec.live, LINK_LIVE_META, SLICE("routes"), body);
}

/* ---- rows written once a turn ---- */

void link_live_peer_changed(struct link *l, struct link_peer *p)
{
    if (!l->spec.live || p->out_changed)
        return;
    p->out_changed = true;
    live_dirty(l->spec.live);
}

void link_live_mark_changed(struct link *l, struct link_peer *p)
{
    if (!l->spec.live || p->mark_changed)
        return;
    p->mark_changed = true;
    live_dirty(l->spec.live);
}

static void put_self(struct link *l)
{
    struct buf *row = &l->scratch;

    buf_reset(row, SIZE_MAX);
    buf_put_u8(row, FORMAT);
    buf_put_u64(row, l->self.incarnation);
    buf_put_u64(row, l->serial);
    live_put(l->spec.live, LINK_LIVE_META, SLICE("self"), buf_slice(row));
    l->saved_serial = l->serial;
}

static struct slice peer_key(uint8_t key[8], uint32_t instance)
{
    memcpy(key, "peer", 4);
    memcpy(key + 4, &instance, 4);
    return slice_of(key, 8);
}

static void put_peer(struct link *l, const struct link_peer *p)
{
    uint8_t     key[8];
    struct buf *row = &l->scratch;

    buf_reset(row, SIZE_MAX);
    buf_put_u8(row, FORMAT);
    buf_put_u8(row, p->role);
    buf_put_u64(row, p->life);
    buf_put_u64(row, p->out.base);
    buf_put_u64(row, p->out.next);
    buf_put_u64(row, p->out.left);
    live_put(l->spec.live, LINK_LIVE_META, peer_key(key, p->instance), buf_slice(row));
}

static void put_mark(struct link *l, const struct link_peer *p)
{
    struct buf *row = &l->scratch;

    buf_reset(row, SIZE_MAX);
    buf_put_u8(row, FORMAT);
    buf_put_u64(row, p->in.life);
    buf_put_u64(row, p->in.done);
    for (size_t i = 0; i < p->in.count; i++) {
        buf_put_u64(row, p->in.ranges[i].first);
        buf_put_u64(row, p->in.ranges[i].last);
    }
    live_put(l->spec.live, LINK_LIVE_MARK, slice_of(&p->instance, 4), buf_slice(row));
}

static void before_commit(void *arg)
{
    struct link *l = arg;

    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        if (p->out_changed)
            put_peer(l, p);
        if (p->mark_changed)
            put_mark(l, p);
        p->out_changed = p->mark_changed = false;
    }
    if (l->serial != l->saved_serial)
        put_self(l);
}

/* ---- a new start ---- */

static struct slice meta(const struct link *l, struct slice key)
{
    return live_get(l->spec.live, LINK_LIVE_META, key);
}

static void take_self(struct link *l)
{
    struct cursor c = { meta(l, SLICE("self")), false };

    if (take_u8(&c) != FORMAT)
        return;
    uint64_t incarnation = take_u64(&c), serial = take_u64(&c);
    if (!cursor_done(&c) || !incarnation)
        return;
    l->self.incarnation = incarnation;
    l->serial = l->found_serial = serial;
}

/* Everybody is down until routerd says more. */
static void take_routes(struct link *l)
{
    struct slice                 body = meta(l, SLICE("routes"));
    const struct route_instance *it;

    if (!body.p || routes_decode(l->routes, body))
        return;
    for (size_t i = 0; (it = routes_at(l->routes, i)); i++)
        routes_set_up(l->routes, it->key, it->incarnation, false);
}

static int take_mark(void *arg, struct slice key, struct slice value)
{
    struct link  *l = arg;
    struct cursor c = { value, false };
    uint32_t      instance;

    if (key.len != sizeof(instance) || take_u8(&c) != FORMAT)
        return 0;
    memcpy(&instance, key.p, sizeof(instance));
    struct link_peer *p = link_get_peer(l, instance);
    uint64_t life = take_u64(&c);
    intake_restore(&p->in, life, take_u64(&c));
    while (!c.bad && c.rest.len) {
        uint64_t first = take_u64(&c);
        intake_restore_range(&p->in, first, take_u64(&c));
    }
    return 0;
}

static int take_peer(void *arg, struct slice key, struct slice value)
{
    struct link  *l = arg;
    struct cursor c = { value, false };
    uint32_t      instance;

    if (key.len != 8 || memcmp(key.p, "peer", 4) != 0 || take_u8(&c) != FORMAT)
        return 0;
    memcpy(&instance, key.p + 4, sizeof(instance));
    struct link_peer *p = link_get_peer(l, instance);
    p->role = take_u8(&c);
    p->life = take_u64(&c);
    p->restored_base = take_u64(&c);
    uint64_t next = take_u64(&c);
    channel_put_back_end(&p->out, next, take_u64(&c));
    return 0;
}

void link_live_start(struct link *l)
{
    if (!l->spec.live)
        return;
    l->before_commit = (struct live_hook){ .run = before_commit, .arg = l };
    live_before_commit(l->spec.live, &l->before_commit);
    if (live_found(l->spec.live)) {
        take_self(l);
        take_routes(l);
        live_each(l->spec.live, LINK_LIVE_MARK, take_mark, l);
        live_each(l->spec.live, LINK_LIVE_META, take_peer, l);
    }
    put_self(l);
}

/* The environment may outlive the link. */
void link_live_end(struct link *l)
{
    if (l->spec.live)
        live_commit(l->spec.live);
    list_remove(&l->before_commit.link);
    buf_free(&l->scratch);
}

/* ---- kept frames ---- */

struct restored {
    struct link  *link;
    struct kept **list;
    size_t        count, room;
};

static int take_out_row(void *arg, struct slice key, struct slice value)
{
    struct restored *all = arg;
    struct cursor    c = { value, false };
    struct frame     f;

    if (key.len != 8 || value.len < OUT_HEAD || take_u8(&c) != FORMAT)
        return 0;
    if (live_key_u64(key) > all->link->found_serial)
        return 0;                   /* sent by this life already, while its daemon started */
    uint64_t tag = take_u64(&c);
    uint32_t instance = take_u32(&c);
    uint64_t number = take_u64(&c);
    uint8_t  flags = take_u8(&c);
    if (frame_decode(c.rest, &f) != (ssize_t)c.rest.len)
        return 0;
    if (all->count == all->room) {
        all->room = all->room ? all->room * 2 : 64;
        all->list = xrealloc(all->list, all->room * sizeof(*all->list));
    }
    struct kept *k = kept_from_bytes(c.rest);
    k->serial = live_key_u64(key);
    k->tag = tag;
    k->instance = flags & OUT_NOT_IN_CHANNEL ? 0 : instance;
    k->held = flags & OUT_HELD;
    k->number = number;
    k->has_row = true;
    all->list[all->count++] = k;
    return 0;
}

static void into_channel(struct link *l, struct kept *k)
{
    struct link_peer *p = k->instance ? link_get_peer(l, k->instance) : NULL;

    if (k->held)
        link_hold_restored(l, k);
    if (!p || k->number < p->restored_base)
        return;
    channel_put_back(&p->out, kept_ref(k));
    l->kept_bytes += k->len;
}

void link_restore(struct link *l)
{
    struct restored all = { .link = l };

    if (!l->spec.live || !live_found(l->spec.live))
        return;
    live_each(l->spec.live, LINK_LIVE_OUT, take_out_row, &all);
    for (size_t i = 0; i < all.count; i++)
        into_channel(l, all.list[i]);
    LIST_EACH(&l->peers, node) {
        struct link_peer *p = LIST_OWNER(node, struct link_peer, link);
        channel_put_back_end(&p->out, p->out.next, p->out.left);
    }
    log_info("link_restored", "instance", l->spec.instance, "count", log_num((int64_t)all.count), NULL);
    for (size_t i = 0; i < all.count; i++) {
        if (l->spec.on_kept)
            l->spec.on_kept(l->spec.daemon, all.list[i]);
        kept_unref(l, &all.list[i]);
    }
    free(all.list);
}
