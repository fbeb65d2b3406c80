#pragma once

/* Finds where an XML element ends, applying the limits before a parser sees a byte. Resumable at any
 * byte. It judges lengths and nesting, not well-formedness: what it lets pass still goes to the parser. */

#include "slice.h"
#include "stream_error.h"

struct xml_limits;

enum { XML_FRAMER_DEPTH = 256 };   /* hard ceiling above any xml_limits.depth_max */

enum framer_mode {
    FRAMER_ELEMENT,   /* one first-level element, or the end tag of the stream */
    FRAMER_HEADER,    /* the start tag of the stream */
    FRAMER_CONTENT,   /* elements and text up to the end of the bytes */
};

enum framed { FRAMED_MORE, FRAMED_ELEMENT, FRAMED_HEADER, FRAMED_CLOSE, FRAMED_ERROR };

struct xml_framer {
    uint8_t           mode, state, quote, matched;
    uint16_t          depth, depth_max;
    uint32_t          attributes, attributes_max;
    uint32_t          name_len, name_max, hash;
    enum stream_error error;
    uint32_t          open[XML_FRAMER_DEPTH];   /* hashes of the names of open elements */
};

void xml_framer_begin(struct xml_framer *f, enum framer_mode mode, const struct xml_limits *limits);
/* As begin, with the '<' already taken. */
void xml_framer_begin_inside(struct xml_framer *f, enum framer_mode mode, const struct xml_limits *limits);
/* Takes bytes from *in (advancing it) up to the end of what the mode looks for; FRAMED_MORE: all taken.
 * After FRAMED_ERROR f->error says why. */
enum framed xml_framer_feed(struct xml_framer *f, struct slice *in);
/* FRAMER_CONTENT: nothing is open. */
bool xml_framer_closed(const struct xml_framer *f);
