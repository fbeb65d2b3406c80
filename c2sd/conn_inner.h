#pragma once

/* What the files of conn share (conn.h is the outside): conn.c has states and ends, conn_in.c is what the transport
 * says, conn_handles.c finds streams. */

#include "conn.h"

enum { SLOWED_TICK_MS = 100 };     /* until a client that was slowed is looked at again */

/* The stream is over: sm hears the condition, the log why. broken: the socket was lost. */
void conn_leave(struct conn *c, const char *condition, const char *why, bool broken);
/* Its handle finds nobody any more. */
void conn_leave_handle(struct c2sd *s, struct conn *c);
