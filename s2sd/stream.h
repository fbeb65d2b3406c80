#pragma once

/* An XML stream of any kind that s2sd has: one that a server or a component opened to us, or one of
 * ours to another server. States, patience and the end are the same for all; what is said differs and
 * is in incoming.c, outgoing.c and component.c. */

#include "bucket.h"
#include "queue.h"
#include "s2sd.h"
#include "stanza.h"
#include "stream_limits.h"
#include "xml_stream.h"

enum stream_state {
    STREAM_OPENING,      /* waiting for <stream:stream> */
    STREAM_FEATURES,     /* features (a component: its handshake) are under way, nothing is agreed */
    STREAM_STARTTLS,     /* we asked for TLS and wait for <proceed/> */
    STREAM_TLS,          /* handshake running */
    STREAM_READY,        /* stanzas may flow */
    STREAM_CLOSING,      /* we said </stream:stream>, the other side has not yet */
    STREAM_CLOSED,       /* over; what is written still goes out */
    STREAM_STATES
};

#define S(state) (1u << (state))

struct stream;

typedef void element_handler(struct stream *st, const struct element *e);

enum needs { NEEDS_NOTHING, NEEDS_TLS };

/* Which element is legal when. Anything else ends the stream. */
struct element_rule {
    unsigned         states;
    enum needs       needs;
    const char      *ns, *name;
    element_handler *handle;
};

struct stream_kind {
    const char *name;                       /* "in", "out", "component" */
    const char *ns;                         /* of its stanzas */
    const struct element_rule *rules;       /* ended by { 0 } */
    bool        stays;                      /* silence does not end it */
    void (*opened)(struct stream *st, const struct xml_open *open);
    void (*stanza)(struct stream *st, struct xml_item *item);
    void (*secured)(struct stream *st);
    /* Once, as soon as it can carry nothing more (CLOSING or CLOSED). May be NULL. */
    void (*ended)(struct stream *st);
    void (*taken)(struct stream *st);       /* the kernel has what was written before; may be NULL */
    void (*freed)(struct stream *st);       /* may be NULL */
};

extern const struct stream_kind incoming_kind, outgoing_kind, component_kind;

struct remote;

struct stream {
    struct transport          transport;
    const struct stream_kind *kind;
    struct s2sd              *s2sd;
    struct list               link;         /* s2sd->streams */
    struct xml_stream        *xml;
    struct timer              patience, slow;
    uint64_t                  handle;       /* for logs; never reused in this process */
    uint64_t                  since_us;     /* wall clock */
    uint64_t                  heard_ms;     /* last stanza or dialback, either way */
    uint64_t                  stanzas_in, stanzas_out;
    struct bucket             bytes;        /* limits.s2s_byte_rate, component_byte_rate */
    uint32_t                  slowed;       /* how often it was not read for a while */
    uint64_t                  written;      /* bytes of stanzas, of all the time */
    struct queue              flying;       /* struct queued: written and not taken by the kernel (flight.h) */
    uint32_t                  unconfirmed;  /* bytes of stanzas from the peer that nobody has confirmed */
    char                     *id;           /* of the stream: ours when incoming, theirs when outgoing */
    char *ours, *theirs; /* domains as the headers named them; NULL: not yet, or not told */
    char                     *why;          /* it ended; NULL: it has not */
    struct client_ip          ip;
    uint8_t                   state;        /* enum stream_state */
    bool                      direct_tls, secure, header_sent, counted, ended, was_ready;
    bool                      certified;    /* the peer's certificate proves `theirs` (RFC 7590 3.4) */
    enum stream_error         told;         /* stream error of the peer */
    /* incoming */
    struct list               allowed;      /* struct allowed: pairs asked for and verified */
    unsigned                  allowed_count, verified_count;
    /* outgoing */
    struct remote            *remote;       /* NULL once it ended */
    bool                      dialback;     /* the header or a feature says that the peer knows it */
    struct stream_limits      limits;       /* what the peer announced last (XEP-0478) */
};

enum { ADDRESS_MAX = 46 };

/* Takes who waits at the listener, within the limits. */
void stream_accept(struct s2sd *s, uv_stream_t *listener, const struct stream_kind *kind);
/* Takes the descriptor of a connection of ours. NULL: gone already. */
struct stream *stream_adopt(struct s2sd *s, int fd, const struct sockaddr_storage *at, bool direct_tls);
/* By handle; NULL: there is none, or it is closed. */
struct stream *stream_find(const struct s2sd *s, uint64_t handle);

/* The only place where state changes. A missing edge is our own mistake: fatal. */
void        stream_enter(struct stream *st, enum stream_state next);
bool        stream_may_enter(enum stream_state from, enum stream_state to);
const char *stream_state_name(enum stream_state state);

/* Where to append what the peer shall get. */
struct buf *stream_out(struct stream *st);
/* Something worth keeping the stream for went over it. */
void stream_used(struct stream *st);
/* A stream header of ours; the id is made for kinds that answer. */
void stream_send_header(struct stream *st);
/* Limits for what the peer sends from now on: small until `trusted`. */
void stream_limit(struct stream *st, bool trusted);
/* Of the peer, for what we send (XEP-0478). */
void stream_announced(struct stream *st, const struct stream_limits *limits);
/* Stops reading for so long: the peer is over its rate, or other daemons cannot keep up. */
void stream_slow(struct stream *st, uint64_t ms);
/* So many bytes of its stanzas went to other daemons, or were confirmed: it is not read while
 * limits.unconfirmed_max of them are not. */
void stream_passed(struct stream *st, size_t bytes);
void stream_confirmed(struct stream *st, size_t bytes);

/* Ends it with a stream error (RFC 6120 4.9), after a header if none was sent. text may be NULL. */
void stream_fail(struct stream *st, enum stream_error error, const char *text);
/* Ends it politely (RFC 6120 4.4); what the peer still says is taken. */
void stream_close(struct stream *st, const char *why);
/* Ends it without a word. */
void stream_kill(struct stream *st, const char *why);

/* Address of the peer as text. */
const char *stream_address(const struct stream *st, char out[ADDRESS_MAX]);
/* "TLS1.3", or "" in clear. */
const char *stream_tls(const struct stream *st);
