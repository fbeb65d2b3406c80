#pragma once

/* Streams that we open to other servers: RFC 6120 as initiating entity, XEP-0220 as initiating and
 * receiving server. */

#include "remote.h"

/* Begins a stream on a connected descriptor, which is taken; it becomes r->stream. */
void outgoing_new(struct remote *r, const char *ours, int fd, const struct sockaddr_storage *at,
                  bool direct_tls);
