#pragma once

/* Bytes in and out of one stream behind a small interface: TCP, with or without TLS. What is written
 * during a loop turn is sealed and sent once, at its end. Nothing is buffered for an idle one. */

#include <uv.h>

#include "buf.h"
#include "list.h"
#include "loop.h"
#include "tls.h"

struct transport;
struct transports;

enum pause {
    PAUSE_ANSWER = 1 << 0,     /* another daemon owes an answer: bytes read meanwhile are held */
    PAUSE_RATE   = 1 << 1,     /* the peer sends too fast, or other daemons cannot keep up */
    PAUSE_CONFIRM = 1 << 2,    /* too much of what it sent is not taken over yet */
    PAUSE_MOVE   = 1 << 3,     /* who takes it is changing: bytes read meanwhile are held, as for an answer */
};

struct transport_events {
    /* Plaintext arrived; advances *in as far as it wants. What it leaves is kept while PAUSE_ANSWER
     * or PAUSE_MOVE is set, goes to TLS if that was just started, and is dropped once the transport ends. */
    void (*bytes)(struct transport *t, struct slice *in);
    /* So many bytes came from the socket; runs after `bytes`. */
    void (*charged)(struct transport *t, size_t bytes);
    void (*secured)(struct transport *t);                   /* handshake done */
    /* The peer is gone or broke TLS, or does not read. Runs at most once; the owner ends it. */
    void (*lost)(struct transport *t, const char *why);
    void (*closed)(struct transport *t);                    /* the memory may go */
    /* The kernel has all that was flushed; transport_out may hold newer bytes. Also when it is ending. May
     * be NULL. */
    void (*taken)(struct transport *t);
    /* What was written in this turn leaves now: the last chance to add to it. May be NULL. */
    void (*sending)(struct transport *t, struct buf *out);
};

struct transport {
    uv_tcp_t                       tcp;
    const struct transport_events *on;
    struct transports             *all;
    struct tls                    *tls;        /* NULL: in clear */
    struct list                    dirty;      /* among those to flush now, or in the crowd */
    struct buf                     out;        /* plaintext of this turn, or waiting for the socket */
    struct buf                     wire;       /* to be sent as it is, before `out` */
    struct buf                    *held;       /* plaintext read while PAUSE_ANSWER; NULL: none */
    size_t                         writing;    /* bytes the kernel has not taken yet */
    uint8_t                        paused;     /* enum pause bits */
    bool                           ending, said_bye, shut, gone, closing, tls_begun, in_crowd;
};

/* What all transports of the process share: read buffer, the list of those to flush. */
struct transports *transports_new(struct loop *loop);
void               transports_free(struct transports **all);
/* limits.output_max, bytes. */
void transports_limit(struct transports *all, size_t output_max);

/* Takes who waits at `listener`; `t` is zeroed memory. ZE_GONE: nobody there; closed() runs. */
enum zerr transport_accept(struct transport *t, struct transports *all, const struct transport_events *on,
                           uv_stream_t *listener);
/* The same for a descriptor connected by us, which is taken. */
enum zerr transport_adopt(struct transport *t, struct transports *all, const struct transport_events *on,
                          int fd);
void transport_start(struct transport *t);
/* TLS from the next byte on; what was written before still goes out in clear. Takes `tls`. */
void transport_secure(struct transport *t, struct tls *tls);
/* The same on the side that begins the handshake. */
enum zerr transport_secure_first(struct transport *t, struct tls *tls);

/* Where to append what shall be sent at the end of this turn. Borrowed until the next call. */
struct buf *transport_out(struct transport *t);
/* The same for what goes to a crowd: of those sockets a few are written in each turn, and what has come
 * meanwhile leaves with it, in one record and one system call. When there is no crowd it is this turn too. What
 * transport_out appends takes it along. */
struct buf *transport_out_crowd(struct transport *t);
/* Bytes not yet given to the kernel. */
size_t transport_waiting(const struct transport *t);
/* Lets the kernel find out that the peer is dead: keep-alive after so many seconds of silence, and no
 * longer than that for what it does not acknowledge. */
void transport_watch(struct transport *t, unsigned seconds);
/* Stops and resumes reading; no byte is lost. */
void transport_pause(struct transport *t, enum pause why);
void transport_resume(struct transport *t, enum pause why);
/* Sends what is left, then close_notify and FIN; from now on what arrives is dropped. The owner calls
 * transport_kill after its patience, unless the peer closes first. */
void transport_end(struct transport *t);
/* Closes at once; closed() runs later. Calling it again does nothing. */
void transport_kill(struct transport *t);

/* Where bytes of all sockets are counted; they outlive the transports. */
void transports_count(struct transports *all, uint64_t *bytes_in, uint64_t *bytes_out);
