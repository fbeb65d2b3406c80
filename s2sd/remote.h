#pragma once

/* A domain somewhere else: at most one stream of ours to it at a time, the pairs that use it, the keys
 * it has to verify, and how long it is left alone after a failure. */

#include "backoff.h"
#include "connect.h"
#include "queue.h"
#include "stream.h"

/* For (one of our domains, this remote): may we send on the stream? XEP-0220 2.1.1. */
enum pair_state {
    PAIR_IDLE,
    PAIR_ASKED,          /* the key is sent, no answer yet */
    PAIR_VALID,
};

struct pair {
    struct list     link;
    struct remote  *remote;
    char           *ours;
    enum pair_state state;
    bool            retried;      /* what waits was tried on another stream before */
    struct backoff  refused;      /* the other side did not take us */
    struct queue    queue;
    struct timer    expiry;       /* of the first that waits */
    struct timer    patience;     /* with PAIR_ASKED */
};

/* A key somebody told us, for this remote to verify: XEP-0220 2.1.2. */
struct verify {
    struct list    link;
    struct remote *remote;
    uint64_t       stream;        /* handle of the one it was told on */
    char          *ours, *id, *key;
    bool           asked;
    struct timer   patience;
};

struct remote {
    struct s2sd    *s2sd;
    char           *domain;
    struct connect *connect;      /* while there is no stream, and until it is negotiated */
    struct stream  *stream;
    struct list     pairs, verifies;
    unsigned        pair_count, verify_count;
    size_t          queued;       /* bytes of all pairs */
    struct backoff  backoff;
    enum zerr       why;          /* of the last failure */
    uint64_t        tried_ms, used_ms;
};

/* NULL: not known (find); too many (get). */
struct remote *remote_find(const struct s2sd *s, struct slice domain);
struct remote *remote_get(struct s2sd *s, struct slice domain);
/* Opens a stream unless there is one or one is on its way. */
void remote_want(struct remote *r);
/* True when it failed a short while ago and nothing is being tried. */
bool remote_is_shunned(const struct remote *r);
/* Somebody of that domain proved to be there: failures are forgotten. */
void remote_seen(struct s2sd *s, struct slice domain);

/* An operator knows better: failures are forgotten, what waits is tried now. */
void remote_forgive(struct remote *r);

/* Asks it whether `key` is one of its own for the stream `id`; the answer goes to incoming_verified.
 * ZE_FULL: too many questions; ZE_REMOTE: it cannot be reached just now. */
enum zerr remote_verify(struct s2sd *s, const struct stream *asked_on, const struct dialback_said *said);

/* ---- from outgoing.c ---- */
void remote_stream_ready(struct remote *r);
/* r->stream is over. */
void remote_stream_ended(struct remote *r, struct stream *st);
void remote_on_verified(struct remote *r, const struct dialback_said *said);

/* Frees those that nobody needs any more; all of them when the daemon ends. */
void remotes_sweep(struct s2sd *s, bool all);
