/* The route table (routes.h, DESIGN.md 2.1 and 2.3): instances, domains and who owns which slot.
 * routerd builds and publishes it, everybody else decodes it (routes_wire.c); all ask it by the same functions. */

#include "routes_inner.h"

#include <stdlib.h>

#include "jid.h"
#include "mem.h"

/* FNV-1a 64: slow and plain, but it is on-disk format and will never need a second look. */
static uint64_t fnv64(struct slice s)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ s.p[i]) * 1099511628211u;
    return hash;
}

unsigned slot_of(struct slice bare_jid)
{
    uint64_t hash = fnv64(bare_jid);

    return (unsigned)((hash ^ hash >> 32) % SLOTS);
}

/* Rendezvous score (highest wins): the finaliser of splitmix64 over member and what is asked for. */
static uint64_t score(uint32_t key, uint64_t what)
{
    uint64_t x = ((uint64_t)key << 32 ^ what) + 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

struct routes *routes_new(void)
{
    struct routes *r = xcalloc(1, sizeof(*r));

    memset(r->owners, 0xff, sizeof(r->owners));
    memset(r->before, 0xff, sizeof(r->before));
    return r;
}

static void domains_free(struct routes *r)
{
    for (size_t i = 0; i < r->domain_count; i++)
        free(r->domains[i].name);
    free(r->domains);
}

void routes_free(struct routes **r)
{
    if (!*r)
        return;
    domains_free(*r);
    free((*r)->instances);
    free(*r);
    *r = NULL;
}

static uint16_t best_owner(const struct routes *r, unsigned role, unsigned slot, enum route_member member)
{
    uint16_t owner = NOBODY;
    uint64_t best = 0;

    for (size_t i = 0; i < r->instance_count; i++) {
        const struct route_instance *it = &r->instances[i];
        if (it->role != role || !(it->member & member))
            continue;
        uint64_t s = score(it->key, slot);
        if (owner == NOBODY || s > best) {
            owner = (uint16_t)i;
            best = s;
        }
    }
    return owner;
}

static void note_unsettled(struct routes *r)
{
    r->unsettled = false;
    for (size_t i = 0; i < r->instance_count; i++)
        if (r->instances[i].member != 0 && r->instances[i].member != (MEMBER_NOW | MEMBER_BEFORE))
            r->unsettled = true;
}

void routes_deal_slots(struct routes *r, unsigned role)
{
    bool muc = role == ROLE_MUC;

    if (!role_owns_slots(role))
        return;
    note_unsettled(r);
    for (unsigned slot = 0; slot < SLOTS; slot++)
        r->owners[muc][slot] = best_owner(r, role, slot, MEMBER_NOW);
    if (!r->unsettled)
        memcpy(r->before[muc], r->owners[muc], sizeof(r->before[muc]));
    else
        for (unsigned slot = 0; slot < SLOTS; slot++)
            r->before[muc][slot] = best_owner(r, role, slot, MEMBER_BEFORE);
}

void routes_set_member(struct routes *r, uint32_t key, unsigned bits)
{
    for (size_t i = 0; i < r->instance_count; i++)
        if (r->instances[i].key == key && role_owns_slots(r->instances[i].role)) {
            r->instances[i].member = (uint8_t)bits;
            routes_deal_slots(r, ROLE_SM);
            routes_deal_slots(r, ROLE_MUC);
        }
}

struct route_instance *routes_append_instance(struct routes *r, const char *name, size_t len)
{
    r->instances = xrealloc(r->instances, (r->instance_count + 1) * sizeof(*r->instances));
    struct route_instance *it = &r->instances[r->instance_count++];
    *it = (struct route_instance){ 0 };
    memcpy(it->name, name, len);
    it->key = instance_key(it->name);
    it->role = (uint8_t)role_of_instance(it->name);
    it->member = MEMBER_NOW | MEMBER_BEFORE;
    return it;
}

void routes_add_instance(struct routes *r, const char *name)
{
    struct route_instance *it;

    if (strlen(name) >= sizeof(it->name) || routes_instance(r, instance_key(name))
        || r->instance_count >= INSTANCES_MAX)
        return;
    it = routes_append_instance(r, name, strlen(name));
    routes_deal_slots(r, it->role);
}

struct route_instance *routes_find_instance(const struct routes *r, uint32_t key)
{
    for (size_t i = 0; i < r->instance_count; i++)
        if (r->instances[i].key == key)
            return &r->instances[i];
    return NULL;
}

void routes_set_up(struct routes *r, uint32_t key, uint64_t incarnation, bool up)
{
    struct route_instance *it = routes_find_instance(r, key);

    if (!it)
        return;
    it->joins += up && (!it->up || it->incarnation != incarnation);
    it->incarnation = incarnation;
    it->up = up;
}

void routes_copy_lives(struct routes *to, const struct routes *from)
{
    for (size_t i = 0; i < to->instance_count; i++) {
        const struct route_instance *was = routes_find_instance(from, to->instances[i].key);
        if (!was)
            continue;
        to->instances[i].incarnation = was->incarnation;
        to->instances[i].up = was->up;
        to->instances[i].joins = was->joins;
    }
}

/* Place of the domain, or where it would be put (then *found is false). */
size_t routes_domain_place(const struct routes *r, struct slice domain, bool *found)
{
    size_t low = 0, high = r->domain_count;

    *found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = slice_cmp(domain, slice_of(r->domains[mid].name, r->domains[mid].len));
        if (order == 0) {
            *found = true;
            return mid;
        }
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static bool role_serves_domains(unsigned role)
{
    return role == ROLE_SM || role == ROLE_MUC || role == ROLE_S2SD;
}

enum zerr routes_add_domain(struct routes *r, struct slice domain, unsigned role, uint32_t instance)
{
    bool found;

    if (domain.len == 0 || domain.len > JID_PART_MAX || !role_serves_domains(role))
        return ZE_BAD_REQUEST;
    size_t at = routes_domain_place(r, domain, &found);
    if (found)
        return r->domains[at].role == role && r->domains[at].instance == instance ? ZE_OK : ZE_CONFLICT;
    if (r->domain_count == UINT16_MAX)
        return ZE_FULL;
    r->domains = xrealloc(r->domains, (r->domain_count + 1) * sizeof(*r->domains));
    memmove(r->domains + at + 1, r->domains + at, (r->domain_count - at) * sizeof(*r->domains));
    r->domains[at] = (struct route_domain){ xstrndup(domain), domain.len, (uint8_t)role, instance };
    r->domain_count++;
    return ZE_OK;
}

void routes_remove_domain(struct routes *r, struct slice domain)
{
    bool found;
    size_t at = routes_domain_place(r, domain, &found);

    if (!found)
        return;
    free(r->domains[at].name);
    r->domain_count--;
    memmove(r->domains + at, r->domains + at + 1, (r->domain_count - at) * sizeof(*r->domains));
}

void routes_set_generation(struct routes *r, uint32_t generation)
{
    r->generation = generation;
}

void routes_set_router(struct routes *r, uint64_t incarnation)
{
    r->router = incarnation;
}

uint64_t routes_router(const struct routes *r)
{
    return r->router;
}

uint32_t routes_generation(const struct routes *r)
{
    return r->generation;
}

const struct route_instance *routes_instance(const struct routes *r, uint32_t key)
{
    return routes_find_instance(r, key);
}

const struct route_instance *routes_at(const struct routes *r, size_t i)
{
    return i < r->instance_count ? &r->instances[i] : NULL;
}

const struct route_instance *routes_slot_owner(const struct routes *r, unsigned role, unsigned slot)
{
    if ((role != ROLE_SM && role != ROLE_MUC) || slot >= SLOTS)
        return NULL;
    uint16_t owner = r->owners[role == ROLE_MUC][slot];
    return owner == NOBODY ? NULL : &r->instances[owner];
}

const struct route_instance *routes_slot_owner_before(const struct routes *r, unsigned role, unsigned slot)
{
    if (!role_owns_slots(role) || slot >= SLOTS)
        return NULL;
    uint16_t owner = r->before[role == ROLE_MUC][slot];
    return owner == NOBODY ? NULL : &r->instances[owner];
}

uint32_t routes_owner_key(const uint32_t *members, size_t count, unsigned slot)
{
    uint32_t best = 0;
    uint64_t best_score = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t s = score(members[i], slot);
        if (!best || s > best_score) {
            best = members[i];
            best_score = s;
        }
    }
    return best;
}

size_t routes_members(const struct routes *r, unsigned role, enum route_member when, uint32_t *keys, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < r->instance_count && count < room; i++)
        if (r->instances[i].role == role && r->instances[i].member & when)
            keys[count++] = r->instances[i].key;
    return count;
}

bool routes_settled(const struct routes *r)
{
    return !r->unsettled;
}

static const struct route_domain *find_domain(const struct routes *r, struct slice domain)
{
    bool found;
    size_t at = routes_domain_place(r, domain, &found);

    return found ? &r->domains[at] : NULL;
}

bool routes_changing(const struct routes *r, unsigned role)
{
    if (!r->unsettled)
        return false;
    for (size_t i = 0; i < r->instance_count; i++)
        if (r->instances[i].role == role && (r->instances[i].member == MEMBER_NOW
                                             || r->instances[i].member == MEMBER_BEFORE))
            return true;
    return false;
}

bool routes_moving(const struct routes *r, struct slice jid)
{
    unsigned role, slot;

    if (!r->unsettled)
        return false;
    role = routes_domain_role(r, jid_domain(jid));
    slot = slot_of(jid_bare(jid));
    return role_owns_slots(role) && routes_slot_owner(r, role, slot) != routes_slot_owner_before(r, role, slot);
}

unsigned routes_domain_role(const struct routes *r, struct slice domain)
{
    const struct route_domain *d = find_domain(r, domain);

    return d ? d->role : ROLE_NONE;
}

bool routes_domain_at(const struct routes *r, size_t i, struct slice *domain, unsigned *role,
                      uint32_t *instance)
{
    if (i >= r->domain_count)
        return false;
    *domain = slice_of(r->domains[i].name, r->domains[i].len);
    *role = r->domains[i].role;
    *instance = r->domains[i].instance;
    return true;
}

enum zerr routes_find(const struct routes *r, struct slice jid, struct address *dest, uint32_t *generation)
{
    struct slice domain = jid_domain(jid);
    const struct route_domain *d = find_domain(r, domain);
    const struct route_instance *it;

    if (domain.len == 0)
        return ZE_NO_ROUTE;
    if (d && d->instance)
        it = routes_find_instance(r, d->instance);
    else if (d && d->role != ROLE_S2SD)
        it = routes_slot_owner(r, d->role, slot_of(jid_bare(jid)));
    else
        it = routes_any(r, ROLE_S2SD, fnv64(domain));
    if (!it)
        return ZE_NO_ROUTE;
    *dest = (struct address){ .role = it->role, .instance = it->key };
    *generation = r->generation;
    return ZE_OK;
}

/* Rendezvous here too, so that one s2sd that leaves moves only its own domains. */
const struct route_instance *routes_any(const struct routes *r, unsigned role, uint64_t hash)
{
    const struct route_instance *best = NULL;
    uint64_t best_score = 0;

    for (size_t i = 0; i < r->instance_count; i++) {
        const struct route_instance *it = &r->instances[i];
        uint64_t s = score(it->key, hash);
        if (it->role != role || !(it->member & MEMBER_NOW) || (best && best->up && !it->up))
            continue;
        if (!best || (it->up && !best->up) || s > best_score) {
            best = it;
            best_score = s;
        }
    }
    return best;
}
