#pragma once

/* The route table from inside, for routes.c (who owns what) and routes_wire.c (its form on the wire). */

#include "routes.h"

enum { INSTANCES_MAX = 1024, NOBODY = 0xffff };

struct route_domain {
    char    *name;
    size_t   len;
    uint8_t  role;
    uint32_t instance;
};

struct routes {
    uint32_t               generation;
    uint64_t               router;          /* incarnation of routerd */
    struct route_instance *instances;
    size_t                 instance_count;
    struct route_domain   *domains;         /* ordered by name */
    size_t                 domain_count;
    uint16_t               owners[2][SLOTS];    /* [sm, muc]: place in instances, or NOBODY */
    uint16_t               before[2][SLOTS];
    bool                   unsettled;
};

/* Deals the slots of ROLE_SM or ROLE_MUC anew among the members, by rendezvous. */
void routes_deal_slots(struct routes *r, unsigned role);

/* A new instance at the end, role and key from its name ("sm@1"); it lives until the next one is appended. */
struct route_instance *routes_append_instance(struct routes *r, const char *name, size_t len);

/* NULL: no instance has the key. */
struct route_instance *routes_find_instance(const struct routes *r, uint32_t key);

/* Place of the domain, or where it would be put (then *found is false). */
size_t routes_domain_place(const struct routes *r, struct slice domain, bool *found);
