#pragma once

/* Frames over one Unix stream socket: what a link and a peer of routerd have in common. Reads 64 KB at
 * a time and never stops reading; one output buffer, flushed at the end of the loop turn. Knows frame
 * boundaries and nothing of what frames mean. */

#include <sys/un.h>

#include "frame.h"
#include "loop.h"

struct wire;

struct wire_events {
    /* One whole frame. `bytes` are its own, from the length on, writable (routerd stamps the origin in
     * place), good until it returns. wire_free may be called from inside. */
    void (*on_frame)(void *owner, const struct frame *f, uint8_t *bytes, size_t len);
    /* The other side went away (ZE_GONE) or broke the protocol (ZE_PROTOCOL). Runs at most once; the
     * owner still calls wire_free. */
    void (*on_down)(void *owner, enum zerr why);
    /* May be NULL. Something left: less is waiting. Not for wire_free. */
    void (*on_written)(void *owner);
    /* May be NULL. Something is about to leave; it may append. Not for wire_free. */
    void (*before_flush)(void *owner);
};

/* Takes the descriptor, a connected stream socket. */
struct wire *wire_new(struct loop *loop, int fd, const struct wire_events *events, void *owner);
/* Closes at once; what was not written is lost. */
void wire_free(struct wire **wire);
/* Where to append whole frames; they leave at the end of this loop turn. */
struct buf *wire_out(struct wire *wire);
/* Writes what the kernel takes now, without waiting for the end of the turn. */
void   wire_flush(struct wire *wire);
size_t wire_waiting(const struct wire *wire);      /* bytes not yet written */

/* False: the path is longer than the 107 bytes a socket address holds (logged). */
bool wire_address(const char *path, struct sockaddr_un *out);
