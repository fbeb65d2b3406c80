#pragma once

/* A client's stream, RFC 6120 4.3: states, patience, and how it ends. */

#include "bucket.h"
#include "c2sd.h"
#include "jid.h"
#include "manage.h"
#include "stanza.h"
#include "xml_stream.h"

enum conn_state {
    CONN_OPENING,        /* waiting for <stream:stream> */
    CONN_FEATURES,       /* features sent, nothing chosen */
    CONN_TLS,            /* handshake running */
    CONN_SASL,           /* exchange with sm running */
    CONN_BINDING,        /* authenticated, waiting for BOUND */
    CONN_RESUMING,       /* authenticated, waiting for RESUMED (XEP-0198 5) */
    CONN_ACTIVE,         /* stanzas flow */
    CONN_CLOSED,         /* over; what is written still goes out */
    CONN_STATES
};

#define S(state) (1u << (state))

/* What is only needed until the session stands; freed then. */
struct login {
    struct list    link;             /* c2sd->newcomers */
    struct conn   *conn;
    uint64_t       begun_ms;
    char          *hint;             /* bare JID of the stream's `from`, or NULL */
    struct address sm;               /* who was asked; with a role and an incarnation: who answers */
    uint64_t       exchange;         /* its handle there */
    const struct sasl_profile *profile;     /* of the last exchange (sasl_inner.h), or NULL */
    const struct sasl_mechanism *mechanism; /* of the last exchange (sasl_list.h); NULL: none, or a token */
    struct inlines *inlines;         /* XEP-0388: what <success/> waits for (inline.h), or NULL */
    unsigned       failures;
    struct buf     start;            /* body of the AUTH_START that is not answered yet */
    struct buf     ticket;           /* from AUTH_DONE, for BIND */
    struct buf     certified;        /* certificates.h: as in AUTH_START */
    struct buf     client;           /* user-agent id (XEP-0388), for BIND */
    struct buf     iq_id;            /* of the bind or registration IQ being answered */
    uint64_t       trace;
};

struct conn {
    struct transport   transport;
    struct c2sd       *c2sd;
    struct xml_stream *xml;
    struct login      *login;
    char              *domain;       /* the stream's `to`, once opened */
    char              *jid;          /* bare once authenticated, full once bound; else NULL */
    struct timer       patience;
    struct list        slowed;
    uint64_t           handle;       /* for frames and logs; never reused in this process */
    uint64_t           session;      /* sm's handle of it */
    struct address     owner;        /* the life of sm that holds the session */
    uint64_t           since_us;     /* accepted, wall clock */
    uint64_t           heard_ms;     /* last bytes from the client */
    uint64_t           slowed_until_ms;
    struct bucket      bytes, stanzas;
    struct client_ip   ip;
    uint32_t           unconfirmed;  /* bytes of its stanzas that sm has not confirmed */
    uint8_t            secret[SESSION_SECRET_SIZE];     /* from BOUND: who knows it speaks for the session */
    uint8_t            state;        /* enum conn_state */
    bool               direct_tls, secure, authenticated, header_sent, counted;
    bool               waiting;      /* another daemon owes an answer */
    /* XEP-0198 (management.h) */
    bool               managing;     /* <enable/> was passed on: sm counts, also what is answered here */
    bool               managed;      /* <enabled/> or <resumed/> was written */
    bool               unasked;      /* stanzas were written since the last <r/> */
    bool               asked;        /* an <r/> is unanswered */
    bool               acked;        /* ack_h is to be passed on to sm */
    uint32_t           ack_h;
    bool               moving;       /* its session is on the way to another sm (owner.h) */
};

enum { ADDRESS_MAX = 46, ANSWER_MS = 20000, HANDLE_BITS = 20 };

/* Takes a waiting client from the listener, within the limits. */
void conn_accept(struct c2sd *c2sd, uv_stream_t *listener, bool direct_tls);
/* By a handle from a frame; NULL when there is no such stream or it is closed. */
struct conn *conn_find(struct c2sd *c2sd, uint64_t handle);
/* Walks all streams: start with *i = 0; NULL at the end. */
struct conn *conn_next(struct c2sd *c2sd, size_t *i);

/* The only place where state changes. A missing edge is our own mistake: fatal. */
void        conn_enter(struct conn *c, enum conn_state next);
bool        conn_may_enter(enum conn_state from, enum conn_state to);
const char *conn_state_name(enum conn_state state);

/* Another daemon was asked: reading pauses until conn_answered, or ANSWER_MS have passed. */
void conn_wait(struct conn *c);
void conn_answered(struct conn *c);

/* The session stands: what only the login needed goes. */
void conn_login_done(struct conn *c);

/* Ends the stream with a stream error (a header is sent first if none was, RFC 6120 4.9.1.2). text
 * may be NULL. Nothing when it is closed already. */
void conn_fail(struct conn *c, enum stream_error error, const char *text);
/* The same with an application-specific condition (RFC 6120 4.9.4). */
void conn_fail_with(struct conn *c, enum stream_error error, const char *text, const char *element);
/* Ends it with </stream:stream> only. `why` for the log and for sm. The session ends with it; after a
 * lost socket, system-shutdown and resource-constraint alone it may be resumed elsewhere. */
void conn_close(struct conn *c, const char *why);

/* Where stanzas and elements for the client are appended. */
struct buf *conn_out(struct conn *c);
/* After a stream header with `to`: the answer to it. */
void conn_send_header(struct conn *c);
/* The TLS handshake begins; false (and failed) when there are no certificates. */
bool conn_start_tls(struct conn *c);
/* Client's address as text. */
const char *conn_address(const struct conn *c, char out[ADDRESS_MAX]);
struct slice conn_jid(const struct conn *c);
/* The limits for what the client sends now. */
struct xml_limits conn_limits(const struct conn *c);
/* Sends a frame about this stream: fills sender. Errors of link_send. */
enum zerr conn_send_frame(struct conn *c, struct frame *f);
/* The client sends faster than this: stop reading until it is worth it again. */
void conn_slow(struct conn *c, uint64_t ms);

/* For accept.c: what a new stream is made of. */
extern const struct transport_events conn_events;
void     conn_take_handle(struct c2sd *c2sd, struct conn *c);
void     conn_patience_ended(void *conn);
/* Milliseconds this state lasts at most. */
unsigned conn_patience(const struct conn *c);
