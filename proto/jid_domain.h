#pragma once

/* The domainpart of a JID (RFC 7622 3.2). */

#include "err.h"
#include "slice.h"

/* Canonical form: a host name of lower-case letters, digits, hyphens and U-labels without the final
 * dot; a dotted quad; or an IPv6 address in brackets as RFC 5952 writes it. *len in: room, out:
 * bytes. ZE_BAD_JID. */
enum zerr jid_prep_domain(struct slice raw, char *out, size_t *len);
