/* SAX2 callbacks: what libxml2 saw becomes stanza fields, flags, a tree, or an error. Errors are only
 * noted; the parser runs to the end of the (limited) bytes. */

#include "xml_parse.h"

#include <libxml/parser.h>
#include <libxml/xmlerror.h>

#include "ns.h"
#include "xml_write.h"


enum { EXTRA_MAX = 16, EXTRA_BYTES = 2048 };

/* What a first-level child of a stanza means. name NULL: any. */
static const struct {
    struct slice      ns;
    const char       *name;
    enum stanza_flag flag;
} children[] = {
    { SLICE_INIT(NS_CLIENT), "body", STANZA_HAS_BODY },
    { SLICE_INIT(NS_CLIENT), "subject", STANZA_HAS_SUBJECT },
    { SLICE_INIT(NS_CLIENT), "thread", STANZA_HAS_THREAD },
    { SLICE_INIT(NS_HINTS), "no-store", STANZA_NO_STORE },
    { SLICE_INIT(NS_HINTS), "no-permanent-store", STANZA_NO_PERM_STORE },
    { SLICE_INIT(NS_HINTS), "no-copy", STANZA_NO_COPY },
    { SLICE_INIT(NS_HINTS), "store", STANZA_STORE },
    { SLICE_INIT(NS_CARBONS), "private", STANZA_PRIVATE },
    { SLICE_INIT(NS_DELAY), "delay", STANZA_HAS_DELAY },
    { SLICE_INIT(NS_SID), "stanza-id", STANZA_HAS_ID },
    { SLICE_INIT(NS_CHATSTATES), NULL, STANZA_CHAT_STATE },
    { SLICE_INIT(NS_RECEIPTS), NULL, STANZA_HAS_RECEIPT },
    { SLICE_INIT(NS_MARKERS), NULL, STANZA_HAS_MARKER },
    { SLICE_INIT(NS_OMEMO), "encrypted", STANZA_ENCRYPTED },
    { SLICE_INIT(NS_EME), "encryption", STANZA_ENCRYPTED },
    { SLICE_INIT(NS_MUC_USER), "x", STANZA_MUC_USER },
    { SLICE_INIT(NS_RETRACT), "retract", STANZA_RETRACTS },
    { SLICE_INIT(NS_JINGLE_MESSAGE), NULL, STANZA_CALL },
    { SLICE_INIT(NS_JINGLE_MESSAGE), "propose", STANZA_RINGS },
};

static struct slice text_of(const xmlChar *text)
{
    return slice_str((const char *)text);
}

static bool is(const xmlChar *text, const char *expected)
{
    return text && strcmp((const char *)text, expected) == 0;
}

static bool is_stanza_ns(const xmlChar *uri)
{
    return is(uri, NS_CLIENT) || is(uri, NS_SERVER) || is(uri, NS_COMPONENT);
}

static void refuse(struct xml_job *job, enum stream_error error)
{
    if (!job->error)
        job->error = error;
}

/* Bytes of this job that the parser has consumed. In a start tag: up to its '>' or "/>". */
static size_t offset_of(const struct xml_user *user)
{
    const xmlParserInput *input = user->context->input;

    return (size_t)input->consumed + (size_t)(input->cur - input->base) - user->job->base;
}

/* Without NOENT libxml2 hands '&' of a value on as "&#38;", and nothing else begins with '&'. */
static struct slice value_of(struct arena *arena, const xmlChar *start, const xmlChar *end)
{
    struct slice copy = arena_copy(arena, slice_of(start, (size_t)(end - start)));
    uint8_t     *to = copy.len ? memchr(copy.p, '&', copy.len) : NULL;

    if (!copy.p)
        return slice_of("", 0);   /* present, and empty */
    if (!to)
        return copy;
    const uint8_t *stop = copy.p + copy.len;
    for (const uint8_t *from = to; from < stop;) {
        uint8_t byte = *from++;
        if (byte == '&' && slice_starts(slice_of(from, (size_t)(stop - from)), SLICE("#38;")))
            from += SLICE("#38;").len;
        *to++ = byte;
    }
    return slice_cut(copy, 0, (size_t)(to - copy.p));
}

/* Namespace names are attribute values: the same spelling of '&'. */
static struct slice uri_of(struct arena *arena, const xmlChar *uri)
{
    return value_of(arena, uri, uri + strlen((const char *)uri));
}

static struct slice ns_of(struct xml_job *job, const xmlChar *uri)
{
    if (!uri)
        return (struct slice){ 0 };
    if (uri != job->last_uri) {
        job->last_uri = uri;
        if (is(uri, NS_CLIENT) || (job->is_stanza && is_stanza_ns(uri)))
            job->last_ns = SLICE(NS_CLIENT);
        else
            job->last_ns = uri_of(job->arena, uri);
    }
    return job->last_ns;
}

/* Attributes of SAX2 come in fives: local name, prefix, URI, value, end. */
static struct slice attribute_value(struct xml_job *job, const xmlChar *const *a)
{
    return value_of(job->arena, a[3], a[4]);
}

static void stanza_attributes(struct xml_job *job, int count, const xmlChar *const *a)
{
    struct stanza *s = &job->stanza;
    struct slice   type = { 0 };

    for (; count > 0; count--, a += 5) {
        if (is(a[2], NS_XML) && is(a[0], "lang"))
            s->lang = attribute_value(job, a);
        if (a[2])
            continue;
        if (is(a[0], "from"))
            s->from = attribute_value(job, a);
        else if (is(a[0], "to"))
            s->to = attribute_value(job, a);
        else if (is(a[0], "id"))
            s->id = attribute_value(job, a);
        else if (is(a[0], "type"))
            type = attribute_value(job, a);
    }
    int parsed = stanza_type_parse(s->name, type);
    job->type_bad = parsed < 0;
    s->type = parsed < 0 ? TYPE_NONE : (uint8_t)parsed;
}

static unsigned stanza_name_of(const xmlChar *name, const xmlChar *uri)
{
    if (is_stanza_ns(uri))
        for (unsigned n = STANZA_MESSAGE; n <= STANZA_IQ; n++)
            if (is(name, stanza_name_text(n)))
                return n;
    return STANZA_NONE;
}

static void note_child(struct xml_job *job, const xmlChar *name, const xmlChar *uri)
{
    struct stanza *s = &job->stanza;
    struct slice   ns = ns_of(job, uri);

    if (s->payload_name.len == 0) {
        s->payload_ns = ns;
        s->payload_name = arena_copy(job->arena, text_of(name));
        s->flags &= ~(uint32_t)STANZA_EMPTY;
    } else {
        s->flags |= STANZA_MANY;
    }
    for (size_t i = 0; i < COUNT_OF(children); i++)
        if (slice_eq(ns, children[i].ns) && (!children[i].name || is(name, children[i].name)))
            s->flags |= children[i].flag;
}

/* Declarations after which the bytes of a content would not mean the same on every stream: the stanza
 * namespaces by a prefix, a foreign one of them by name, or jabber:client where it is the default
 * anyway (to another server the default becomes jabber:server). Prefixes declared on the stanza itself
 * are outside of its content. */
static void note_declarations(struct xml_job *job, int count, const xmlChar *const *ns)
{
    unsigned depth = job->depth;
    bool     around = depth > 1 ? job->client_default[depth - 1] : true;

    job->client_default[depth] = around;
    for (; count > 0; count--, ns += 2) {
        const xmlChar *prefix = ns[0], *uri = ns[1];
        if (!prefix)
            job->client_default[depth] = is_stanza_ns(uri);
        if (depth == 1)
            job->rewrite |= prefix != NULL || !is_stanza_ns(uri);
        else if (is_stanza_ns(uri))
            job->rewrite |= prefix || around || !is(uri, NS_CLIENT);
    }
}

static void flush_text(struct xml_job *job)
{
    if (buf_len(&job->text) == 0)
        return;
    struct element *node = arena_alloc(job->arena, sizeof(*node));
    *node = (struct element){ .text = arena_copy(job->arena, buf_slice(&job->text)) };
    *job->stack[job->depth].next_node = node;
    job->stack[job->depth].next_node = &node->next_node;
    buf_reset(&job->text, 4096);
}

static struct attribute *tree_attributes(struct xml_job *job, int count, const xmlChar *const *a)
{
    struct attribute *first = NULL, **next = &first;

    for (; count > 0; count--, a += 5) {
        struct attribute *attribute = arena_alloc(job->arena, sizeof(*attribute));
        *attribute = (struct attribute){
            .ns = a[2] ? uri_of(job->arena, a[2]) : (struct slice){ 0 },
            .name = arena_copy(job->arena, text_of(a[0])),
            .value = attribute_value(job, a),
        };
        *next = attribute;
        next = &attribute->next;
    }
    return first;
}

/* Called when job->depth is already that of the new element. */
static void tree_open(struct xml_job *job, struct element *e)
{
    unsigned depth = job->depth;

    if (depth == 1) {
        job->root = e;
    } else {
        *job->stack[depth - 1].next_child = e;
        *job->stack[depth - 1].next_node = e;
        job->stack[depth - 1].next_child = &e->next;
        job->stack[depth - 1].next_node = &e->next_node;
    }
    job->stack[depth].element = e;
    job->stack[depth].next_child = &e->children;
    job->stack[depth].next_node = &e->nodes;
}

static void first_start(struct xml_job *job, const struct xml_user *user, const xmlChar *name,
                        const xmlChar *uri, int attribute_count, const xmlChar *const *attributes)
{
    job->stanza.flags = STANZA_EMPTY;
    if (job->kind == JOB_CONTENT)
        return;
    job->content_at = offset_of(user) + 1;
    job->stanza.name = (uint8_t)stanza_name_of(name, uri);
    job->is_stanza = job->stanza.name != STANZA_NONE;
    if (job->is_stanza)
        stanza_attributes(job, attribute_count, attributes);
    else
        job->tree = true;
}

static void header_attributes(struct xml_job *job, int count, const xmlChar *const *a)
{
    const struct {
        const char   *name;
        struct slice *value;
    } known[] = {
        { "to", &job->open.to }, { "from", &job->open.from }, { "id", &job->open.id },
        { "version", &job->open.version },
    };

    for (; count > 0; count--, a += 5) {
        if (is(a[2], NS_XML) && is(a[0], "lang"))
            job->open.lang = attribute_value(job, a);
        for (size_t i = 0; !a[2] && i < COUNT_OF(known); i++)
            if (is(a[0], known[i].name))
                *known[i].value = attribute_value(job, a);
    }
}

static void header_declarations(struct xml_job *job, int count, const xmlChar *const *ns)
{
    struct buf extra = { 0 };
    int        others = 0;

    for (; count > 0; count--, ns += 2) {
        if (!ns[0]) {
            enum xml_prime prime = xml_prime_of(text_of(ns[1]));
            if (prime != PRIME_OTHER)
                job->open.content_ns = slice_str(xml_prime_ns(prime));
        } else if (!is(ns[0], "stream") && !is(ns[0], "xml")) {
            job->open.dialback |= is(ns[1], NS_DIALBACK);
            buf_printf(&extra, " xmlns:%s='", (const char *)ns[0]);
            xml_escape(&extra, uri_of(job->arena, ns[1]));
            buf_put_u8(&extra, '\'');
            others++;
        }
    }
    if (others > EXTRA_MAX || buf_len(&extra) > EXTRA_BYTES)
        refuse(job, SE_POLICY_VIOLATION);
    else
        job->extra = arena_copy(job->arena, buf_slice(&extra));
    buf_free(&extra);
}

/* RFC 6120 4.8.1, 4.8.5, 4.9.3.2, 4.9.3.10 */
static void header_start(struct xml_job *job, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    if (!is(uri, NS_STREAM))
        refuse(job, SE_INVALID_NAMESPACE);
    else if (!is(name, "stream"))
        refuse(job, SE_BAD_FORMAT);
    else if (!is(prefix, "stream"))
        refuse(job, SE_BAD_NAMESPACE_PREFIX);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int ns_count,
                     const xmlChar **ns, int attribute_count, int defaulted, const xmlChar **attributes)
{
    struct xml_user      *user = ctx;
    struct xml_job       *job = user->job;
    const xmlChar *const *a = (const xmlChar *const *)attributes;

    if (!job || job->error)
        return;
    if (job->closed || job->depth >= XML_FRAMER_DEPTH + 1) {
        refuse(job, job->closed ? SE_NOT_WELL_FORMED : SE_POLICY_VIOLATION);
        return;
    }
    if (job->depth > 0 && job->tree)
        flush_text(job);
    job->depth++;
    if (job->kind == JOB_HEADER) {
        header_start(job, name, prefix, uri);
        header_attributes(job, attribute_count, a);
        header_declarations(job, ns_count, (const xmlChar *const *)ns);
        return;
    }
    note_declarations(job, ns_count, (const xmlChar *const *)ns);
    if (job->depth == 1)
        first_start(job, user, name, uri, attribute_count, a);
    else if (job->depth == 2)
        note_child(job, name, uri);
    if (job->is_stanza && is(prefix, "stream") && is(uri, NS_STREAM))
        refuse(job, SE_BAD_NAMESPACE_PREFIX);
    if (!job->tree)
        return;
    struct element *e = arena_alloc(job->arena, sizeof(*e));
    bool            nameless = job->kind == JOB_CONTENT && job->depth == 1;
    *e = (struct element){
        .ns = ns_of(job, uri),
        .name = nameless ? (struct slice){ 0 } : arena_copy(job->arena, text_of(name)),
        .attributes = nameless ? NULL : tree_attributes(job, attribute_count, a),
    };
    tree_open(job, e);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml_user *user = ctx;
    struct xml_job  *job = user->job;

    if (!job || job->error)
        return;
    if (job->depth == 0) {
        refuse(job, SE_NOT_WELL_FORMED);   /* our own root */
        return;
    }
    if (job->tree)
        flush_text(job);
    if (--job->depth == 0) {
        job->closed = true;
        job->closed_at = offset_of(user);
    }
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct xml_job *job = ((struct xml_user *)ctx)->job;

    if (!job || job->error)
        return;
    if (job->depth == 0)
        refuse(job, SE_BAD_FORMAT);
    else if (job->tree)
        buf_put(&job->text, text, (size_t)len);
}

/* RFC 6120 11.1 */
static void restricted(void *ctx)
{
    struct xml_job *job = ((struct xml_user *)ctx)->job;

    if (job)
        refuse(job, SE_RESTRICTED_XML);
}

static void on_comment(void *ctx, const xmlChar *text)
{
    restricted(ctx);
}

static void on_instruction(void *ctx, const xmlChar *target, const xmlChar *data)
{
    restricted(ctx);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    restricted(ctx);
}

static void on_reference(void *ctx, const xmlChar *name)
{
    restricted(ctx);
}

/* libxml2 reports namespace errors (200 to 205) and goes on: they are fatal here. */
static void on_error(void *ctx, xmlErrorPtr error)
{
    struct xml_job *job = ((struct xml_user *)ctx)->job;

    if (!job || error->level < XML_ERR_ERROR || error->code == XML_WAR_NS_URI ||
        error->code == XML_WAR_NS_URI_RELATIVE)
        return;
    switch (error->code) {
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        refuse(job, SE_RESTRICTED_XML);
        break;
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
        job->borrows |= !job->error;
        refuse(job, SE_NOT_WELL_FORMED);
        break;
    default:
        refuse(job, SE_NOT_WELL_FORMED);
    }
}

const xmlSAXHandler xml_sax_handler = {
    .initialized = XML_SAX2_MAGIC,
    .startElementNs = on_start,
    .endElementNs = on_end,
    .characters = on_text,
    .ignorableWhitespace = on_text,
    .cdataBlock = on_text,
    .comment = on_comment,
    .processingInstruction = on_instruction,
    .internalSubset = on_doctype,
    .reference = on_reference,
    .serror = on_error,
};
