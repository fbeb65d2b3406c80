/* Small facts about the instance (sm.h): whose domain, whose slot, how a key looks. */

#include "sm.h"

#include "jid.h"
#include "slots.h"

const struct settings_domain *sm_domain(const struct sm *sm, struct slice domain)
{
    for (size_t i = 0; i < sm->settings->domain_count; i++)
        if (slice_is(domain, sm->settings->domain[i].name))
            return &sm->settings->domain[i];
    return NULL;
}

bool sm_serves(const struct sm *sm, struct slice domain)
{
    return sm_domain(sm, domain) != NULL;
}

bool sm_owns_slot(const struct sm *sm, unsigned slot)
{
    const struct route_instance *owner;

    if (sm->slots && !routes_settled(sm->routes))
        return slots_owns(sm->slots, slot);
    owner = routes_slot_owner(sm->routes, ROLE_SM, slot);
    return owner && owner->key == sm->self.instance;
}

bool sm_owns(const struct sm *sm, struct slice bare)
{
    return sm_owns_slot(sm, slot_of(bare));
}

bool sm_is_self(const struct sm *sm, const struct address *dest)
{
    return dest->role == sm->self.role && dest->instance == sm->self.instance;
}

bool sm_is_here(const struct sm *sm, const struct address *dest, struct slice bare)
{
    return sm_is_self(sm, dest) && !routes_moving(sm->routes, bare);
}

struct xml_limits sm_xml_limits(const struct sm *sm)
{
    return (struct xml_limits){
        .element_max = (size_t)sm->settings->limits.stanza_max,
        .depth_max = (size_t)sm->settings->limits.depth_max,
        .attributes_max = (size_t)sm->settings->limits.attributes_max,
        .name_max = (size_t)sm->settings->limits.name_max,
    };
}

static struct slice key_make(const struct sm *sm, struct slice owner, struct slice rest, bool separator)
{
    size_t     len = 2 + owner.len + (separator ? 1 + rest.len : 0);
    uint8_t   *key = arena_alloc(sm->arena, len);
    unsigned   slot = slot_of(owner);
    uint8_t   *p = key;

    *p++ = (uint8_t)(slot >> 8);
    *p++ = (uint8_t)slot;
    memcpy(p, owner.p, owner.len);
    p += owner.len;
    if (separator) {
        *p++ = 0;
        if (rest.len)
            memcpy(p, rest.p, rest.len);
    }
    return slice_of(key, len);
}

struct slice sm_key(const struct sm *sm, struct slice owner, struct slice rest)
{
    return key_make(sm, owner, rest, rest.len > 0);
}

struct slice sm_key_prefix(const struct sm *sm, struct slice owner)
{
    return key_make(sm, owner, slice_of(NULL, 0), true);
}

struct slice sm_key_rest(struct slice key, struct slice prefix)
{
    return key.len >= prefix.len ? slice_cut(key, prefix.len, key.len) : slice_of(NULL, 0);
}
