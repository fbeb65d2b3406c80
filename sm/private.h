#pragma once

/* Private XML storage (XEP-0049): one element for each namespace and name. */

#include "feature.h"

/* The element as XML, borrowed from the view; p == NULL: none. */
struct slice private_get(const struct sm *sm, struct store_view *view, struct slice owner, const char *ns,
                         const char *name);
/* Puts it into p->out. ZE_NOT_ACCEPTABLE: over limits.private_max. */
enum zerr private_put(struct passage *p, const char *ns, const char *name, struct slice xml);
