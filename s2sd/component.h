#pragma once

/* External components: XEP-0114, "accept". */

#include "pair.h"
#include "stream.h"

/* The stream of a connected component; NULL. */
struct stream *component_find(const struct s2sd *s, struct slice domain);
/* The route table has changed: a component that is connected to another instance too leaves this one with `conflict`. */
void           components_on_routes(struct s2sd *s);
/* ZE_OK: sent, or returned by itself when its connection breaks. */
enum zerr      component_send(struct stream *st, const struct outbound *out);
/* Hexadecimal SHA-1 of stream id and secret (XEP-0114 3). */
enum { COMPONENT_DIGEST = 40 };
void component_digest(struct slice id, struct slice secret, char out[COMPONENT_DIGEST]);
