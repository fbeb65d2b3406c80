#pragma once

/* What redis.c and redis_connect.c share (redis.h is the outside). */

#include "redis.h"

enum { READ_BYTES = 65536 };

enum which { ASKING, LISTENING, CONNECTIONS };
enum state { AWAY, CONNECTING, GREETING, READY };

/* Lives until libuv has closed it; `owner` is NULL from the moment the connection gave it up. */
struct socket {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t   pipe;
        uv_tcp_t    tcp;
    };
    uv_connect_t       connecting;
    uv_write_t         write;
    struct buf         writing;     /* given to libuv */
    struct connection *owner;
};

/* The same for a name that is being looked up. */
struct lookup {
    uv_getaddrinfo_t   request;
    struct connection *owner;
};

struct connection {
    struct redis      *redis;
    enum which         which;
    enum state         state;
    struct socket     *socket;
    struct lookup     *lookup;
    struct redis_wire *wire;
    uint64_t           since_ms;    /* of the state */
    uint64_t           heard_ms;
    uint64_t           retry_ms;    /* the next pause */
    const char        *fault;       /* found inside redis_wire_take, which the wire must outlive; or NULL */
    struct timer       timer;       /* AWAY: to connect; else: to look */
    struct deferred    flush;
};

struct redis {
    struct redis_spec spec;
    char             *where, *channel;
    struct connection connections[CONNECTIONS];
    bool              told_down;
    struct live_hook  after_commit;
    char              read[READ_BYTES];
};

/* To where the setting says; redis_on_connected or redis_lose follows, perhaps at once. */
void redis_connect(struct connection *c);
void redis_on_connected(uv_connect_t *request, int status);
/* It is over, and tried again after a while. `why` is a literal, or outlives the log line. */
void redis_lose(struct connection *c, const char *why);
