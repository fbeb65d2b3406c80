#pragma once

/* What is pushed, to which client, and what an error of a push service means (XEP-0357). Pure. */

#include "stanza.h"

/* Would somebody want to be told of it while nobody looks? */
bool push_worthy(const struct stanza *s);

/* The client that registered: its session, at the moment when the message came. */
enum push_client { CLIENT_AWAY, CLIENT_ASLEEP, CLIENT_AWAKE, PUSH_CLIENTS };

struct push_verdict {
    bool        push;
    const char *why;               /* for the operator */
};
/* got: the session of that client gets the message too (or a copy of it). awake: somebody who is awake gets it. */
struct push_verdict push_verdict(enum push_client client, bool got, bool awake);

enum push_fate { PUSH_RETRY, PUSH_DROP };
/* Of an error with that type and condition (RFC 6120 8.3). */
enum push_fate push_fate(struct slice type, struct slice condition);

/* Until the next attempt after so many failures in a row, from 1. */
uint64_t push_backoff_ms(unsigned failures, unsigned first_seconds);
