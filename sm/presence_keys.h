#pragma once

/* Each available session's presence as a key in Redis, with a lifetime, for control tools and other
 * processes: `zubr:online:<full JID>` = the presence stanza. Never read to decide anything, with one
 * exception: once after a start the instance looks which sessions Redis still names that nobody holds
 * any more, and tells their contacts that they are gone (a machine that lost its power said no goodbye).
 * Whoever forges such a key makes a session that does not exist look gone, no more. */

#include "redis.h"
#include "session.h"
#include "sm.h"

struct presence_keys;

struct presence_keys *presence_keys_new(struct sm *sm, struct redis *redis);
/* After redis_free. */
void presence_keys_free(struct presence_keys **k);
/* Redis came or went: when it comes, all sessions are written anew, paced. */
void presence_keys_redis(struct presence_keys *k, bool up);
/* There is a route table, so that it is known which accounts are ours. */
void presence_keys_routed(struct presence_keys *k);
/* Writes or deletes the session's key as it is now. */
void presence_keys_write(struct presence_keys *k, const struct session *s);
