#pragma once

/* One DNS question over TCP (RFC 7766): for answers that do not fit a datagram. */

#include "loop.h"
#include "slice.h"

#include <sys/socket.h>

struct dns_tcp;
/* `packet` is empty when it failed. The exchange is gone when this runs; never within dns_tcp_ask. */
typedef void dns_tcp_fn(void *owner, struct slice packet);

struct dns_tcp *dns_tcp_ask(struct loop *loop, const struct sockaddr *server, struct slice query, uint64_t ms,
                            dns_tcp_fn *then, void *owner);
void            dns_tcp_forget(struct dns_tcp **tcp);
