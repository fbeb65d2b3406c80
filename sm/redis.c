/* The two connections to Redis (redis.h), on libuv; how they are made is in redis_connect.c. */

#include "redis_inner.h"

#include <stdio.h>
#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "encode.h"
#include "log.h"
#include "mem.h"
#include "stats.h"

enum {
    GREETING_MS = 3000,         /* for connecting and the first answer */
    ANSWER_MS = 5000,           /* for any later answer; then the connection is dropped */
    QUIET_MS = 15000,           /* of silence until Redis is asked whether it lives */
    LOOK_MS = 500,
    RETRY_MIN_MS = 200, RETRY_MAX_MS = 10000,
};

static uint64_t connects, losses, asked, refused;

static const struct stat_row rows[] = {
    { "redis_connects", "connections to Redis that came up", &connects },
    { "redis_losses", "connections to Redis that were lost or could not be made", &losses },
    { "redis_asked", "commands sent to Redis", &asked },
    { "redis_refused", "commands not sent: Redis was away, or the queue full", &refused },
    { 0 },
};

static void flush(void *arg);

/* ---- what is said of it ---- */

bool redis_up(const struct redis *r)
{
    return r->connections[ASKING].state == READY;
}

bool redis_listening(const struct redis *r)
{
    return r->connections[LISTENING].state == READY;
}

/* One line when it goes and one when it is back, however often a connection is tried meanwhile. */
static void tell(struct redis *r, const char *why)
{
    bool whole = redis_up(r) && redis_listening(r);

    if (why && !r->told_down)
        log_warn("redis_down", "peer", r->where, "why", why, NULL);
    if (whole)
        log_info("redis_up", "peer", r->where, NULL);
    r->told_down = !whole && (r->told_down || why);
    r->spec.on_change(r->spec.arg);
}

static void enter(struct connection *c, enum state state)
{
    c->state = state;
    c->since_ms = c->heard_ms = loop_now_ms(c->redis->spec.loop);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle)
{
    struct socket *s = (struct socket *)handle;

    buf_free(&s->writing);
    free(s);
}

static void let_go(struct connection *c)
{
    if (c->socket) {
        c->socket->owner = NULL;
        uv_close(&c->socket->handle, on_closed);
        c->socket = NULL;
    }
    if (c->lookup) {
        c->lookup->owner = NULL;
        uv_cancel((uv_req_t *)&c->lookup->request);
        c->lookup = NULL;
    }
    loop_undefer(&c->flush);
    timer_disarm(&c->timer);
}

/* Half of the pause is chance, so that all instances do not come back in the same moment. */
static void retry_later(struct connection *c)
{
    uint64_t pause = c->retry_ms / 2 + random_u64() % (c->retry_ms / 2 + 1);

    c->retry_ms = c->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : c->retry_ms * 2;
    timer_arm(c->redis->spec.loop, &c->timer, pause);
}

/* The state changes before those who wait are told: what they ask now is refused. */
void redis_lose(struct connection *c, const char *why)
{
    losses++;
    log_debug("redis_lost", "kind", c->which == ASKING ? "asking" : "listening", "why", why, NULL);
    let_go(c);
    enter(c, AWAY);
    redis_wire_free(&c->wire);
    retry_later(c);
    tell(c->redis, why);
}

/* ---- bytes ---- */

static void on_written(uv_write_t *request, int status)
{
    struct socket *s = request->data;

    buf_reset(&s->writing, READ_BYTES);
    if (!s->owner)
        return;
    if (status < 0)
        redis_lose(s->owner, uv_strerror(status));
    else
        flush(s->owner);
}

/* What the kernel takes at once needs no request; the rest is given to libuv, one piece at a time. */
static void flush(void *arg)
{
    struct connection *c = arg;
    struct socket     *s = c->socket;
    struct buf        *out;
    uv_buf_t           piece;
    int                n;

    if (c->state < GREETING || buf_len(&s->writing))
        return;
    out = redis_wire_out(c->wire);
    piece = uv_buf_init((char *)out->bytes + out->start, (unsigned)buf_len(out));
    n = piece.len ? uv_try_write(&s->stream, &piece, 1) : 0;
    if (n > 0)
        buf_consume(out, (size_t)n);
    if (buf_len(out) == 0) {
        buf_reset(out, READ_BYTES);
        return;
    }
    s->writing = *out;
    *out = (struct buf){ 0 };
    s->write.data = s;
    piece = uv_buf_init((char *)s->writing.bytes + s->writing.start, (unsigned)buf_len(&s->writing));
    uv_write(&s->write, &s->stream, &piece, 1, on_written);
}

static void lend(uv_handle_t *handle, size_t wish, uv_buf_t *piece)
{
    struct socket *s = (struct socket *)handle;

    (void)wish;
    *piece = uv_buf_init(s->owner->redis->read, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *piece)
{
    struct socket     *s = (struct socket *)stream;
    struct connection *c = s->owner;
    enum zerr          err;

    if (n < 0) {
        redis_lose(c, n == UV_EOF ? "closed by Redis" : uv_strerror((int)n));
        return;
    }
    c->heard_ms = loop_now_ms(c->redis->spec.loop);
    err = redis_wire_take(c->wire, slice_of(piece->base, (size_t)n));
    if (c->fault)
        redis_lose(c, c->fault);
    else if (err)
        redis_lose(c, err == ZE_FULL ? "an answer over the limit" : "an answer that is none");
}

static void on_message(void *arg, struct slice channel, struct slice payload)
{
    struct connection *c = arg;

    if (slice_is(channel, c->redis->channel))
        c->redis->spec.on_message(c->redis->spec.arg, payload);
}

static enum zerr ask(struct connection *c, const struct slice *words, size_t count, redis_answer *then, void *arg)
{
    enum zerr err = redis_wire_ask(c->wire, words, count, then, arg, loop_now_ms(c->redis->spec.loop));

    asked += !err;
    if (c->redis->spec.live)
        live_dirty(c->redis->spec.live);
    else
        loop_defer(c->redis->spec.loop, &c->flush);
    return err;
}

/* ---- connecting ---- */

static void on_greeted(void *arg, const struct redisReply *reply)
{
    struct connection *c = arg;

    if (!reply || c->state != GREETING)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        c->fault = slice_starts(slice_of(reply->str, (size_t)reply->len), SLICE("NOAUTH")) ? "it wants a password"
                                                                                           : "it refused";
        return;
    }
    connects++;
    c->retry_ms = RETRY_MIN_MS;
    enter(c, READY);
    tell(c->redis, NULL);
}

void redis_on_connected(uv_connect_t *request, int status)
{
    struct socket     *s = request->data;
    struct connection *c = s->owner;
    struct slice       greeting[CONNECTIONS][2] = {
        [ASKING] = { SLICE("PING") }, [LISTENING] = { SLICE("SUBSCRIBE"), slice_of(NULL, 0) },
    };

    if (!c)
        return;
    if (status < 0) {
        redis_lose(c, uv_strerror(status));
        return;
    }
    greeting[LISTENING][1] = slice_str(c->redis->channel);
    enter(c, GREETING);
    uv_read_start(&s->stream, lend, on_read);
    ask(c, greeting[c->which], c->which == ASKING ? 1 : 2, on_greeted, c);
}

static void begin(struct connection *c)
{
    struct redis          *r = c->redis;
    struct redis_wire_spec spec = {
        .out_max = r->spec.out_max, .in_max = r->spec.in_max, .arg = c,
        .on_message = c->which == LISTENING ? on_message : NULL,
    };

    c->wire = redis_wire_new(&spec);
    c->fault = NULL;
    enter(c, CONNECTING);
    timer_arm(r->spec.loop, &c->timer, LOOK_MS);
    redis_connect(c);
}

/* A stopped Redis still takes connections and bytes; only the missing answer tells. */
static void look(struct connection *c)
{
    uint64_t     now = loop_now_ms(c->redis->spec.loop), asked_ms = redis_wire_waiting_since(c->wire);
    bool         waits = asked_ms != UINT64_MAX;
    struct slice ping = SLICE("PING");

    if (c->state != READY && now - c->since_ms > GREETING_MS) {
        redis_lose(c, "no greeting in time");
        return;
    }
    if (c->state == READY && waits && now - asked_ms > ANSWER_MS) {
        redis_lose(c, "no answer in time");
        return;
    }
    if (c->state == READY && !waits && now - c->heard_ms > QUIET_MS)
        ask(c, &ping, 1, NULL, NULL);
    timer_arm(c->redis->spec.loop, &c->timer, LOOK_MS);
}

static void on_timer(void *arg)
{
    struct connection *c = arg;

    if (c->state == AWAY)
        begin(c);
    else
        look(c);
}

/* ---- the pair ---- */

/* A connection may be lost on the way. */
static void after_commit(void *arg)
{
    struct redis *r = arg;

    for (int i = 0; i < CONNECTIONS; i++)
        flush(&r->connections[i]);
}

struct redis *redis_new(const struct redis_spec *spec)
{
    struct redis *r = xcalloc(1, sizeof(*r));

    stats_register(rows);
    r->spec = *spec;
    r->where = xstrdup(spec->where);
    r->channel = xstrdup(spec->channel);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &r->connections[i];
        *c = (struct connection){
            .redis = r, .which = (enum which)i, .retry_ms = RETRY_MIN_MS, .timer = { .fire = on_timer, .arg = c },
            .flush = { .run = flush, .arg = c },
        };
        timer_arm(spec->loop, &c->timer, 0);
    }
    r->after_commit = (struct live_hook){ .run = after_commit, .arg = r };
    if (spec->live)
        live_after_commit(spec->live, &r->after_commit);
    return r;
}

void redis_free(struct redis **rp)
{
    struct redis *r = *rp;

    if (!r)
        return;
    *rp = NULL;
    for (int i = 0; i < CONNECTIONS; i++) {
        let_go(&r->connections[i]);
        r->connections[i].state = AWAY;
        redis_wire_free(&r->connections[i].wire);
    }
    list_remove(&r->after_commit.link);
    free(r->where);
    free(r->channel);
    free(r);
}

enum zerr redis_ask(struct redis *r, const struct slice *words, size_t count, redis_answer *then, void *arg)
{
    enum zerr err = redis_up(r) ? ask(&r->connections[ASKING], words, count, then, arg) : ZE_UNAVAILABLE;

    refused += err != ZE_OK;
    return err;
}
