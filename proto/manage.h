#pragma once

/* Bodies of the frames about sessions that outlive a socket or a daemon (kinds 33-37): stream management
 * (XEP-0198), resumption, announcement. Queue, h and resumption live in sm; c2sd parses and carries. All
 * of it travels in the order of the stanzas around it. Slices borrow; a malformed body is ZE_PROTOCOL. */

#include "buf.h"
#include "cursor.h"
#include "element.h"
#include "err.h"

enum { SESSION_SECRET_SIZE = 16, RESUME_ID_MAX = 128 };

/* MANAGE. c2sd -> sm (frame.handle = session, frame.sender = connection):
 *   ENABLE   <enable/>: resume and max as asked       REQUEST  <r/>
 *   ACK      <a h=''/>; c2sd may pass on only the last one of a loop turn
 *   ACTIVE, INACTIVE  of XEP-0352
 *   REFUSED  a stanza that c2sd cannot pass on (frame.stanza: name, type, id, to; no content). It counts in h
 *            as any other, and so does the answer, which therefore comes from sm: err, or 0: an empty result
 * sm -> c2sd (frame.handle = connection):
 *   ENABLED  <enabled/>: resume, id, max, location     ACK      <a h=''/>
 *   FAILED   <failed/>: err becomes the condition inside
 *   TOO_HIGH the client acknowledged h, and max stanzas were sent: the stream ends with an error */
enum manage_op {
    MANAGE_ENABLE = 1, MANAGE_ENABLED, MANAGE_FAILED, MANAGE_REQUEST, MANAGE_ACK, MANAGE_REFUSED,
    MANAGE_TOO_HIGH, MANAGE_ACTIVE, MANAGE_INACTIVE, MANAGE_OP_END,
};

struct manage {
    enum manage_op op;
    bool           resume;
    uint32_t       max;            /* seconds; 0 = not said. TOO_HIGH: stanzas */
    uint32_t       h;
    enum zerr      err;
    struct slice   id;             /* of <enabled/>: opaque, at most RESUME_ID_MAX bytes */
    struct slice   location;       /* HOST:PORT, or empty */
};
void      manage_put(struct buf *out, const struct manage *m);
enum zerr manage_take(struct slice body, struct manage *m);

/* Attributes of XEP-0198 elements. Numbers: xs:unsignedInt, larger ones are the largest; booleans: xs:boolean,
 * absent is false. False: neither. */
bool manage_number(struct slice text, uint32_t *out);
bool manage_boolean(struct slice text, bool *out);
/* <enable/> as MANAGE_ENABLE. ZE_BAD_REQUEST. */
enum zerr manage_enable_take(const struct element *e, struct manage *m);

/* RESUME_AT, c2sd -> owner of the bare JID that logged in (frame.stanza.to), frame.sender = connection. */
struct resume_request {
    struct slice ticket;           /* as for BIND */
    struct slice previd;
    uint32_t     h;
    struct slice address;
    bool         secure;
};
void      resume_request_put(struct buf *out, const struct resume_request *r);
enum zerr resume_request_take(struct slice body, struct resume_request *r);

/* RESUMED, sm -> c2sd, frame.handle = connection. err == 0: frame.sender = session; c2sd writes
 * <resumed previd='' h=''/>, the unacknowledged stanzas follow as STANZA frames. err != 0: <failed/>
 * with item-not-found (or what err says); has_h: the session is known to have ended with that h
 * (XEP-0198 5). */
struct resumed {
    enum zerr    err;
    bool         has_h;
    uint32_t     h;
    struct slice jid;              /* full */
    struct slice previd;
    struct slice secret;           /* as in BOUND */
};
void      resumed_put(struct buf *out, const struct resumed *r);
enum zerr resumed_take(struct slice body, struct resumed *r);

/* ANNOUNCE, c2sd -> sm, after one of the two or routerd came back: the connections whose sessions that sm
 * holds, at most 1000 a frame. session 0: still being bound or resumed. sm ends, or lets hibernate, those
 * sessions of that life of c2sd which the whole announcement (first to last) does not name; it resets
 * connections whose session it does not know or whose secret is wrong, and never makes a session. */
struct announced {
    uint64_t     conn, session;
    struct slice secret;           /* SESSION_SECRET_SIZE bytes; empty when session is 0 */
};
void      announce_begin(struct buf *out, bool first, bool last);
void      announce_put(struct buf *out, const struct announced *a);
enum zerr announce_open(struct slice body, struct cursor *c, bool *first, bool *last);
/* False at the end, and when the body is malformed (then c->bad). */
bool      announce_next(struct cursor *c, struct announced *a);

/* MOVED, sm -> c2sd, frame.handle = connection, frame.sender = the session's handle at its new owner, the
 * origin. The body is the secret from BOUND: c2sd believes only who knows it. */
