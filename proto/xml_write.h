#pragma once

/* The one XML writer of the tree: everything that leaves us as XML is written here. Escapes & < > '
 * " and control characters; drops what XML 1.0 2.2 forbids. xmlns is written when it differs from
 * the enclosing element's. */

#include "buf.h"
#include "element.h"
#include "stanza.h"

enum { XML_WRITE_DEPTH = 64 };

struct xml_writer {
    struct buf  *out;
    unsigned     depth;
    bool         open;                             /* the last start tag lacks its '>' */
    struct { struct slice ns, name; } stack[XML_WRITE_DEPTH];
    struct slice default_ns;                       /* around the first element */
};

/* ns and name strings must live until the element is closed. */
void xml_begin(struct xml_writer *w, struct buf *out, const char *default_ns);
void xml_open(struct xml_writer *w, const char *name, const char *ns);    /* ns NULL: as around it */
void xml_open_slice(struct xml_writer *w, struct slice name, struct slice ns);
void xml_attr(struct xml_writer *w, const char *name, const char *value); /* NULL value: nothing */
void xml_attr_slice(struct xml_writer *w, const char *name, struct slice value); /* p NULL: nothing */
void xml_attr_num(struct xml_writer *w, const char *name, int64_t value);
void xml_text(struct xml_writer *w, struct slice text);
void xml_text_str(struct xml_writer *w, const char *text);
/* Content that is known to be well-formed and to stand alone in the enclosing default namespace. */
void xml_raw(struct xml_writer *w, struct slice content);
/* A whole tree with its attributes (prefixes are made up where an attribute has a namespace). */
void xml_element(struct xml_writer *w, const struct element *e);
void xml_close(struct xml_writer *w);
/* <name>text</name> in one call. */
void xml_simple(struct xml_writer *w, const char *name, const char *ns, struct slice text);

void xml_escape(struct buf *out, struct slice text);       /* for text and '-quoted attributes */

/* A whole stanza for the wire: start tag from the header fields (empty ones left out), content,
 * end tag. `to`: the receiver's own JID when it differs from s->to (p NULL: s->to). No xmlns is
 * written: the stream declares it. */
void stanza_write(struct buf *out, const struct stanza *s, struct slice to);
/* As it is forwarded inside another (XEP-0297): in jabber:client wherever it stands. */
void stanza_write_forwarded(struct buf *out, const struct stanza *s);
/* The whole stanza without `to`, for fan-out: bytes before and after the place of ` to='...'`, so that
 * before + " to='" + escaped JID + "'" + after is what stanza_write gives. */
void stanza_write_split(struct buf *before, struct buf *after, const struct stanza *s);
