#pragma once

/* Listening TCP sockets. Processes share a port by SO_REUSEPORT: the kernel spreads who connects. */

#include "loop.h"

struct listen_set;
/* Somebody waits to be taken by transport_accept. `tag` is the listener's. */
typedef void listen_fn(void *owner, uv_stream_t *listener, int tag);

struct listen_set *listen_set_new(struct loop *loop, listen_fn *on_peer, void *owner);
/* Listens on an address literal and a port ("::" takes IPv4 as well, and is 0.0.0.0 where there is
 * no IPv6). False: logged why. */
bool listen_set_open(struct listen_set *set, const char *address, long port, int tag, const char *kind);
/* The same for a bound descriptor, which is taken (systemd's). */
bool listen_set_take(struct listen_set *set, int fd, int tag);
/* Who comes meanwhile waits in the kernel's backlog. */
void   listen_set_pause(struct listen_set *set, bool paused);
size_t listen_set_count(const struct listen_set *set);
/* Stops accepting; the memory goes when the handles are closed. */
void listen_set_close(struct listen_set **set);
