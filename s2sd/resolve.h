#pragma once

/* Where the server of a domain is: RFC 6120 3.2 (SRV, fallback), XEP-0368 (direct TLS), address
 * literals, localhost (RFC 6761 6.3). */

#include <sys/socket.h>

#include "dns_client.h"
#include "err.h"
#include "srv_order.h"

enum { TARGETS_MAX = 16, ADDRESSES_MAX = 16, XMPP_SERVER_PORT = 5269 };

/* Both kinds of question answer later, once, and are gone then. */
struct resolve;

/* Targets in the order to try (borrowed for the call); none: ZE_REMOTE, the domain has no such
 * service or no name for DNS. */
typedef void targets_fn(void *owner, const struct srv_target *targets, size_t count, enum zerr why);
struct resolve *resolve_domain(struct loop *loop, struct dns *dns, const char *domain, targets_fn *then,
                               void *owner);

/* Addresses of a target, IPv6 first; none: ZE_REMOTE (no such host) or ZE_TIMEOUT. */
typedef void addresses_fn(void *owner, const struct sockaddr_storage *addresses, size_t count, enum zerr why);
struct resolve *resolve_target(struct loop *loop, struct dns *dns, const struct srv_target *target,
                               addresses_fn *then, void *owner);

void resolve_forget(struct resolve **resolve);

/* A domain as DNS and SNI have it: A-labels (RFC 5890). False: it has no such form. */
bool resolve_ascii(const char *domain, char out[DNS_NAME_MAX]);
/* True for "192.0.2.1" and "[2001:db8::1]", and what RFC 6761 6.3 makes of localhost. */
bool resolve_literal(const char *host, uint16_t port, struct sockaddr_storage *out);
