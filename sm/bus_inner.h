#pragma once

/* What the parts of the bus share: bus.c (peers, time), bus_out.c (the way out), bus_in.c (the way in). */

#include "bus.h"
#include "bus_packet.h"
#include "list.h"
#include "table.h"

enum { BUS_CONFIRM_MS = 100, BUS_CONFIRM_BYTES = 65536, BUS_RETRY_MIN_MS = 1000, BUS_RETRY_MAX_MS = 30000 };

enum bus_road { ROAD_ROUTER, ROAD_PROBED, ROAD_REDIS };

/* Packet number n of the stream to a peer that is not confirmed; or, in the way in, one that came before
 * its turn. */
struct bus_item {
    struct list link;
    uint64_t    number;
    uint64_t    since_ms;
    bool        by_router;     /* the way out: routerd has it, it is only counted */
    struct receipt *receipt;   /* the way in, when it came by routerd */
    struct buf  body;
};

struct bus_out {
    bool          on;                         /* the peer listens on `channel` */
    char          channel[BUS_CHANNEL_MAX + 1];
    uint8_t       key[BUS_KEY];
    enum bus_road road;
    uint32_t      episode;                    /* changes with each closing: answers for an earlier one are late */
    uint64_t      stream, number;             /* number: of the last packet made */
    bool          greeted;                    /* the peer was told of this stream */
    bool          broken;                     /* a packet was lost on the way to routerd */
    const char   *fault;                      /* why a packet of this turn did not leave by Redis; or NULL */
    struct buf    batch;                      /* frames of this turn */
    unsigned      batch_frames;
    struct list   unconfirmed;
    size_t        unconfirmed_bytes;
    uint64_t      nonce, probed_ms;
    uint64_t      opened_ms, retry_ms, retry_at_ms;
};

struct bus_in {
    uint8_t     key[BUS_KEY];
    uint64_t    stream;                       /* 0: never heard of */
    uint64_t    next;                         /* number that is to be applied next */
    struct list held;                         /* by number */
    size_t      held_bytes;
    uint64_t    confirm_at_ms;                /* 0: nothing to confirm */
    size_t      confirm_bytes;
};

struct bus_peer {
    char           name[64];                  /* empty: only known from live memory yet */
    uint32_t       instance;
    uint64_t       life;
    bool           up;
    struct bus_out out;
    struct bus_in  in;
};

struct bus {
    struct bus_limits limits;
    struct bus_ways   ways;
    uint32_t          self;
    char              channel[BUS_CHANNEL_MAX + 1];
    bool              up, listening;
    struct bus_peer **peers;
    size_t            peer_count;
    struct buf        scratch;                /* of the packet being made */
};

struct bus_counters {
    uint64_t presences_redis, presences_router, packets_redis, packets_router, packets_returned,
        received_redis, received_router, late, held, junk, roads_opened, roads_closed;
};
extern struct bus_counters bus_counters;

/* Rows of live memory: i and o = u32 instance -> a state, p = u32 instance, u64 number -> a packet. */
enum bus_row { ROW_IN = 'i', ROW_OUT = 'o', ROW_PACKET = 'p' };
/* value.p NULL: forget it. number: of a packet, else 0. */
void bus_save(struct bus *b, const struct bus_peer *p, enum bus_row row, uint64_t number, struct slice value);
void bus_save_state(struct bus *b, const struct bus_peer *p, enum bus_row row, uint64_t stream, uint64_t number);

/* bus_out.c */
void bus_out_init(struct bus_peer *p);
/* An unconfirmed packet of before; in order. */
void bus_out_restore(struct bus_peer *p, uint64_t number, struct slice body);
/* What is unconfirmed goes by routerd. */
void bus_out_return(struct bus *b, struct bus_peer *p);
void bus_out_free(struct bus_peer *p);
void bus_out_frame(struct bus *b, struct bus_peer *p, const struct frame *f, uint64_t now_ms);
void bus_out_flush(struct bus *b, struct bus_peer *p, uint64_t now_ms);
void bus_out_hello(struct bus *b, struct bus_peer *p, bool answer);
void bus_out_confirmed(struct bus *b, struct bus_peer *p, const struct bus_packet *confirm);
void bus_out_accepted(struct bus *b, struct bus_peer *p, const struct bus_packet *accept, uint64_t now_ms);
void bus_out_echoed(struct bus_peer *p, uint64_t nonce, uint64_t now_ms);
/* Everything unconfirmed and all that follows goes by routerd. */
void bus_out_close(struct bus *b, struct bus_peer *p, const char *why, uint64_t now_ms);
/* Probes when it is time; gives up what took too long. True: look again. */
bool bus_out_tick(struct bus *b, struct bus_peer *p, uint64_t now_ms);

/* bus_in.c */
void bus_in_init(struct bus_peer *p);
void bus_in_free(struct bus *b, struct bus_peer *p);
void bus_in_hello(struct bus *b, struct bus_peer *p, const struct bus_packet *hello);
void bus_in_packet(struct bus *b, struct bus_peer *p, const struct bus_packet *packet, bool by_router,
                   uint64_t now_ms);
bool bus_in_tick(struct bus *b, struct bus_peer *p, uint64_t now_ms);
