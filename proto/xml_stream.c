/* XML streams (xml_stream.h): from bytes to events. Framing in xml_framer.c and xml_prolog.c, parsing in
 * xml_pool.c and xml_sax.c; here are the states of a stream and what is kept between calls. */

#include "xml_stream.h"

#include <stdlib.h>
#include <unistr.h>

#include "ns.h"
#include "xml_parse.h"
#include "xml_prolog.h"
#include "xml_write.h"

enum { BEFORE_HEADER, IN_HEADER, OPEN, OVER };
enum { LANG_MAX = 64 };

/* Of an element that has begun and not ended; freed with its last byte. */
struct partial {
    struct xml_prolog prolog;
    struct xml_framer framer;
    struct buf        bytes;
};

struct xml_stream {
    struct partial   *partial;
    char             *lang;        /* of the header; NULL: none */
    char             *extra;       /* declarations of the header's other prefixes; NULL: none */
    struct xml_limits limits;
    uint8_t           state;
    uint8_t           prime;       /* enum xml_prime of the content namespace */
    uint8_t           expected;    /* PRIME_OTHER: any */
};

static void drop_partial(struct xml_stream *xs)
{
    if (xs->partial)
        buf_free(&xs->partial->bytes);
    free(xs->partial);
    xs->partial = NULL;
}

struct xml_stream *xml_stream_new(const char *expect_ns, const struct xml_limits *limits)
{
    struct xml_stream *xs = xcalloc(1, sizeof(*xs));

    xs->limits = *limits;
    xs->expected = (uint8_t)(expect_ns ? xml_prime_of(slice_str(expect_ns)) : PRIME_OTHER);
    return xs;
}

void xml_stream_restart(struct xml_stream *xs)
{
    drop_partial(xs);
    free(xs->lang);
    free(xs->extra);
    xs->lang = xs->extra = NULL;
    xs->state = BEFORE_HEADER;
}

void xml_stream_free(struct xml_stream **xs)
{
    if (!*xs)
        return;
    xml_stream_restart(*xs);
    free(*xs);
    *xs = NULL;
}

void xml_stream_limits(struct xml_stream *xs, const struct xml_limits *limits)
{
    xs->limits = *limits;
}

enum zerr xml_stanza_fault(const struct xml_item *item)
{
    const struct stanza *s = &item->stanza;
    bool                 asks = s->type == TYPE_GET || s->type == TYPE_SET;

    if (item->type_bad)
        return ZE_BAD_REQUEST;
    if (s->name != STANZA_IQ)
        return ZE_OK;
    return s->id.len == 0 || (asks && s->flags & (STANZA_EMPTY | STANZA_MANY)) ? ZE_BAD_REQUEST : ZE_OK;
}

size_t xml_stream_held(const struct xml_stream *xs)
{
    return xs->partial ? sizeof(*xs->partial) + xs->partial->bytes.room : 0;
}

static enum xml_event fail(struct xml_stream *xs, struct xml_item *item, enum stream_error error)
{
    drop_partial(xs);
    xs->state = OVER;
    item->error = error;
    return XML_ERROR;
}

static void hold(struct xml_stream *xs, const struct xml_framer *framer, struct slice bytes)
{
    if (!xs->partial) {
        xs->partial = xcalloc(1, sizeof(*xs->partial));
        xs->partial->framer = *framer;
    }
    buf_put_slice(&xs->partial->bytes, bytes);
}

/* The framer over as many bytes as the element may still have. `used`: the bytes it took. An element that
 * reaches its limit unfinished is an error whatever comes next. */
static enum framed measure(struct xml_stream *xs, struct xml_framer *f, struct slice *in, struct slice *used)
{
    size_t       held = xs->partial ? buf_len(&xs->partial->bytes) : 0;
    size_t       room = held < xs->limits.element_max ? xs->limits.element_max - held : 0;
    struct slice rest = slice_cut(*in, 0, in->len < room ? in->len : room);
    enum framed  found = xml_framer_feed(f, &rest);

    *used = slice_of(in->p, (size_t)(rest.p - in->p));
    *in = slice_cut(*in, used->len, in->len);
    if (found == FRAMED_MORE && held + used->len >= xs->limits.element_max) {
        f->error = SE_POLICY_VIOLATION;
        return FRAMED_ERROR;
    }
    return found;
}

/* All bytes of the element: in the caller's slice when it came in one piece, else in the arena. */
static struct slice gather(struct xml_stream *xs, struct arena *arena, struct slice last)
{
    struct slice whole = last;

    if (xs->partial) {
        buf_put_slice(&xs->partial->bytes, last);
        whole = arena_copy(arena, buf_slice(&xs->partial->bytes));
        drop_partial(xs);
    }
    return whole;
}

static char *kept(struct slice s)
{
    return s.len ? xstrndup(s) : NULL;
}

/* RFC 6120 4.9.3.22: bytes that are no UTF-8 are the encoding's fault, whatever else they broke. */
static enum stream_error fault_of(const struct xml_job *job, struct slice bytes)
{
    bool utf8 = !u8_check(bytes.p, bytes.len);

    return job->error == SE_NOT_WELL_FORMED && !utf8 ? SE_UNSUPPORTED_ENCODING : job->error;
}

static enum xml_event header(struct xml_stream *xs, struct arena *arena, struct slice tag,
                             struct xml_item *item)
{
    struct xml_job job;

    xml_job_begin(&job, JOB_HEADER, arena, false);
    if (!xml_job_run(&job, PRIME_OTHER, (struct slice){ 0 }, &tag, 1))
        return fail(xs, item, fault_of(&job, tag));
    enum xml_prime prime = xml_prime_of(job.open.content_ns);
    if (prime == PRIME_OTHER || (xs->expected != PRIME_OTHER && xs->expected != prime))
        return fail(xs, item, SE_INVALID_NAMESPACE);
    xs->prime = (uint8_t)prime;
    xs->lang = job.open.lang.len <= LANG_MAX ? kept(job.open.lang) : NULL;
    xs->extra = kept(job.extra);
    xs->state = OPEN;
    item->open = job.open;
    return XML_OPEN;
}

/* The header is rare: its bytes are always gathered. */
static enum xml_event feed_header(struct xml_stream *xs, struct arena *arena, struct slice *in,
                                  struct xml_item *item)
{
    struct slice used;

    if (in->len == 0)
        return XML_MORE;
    if (!xs->partial)
        xs->partial = xcalloc(1, sizeof(*xs->partial));
    struct partial *partial = xs->partial;
    if (xs->state == BEFORE_HEADER) {
        enum prologue found = xml_prolog_feed(&partial->prolog, in);
        if (found == PROLOGUE_ERROR)
            return fail(xs, item, partial->prolog.error);
        if (found == PROLOGUE_MORE)
            return XML_MORE;
        xs->state = IN_HEADER;
        buf_put_u8(&partial->bytes, '<');
        xml_framer_begin_inside(&partial->framer, FRAMER_HEADER, &xs->limits);
    }
    enum framed found = measure(xs, &partial->framer, in, &used);
    if (found == FRAMED_ERROR)
        return fail(xs, item, partial->framer.error);
    if (found == FRAMED_HEADER)
        return header(xs, arena, gather(xs, arena, used), item);
    buf_put_slice(&partial->bytes, used);
    return XML_MORE;
}

/* The root that the stream's own header stands for, with every prefix it declared. */
static struct slice whole_root(const struct xml_stream *xs, struct arena *arena)
{
    return slice_str(arena_printf(arena, "<r xmlns='%s' xmlns:stream='" NS_STREAM "'%s>",
                                  xml_prime_ns((enum xml_prime)xs->prime), xs->extra ? xs->extra : ""));
}

/* Elements are parsed without the header's prefixes. What borrows one, or does not stand alone
 * otherwise, is parsed a second time into a tree. */
static bool parse(struct xml_stream *xs, struct arena *arena, struct slice whole, struct xml_job *job)
{
    enum xml_prime prime = (enum xml_prime)xs->prime;

    xml_job_begin(job, JOB_ELEMENT, arena, false);
    if (xml_job_run(job, prime, (struct slice){ 0 }, &whole, 1)) {
        if (!job->is_stanza || !job->rewrite)
            return true;
        xml_job_begin(job, JOB_ELEMENT, arena, true);
        return xml_job_run(job, prime, (struct slice){ 0 }, &whole, 1);
    }
    if (!job->borrows)
        return false;
    xml_job_begin(job, JOB_ELEMENT, arena, true);
    return xml_job_run(job, PRIME_OTHER, whole_root(xs, arena), &whole, 1);
}

static struct slice rewritten(struct arena *arena, const struct element *stanza)
{
    struct element    content = { .ns = SLICE(NS_CLIENT), .nodes = stanza->nodes };
    struct buf        out = { 0 };
    struct xml_writer w;

    xml_begin(&w, &out, NS_CLIENT);
    xml_element(&w, &content);
    struct slice copy = arena_copy(arena, buf_slice(&out));
    buf_free(&out);
    return copy;
}

/* The bytes between the tags: the parser said where the start tag ends (at its '>' or "/>"), and an end
 * tag holds no '<' but its first byte. */
static struct slice content_of(const struct xml_job *job, struct slice whole)
{
    if (whole.p[job->content_at - 1] == '/')
        return (struct slice){ 0 };
    const uint8_t *end_tag = memrchr(whole.p, '<', whole.len);
    size_t         end = (size_t)(end_tag - whole.p);
    return end > job->content_at ? slice_cut(whole, job->content_at, end) : (struct slice){ 0 };
}

static enum xml_event element(struct xml_stream *xs, struct arena *arena, struct slice whole,
                              struct xml_item *item)
{
    struct xml_job job;

    if (!parse(xs, arena, whole, &job))
        return fail(xs, item, fault_of(&job, whole));
    if (!job.is_stanza) {
        item->element = job.root;
        return XML_ELEMENT;
    }
    item->stanza = job.stanza;
    item->stanza.content = job.tree ? rewritten(arena, job.root) : content_of(&job, whole);
    if (!item->stanza.lang.len && xs->lang)
        item->stanza.lang = arena_copy(arena, slice_str(xs->lang));
    item->type_bad = job.type_bad;
    return XML_STANZA;
}

static void skip_space(struct slice *in)
{
    size_t i = 0;

    while (i < in->len && (in->p[i] == ' ' || in->p[i] == '\n' || in->p[i] == '\r' || in->p[i] == '\t'))
        i++;
    *in = slice_cut(*in, i, in->len);
}

static enum xml_event feed_element(struct xml_stream *xs, struct arena *arena, struct slice *in,
                                   struct xml_item *item)
{
    static _Thread_local struct xml_framer scratch;
    struct xml_framer                     *f = &scratch;
    struct slice                           used;

    if (xs->partial) {
        f = &xs->partial->framer;
    } else {
        skip_space(in);
        xml_framer_begin(f, FRAMER_ELEMENT, &xs->limits);
    }
    if (in->len == 0)
        return XML_MORE;
    switch (measure(xs, f, in, &used)) {
    case FRAMED_MORE:
        hold(xs, f, used);
        return XML_MORE;
    case FRAMED_ELEMENT:
        return element(xs, arena, gather(xs, arena, used), item);
    case FRAMED_CLOSE:
        drop_partial(xs);
        xs->state = OVER;
        return XML_CLOSE;
    default:
        return fail(xs, item, f->error);
    }
}

enum xml_event xml_stream_feed(struct xml_stream *xs, struct arena *arena, struct slice *in,
                               struct xml_item *item)
{
    *item = (struct xml_item){ 0 };
    switch (xs->state) {
    case BEFORE_HEADER:
    case IN_HEADER:
        return feed_header(xs, arena, in, item);
    case OPEN:
        return feed_element(xs, arena, in, item);
    default:
        *in = slice_cut(*in, in->len, in->len);
        return XML_MORE;
    }
}
