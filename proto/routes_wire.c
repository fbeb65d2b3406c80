/* The route table on the wire (routes.h, DESIGN.md 2.1): what routerd sends and everybody else takes. */

#include "routes_inner.h"

#include "cursor.h"

void routes_encode(const struct routes *r, struct buf *body)
{
    buf_put_u32(body, r->generation);
    buf_put_u64(body, r->router);
    buf_put_u16(body, (uint16_t)r->instance_count);
    for (size_t i = 0; i < r->instance_count; i++) {
        const struct route_instance *it = &r->instances[i];
        buf_put_u8(body, it->role);
        buf_put_u32(body, it->key);
        buf_put_u64(body, it->incarnation);
        buf_put_u8(body, it->up);
        buf_put_u8(body, it->member);
        buf_put_u32(body, it->joins);
        buf_put_sized(body, slice_str(it->name));
    }
    buf_put_u16(body, (uint16_t)r->domain_count);
    for (size_t i = 0; i < r->domain_count; i++) {
        const struct route_domain *d = &r->domains[i];
        buf_put_u8(body, d->role);
        buf_put_u32(body, d->instance);
        buf_put_sized(body, slice_of(d->name, d->len));
    }
}

/* What the name says must agree with the role and key beside it: nobody may be listed as another. */
static bool take_instance(struct cursor *c, struct routes *r)
{
    unsigned role = take_u8(c);
    uint32_t key = take_u32(c);
    uint64_t incarnation = take_u64(c);
    unsigned up = take_u8(c);
    unsigned member = take_u8(c);
    uint32_t joins = take_u32(c);
    struct slice name = take_sized(c);

    if (c->bad || name.len == 0 || name.len >= sizeof(((struct route_instance *)0)->name) || up > 1
        || member > (MEMBER_NOW | MEMBER_BEFORE) || memchr(name.p, 0, name.len))
        return false;
    struct route_instance *it = routes_append_instance(r, (const char *)name.p, name.len);
    it->incarnation = incarnation;
    it->up = up;
    it->member = (uint8_t)member;
    it->joins = joins;
    return it->role == role && it->role != ROLE_NONE && it->key == key && routes_find_instance(r, key) == it;
}

static bool take_domain(struct cursor *c, struct routes *r)
{
    unsigned role = take_u8(c);
    uint32_t instance = take_u32(c);
    struct slice name = take_sized(c);
    bool found;

    if (c->bad || (instance && !routes_find_instance(r, instance)))
        return false;
    routes_domain_place(r, name, &found);
    return !found && routes_add_domain(r, name, role, instance) == ZE_OK;
}

static bool take_table(struct cursor *c, struct routes *r)
{
    r->generation = take_u32(c);
    r->router = take_u64(c);
    unsigned instances = take_u16(c);
    if (instances > INSTANCES_MAX)
        return false;
    for (unsigned i = 0; i < instances; i++)
        if (!take_instance(c, r))
            return false;
    unsigned domains = take_u16(c);
    for (unsigned i = 0; i < domains; i++)
        if (!take_domain(c, r))
            return false;
    return cursor_done(c);
}

/* Dealing 4,096 slots is needless when only somebody went up or down. */
static bool same_members(const struct routes *a, const struct routes *b)
{
    if (a->instance_count != b->instance_count)
        return false;
    for (size_t i = 0; i < a->instance_count; i++)
        if (a->instances[i].key != b->instances[i].key || a->instances[i].member != b->instances[i].member)
            return false;
    return true;
}

enum zerr routes_decode(struct routes *r, struct slice body)
{
    struct cursor c = { body, false };
    struct routes *fresh = routes_new();

    if (!take_table(&c, fresh)) {
        routes_free(&fresh);
        return ZE_PROTOCOL;
    }
    if (same_members(r, fresh)) {
        memcpy(fresh->owners, r->owners, sizeof(r->owners));
        memcpy(fresh->before, r->before, sizeof(r->before));
        fresh->unsettled = r->unsettled;
    } else {
        routes_deal_slots(fresh, ROLE_SM);
        routes_deal_slots(fresh, ROLE_MUC);
    }
    struct routes old = *r;
    *r = *fresh;
    *fresh = old;
    routes_free(&fresh);
    return ZE_OK;
}
