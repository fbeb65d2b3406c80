/* Which domains are served here (s2sd.h). */

#include "routes.h"
#include "s2sd.h"

bool s2sd_is_ours(const struct s2sd *s, struct slice domain)
{
    return routes_domain_role(link_routes(s->daemon->link), domain) != ROLE_NONE || s2sd_component(s, domain);
}

const struct settings_component *s2sd_component(const struct s2sd *s, struct slice domain)
{
    const struct settings *set = s2sd_settings(s);

    for (size_t i = 0; i < set->component_count; i++)
        if (slice_is(domain, set->component[i].name))
            return &set->component[i];
    return NULL;
}
