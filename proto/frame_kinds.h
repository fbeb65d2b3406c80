#pragma once

/* Every message between daemons, one line each.
 * X(NAME, number on the wire, who may send it, how far it goes, payload)
 * LINK ends at routerd; ROUTED is passed on by its destination.
 * A number is never reused. Any change here raises FRAME_VERSION.
 * In the payload column: "u32 x" etc. little-endian, "sized x" = u32 length + bytes. */

enum role {
    ROLE_NONE = 0,
    ROLE_C2SD = 1,
    ROLE_S2SD = 2,
    ROLE_SM = 4,
    ROLE_MUC = 8,
    ROLE_ROUTERD = 16,
    ROLE_ANY = 31,
};

enum reach { LINK = 1, ROUTED };

#define FRAME_VERSION 5

#define FRAME_KINDS(X)                                                                             \
    X(HELLO,         1, ROLE_ANY & ~ROLE_ROUTERD, LINK,   "sized instance name; role, version, incarnation in the header") \
    X(ROUTES,        2, ROLE_ROUTERD,             LINK,   "the route table (proto/routes.h)")        \
    X(REFUSED,       3, ROLE_ROUTERD,             LINK,   "sized reason; the link closes")           \
    X(PAUSE,         4, ROLE_ROUTERD,             LINK,   "u32 instance key: hold frames for it")    \
    X(RESUME,        5, ROLE_ROUTERD,             LINK,   "u32 instance key")                        \
    X(ROUTE_BIND,    6, ROLE_SM | ROLE_MUC | ROLE_S2SD, LINK, "sized domain: served here now")       \
    X(ROUTE_UNBIND,  7, ROLE_SM | ROLE_MUC | ROLE_S2SD, LINK, "sized domain")                        \
    X(SYNC,          8, ROLE_ANY & ~ROLE_ROUTERD, ROUTED, "channel: where it stands (proto/intake.h)") \
    X(CONFIRM,       9, ROLE_ANY & ~ROLE_ROUTERD, ROUTED, "channel: what was received and what is done (proto/intake.h)") \
    X(STANZA,       10, ROLE_ANY & ~ROLE_ROUTERD, ROUTED, "the content of one stanza")               \
    X(FANOUT,       11, ROLE_SM | ROLE_MUC,       ROUTED, "list: recipients (proto/fanout.h); body: content of one stanza") \
    X(BOUNCE,       12, ROLE_ROUTERD | ROLE_S2SD | ROLE_C2SD | ROLE_SM | ROLE_MUC, ROUTED, "i32 enum zerr, then the frame that could not be passed on") \
    X(VOID,         13, ROLE_ANY,                 ROUTED, "in the place of frames that were withdrawn or refused: u64 last number; empty: its own alone") \
    X(AUTH_START,   20, ROLE_C2SD,                ROUTED, "see proto/login.h")                       \
    X(AUTH_STEP,    21, ROLE_C2SD | ROLE_SM,      ROUTED, "see proto/login.h")                       \
    X(AUTH_DONE,    22, ROLE_SM,                  ROUTED, "see proto/login.h")                       \
    X(AUTH_ABORT,   23, ROLE_C2SD,                ROUTED, "")                                        \
    X(REGISTER,     24, ROLE_C2SD | ROLE_SM,      ROUTED, "see proto/login.h: XEP-0077 before login") \
    X(REGISTERED,   25, ROLE_SM,                  ROUTED, "see proto/login.h")                       \
    X(BIND,         30, ROLE_C2SD,                ROUTED, "see proto/login.h")                       \
    X(BOUND,        31, ROLE_SM,                  ROUTED, "see proto/login.h")                       \
    X(SESSION_END,  32, ROLE_C2SD | ROLE_SM,      ROUTED, "see proto/login.h")                       \
    X(MANAGE,       33, ROLE_C2SD | ROLE_SM,      ROUTED, "see proto/manage.h: XEP-0198 elements of a session") \
    X(RESUME_AT,    34, ROLE_C2SD,                ROUTED, "see proto/manage.h: a stream asks for an earlier session") \
    X(RESUMED,      35, ROLE_SM,                  ROUTED, "see proto/manage.h")                      \
    X(ANNOUNCE,     36, ROLE_C2SD,                ROUTED, "see proto/manage.h: the live sockets of sessions") \
    X(MOVED,        37, ROLE_SM,                  ROUTED, "see proto/manage.h: a session has another owner now") \
    X(SLOT_FENCE,   40, ROLE_ANY & ~ROLE_ROUTERD, ROUTED, "u32 generation: the last frame sent by an older table has gone before") \
    X(SLOT_STATE,   41, ROLE_SM | ROLE_MUC,       ROUTED, "see proto/slots.h: what the old owner of slots hands to the new one") \
    X(SLOT_READY,   42, ROLE_SM | ROLE_MUC,       LINK,   "u32 generation, u8: 0 this member has all that became its own, 1 what it held has arrived") \
    X(PRESENCE_BUS, 43, ROLE_SM,                  ROUTED, "a presence that Redis could not carry (sm/bus.h)") \
    X(ERRAND,       44, ROLE_SM,                  ROUTED, "a control verb for another sm (sm/errand.h)") \
    X(ERRAND_DONE,  45, ROLE_SM,                  ROUTED, "what it said (sm/errand.h)") \
    X(PLAN,         46, ROLE_SM,                  LINK,   "an administrator's words about the end of the suite (routerd/shutdown.h)") \
    X(PLANNED,      47, ROLE_ROUTERD,             LINK,   "what became of them (routerd/shutdown.h)") \
    X(WARN,         48, ROLE_ROUTERD,             LINK,   "sized text for everybody who is connected here") \
    X(END,          49, ROLE_ROUTERD,             LINK,   "u8 1: to be started again; sized text for users: this daemon ends")

enum frame_kind {
#define X(name, number, senders, reach, payload) FRAME_##name = number,
    FRAME_KINDS(X)
#undef X
    FRAME_KIND_MAX = 64,
};

struct frame_kind_info {
    const char *name;        /* NULL: no such kind */
    unsigned    senders;     /* enum role bits */
    enum reach  reach;
};

/* By number; defined in frame.c. */
extern const struct frame_kind_info frame_kinds[FRAME_KIND_MAX];
