#pragma once

/* Bodies of the login frames (kinds 20-32). Each struct has put/take; slices borrow. All of it is
 * checked by the receiver; a malformed body is ZE_PROTOCOL.
 *
 * Flow (DESIGN.md 4): c2sd sends AUTH_START to any sm (by the hint of the stream's `from`, else the
 * domain); frame.sender = c2sd's connection handle; the answering sm uses frame.handle = that, and
 * frame.sender = its exchange handle, which c2sd puts into frame.handle of AUTH_STEP / AUTH_ABORT.
 * BIND goes to the owner of the bare JID: frame.stanza.to = bare JID, frame.sender = connection
 * handle. BOUND: frame.handle = connection handle, frame.sender = sm's session handle, which c2sd
 * puts into frame.handle (with dest = that sm's life) of each STANZA of this client. */

#include "buf.h"
#include "cursor.h"
#include "err.h"

/* c2sd -> sm */
struct auth_start {
    struct slice domain;           /* of the stream's `to` */
    struct slice mechanism;        /* as the client named it */
    struct slice binding_name;     /* "tls-exporter", "tls-unique" or empty */
    struct slice binding_data;
    bool         plus_offered;     /* a -PLUS mechanism was offered on this stream */
    bool         secure;           /* TLS is up */
    bool         has_initial;      /* an initial response was sent (may be empty) */
    struct slice initial;          /* raw bytes, base64 already undone */
    struct slice address;          /* of the client, for throttles and logs */
};
/* both ways: raw SASL bytes; body = the bytes */

/* sm -> c2sd. On success: jid, ticket, data (additional data with success, may be empty). On failure:
 * condition is an RFC 6120 6.5 element name ("not-authorized"), text may be empty. */
struct auth_done {
    bool         ok;
    struct slice jid;              /* bare */
    struct slice ticket;           /* opaque; valid 60 s; for this connection only */
    bool         has_data;
    struct slice data;
    struct slice condition;
    struct slice text;
};

/* c2sd -> owner sm */
struct bind_request {
    struct slice ticket;
    struct slice resource;         /* prepared; empty: make one */
    struct slice address;
    bool         secure;
};

/* sm -> c2sd. err != 0: refused (CONFLICT, FULL, NOT_AUTHORIZED...). jid: full. */
struct bound {
    enum zerr    err;
    struct slice jid;
    struct slice secret;           /* 16 bytes: presented when the socket is announced again */
};

/* Both ways. c2sd -> sm: the stream is gone (frame.handle = session). sm -> c2sd: end the stream with
 * this stream error (RFC 6120 4.9.3), frame.handle = connection. */
struct session_end {
    bool         broken;           /* c2sd -> sm: the socket was lost, the client did not close the stream:
                                      a resumable session hibernates (XEP-0198 5) */
    struct slice condition;        /* "conflict", "policy-violation", "system-shutdown", "reset"; empty: plain close */
    struct slice text;
};

/* XEP-0077 before login. frame.sender = connection handle; frame.stanza carries id, type, content of
 * the IQ; body is the content. The answer REGISTERED is the reply IQ in frame.stanza + body. The
 * client's address travels in frame.list, the stream's domain in frame.stanza.to. */

void      auth_start_put(struct buf *out, const struct auth_start *a);
enum zerr auth_start_take(struct slice body, struct auth_start *a);
void      auth_done_put(struct buf *out, const struct auth_done *a);
enum zerr auth_done_take(struct slice body, struct auth_done *a);
void      bind_request_put(struct buf *out, const struct bind_request *b);
enum zerr bind_request_take(struct slice body, struct bind_request *b);
void      bound_put(struct buf *out, const struct bound *b);
enum zerr bound_take(struct slice body, struct bound *b);
void      session_end_put(struct buf *out, const struct session_end *e);
enum zerr session_end_take(struct slice body, struct session_end *e);
