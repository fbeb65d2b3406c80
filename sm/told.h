#pragma once

/* Of the messages that a session was sent and its client has not acknowledged: which of them push services
 * (push.h) have been told of, so that none is told of twice: not when the session hibernates, and not when it
 * ends and they go another way (resume.h). By trace, which a message keeps in whatever frame it travels. */

#include "buf.h"
#include "cursor.h"

struct told;                   /* resume->told; NULL: none */

/* CLIENT: to those of the session's client. EVERYBODY: to all of the account's. */
enum told_who { TOLD_NOBODY, TOLD_CLIENT, TOLD_EVERYBODY };

/* Of more than TOLD_MAX the oldest is forgotten, and told of once more in the end. A trace of 0 is no trace. */
enum { TOLD_MAX = 256 };
void          told_add(struct told **t, uint64_t trace, enum told_who who);
enum told_who told_of(const struct told *t, uint64_t trace);
void          told_free(struct told **t);

/* In the live row of a session. ZE_STORE: cannot be read. */
void      told_row_put(struct buf *out, const struct told *t);
enum zerr told_row_take(struct cursor *c, struct told **t);
