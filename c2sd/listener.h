#pragma once

/* Listening sockets of this instance. */

#include "c2sd.h"

/* Addresses x ports of the settings, or what systemd hands over. NULL: nothing could be opened
 * (logged). */
struct listeners *listeners_open(struct c2sd *c2sd);
/* Stops accepting. The memory goes when the handles are closed. */
void listeners_close(struct listeners **listeners);
/* True when the settings ask for other sockets than are open: needs a restart. */
bool listeners_differ(const struct listeners *listeners, const struct c2sd *c2sd);
void listeners_pause(struct listeners *listeners, bool paused);
size_t listeners_count(const struct listeners *listeners);
