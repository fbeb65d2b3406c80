/* The one route table (proto/routes.h) from the configuration and from who is there, published to all
 * at most once a loop turn. Its generation rises when the members change (members.c). Without a record it
 * begins with the seconds since 2020, so that it rises over reboots too. */

#include <time.h>

#include "log.h"
#include "members.h"

enum { NAMES_MAX = 1024, YEAR_2020 = 1577836800 };

static void add_domain(struct routes *routes, const char *name, unsigned role)
{
    enum zerr err = routes_add_domain(routes, slice_str(name), role, 0);

    if (err)
        log_error("route_refused", "domain", name, "err", err_name(err), NULL);
}

static void add_configured(struct routes *routes, const struct settings *s)
{
    const char *names[NAMES_MAX];
    size_t      count = settings_instances(s, names, NAMES_MAX);

    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        if (role_of_instance(names[i]) != ROLE_ROUTERD)
            routes_add_instance(routes, names[i]);
    for (size_t i = 0; i < s->domain_count; i++)
        add_domain(routes, s->domain[i].name, ROLE_SM);
    for (size_t i = 0; i < s->rooms_count; i++)
        add_domain(routes, s->rooms[i].name, ROLE_MUC);
}

bool route_table_is_component(const struct router *r, struct slice domain)
{
    const struct settings *s = r->d->settings;

    for (size_t i = 0; i < s->component_count; i++)
        if (slice_is(domain, s->component[i].name))
            return true;
    return false;
}

static void copy_components(const struct router *r, struct routes *to, const struct routes *from)
{
    struct slice domain;
    unsigned     role;
    uint32_t     instance;

    for (size_t i = 0; routes_domain_at(from, i, &domain, &role, &instance); i++)
        if (role == ROLE_S2SD && route_table_is_component(r, domain) && routes_instance(to, instance))
            routes_add_domain(to, domain, ROLE_S2SD, instance);
}

void route_table_build(struct router *r)
{
    struct routes *fresh = routes_new(), *recorded = r->routes ? NULL : members_recorded(r);

    add_configured(fresh, r->d->settings);
    routes_set_generation(fresh, (uint32_t)(time(NULL) - YEAR_2020));
    if (recorded) {
        members_carry_over(fresh, recorded);
        routes_set_generation(fresh, routes_generation(recorded));
    }
    if (r->routes) {
        members_carry_over(fresh, r->routes);
        routes_copy_lives(fresh, r->routes);
        copy_components(r, fresh, r->routes);
        routes_set_generation(fresh, routes_generation(r->routes));
    }
    routes_set_router(fresh, r->self.incarnation);
    routes_free(&recorded);
    routes_free(&r->routes);
    r->routes = fresh;
    members_record(r);
}

void route_table_changed(struct router *r)
{
    r->table++;
    loop_defer(r->d->loop, &r->publish);
}

void route_table_say(struct router *r, struct peer *p)
{
    struct frame f = frame_make(FRAME_ROUTES);
    struct buf   body = { 0 };

    members_encode_table(r, p->self.role, &body);
    f.body = buf_slice(&body);
    peer_say(p, &f);
    p->table = r->table;
    buf_free(&body);
}

void route_table_publish(struct router *r)
{
    loop_undefer(&r->publish);
    LIST_EACH(&r->peers, node) {
        struct peer *p = LIST_OWNER(node, struct peer, link);
        if (p->greeted && p->table != r->table)
            route_table_say(r, p);
    }
}

/* sm and muc serve what the configuration says, by slot: there is nothing to enter. */
enum zerr route_table_bind(struct router *r, const struct peer *p, struct slice domain)
{
    if (p->self.role != ROLE_S2SD)
        return routes_domain_role(r->routes, domain) == p->self.role ? ZE_OK : ZE_FORBIDDEN;
    if (!route_table_is_component(r, domain))
        return ZE_FORBIDDEN;
    enum zerr err = routes_add_domain(r->routes, domain, ROLE_S2SD, p->self.instance);
    if (!err) {
        log_info("route_bound", "domain", log_slice(domain), "peer", p->name, NULL);
        route_table_changed(r);
    }
    return err;
}

void route_table_unbind(struct router *r, const struct peer *p, struct slice domain)
{
    struct slice name;
    unsigned     role;
    uint32_t     instance;

    for (size_t i = 0; routes_domain_at(r->routes, i, &name, &role, &instance); i++) {
        if (instance != p->self.instance || !slice_eq(name, domain))
            continue;
        log_info("route_unbound", "domain", log_slice(domain), "peer", p->name, NULL);
        routes_remove_domain(r->routes, domain);
        route_table_changed(r);
        return;
    }
}

void route_table_unbind_all(struct router *r, const struct peer *p)
{
    struct slice name;
    unsigned     role;
    uint32_t     instance;

    for (size_t i = 0; routes_domain_at(r->routes, i, &name, &role, &instance);)
        if (instance == p->self.instance)
            routes_remove_domain(r->routes, name);
        else
            i++;
}
