#pragma once

/* Messages to accounts that are not there, counted as if they waited for somebody (XEP-0160): the sender gets the
 * answers of a store that fills up, so that a full one does not tell who exists (RFC 6120 13.11).
 *
 * Memory of this process, at most ABSENT_MAX names; one more, and all counts begin anew, as if everybody had come
 * for what waited. Pure. */

#include "ledger.h"

enum { ABSENT_MAX = 4096 };

struct absent;
struct absent *absent_new(void);
void           absent_free(struct absent **a);
/* One more message, of so many bytes in the ledger. False: it would not fit. */
bool           absent_takes(struct absent *a, struct slice bare, size_t bytes, const struct ledger_limits *limits);
