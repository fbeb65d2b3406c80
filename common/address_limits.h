#pragma once

/* How many streams one address holds and how fast it opens them (limits.connections_per_address,
 * limits.connect_rate). IPv6 counts by /64, since a household has one. Pure: time is an argument. */

#include "err.h"
#include "slice.h"

struct limits;

/* IPv4 as ::ffff:a.b.c.d. */
struct client_ip {
    uint8_t bytes[16];
};

/* What counts as one address: borrowed from ip. */
struct slice limits_key(const struct client_ip *ip);
/* The same of an address as text, by way of *ip. What is no address counts as one, like any other. */
struct slice limits_key_of(struct slice text, struct client_ip *ip);

struct limits_set {
    long per_address;      /* streams; 0 = no limit */
    long rate;             /* new streams a second, burst ten times that; 0 = no limit */
};

struct limits *limits_new(void);
void           limits_free(struct limits **l);
/* ZE_OK: counted, give it back by limits_release. ZE_FULL: too many. ZE_POLICY: too fast. */
enum zerr limits_admit(struct limits *l, const struct client_ip *ip, const struct limits_set *set,
                            uint64_t now_ms);
void      limits_release(struct limits *l, const struct client_ip *ip, uint64_t now_ms);
/* Addresses remembered now. */
size_t    limits_count(const struct limits *l);
