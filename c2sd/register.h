#pragma once

/* XEP-0077 before login: the IQ goes to an sm of the domain as it is. */

#include "negotiate.h"

void register_iq(struct conn *c, const struct heard *heard);
/* The domain takes none (3.1). */
void register_closed(struct conn *c, const struct heard *heard);
void register_features(struct conn *c, struct buf *out);
void register_on_registered(struct conn *c, const struct frame *f);
void register_unanswered(struct conn *c, enum zerr why);
