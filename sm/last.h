#pragma once

/* When accounts were last there (XEP-0012): last.c keeps it. */

#include "sm.h"

/* Microseconds since 1970 when the last of its sessions that were available went; 0: none ever did. `status`, or NULL:
 * what it said then, borrowed from the view. Of one who is online it tells of the time before. */
uint64_t last_seen_us(struct sm *sm, struct store_view *view, struct slice owner, struct slice *status);
