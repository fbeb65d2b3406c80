#pragma once

/* RFC 6120 7: asks the owner of the account for a session; and the session IQ of RFC 3921 3. */

#include "login.h"
#include "negotiate.h"

void bind_request(struct conn *c, const struct heard *heard);
void bind_session(struct conn *c, const struct heard *heard);
void bind_features(struct conn *c, struct buf *out);
void bind_on_bound(struct conn *c, const struct frame *f);
void bind_unanswered(struct conn *c, enum zerr why);
/* Asks the owner; fills in ticket, client, address, secure. */
enum zerr bind_send(struct conn *c, struct bind_request *r);
