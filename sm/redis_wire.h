#pragma once

/* RESP2 of one Redis connection, without its socket: questions become bytes, bytes become answers. The
 * codec is hiredis' (its formatter and its reader); its own sockets are not used: they look names up on
 * the spot, know no patience while connecting, and neither side of them is bounded. Pure: times are
 * arguments. */

#include "buf.h"
#include "err.h"

struct redis_wire;
struct redisReply;      /* hiredis/hiredis.h */

/* reply: good for the call; NULL: the connection ended before the answer. It must not free the wire. */
typedef void redis_answer(void *arg, const struct redisReply *reply);

struct redis_wire_spec {
    size_t out_max;     /* bytes not yet written, beyond which questions are refused */
    size_t in_max;      /* bytes of one answer or message; a longer one ends the connection */
    /* A message on a channel that was subscribed to. NULL: this connection does not subscribe. */
    void (*on_message)(void *arg, struct slice channel, struct slice payload);
    void  *arg;
};

struct redis_wire *redis_wire_new(const struct redis_wire_spec *spec);
/* Whoever waits for an answer is told NULL. */
void redis_wire_free(struct redis_wire **w);

/* `then` may be NULL. ZE_FULL: nothing was written, `then` will not run. */
enum zerr redis_wire_ask(struct redis_wire *w, const struct slice *words, size_t count, redis_answer *then,
                         void *arg, uint64_t now_ms);
/* What is to be written; the caller consumes. */
struct buf *redis_wire_out(struct redis_wire *w);
/* Bytes came. ZE_PROTOCOL, ZE_FULL: the connection cannot go on. */
enum zerr redis_wire_take(struct redis_wire *w, struct slice bytes);
/* When the oldest question still without an answer was asked; UINT64_MAX: none waits. */
uint64_t redis_wire_waiting_since(const struct redis_wire *w);

/* True when the answer is this simple string ("OK", "PONG"). */
bool redis_says(const struct redisReply *reply, const char *status);
