#pragma once

/* The order in which to try the targets of SRV records (RFC 2782). Pure: chance is an argument. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns_packet.h"

struct srv_target {
    char     host[DNS_NAME_MAX];
    uint16_t port, priority, weight;
    bool     direct_tls;               /* of _xmpps-server (XEP-0368) */
};

/* A number from 0 to `most`, both included. */
typedef uint32_t srv_draw(void *arg, uint32_t most);

/* Lower priority first; within one priority a target comes first with the chance its weight has in
 * the sum of those left. */
void srv_order(struct srv_target *targets, size_t count, srv_draw *draw, void *arg);
