#pragma once

/* What the files of transports share (transport.h is the outside): transport_in.c reads, transport_out.c writes,
 * transport.c is their life. */

#include "transport.h"

enum { READ_ROOM = 65536 };

struct transports {
    struct loop    *loop;
    struct list     dirty, crowd;
    struct deferred flush, flush_crowd;
    size_t          output_max;
    uint64_t       *bytes_in, *bytes_out;
    struct timer    trim;
    size_t          ended;                  /* since the last trim */
    struct buf      plain, sealed;          /* scratch within one call */
    uint8_t         read[READ_ROOM];
};

/* The peer is gone: lost() runs, once. */
void transport_lose(struct transport *t, const char *why);

/* ---- transport_in.c ---- */
/* Reads, unless it is paused. */
void transport_read_on(struct transport *t);
/* What is held goes on as if it had just come, if the answer it waited for is there. */
void transport_take_held(struct transport *t);
void transport_drop_held(struct transport *t);

/* ---- transport_out.c ---- */
/* Flushed at the end of this turn. */
void transport_mark(struct transport *t);
/* Work of the loop, with struct transports: all that are dirty; some of the crowd. */
void transports_flush(void *all);
void transports_flush_some(void *all);
