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

enum { AUTH_BINDINGS_MAX = 4, AUTH_CERTIFIED_MAX = 16, CLIENT_TEXT_MAX = 1023, TASK_NAME_MAX = 255 };

struct auth_binding {
    struct slice name;             /* "tls-exporter" */
    struct slice data;
};

/* XEP-0388 2.3, <user-agent/>: empty what was not said. Never shown to other entities. */
struct auth_client {
    struct slice id;               /* UUID, lower case: the same for good for one installation */
    struct slice software, device;
};

/* c2sd -> sm */
struct auth_start {
    struct slice        domain;    /* of the stream's `to` */
    struct slice        from;      /* bare JID of the stream's `from`, or empty: a hint only (RFC 6120 4.7.1) */
    struct slice        mechanism; /* as the client named it */
    bool                sasl2;     /* the profile of XEP-0388, else that of RFC 6120 */
    struct auth_binding binding[AUTH_BINDINGS_MAX];     /* those of the stream */
    unsigned            bindings;
    struct slice        advertised;    /* XEP-0474 4.1 step 4: what was offered, in one string */
    bool                plus_offered;  /* a -PLUS mechanism was offered on this stream */
    bool                secure;        /* TLS is up */
    bool                has_initial;   /* an initial response was sent (may be empty) */
    struct slice        initial;       /* raw bytes, base64 already undone */
    struct slice        address;       /* of the client, for throttles and logs */
    struct auth_client  client;
    struct slice        inlines;   /* content: those children of <authenticate/> that sm decides on */
    struct slice        certified; /* sized bare JIDs of `domain`, each once: whom the certificate names that the
                                      client showed and c2sd verified; sm relies on that. auth_certified_next */
};

/* AUTH_STEP, both ways. BYTES: SASL bytes (challenge, response). With XEP-0388 2.6.3 also: CONTINUE (sm ->
 * c2sd): `data` of the mechanism, and the one task to do; NEXT (c2sd -> sm): the task begun, with what was
 * in <next/>; TASK_DATA (both): what is in <task-data/>. */
enum auth_step_kind { AUTH_BYTES = 1, AUTH_CONTINUE, AUTH_NEXT, AUTH_TASK_DATA, AUTH_STEP_END };

struct auth_step {
    enum auth_step_kind kind;
    bool                has_data;  /* CONTINUE only */
    struct slice        data;
    struct slice        task;
    struct slice        content;
};

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
    struct slice content;          /* elements for <success/> (XEP-0388 2.6.1) */
    struct slice caps;             /* of the server, as features of the stream (XEP-0115 6.3); may be empty */
};

enum { BIND_TAG_MAX = 255 };      /* bytes; the rest of the resource is sm's */

/* c2sd -> owner sm */
struct bind_request {
    struct slice ticket;
    struct slice resource;         /* prepared; empty: make one. bind2: the tag */
    struct slice address;
    bool         secure;
    struct slice client;           /* id of struct auth_client, or empty */
    bool         bind2;            /* XEP-0386, else RFC 6120 7 */
    struct slice inlines;          /* content: children of <bind/> in other namespaces */
};

/* sm -> c2sd. err != 0: refused (CONFLICT, FULL, NOT_AUTHORIZED...). jid: full. */
struct bound {
    enum zerr    err;
    struct slice jid;
    struct slice secret;           /* 16 bytes: presented when the socket is announced again */
    struct slice managed;          /* body of a MANAGE (proto/manage.h), ENABLED or FAILED: what became of
                                      <enable/> among the inlines; empty: it was not there */
    struct slice content;          /* elements for <bound/> (XEP-0386) */
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
/* Walks auth_start.certified, from a cursor on it. False: no more. */
bool      auth_certified_next(struct cursor *c, struct slice *jid);
void      auth_step_put(struct buf *out, const struct auth_step *a);
enum zerr auth_step_take(struct slice body, struct auth_step *a);
void      auth_done_put(struct buf *out, const struct auth_done *a);
enum zerr auth_done_take(struct slice body, struct auth_done *a);
void      bind_request_put(struct buf *out, const struct bind_request *b);
enum zerr bind_request_take(struct slice body, struct bind_request *b);
void      bound_put(struct buf *out, const struct bound *b);
enum zerr bound_take(struct slice body, struct bound *b);
void      session_end_put(struct buf *out, const struct session_end *e);
enum zerr session_end_take(struct slice body, struct session_end *e);
