#pragma once

/* One whole element or content through a pooled libxml2 SAX2 context. What the framer has measured
 * is parsed here; what the parser sees must end exactly where the framer said. */

#include "xml_framer.h"
#include "xml_stream.h"

/* What a context was primed with: our own root that declares one content namespace and no prefix. */
enum xml_prime { PRIME_CLIENT, PRIME_SERVER, PRIME_COMPONENT, PRIME_COUNT, PRIME_OTHER = PRIME_COUNT };

/* Namespaces of stanzas; all three become jabber:client inside (DESIGN.md 2.4). */
const char *xml_prime_ns(enum xml_prime prime);
/* PRIME_OTHER when it is none of them. */
enum xml_prime xml_prime_of(struct slice ns);

enum xml_job_kind { JOB_HEADER, JOB_ELEMENT, JOB_CONTENT };

struct xml_job {
    struct arena     *arena;
    enum xml_job_kind kind;
    bool              tree;         /* build one (an element that is no stanza gets one anyway) */

    enum stream_error error;
    bool              borrows;      /* a prefix is bound nowhere inside */
    bool              rewrite;      /* the content does not mean the same everywhere */
    bool              is_stanza, type_bad, closed;
    unsigned          depth;
    size_t            base;         /* bytes the context had seen before */
    size_t            content_at;   /* offset behind the start tag's '>' (or at the '>' of "/>") */
    size_t            closed_at;    /* offset behind the end tag */
    struct stanza     stanza;
    struct element   *root;
    struct xml_open   open;         /* JOB_HEADER */
    struct slice      extra;        /* JOB_HEADER: declarations of other prefixes, as they go into a tag */
    const uint8_t    *last_uri;     /* interned by libxml2: saves copies */
    struct slice      last_ns;
    struct buf        text;         /* character data not yet in the tree */

    /* below: not zeroed */
    bool client_default[XML_FRAMER_DEPTH + 2];   /* the default namespace in scope is a stanza namespace */
    struct {
        struct element  *element;
        struct element **next_child, **next_node;
    } stack[XML_FRAMER_DEPTH + 2];
};

void xml_job_begin(struct xml_job *job, enum xml_job_kind kind, struct arena *arena, bool tree);
/* Runs the pieces through a context; false: job->error. `root` is the start tag to prime with
 * for PRIME_OTHER; empty for JOB_HEADER. */
bool xml_job_run(struct xml_job *job, enum xml_prime prime, struct slice root, const struct slice *pieces,
                 size_t count);

/* The SAX side (xml_sax.c). `user` of the callbacks points to a struct xml_user. */
struct _xmlParserCtxt;
struct _xmlSAXHandler;
struct xml_user {
    struct _xmlParserCtxt *context;
    struct xml_job        *job;     /* NULL: being primed */
};
extern const struct _xmlSAXHandler xml_sax_handler;
