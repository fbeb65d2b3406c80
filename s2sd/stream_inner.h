#pragma once

/* A stream from inside, for stream.c (its life) and stream_in.c (what arrives on it). */

#include "stream.h"

extern const struct transport_events stream_transport_events;

/* The kind hears of the end once, while all of the stream is still there. */
void stream_end(struct stream *st, const char *why);

/* Closed for us: what is written still goes out, then the socket goes. */
void stream_leave(struct stream *st);

/* The transport is gone: nothing of the stream remains, the admitted connection is given back. */
void stream_free(struct stream *st);
