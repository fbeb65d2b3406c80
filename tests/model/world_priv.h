#pragma once

/* What the parts of the small world share: world.c (the router, deaths, the list of events) and
 * world_daemons.c (A and B). */

#include "world.h"

enum kind { SYNC = 1, BLANK, FRAME, CONFIRM, TABLE, END };
enum link { LINK_DOWN, LINK_GREETING, LINK_UP };
enum conn { CONN_NONE, CONN_OPEN, CONN_ENDING };   /* as the router has it; ENDING: an END is on its way */

extern const struct scenario *at;       /* of the event that runs */

#define BIT(message) ((uint8_t)(1u << (message)))

static inline bool faulty(enum fault fault)
{
    return at->fault == fault;
}

void wrong(struct world *w, const char *what);
void push(struct world *w, struct queue *q, struct message m);
void clear(struct queue *q);
void keep_first(struct queue *q, unsigned count);
struct message pop(struct queue *q);

void a_sends(struct world *w);
void a_reads(struct world *w);
/* Its link is down. */
void a_is_cut(struct world *w);
/* Questions that never left come back; a life without memory is given up for good. */
void a_gives_up(struct world *w);
void a_commits(struct world *w);
/* So many of the messages of this turn leave. */
void a_says(struct world *w, unsigned count);

void b_reads(struct world *w);
/* With receipts: that message is done with. */
void b_finishes(struct world *w, unsigned what);
void b_commits(struct world *w);
void b_says(struct world *w);
