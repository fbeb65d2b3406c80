#pragma once

/* A TCP connection to the server of a domain: target after target, address after address until one
 * stands. The caller may come back for the next one when what stood did not speak XMPP. */

#include "dns_client.h"
#include "resolve.h"

struct connect;

/* Answers connect_next, later. fd >= 0: connected, the caller's; `at` says where (borrowed). fd < 0:
 * nothing is left to try; why is ZE_REMOTE (the domain has no such service) or ZE_TIMEOUT. */
typedef void connect_fn(void *owner, int fd, const struct sockaddr_storage *at, bool direct_tls,
                        enum zerr why);

/* `tls`: direct-TLS targets may be used. */
struct connect *connect_new(struct loop *loop, struct dns *dns, const char *domain, bool tls,
                            connect_fn *then, void *owner);
/* Tries on from where it was. */
void connect_next(struct connect *c);
void connect_free(struct connect **c);
