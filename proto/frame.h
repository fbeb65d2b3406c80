#pragma once

/* One message between two daemons. On the wire, little-endian:
 *
 *   0  u32 length      bytes after this field: FRAME_HEADER - 4 .. FRAME_MAX
 *   4  u8  version     FRAME_VERSION
 *   5  u8  kind        enum frame_kind
 *   6  u16 flags       enum frame_flag
 *   8  u8  origin role, u8 destination role, u8 stanza name, u8 stanza type
 *  12  u32 generation  of the route table by which the destination was chosen; 0 = fixed by handle
 *  16  u32 origin instance key, u32 destination instance key
 *  24  u64 origin incarnation
 *  32  u64 destination incarnation   0 = whichever lives
 *  40  u64 handle      the object meant, at the receiver (session, connection, exchange); 0 = none
 *  48  u64 sender      the object it comes from, at the sender; 0 = none
 *  56  u64 number      in the channel (sender incarnation -> destination instance), from 1; 0 = none
 *  64  u64 trace       follows one stanza through every daemon's log
 *  72  u32 stanza flags
 *  76  u32 list_len
 *  80  u16 from_len, u16 to_len, u16 id_len, u16 lang_len, u16 ns_len, u16 name_len
 *  92  from, to, id, lang, ns, name, list, then the body: the rest
 *
 * The slices of a decoded frame point into the receive buffer: good until the handler returns. */

#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "frame_kinds.h"
#include "slice.h"
#include "stanza.h"

enum { FRAME_HEADER = 92, FRAME_MAX = 16 * 1024 * 1024, FRAME_PART_MAX = 65535 };

enum frame_flag {
    FRAME_REROUTED = 1 << 0,    /* has been sent again under a newer table once */
    FRAME_MANAGED  = 1 << 1,    /* in the queue of a session with stream management: its sender delivers it
                                   again from there, whatever becomes of this frame */
    FRAME_HELD     = 1 << 2,    /* never sent as it is: kept by sm for clients that are inactive (sm/csi.h) */
};

/* One life of one instance. key = instance_key(name); incarnation random, 0 = whichever lives. */
struct address {
    uint8_t  role;              /* enum role */
    uint32_t instance;
    uint64_t incarnation;
};

static inline bool same_life(const struct address *a, const struct address *b)
{
    return a->role == b->role && a->instance == b->instance && a->incarnation == b->incarnation;
}

struct frame {
    enum frame_kind kind;
    uint16_t        flags;
    struct address  origin;       /* stamped by routerd, never believed from the sender */
    struct address  dest;
    uint32_t        generation;
    uint64_t        handle, sender;
    uint64_t        number;
    uint64_t        trace;
    struct stanza   stanza;       /* content = body */
    struct slice    list;
    struct slice    body;
};

/* Stable key of an instance name ("sm-1"): FNV-1a 32 of the name, never 0. Test vector: docs/design.md. */
uint32_t instance_key(const char *name);
/* Role of an instance by its name: "c2sd-web" is ROLE_C2SD; ROLE_NONE when it is no role's. */
enum role   role_of_instance(const char *name);
const char *role_name(unsigned role);      /* "c2sd" */

/* Decodes the first frame of `in`. Returns bytes consumed; 0 when more must be read; ZE_PROTOCOL
 * when the peer cannot be trusted any more (bad length, unknown kind or version, stanza name or type
 * outside the lists). Allocates nothing. stanza.content and body are both set to the body. */
ssize_t frame_decode(struct slice in, struct frame *out);

/* Appends f to `out`; body is f->body (stanza.content is ignored). ZE_FULL when a part is too long. */
enum zerr frame_encode(struct buf *out, const struct frame *f);
/* As above, the body in two pieces (so that fan-out need not join them). */
enum zerr frame_encode2(struct buf *out, const struct frame *f, struct slice body1, struct slice body2);
/* The same in two steps, for who has its own memory: the whole length (0: a part is too long), then that
 * many bytes written. */
size_t frame_length(const struct frame *f);
void   frame_write(uint8_t *at, const struct frame *f);
/* Overwrites flags, generation, destination and number of an encoded frame in place: sent another way. */
void frame_readdress(uint8_t *bytes, const struct frame *f);
/* Overwrites fields of an encoded frame in place: what routerd does. `bytes` begins at the length. */
void frame_stamp_origin(uint8_t *bytes, const struct address *origin);

/* An empty frame of this kind. */
struct frame frame_make(enum frame_kind kind);
