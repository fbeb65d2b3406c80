#pragma once

/* The presence bus between the sm instances of a host (DESIGN.md 5): each instance writes one numbered
 * stream of packets to each other one. A packet goes by Redis while that road is known to work, else by
 * routerd, the same bytes; the receiver applies them in the order of their numbers, each once, whichever
 * road they came. So nothing that Redis loses, delays or repeats is ever seen.
 *
 * A packet is done when its receiver confirmed it (through routerd; that Redis had a subscriber for it is
 * not enough). Redis answering 0 receivers or an error, or no confirm in time: everything unconfirmed goes
 * by routerd at once, in order, and so does all that follows, until a probe that went by Redis was echoed.
 *
 * With live memory all of it outlives the process: the numbers of both directions and the unconfirmed
 * packets are rows, and what was held back is not confirmed to routerd either.
 *
 * Not kept: the order between a broadcast (by Redis) and a message or subscription (by routerd) of one
 * sender; presence for one receiver (probe answers, subscriptions) goes by routerd and keeps it.
 *
 * Pure: times are arguments, the world is struct bus_ways. */

#include "frame.h"
#include "routes.h"

struct bus;
struct receipt;

struct bus_ways {
    /* A PRESENCE_BUS frame with this body, by routerd: reliable once taken. */
    enum zerr (*send)(void *arg, uint32_t instance, struct slice body);
    /* By Redis. Answered with bus_published and the same `ticket`, unless an error is returned. */
    enum zerr (*publish)(void *arg, const char *channel, struct slice payload, uint64_t ticket);
    /* A row of live memory, true at the end of the turn; value.p NULL: forget it. */
    void (*save)(void *arg, struct slice key, struct slice value);
    /* The confirm of the PRESENCE_BUS frame in hand is taken over until it is released (link.h). */
    struct receipt *(*receipt)(void *arg);
    void (*release)(void *arg, struct receipt *receipt);
    /* A presence of another instance; f->origin is that instance, checked; its content is not. */
    void (*deliver)(void *arg, const struct frame *f);
    void  *arg;
};

struct bus_limits {
    size_t   unconfirmed_bytes;    /* to one instance by Redis; beyond: by routerd */
    uint64_t patience_ms;          /* for a confirm; beyond: by routerd */
};

/* `instance`: own name. */
struct bus *bus_new(const char *instance, const struct bus_limits *limits, const struct bus_ways *ways);
void        bus_free(struct bus **b);
void        bus_set_limits(struct bus *b, const struct bus_limits *limits);

/* A row that was saved, in key order; before the first bus_peer. */
void bus_restore(struct bus *b, struct slice key, struct slice value);

/* An instance of sm as the route table has it. */
void bus_peer(struct bus *b, const struct route_instance *peer, uint64_t now_ms);
/* Redis came or went: may we publish, do we hear our channel. */
void bus_redis(struct bus *b, bool up, bool listening, uint64_t now_ms);
/* Our channel: a name that nobody can guess, so that two suites may share a Redis. */
const char *bus_channel(const struct bus *b);

/* A presence for f->dest (bus_frame_fits), in the order of the calls. */
void bus_send(struct bus *b, const struct frame *f, uint64_t now_ms);
/* Packets for Redis are filled during a loop turn and leave here; nothing is sent by routerd. True: some
 * could not leave, call bus_after_turn. */
bool bus_end_turn(struct bus *b, uint64_t now_ms);
/* What could not leave goes by routerd. */
void bus_after_turn(struct bus *b, uint64_t now_ms);

/* A PRESENCE_BUS frame came. ZE_PROTOCOL: malformed. */
enum zerr bus_on_frame(struct bus *b, const struct address *origin, struct slice body, uint64_t now_ms);
/* Something came on our channel. False: junk. */
bool bus_on_message(struct bus *b, struct slice payload, uint64_t now_ms);
/* receivers: what PUBLISH answered; negative: an error or no answer. */
void bus_published(struct bus *b, uint64_t ticket, int64_t receivers, uint64_t now_ms);

/* Looks at patience, probes and confirms; to be called at least every 100 ms while it returns true. */
bool bus_tick(struct bus *b, uint64_t now_ms);

/* Instances to which presence goes by Redis now. */
unsigned bus_roads(const struct bus *b);
