#pragma once

/* Streams that other servers open to us: RFC 6120 as receiving entity, XEP-0220 as receiving and
 * authoritative server. */

#include "stream.h"

/* A pair of domains that a stream asked for. */
struct allowed {
    struct list link;
    char       *ours, *theirs;
    bool        valid;           /* false: the key is being verified */
};

/* The authoritative server of `theirs` answered, or could not be asked (DIALBACK_ERROR and why). The
 * stream may be gone meanwhile. */
void incoming_verified(struct s2sd *s, uint64_t stream, struct slice ours, struct slice theirs,
                       enum dialback_type result, enum zerr why);
