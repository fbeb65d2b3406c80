/* The framer of XML streams (xml_framer.h): a state machine whose states run over as many bytes as
 * they can. Comments, PIs and DTDs are refused here (RFC 6120 11.1). */

#include "xml_framer.h"

#include "xml_stream.h"

enum state {
    AT_START,       /* before the '<' of a first-level element */
    AFTER_LT,
    IN_NAME,        /* of a start tag */
    IN_TAG,         /* between attributes */
    IN_ATTR_NAME,
    BEFORE_EQUALS,
    BEFORE_QUOTE,
    IN_VALUE,
    AFTER_SLASH,    /* of an empty-element tag */
    IN_END_NAME,
    AFTER_END_NAME,
    IN_TEXT,
    IN_BANG,        /* matching "[CDATA[" */
    IN_CDATA,
    FOUND_ELEMENT,
    FOUND_HEADER,
    FOUND_CLOSE,
    FAILED,
};

enum { NAME = 1, SPACE = 2 };

static const uint8_t byte_class[256] = {
    ['a' ... 'z'] = NAME, ['A' ... 'Z'] = NAME, ['0' ... '9'] = NAME, ['-'] = NAME, ['.'] = NAME,
    ['_'] = NAME,
    [':'] = NAME, [128 ... 255] = NAME, [' '] = SPACE, ['\t'] = SPACE, ['\n'] = SPACE, ['\r'] = SPACE,
};

static const char stream_name[] = "stream:stream";

static const uint8_t *fail(struct xml_framer *f, const uint8_t *p, enum stream_error error)
{
    f->error = error;
    f->state = FAILED;
    return p;
}

static uint32_t mix(uint32_t hash, uint8_t c)
{
    return (hash << 5 | hash >> 27) ^ c;
}

/* Runs over a name, keeping its hash; p stops at the byte after it or at `end`. */
static inline const uint8_t *run_name(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    uint32_t       hash = f->hash;

    while (p < end && byte_class[*p] == NAME)
        hash = mix(hash, *p++);
    f->hash = hash;
    f->name_len += (uint32_t)(p - start);
    return f->name_len > f->name_max ? fail(f, p, SE_POLICY_VIOLATION) : p;
}

static void begin_name(struct xml_framer *f, enum state state)
{
    f->name_len = 0;
    f->hash = 0;
    f->state = state;
}

static inline const uint8_t *skip_space(const uint8_t *p, const uint8_t *end)
{
    while (p < end && byte_class[*p] == SPACE)
        p++;
    return p;
}

static void element_ended(struct xml_framer *f)
{
    f->state = f->depth == 0 && f->mode != FRAMER_CONTENT ? FOUND_ELEMENT : IN_TEXT;
}

/* The byte after a start tag's name or attribute: a blank, '/' or '>'. */
static const uint8_t *go_on_in_tag(struct xml_framer *f, const uint8_t *p)
{
    if (*p == '>')
        f->state = f->mode == FRAMER_HEADER ? FOUND_HEADER : IN_TEXT;
    else if (*p == '/')
        f->state = AFTER_SLASH;
    else if (byte_class[*p] == SPACE)
        f->state = IN_TAG;
    else
        return fail(f, p, SE_NOT_WELL_FORMED);
    return p + 1;
}

static const uint8_t *at_start(struct xml_framer *f, const uint8_t *p)
{
    if (*p != '<')
        return fail(f, p, SE_BAD_FORMAT);   /* only white space may stand here: RFC 6120 11.7, 4.9.3.1 */
    f->state = AFTER_LT;
    return p + 1;
}

static const uint8_t *after_lt(struct xml_framer *f, const uint8_t *p)
{
    if (*p == '/' && f->mode != FRAMER_HEADER && (f->depth > 0 || f->mode == FRAMER_ELEMENT)) {
        begin_name(f, IN_END_NAME);
        return p + 1;
    }
    if (*p == '!') {
        f->matched = 0;
        f->state = IN_BANG;
        return p + 1;
    }
    if (*p == '?')
        return fail(f, p, SE_RESTRICTED_XML);
    if (byte_class[*p] != NAME)
        return fail(f, p, SE_NOT_WELL_FORMED);
    f->attributes = 0;
    begin_name(f, IN_NAME);
    return p;
}

static const uint8_t *in_name(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = run_name(f, p, end);
    if (p == end || f->state == FAILED)
        return p;
    if (f->depth >= f->depth_max)
        return fail(f, p, SE_POLICY_VIOLATION);
    f->open[f->depth++] = f->hash;
    return go_on_in_tag(f, p);
}

static const uint8_t *in_tag(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = skip_space(p, end);
    if (p == end)
        return p;
    if (byte_class[*p] != NAME)
        return go_on_in_tag(f, p);
    if (++f->attributes > f->attributes_max)
        return fail(f, p, SE_POLICY_VIOLATION);
    begin_name(f, IN_ATTR_NAME);
    return p;
}

static const uint8_t *in_attr_name(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;

    while (p < end && byte_class[*p] == NAME)
        p++;
    f->name_len += (uint32_t)(p - start);
    if (f->name_len > f->name_max)
        return fail(f, p, SE_POLICY_VIOLATION);
    if (p < end)
        f->state = BEFORE_EQUALS;
    return p;
}

static const uint8_t *before_equals(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = skip_space(p, end);
    if (p == end)
        return p;
    if (*p != '=')
        return fail(f, p, SE_NOT_WELL_FORMED);
    f->state = BEFORE_QUOTE;
    return p + 1;
}

static const uint8_t *before_quote(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = skip_space(p, end);
    if (p == end)
        return p;
    if (*p != '\'' && *p != '"')
        return fail(f, p, SE_NOT_WELL_FORMED);
    f->quote = *p;
    f->state = IN_VALUE;
    return p + 1;
}

/* A '<' in a value is not well-formed (XML 1.0 3.1); said at once, lest a lost quote swallow stanzas. */
static const uint8_t *in_value(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *quote = memchr(p, f->quote, (size_t)(end - p));
    const uint8_t *stop = quote ? quote : end;
    const uint8_t *lt = memchr(p, '<', (size_t)(stop - p));

    if (lt)
        return fail(f, lt, SE_NOT_WELL_FORMED);
    if (!quote)
        return end;
    f->state = IN_TAG;
    return quote + 1;
}

static const uint8_t *after_slash(struct xml_framer *f, const uint8_t *p)
{
    if (*p != '>')
        return fail(f, p, SE_NOT_WELL_FORMED);
    if (f->mode == FRAMER_HEADER)
        return fail(f, p, SE_BAD_FORMAT);   /* a stream that is its own end */
    f->depth--;
    element_ended(f);
    return p + 1;
}

static uint32_t stream_hash(void)
{
    uint32_t hash = 0;

    for (const char *c = stream_name; *c; c++)
        hash = mix(hash, (uint8_t)*c);
    return hash;
}

static const uint8_t *in_end_name(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = run_name(f, p, end);
    if (p == end || f->state == FAILED)
        return p;
    uint32_t expected = f->depth ? f->open[f->depth - 1] : stream_hash();
    if (f->hash != expected || (f->depth == 0 && f->name_len != sizeof(stream_name) - 1))
        return fail(f, p, SE_NOT_WELL_FORMED);
    f->state = AFTER_END_NAME;
    return p;
}

static const uint8_t *after_end_name(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    p = skip_space(p, end);
    if (p == end)
        return p;
    if (*p != '>')
        return fail(f, p, SE_NOT_WELL_FORMED);
    if (f->depth == 0) {
        f->state = FOUND_CLOSE;
        return p + 1;
    }
    f->depth--;
    element_ended(f);
    return p + 1;
}

static const uint8_t *in_text(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    const uint8_t *lt = memchr(p, '<', (size_t)(end - p));

    if (!lt)
        return end;
    f->state = AFTER_LT;
    return lt + 1;
}

/* CDATA is the one such section that RFC 6120 11.1 leaves; inside an element or content only. */
static const uint8_t *in_bang(struct xml_framer *f, const uint8_t *p)
{
    static const char cdata[] = "[CDATA[";
    bool              inside = f->depth > 0 || f->mode == FRAMER_CONTENT;

    if (f->matched == 0 && *p != '[')
        return fail(f, p, strchr("-DEAN", *p ? *p : ' ') ? SE_RESTRICTED_XML : SE_NOT_WELL_FORMED);
    if (!inside)
        return fail(f, p, SE_BAD_FORMAT);
    if (*p != (uint8_t)cdata[f->matched])
        return fail(f, p, SE_NOT_WELL_FORMED);
    if (!cdata[++f->matched]) {
        f->matched = 0;
        f->state = IN_CDATA;
    }
    return p + 1;
}

static const uint8_t *in_cdata(struct xml_framer *f, const uint8_t *p, const uint8_t *end)
{
    if (f->matched == 0) {
        p = memchr(p, ']', (size_t)(end - p));
        if (!p)
            return end;
        f->matched = 1;
        return p + 1;
    }
    if (*p == ']')
        f->matched = 2;
    else if (*p == '>' && f->matched == 2)
        f->state = IN_TEXT;
    else
        f->matched = 0;
    return p + 1;
}

void xml_framer_begin(struct xml_framer *f, enum framer_mode mode, const struct xml_limits *limits)
{
    f->mode = (uint8_t)mode;
    f->state = mode == FRAMER_CONTENT ? IN_TEXT : AT_START;
    f->depth = 0;
    f->depth_max = limits->depth_max < XML_FRAMER_DEPTH ? (uint16_t)limits->depth_max : XML_FRAMER_DEPTH;
    f->attributes_max = limits->attributes_max < UINT32_MAX ? (uint32_t)limits->attributes_max : UINT32_MAX;
    f->name_max = limits->name_max < UINT16_MAX ? (uint32_t)limits->name_max : UINT16_MAX;
    f->error = SE_NONE;
}

void xml_framer_begin_inside(struct xml_framer *f, enum framer_mode mode, const struct xml_limits *limits)
{
    xml_framer_begin(f, mode, limits);
    f->state = AFTER_LT;
}

enum framed xml_framer_feed(struct xml_framer *f, struct slice *in)
{
    const uint8_t *p = in->p, *end = in->p + in->len;

    while (p < end && f->state < FOUND_ELEMENT) {
        switch ((enum state)f->state) {
        case AT_START:       p = at_start(f, p); break;
        case AFTER_LT:       p = after_lt(f, p); break;
        case IN_NAME:        p = in_name(f, p, end); break;
        case IN_TAG:         p = in_tag(f, p, end); break;
        case IN_ATTR_NAME:   p = in_attr_name(f, p, end); break;
        case BEFORE_EQUALS:  p = before_equals(f, p, end); break;
        case BEFORE_QUOTE:   p = before_quote(f, p, end); break;
        case IN_VALUE:       p = in_value(f, p, end); break;
        case AFTER_SLASH:    p = after_slash(f, p); break;
        case IN_END_NAME:    p = in_end_name(f, p, end); break;
        case AFTER_END_NAME: p = after_end_name(f, p, end); break;
        case IN_TEXT:        p = in_text(f, p, end); break;
        case IN_BANG:        p = in_bang(f, p); break;
        case IN_CDATA:       p = in_cdata(f, p, end); break;
        default:             break;
        }
    }
    *in = slice_of(p, (size_t)(end - p));
    switch ((enum state)f->state) {
    case FOUND_ELEMENT: return FRAMED_ELEMENT;
    case FOUND_HEADER:  return FRAMED_HEADER;
    case FOUND_CLOSE:   return FRAMED_CLOSE;
    case FAILED:        return FRAMED_ERROR;
    default:            return FRAMED_MORE;
    }
}

bool xml_framer_closed(const struct xml_framer *f)
{
    return f->depth == 0 && f->state == IN_TEXT;
}
