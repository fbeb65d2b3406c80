/* The bytes before a stream header (xml_prolog.h). Encodings other than UTF-8 end here, before any
 * parser could begin to transcode (RFC 6120 11.6, 4.9.3.22). */

#include "xml_prolog.h"

#include <strings.h>

enum { FIRST, BOM_2, BOM_3, AFTER_BOM, FIRST_LT, DECLARATION, BLANKS, TAG, FAILED };

static uint8_t fail(struct xml_prolog *p, enum stream_error error)
{
    p->error = error;
    return FAILED;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_space(const char *c)
{
    while (is_space(*c))
        c++;
    return c;
}

/* One ` name='value'` of the declaration at *c into `value` (empty when the name is another). False: not
 * well-formed. */
static bool pseudo_attribute(const char **c, const char *name, char value[XML_DECLARATION_MAX])
{
    const char *at = skip_space(*c);
    size_t      len = strlen(name);

    value[0] = 0;
    if (at == *c || strncmp(at, name, len) != 0)
        return true;
    at = skip_space(at + len);
    if (*at++ != '=')
        return false;
    at = skip_space(at);
    if (*at != '\'' && *at != '"')
        return false;
    const char *end = strchr(at + 1, *at);
    if (!end || end == at + 1)
        return false;
    memcpy(value, at + 1, (size_t)(end - at - 1));
    value[end - at - 1] = 0;
    *c = end + 1;
    return true;
}

/* XML 1.0 2.8. `declaration` holds what stands between "<?" and "?>". */
static uint8_t check_declaration(struct xml_prolog *p)
{
    const char *c = p->declaration + 3;
    char        version[XML_DECLARATION_MAX], encoding[XML_DECLARATION_MAX], standalone[XML_DECLARATION_MAX];

    if (memchr(p->declaration, 0, p->len))
        return fail(p, SE_NOT_WELL_FORMED);
    p->declaration[p->len] = 0;
    if (p->len < 4 || strncmp(p->declaration, "xml", 3) != 0 || !is_space(*c))
        return fail(p, SE_RESTRICTED_XML);   /* a processing instruction */
    if (!pseudo_attribute(&c, "version", version) || !version[0] ||
        !pseudo_attribute(&c, "encoding", encoding) ||
        !pseudo_attribute(&c, "standalone", standalone) || *skip_space(c))
        return fail(p, SE_NOT_WELL_FORMED);
    if (encoding[0] && strcasecmp(encoding, "UTF-8") != 0)
        return fail(p, SE_UNSUPPORTED_ENCODING);
    return strcmp(version, "1.0") == 0 ? BLANKS : fail(p, SE_BAD_FORMAT);   /* RFC 6120 11.5 */
}

static uint8_t in_declaration(struct xml_prolog *p, uint8_t byte)
{
    if (byte == '>' && p->len > 0 && p->declaration[p->len - 1] == '?') {
        p->len--;
        return check_declaration(p);
    }
    if (p->len == XML_DECLARATION_MAX - 1)
        return fail(p, SE_POLICY_VIOLATION);
    p->declaration[p->len++] = (char)byte;
    return DECLARATION;
}

/* White space before the declaration is forgiven: a client that ends each element with a line feed sends
 * the last one after <auth/>, where the new stream already begins (RFC 6120 4.6.1 allows the blank).
 * UTF-16 shows by its byte order mark or by the zero byte before or after the '<'. */
static uint8_t first(struct xml_prolog *p, uint8_t byte)
{
    if (byte == '<')
        return FIRST_LT;
    if (byte == 0xFE || byte == 0xFF || byte == 0)
        return fail(p, SE_UNSUPPORTED_ENCODING);
    return is_space((char)byte) ? AFTER_BOM : fail(p, SE_NOT_WELL_FORMED);
}

static uint8_t next_state(struct xml_prolog *p, uint8_t byte)
{
    switch (p->state) {
    case FIRST:       return byte == 0xEF ? BOM_2 : first(p, byte);
    case BOM_2:       return byte == 0xBB ? BOM_3 : fail(p, SE_UNSUPPORTED_ENCODING);
    case BOM_3:       return byte == 0xBF ? AFTER_BOM : fail(p, SE_UNSUPPORTED_ENCODING);
    case AFTER_BOM:   return first(p, byte);
    case FIRST_LT:    return byte == '?' ? DECLARATION : byte ? TAG : fail(p, SE_UNSUPPORTED_ENCODING);
    case DECLARATION: return in_declaration(p, byte);
    default:
        return byte == '<' ? TAG : is_space((char)byte) ? BLANKS : fail(p, SE_NOT_WELL_FORMED);
    }
}

enum prologue xml_prolog_feed(struct xml_prolog *p, struct slice *in)
{
    while (in->len > 0 && p->state < TAG) {
        bool peeked = p->state == FIRST_LT && in->p[0] != '?';   /* that byte belongs to the tag */
        p->state = next_state(p, in->p[0]);
        if (!(peeked && p->state == TAG))
            *in = slice_cut(*in, 1, in->len);
    }
    return p->state == TAG ? PROLOGUE_TAG : p->state == FAILED ? PROLOGUE_ERROR : PROLOGUE_MORE;
}
