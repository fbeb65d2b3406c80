#pragma once

/* DNS messages (RFC 1035, SRV of RFC 2782) as bytes, by ldns. Pure. Names are A-labels of letters,
 * digits, hyphens and underscores, without the final dot. */

#include "buf.h"
#include "err.h"
#include "slice.h"

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SRV = 33 };
/* A name's text with its terminator; records kept of one answer; aliases followed (RFC 1034 3.6.2). */
enum { DNS_NAME_MAX = 254, DNS_RECORDS_MAX = 32, DNS_HOPS_MAX = 8 };

enum dns_outcome {
    DNS_FOUND,
    DNS_NOTHING,       /* no such name, or no record of that type there: an answer all the same */
    DNS_ALIAS,         /* the chain of aliases leaves this answer: ask for `alias` */
    DNS_TRUNCATED,     /* ask again by TCP */
    DNS_FAILED,        /* the server could not or would not tell */
};

struct dns_record {
    uint8_t  address[16];             /* A: the first four bytes; AAAA: all */
    uint16_t priority, weight, port;  /* SRV */
    char     target[DNS_NAME_MAX];    /* SRV; "" is the root: no such service */
};

struct dns_answer {
    enum dns_outcome  outcome;
    uint32_t          ttl;            /* seconds; of DNS_NOTHING: RFC 2308 5, 0 when not told */
    char              alias[DNS_NAME_MAX];
    size_t            count;
    struct dns_record record[];
};

/* True for a name this module takes. */
bool dns_name_ok(const char *name);
/* Appends a recursive question. The case of the letters of `name` goes out as it is and comes back
 * so: that is one more thing a forger would have to guess. ZE_BAD_REQUEST. */
enum zerr dns_query_write(struct buf *out, uint16_t id, const char *name, unsigned type);
/* The answer to exactly that question, the caller's to free(); NULL: these bytes are none (broken,
 * another id, another question): go on waiting. */
struct dns_answer *dns_answer_read(struct slice packet, uint16_t id, const char *name, unsigned type);
/* Turns letters to upper case where `bits` has ones, cyclic. */
void dns_mix_case(char *name, uint64_t bits);
