/* JIDs (RFC 7622): splitting, the ASCII fast path, putting the parts together. What is not ASCII goes
 * to precis.c (local- and resourcepart) and jid_domain.c. */

#include "jid.h"

#include "jid_domain.h"
#include "precis.h"

/* Per ASCII byte: its lower-case form when allowed in a localpart, else 0. The excluded ones are
 * space, controls and " & ' / : < > @ (RFC 7622 3.3.1). */
static const uint8_t local_byte[128] = {
    ['!'] = '!',  ['#'] = '#', ['$'] = '$', ['%'] = '%', ['('] = '(', [')'] = ')', ['*'] = '*', ['+'] = '+',
    [','] = ',',  ['-'] = '-', ['.'] = '.', [';'] = ';', ['='] = '=', ['?'] = '?', ['['] = '[', [']'] = ']',
    ['\\'] = '\\', ['^'] = '^', ['_'] = '_', ['`'] = '`', ['{'] = '{', ['|'] = '|', ['}'] = '}', ['~'] = '~',
    ['0'] = '0',  ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7',
    ['8'] = '8',  ['9'] = '9',
    ['A'] = 'a',  ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h',
    ['I'] = 'i',  ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p',
    ['Q'] = 'q',  ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y',  ['Z'] = 'z',
    ['a'] = 'a',  ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
    ['i'] = 'i',  ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',
    ['q'] = 'q',  ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x',
    ['y'] = 'y',  ['z'] = 'z',
};

static bool local_ascii(const uint8_t *p, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] >= 0x80 || !(out[i] = (char)local_byte[p[i]]))
            return false;
    return true;
}

/* After the mappings, so that a full-width '@' is caught as well. */
static bool holds_excluded(const char *part, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)part[i] < 0x80 && !local_byte[(uint8_t)part[i]])
            return true;
    return false;
}

static enum zerr prep_local(struct slice raw, char *out, size_t *len)
{
    if (raw.len > 0 && raw.len <= *len && local_ascii(raw.p, raw.len, out)) {
        *len = raw.len;
        return ZE_OK;
    }
    if (precis_username(raw, out, len) || holds_excluded(out, *len))
        return ZE_BAD_JID;
    return ZE_OK;
}

static bool is_printable_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7E)
            return false;
    return true;
}

/* RFC 7622 3.5 row 18: a resourcepart does not begin with a space. */
enum zerr jid_prep_resource(struct slice raw, char *out, size_t *len)
{
    if (is_printable_ascii(raw)) {
        if (raw.len == 0 || raw.len > *len)
            return ZE_BAD_JID;
        memmove(out, raw.p, raw.len);
        *len = raw.len;
    } else if (precis_opaque(raw, out, len)) {
        return ZE_BAD_JID;
    }
    return out[0] == ' ' ? ZE_BAD_JID : ZE_OK;
}

static size_t append(struct jid *j, size_t at, const char *part, size_t len)
{
    memcpy(j->text + at, part, len);
    return at + len;
}

enum zerr jid_make(struct slice local, struct slice domain, struct slice resource, struct jid *out)
{
    char   l[JID_PART_MAX], d[JID_PART_MAX], r[JID_PART_MAX];
    size_t l_len = sizeof(l), d_len = sizeof(d), r_len = sizeof(r);

    if (local.len == 0)
        l_len = 0;
    else if (prep_local(local, l, &l_len))
        return ZE_BAD_JID;
    if (jid_prep_domain(domain, d, &d_len))
        return ZE_BAD_JID;
    if (resource.len == 0)
        r_len = 0;
    else if (jid_prep_resource(resource, r, &r_len))
        return ZE_BAD_JID;

    size_t at = append(out, 0, l, l_len);
    if (l_len)
        at = append(out, at, "@", 1);
    at = append(out, at, d, d_len);
    if (r_len) {
        at = append(out, at, "/", 1);
        at = append(out, at, r, r_len);
    }
    out->text[at] = 0;
    out->local_len = (uint16_t)l_len;
    out->domain_len = (uint16_t)d_len;
    out->resource_len = (uint16_t)r_len;
    out->len = (uint16_t)at;
    return ZE_OK;
}

/* RFC 7622 3.1: the resourcepart begins after the first '/', the domainpart after the first '@' before it. */
static const uint8_t *find(struct slice s, int c)
{
    return s.len ? memchr(s.p, c, s.len) : NULL;
}

enum zerr jid_parse(struct slice raw_jid, struct jid *out)
{
    const uint8_t *slash = find(raw_jid, '/');
    struct slice   bare = slash ? slice_cut(raw_jid, 0, (size_t)(slash - raw_jid.p)) : raw_jid;
    const uint8_t *at = find(bare, '@');
    struct slice   local = { 0 }, domain = bare, resource = { 0 };

    if (slash)
        resource = slice_cut(raw_jid, bare.len + 1, raw_jid.len);
    if (at) {
        local = slice_cut(bare, 0, (size_t)(at - bare.p));
        domain = slice_cut(bare, local.len + 1, bare.len);
    }
    if ((slash && resource.len == 0) || (at && local.len == 0))
        return ZE_BAD_JID;
    return jid_make(local, domain, resource, out);
}

struct slice jid_bare(struct slice jid)
{
    const uint8_t *slash = find(jid, '/');

    return slash ? slice_cut(jid, 0, (size_t)(slash - jid.p)) : jid;
}

struct slice jid_resource(struct slice jid)
{
    size_t bare = jid_bare(jid).len;

    return bare < jid.len ? slice_cut(jid, bare + 1, jid.len) : (struct slice){ 0 };
}

struct slice jid_local(struct slice jid)
{
    struct slice   bare = jid_bare(jid);
    const uint8_t *at = find(bare, '@');

    return at ? slice_cut(bare, 0, (size_t)(at - bare.p)) : (struct slice){ 0 };
}

struct slice jid_domain(struct slice jid)
{
    struct slice   bare = jid_bare(jid);
    const uint8_t *at = find(bare, '@');

    return at ? slice_cut(bare, (size_t)(at - bare.p) + 1, bare.len) : bare;
}

bool jid_is_bare(struct slice jid)
{
    return !find(jid, '/');
}

bool jid_is_domain(struct slice jid)
{
    return !find(jid, '/') && !find(jid, '@');
}

bool jid_same_bare(struct slice a, struct slice b)
{
    return slice_eq(jid_bare(a), jid_bare(b));
}
