#pragma once

/* A small world for the model of channels (DESIGN.md 3): daemon A sends to daemon B through a router; each
 * of the three may die at any moment. The ends of the channel are the real proto/channel.c and
 * proto/intake.c; around them is what proto/link_*.c does with them, in few words. A state is plain bytes,
 * so that states can be compared.
 *
 * A turn of a daemon is any number of events, then its end: commit, then what it has to say leaves. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MESSAGES = 7, QUEUE = 14, NUMBERS = 8, RANGES = 2 };

/* What the model is asked to get wrong: each must be noticed. */
#define FAULTS(X)                                                                                  \
    X(NONE, "as it is")                                                                            \
    X(CONFIRM_EARLY, "the receiver confirms before its turn is committed")                         \
    X(LEAVE_EARLY, "frames leave before the sender's turn is committed")                           \
    X(NO_JOIN, "a new join of the receiver goes unnoticed")                                        \
    X(NO_CUT, "what was on the way when the sender's link broke is not sent again")                \
    X(NUMBERS_RESET, "a sender that comes back with its memory counts from 1 again")               \
    X(KEPT_LOST, "kept frames are not in the sender's memory")                                     \
    X(MARK_LOST, "what was seen is not in the receiver's memory")                                  \
    X(LEFT_LOST, "which questions have left is not in the sender's memory")                        \
    X(TAKE_DUPLICATES, "the receiver takes what it has seen")                                      \
    X(TAKE_GAPS, "the receiver takes what comes after a gap")                                      \
    X(NO_VOID, "nothing takes the place of a frame that was withdrawn")                            \
    X(ANY_CONFIRM, "a CONFIRM for an earlier life of the sender is believed")                      \
    X(ONE_LIFE, "the receiver does not tell the lives of the sender apart")                        \
    X(DONE_WHEN_SEEN, "what is in hand counts as done")

enum fault {
#define X(name, text) FAULT_##name,
    FAULTS(X)
#undef X
    FAULT_COUNT
};

enum nature { PLAIN, QUESTION, FOR_LIFE };      /* of a message: FOR_LIFE names the receiver's life */

enum who { WHO_A, WHO_B, WHO_ROUTER, WHO_LINK_A, WHO_LINK_B, WHO_COUNT };

struct scenario {
    const char *name;
    bool        sender_lives, receiver_lives;   /* live memory: comes back as it was at its last commit */
    bool        receipts;                       /* the receiver finishes in any order */
    bool        burst;                          /* all messages are sent at once */
    bool        quick;                          /* the router passes on at once what B says */
    uint8_t     messages;
    uint8_t     nature[MESSAGES];               /* enum nature */
    uint8_t     deaths[WHO_COUNT], all_deaths;  /* budgets: of each (enum who); together */
    uint8_t     boots;                          /* budget: A or B comes back without its memory */
    uint8_t     away;                           /* budget: A gives up waiting for B */
    enum fault  fault;
};

struct message {
    uint8_t kind;               /* enum in world.c */
    uint8_t life;               /* of its sender */
    uint8_t number, last;       /* SYNC: first, sent; TABLE: router, joins; CONFIRM: done, seen */
    uint8_t what;               /* message; TABLE: up; CONFIRM: the life it speaks to */
    uint8_t dest;               /* FRAME: life it is for, or 0; TABLE: life; CONFIRM: resend */
    uint8_t ranges, range[RANGES][2];
};

struct queue {
    uint8_t        count;
    struct message at[QUEUE];
};

struct out_end {                /* struct channel, as bytes */
    uint8_t base, cursor, next, left, synced, router, joins;
    uint8_t what[NUMBERS], dest[NUMBERS];       /* by number; 0: a hole */
};

struct in_end {                 /* struct intake */
    uint8_t life, seen, done, asked, ask, all;
    uint8_t count, range[RANGES][2], news_count, news[RANGES][2];
};

struct sender {
    struct out_end out;
    uint8_t        life, peer;  /* its own, and the receiver's as last seen; 0: lost */
    uint8_t        returned;    /* messages, as bits: given back to their sender */
};

struct receiver {
    struct in_end in;
    uint8_t       life;
    uint8_t       owes;
    uint8_t       applied, bounced, last;   /* messages, as bits; the last one taken */
    uint8_t       in_hand[MESSAGES + 1];    /* with receipts: number under which it was taken */
    uint8_t       in_hand_life;
};

struct world {
    uint8_t         next;               /* message to be sent next */
    uint8_t         deaths[WHO_COUNT], all_deaths, boots, away;     /* budgets left */
    uint8_t         alive[3], link[2], conn[2];             /* enums in world.c */
    uint8_t         router_life, joins, b_life, b_up;   /* the table */
    uint8_t         up;                 /* B, as A has read it there */
    uint8_t         lives[2];           /* last ones given */
    uint8_t         open[2];            /* the turn has something to make true or to say */
    struct queue    to_router[2], from_router[2], turn;     /* turn: what A's wire holds */
    struct sender   a, a_saved;
    struct receiver b, b_saved;
    uint8_t         accepted, confirmed, forgiven;    /* messages, as bits: history, no daemon's state */
    const char     *wrong;              /* a property that does not hold */
};

void world_begin(struct world *w, const struct scenario *s);
/* The i-th event that can happen now: true, and it has happened to *w; false: there is none. `name` says
 * what it was. `bad_luck`: nobody is owed it, so a world in which only such is left is at rest. */
bool world_event(struct world *w, const struct scenario *s, unsigned i, const char **name, bool *bad_luck);
/* At rest: what must have come true? NULL: all of it did. */
const char *world_at_rest(const struct world *w, const struct scenario *s);
