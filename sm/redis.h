#pragma once

/* Two connections to one Redis (RESP2: a connection that subscribed can ask nothing else). Each connects
 * by itself, again and again with back-off, and is dropped when an answer is late. What was asked and not
 * answered then is answered NULL: whoever asks has another way, because Redis is a hint (DESIGN.md 5). */

#include "live.h"
#include "redis_wire.h"

struct redis;

struct redis_spec {
    struct loop *loop;
    struct live *live;          /* what is asked leaves when the turn is true; NULL: at its end */
    const char  *where;         /* "unix:PATH", "HOST:PORT", "[ADDRESS]:PORT" */
    const char  *channel;       /* the one that is subscribed to */
    size_t       out_max;       /* bytes waiting to be written; as much again may be with the kernel */
    size_t       in_max;        /* bytes of one message */
    /* redis_up or redis_listening changed. */
    void       (*on_change)(void *arg);
    /* Untrusted; borrowed for the call. */
    void       (*on_message)(void *arg, struct slice payload);
    void        *arg;
};

/* Connects in the next loop turn. */
struct redis *redis_new(const struct redis_spec *spec);
void          redis_free(struct redis **r);

bool redis_up(const struct redis *r);           /* questions can be asked */
bool redis_listening(const struct redis *r);    /* the channel is subscribed to */
/* Leaves at the end of the loop turn, with all others of that turn. ZE_UNAVAILABLE, ZE_FULL: not asked,
 * `then` (may be NULL) will not run. */
enum zerr redis_ask(struct redis *r, const struct slice *words, size_t count, redis_answer *then, void *arg);
