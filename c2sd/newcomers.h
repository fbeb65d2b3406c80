#pragma once

/* Streams that have not logged in yet: strangers, who cost up to 30 KB each while TLS is being agreed on.
 * There are at most limits.logins_max of them. When there are so many, who has taken longer than
 * NEWCOMER_MS makes room, and as long as nobody has, more people wait in the listening sockets. */

#include "conn.h"

enum { NEWCOMER_MS = 5000 };

void newcomers_init(struct c2sd *s);
void newcomers_end(struct c2sd *s);
void newcomer_comes(struct conn *c);
/* He has logged in, or is gone. Again: nothing. */
void newcomer_leaves(struct conn *c);
