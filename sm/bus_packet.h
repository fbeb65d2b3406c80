#pragma once

/* What sm instances tell each other about presence (DESIGN.md 5): the body of a PRESENCE_BUS frame, and,
 * sealed, a message on a Redis channel. Little-endian, u8 version and u8 op first:
 *
 *   HELLO    u64 stream, u64 number of the first packet that comes now, u8 answer (tell me the same)
 *   ACCEPT   u8 on, sized channel, 32 bytes key: publish to me there, sealed with this
 *   CONFIRM  u64 stream, u64 number: all packets up to that one are applied
 *   ECHO     u64 nonce: this probe reached me
 *   PROBE    u32 origin, u64 nonce                            only by Redis
 *   PACKET   u32 origin, u64 stream, u64 number, then frames  by Redis or by routerd, the same bytes
 *
 * origin: instance key of the publisher. A frame (frame.h) in a packet is a FANOUT or STANZA with an
 * available or unavailable presence, nothing else.
 *
 * Anybody who can reach Redis can write to a channel there. So each instance draws a key at its start and
 * gives it to the others through routerd; what comes by Redis and is not sealed with it is junk. */

#include "frame.h"

enum bus_op { BUS_HELLO = 1, BUS_ACCEPT, BUS_CONFIRM, BUS_ECHO, BUS_PROBE, BUS_PACKET, BUS_OP_END };

enum {
    BUS_KEY = 32,
    BUS_SEAL = 16,                     /* bytes before the body: HMAC-SHA-256, cut */
    BUS_CHANNEL_MAX = 128,
    BUS_FRAMES_MAX = 64,               /* in one packet */
    BUS_PACKET_FULL = 65536,           /* bytes of frames from which on a packet is not filled further */
};

struct bus_packet {
    enum bus_op  op;
    uint32_t     origin;
    uint64_t     stream;
    uint64_t     number;               /* of the packet; PROBE, ECHO: the nonce */
    bool         flag;                 /* HELLO: answer; ACCEPT: on */
    struct slice channel, key;
    struct slice frames;
};

void bus_packet_put(struct buf *out, const struct bus_packet *p);
/* Slices borrow. ZE_PROTOCOL: malformed, or a packet with a frame that has no business there. */
enum zerr bus_packet_take(struct slice body, struct bus_packet *out);
/* Walks the frames of a packet that was taken; false at the end. */
bool bus_frame_next(struct slice *frames, struct frame *f);
/* True: presence that may travel in a packet. */
bool bus_frame_fits(const struct frame *f);

/* Appends seal and body. */
void bus_seal(struct buf *out, const uint8_t key[BUS_KEY], struct slice body);
/* False: not sealed with this key. */
bool bus_unseal(const uint8_t key[BUS_KEY], struct slice payload, struct slice *body);
/* Who claims to have published it, before the seal is looked at; 0: nobody. */
uint32_t bus_claimed_origin(struct slice payload);
