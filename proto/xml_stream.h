#pragma once

/* XML streams of RFC 6120 from bytes: stream header, first-level elements, end. An own framer finds
 * where an element ends, with the limits (bytes, depth, attributes, names) applied before a parser
 * sees a byte; then one pooled libxml2 SAX2 context parses the whole element. An idle stream holds
 * no parser and no buffer. The same result when fed one byte at a time. */

#include "buf.h"
#include "element.h"
#include "err.h"
#include "mem.h"
#include "slice.h"
#include "stanza.h"

struct xml_limits {
    size_t element_max;        /* bytes of one first-level element */
    size_t depth_max, attributes_max, name_max;
};

/* RFC 6120 4.9.3 conditions that this module finds; names by stream_error_name (stream_error.h). */
#include "stream_error.h"

enum xml_event {
    XML_MORE,          /* all bytes taken; nothing complete */
    XML_OPEN,          /* stream header: attrs in item.open */
    XML_STANZA,        /* <message/>, <presence/>, <iq/> of jabber:client or jabber:server: item.stanza */
    XML_ELEMENT,       /* any other first-level element: item.element (tree) */
    XML_CLOSE,         /* </stream:stream> */
    XML_ERROR,         /* item.error; the stream is over */
};

struct xml_open {
    struct slice to, from, id, version, lang;   /* raw */
    bool         dialback;                      /* xmlns:db declared (XEP-0220) */
    struct slice content_ns;                    /* jabber:client, jabber:server, jabber:component:accept */
};

struct xml_item {
    struct xml_open       open;
    struct stanza         stanza;     /* from, to: RAW as sent (not prepared); content stands alone */
    bool                  type_bad;   /* the type attribute is not legal for this stanza */
    const struct element *element;
    enum stream_error     error;
};

struct xml_stream;

/* expect_ns: the content namespace that must be declared (jabber:client...), NULL: any of the three. */
struct xml_stream *xml_stream_new(const char *expect_ns, const struct xml_limits *limits);
void               xml_stream_free(struct xml_stream **xs);
/* A new stream header is awaited from here on (after STARTTLS, SASL). What was buffered is dropped. */
void xml_stream_restart(struct xml_stream *xs);
void xml_stream_limits(struct xml_stream *xs, const struct xml_limits *limits);

/* Takes bytes from *in (advancing it) up to and including the first event. `arena` and the bytes of
 * the slices live until the next call or the arena's reset. Call again until XML_MORE.
 * White space between stanzas is dropped (a keep-alive). After XML_ERROR or XML_CLOSE: XML_MORE. */
enum xml_event xml_stream_feed(struct xml_stream *xs, struct arena *arena, struct slice *in,
                               struct xml_item *item);
/* RFC 6120 8.2.3, of an item that is a stanza: an iq has an id and a known type, a get or set exactly one child.
 * ZE_OK or ZE_BAD_REQUEST. */
enum zerr xml_stanza_fault(const struct xml_item *item);
/* Bytes held for an unfinished element. */
size_t xml_stream_held(const struct xml_stream *xs);

/* Parses content (zero or more elements and text, default namespace `default_ns`) with the same
 * checks; returns a tree whose root is a nameless element, NULL when it is not well-formed, not
 * closed or over the limits. This is what sm and muc use, and the proof of DESIGN.md 2.4. */
const struct element *xml_parse_content(struct arena *arena, struct slice content, const char *default_ns,
                                        const struct xml_limits *limits);
/* Only the proof, without a tree: fills payload_ns, payload_name, flags of s from its content.
 * ZE_BAD_REQUEST when the content is not well-formed and closed. payload slices live in `arena`. */
enum zerr xml_check_content(struct arena *arena, struct stanza *s, const struct xml_limits *limits);

/* Gives back all pooled parsers (tests, leak checks). */
void xml_pool_free(void);
