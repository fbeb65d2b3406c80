/* PRECIS (RFC 8264): the derived property of a code point, the context rules of RFC 5892 appendix A,
 * the Bidi Rule of RFC 5893 and the two profiles of RFC 8265 that XMPP addresses use. Unicode data
 * is libunistring's: a code point it does not know is unassigned, so refused. */

#include "precis.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum { ROOM = PRECIS_RAW_MAX + 1, ROUNDS = 4 };

struct text {
    size_t   len;
    uint32_t cp[ROOM];
};

enum property { PVALID, FREE_ONLY, CONTEXT, DISALLOWED };

/* RFC 5892 2.6 (Exceptions), 2.9 (OldHangulJamo) and the join controls; sorted. BackwardCompatible is
 * empty. */
static const struct {
    uint32_t      first, last;
    enum property property;
} exceptions[] = {
    { 0x00B7, 0x00B7, CONTEXT },    { 0x00DF, 0x00DF, PVALID },     { 0x0375, 0x0375, CONTEXT },
    { 0x03C2, 0x03C2, PVALID },     { 0x05F3, 0x05F4, CONTEXT },    { 0x0640, 0x0640, DISALLOWED },
    { 0x0660, 0x0669, CONTEXT },    { 0x06F0, 0x06F9, CONTEXT },    { 0x06FD, 0x06FE, PVALID },
    { 0x07FA, 0x07FA, DISALLOWED }, { 0x0F0B, 0x0F0B, PVALID },     { 0x1100, 0x11FF, DISALLOWED },
    { 0x200C, 0x200D, CONTEXT },    { 0x3007, 0x3007, PVALID },     { 0x302E, 0x302F, DISALLOWED },
    { 0x3031, 0x3035, DISALLOWED }, { 0x303B, 0x303B, DISALLOWED }, { 0x30FB, 0x30FB, CONTEXT },
    { 0xA960, 0xA97C, DISALLOWED }, { 0xD7B0, 0xD7C6, DISALLOWED }, { 0xD7CB, 0xD7FB, DISALLOWED },
};

enum {
    LETTER_DIGITS = UC_CATEGORY_MASK_Ll | UC_CATEGORY_MASK_Lu | UC_CATEGORY_MASK_Lo | UC_CATEGORY_MASK_Nd |
                    UC_CATEGORY_MASK_Lm | UC_CATEGORY_MASK_Mn | UC_CATEGORY_MASK_Mc,
    FREEFORM = UC_CATEGORY_MASK_Lt | UC_CATEGORY_MASK_Nl | UC_CATEGORY_MASK_No | UC_CATEGORY_MASK_Me |
               UC_CATEGORY_MASK_Zs | UC_CATEGORY_MASK_S | UC_CATEGORY_MASK_P,
};

static bool has_compat(uint32_t cp)
{
    uint32_t  out[32];
    size_t    len = COUNT_OF(out);
    uint32_t *nfkc = u32_normalize(UNINORM_NFKC, &cp, 1, out, &len);
    bool      differs = !nfkc || len != 1 || nfkc[0] != cp;

    if (nfkc != out)
        free(nfkc);
    return differs;
}

/* RFC 8264 8, in its order. */
static enum property property_of(uint32_t cp)
{
    for (size_t i = 0; i < COUNT_OF(exceptions) && exceptions[i].first <= cp; i++)
        if (cp <= exceptions[i].last)
            return exceptions[i].property;
    if (cp >= 0x21 && cp <= 0x7E)
        return PVALID;
    if (uc_is_general_category_withtable(cp, UC_CATEGORY_MASK_Cn | UC_CATEGORY_MASK_Cc) ||
        uc_is_property_default_ignorable_code_point(cp) || uc_is_property_not_a_character(cp))
        return DISALLOWED;
    if (has_compat(cp))
        return FREE_ONLY;
    if (uc_is_general_category_withtable(cp, LETTER_DIGITS))
        return PVALID;
    return uc_is_general_category_withtable(cp, FREEFORM) ? FREE_ONLY : DISALLOWED;
}

static bool in_script(uint32_t cp, const char *name)
{
    const uc_script_t *script = uc_script(cp);

    return script && strcmp(script->name, name) == 0;
}

/* RFC 5892 A.1: (Joining_Type:{L,D})(Joining_Type:T)* ZWNJ (Joining_Type:T)*(Joining_Type:{R,D}) */
static bool joins_around(const struct text *t, size_t at)
{
    size_t before = at, after = at + 1;

    while (before > 0 && uc_joining_type(t->cp[before - 1]) == UC_JOINING_TYPE_T)
        before--;
    while (after < t->len && uc_joining_type(t->cp[after]) == UC_JOINING_TYPE_T)
        after++;
    if (before == 0 || after == t->len)
        return false;
    int left = uc_joining_type(t->cp[before - 1]), right = uc_joining_type(t->cp[after]);
    return (left == UC_JOINING_TYPE_L || left == UC_JOINING_TYPE_D) &&
           (right == UC_JOINING_TYPE_R || right == UC_JOINING_TYPE_D);
}

static bool any_in(const struct text *t, uint32_t first, uint32_t last)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->cp[i] >= first && t->cp[i] <= last)
            return true;
    return false;
}

/* RFC 5892 A.7 */
static bool any_japanese(const struct text *t)
{
    for (size_t i = 0; i < t->len; i++)
        if (in_script(t->cp[i], "Hiragana") || in_script(t->cp[i], "Katakana") || in_script(t->cp[i], "Han"))
            return true;
    return false;
}

/* RFC 5892 appendix A. */
static bool context_allows(const struct text *t, size_t at)
{
    uint32_t cp = t->cp[at];
    uint32_t before = at > 0 ? t->cp[at - 1] : 0, after = at + 1 < t->len ? t->cp[at + 1] : 0;
    bool     virama = before && uc_combining_class(before) == UC_CCC_VR;

    switch (cp) {
    case 0x200C: return virama || joins_around(t, at);       /* A.1 */
    case 0x200D: return virama;                              /* A.2 */
    case 0x00B7: return before == 'l' && after == 'l';       /* A.3 */
    case 0x0375: return after && in_script(after, "Greek");  /* A.4 */
    case 0x05F3:                                             /* A.5 */
    case 0x05F4: return before && in_script(before, "Hebrew"); /* A.6 */
    case 0x30FB: return any_japanese(t);
    }
    if (cp <= 0x0669)
        return !any_in(t, 0x06F0, 0x06F9);                   /* A.8 */
    return !any_in(t, 0x0660, 0x0669);                       /* A.9 */
}

static bool class_allows(const struct text *t, bool freeform)
{
    for (size_t i = 0; i < t->len; i++) {
        enum property property = property_of(t->cp[i]);
        if (property == DISALLOWED || (property == FREE_ONLY && !freeform) ||
            (property == CONTEXT && !context_allows(t, i)))
            return false;
    }
    return true;
}

#define BIDI(name) (1u << UC_BIDI_##name)

/* RFC 5893 2, for strings that hold a right-to-left character. */
static bool bidi_allows(const struct text *t)
{
    const unsigned rtl = BIDI(R) | BIDI(AL) | BIDI(AN);
    const unsigned neutral = BIDI(EN) | BIDI(ES) | BIDI(CS) | BIDI(ET) | BIDI(ON) | BIDI(BN) | BIDI(NSM);
    unsigned       seen = 0, last = 0;

    for (size_t i = 0; i < t->len; i++) {
        unsigned class = 1u << uc_bidi_class(t->cp[i]);
        seen |= class;
        last = class == BIDI(NSM) ? last : class;
    }
    if (!(seen & rtl))
        return true;
    unsigned first = 1u << uc_bidi_class(t->cp[0]);
    if (!(first & (BIDI(R) | BIDI(AL))))
        return false;   /* rule 1; what begins left-to-right may hold none of R, AL, AN (rule 5) */
    return !(seen & ~(rtl | neutral)) && last & (rtl | BIDI(EN)) && !(seen & BIDI(EN) && seen & BIDI(AN));
}

static bool decode(struct slice raw, struct text *t)
{
    t->len = ROOM;
    if (raw.len == 0 || raw.len > PRECIS_RAW_MAX)
        return false;
    uint32_t *cp = u8_to_u32(raw.p, raw.len, t->cp, &t->len);   /* checks the encoding */
    if (cp && cp != t->cp)
        free(cp);
    return cp == t->cp;
}

static enum zerr encode(const struct text *t, char *out, size_t *len)
{
    uint8_t *utf8 = u32_to_u8(t->cp, t->len, (uint8_t *)out, len);

    if (utf8 && utf8 != (uint8_t *)out)
        free(utf8);
    return utf8 && utf8 == (uint8_t *)out && *len > 0 ? ZE_OK : ZE_BAD_JID;
}

/* libunistring allocates what did not fit: false. */
static bool fitted(const struct text *to, uint32_t *result)
{
    if (result != to->cp)
        free(result);
    return result == to->cp;
}

static bool nfc(const struct text *from, struct text *to)
{
    to->len = ROOM;
    return fitted(to, u32_normalize(UNINORM_NFC, from->cp, from->len, to->cp, &to->len));
}

/* Only U+3000 and the block U+FF00 have a <wide> or <narrow> decomposition, each of one code point. */
static void map_width(struct text *t)
{
    for (size_t i = 0; i < t->len; i++) {
        ucs4_t to[UC_DECOMPOSITION_MAX_LENGTH];
        int    tag;
        if ((t->cp[i] == 0x3000 || (t->cp[i] >= 0xFF01 && t->cp[i] <= 0xFFEE)) &&
            uc_decomposition(t->cp[i], &tag, to) == 1 && (tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW))
            t->cp[i] = to[0];
    }
}

static bool map_username(struct text *t)
{
    struct text lower;

    lower.len = ROOM;
    map_width(t);
    return fitted(&lower, u32_tolower(t->cp, t->len, NULL, NULL, lower.cp, &lower.len)) && nfc(&lower, t);
}

static bool map_opaque(struct text *t)
{
    struct text from;

    from.len = t->len;
    for (size_t i = 0; i < t->len; i++)
        from.cp[i] = uc_is_general_category_withtable(t->cp[i], UC_CATEGORY_MASK_Zs) ? ' ' : t->cp[i];
    return nfc(&from, t);
}

/* Rules are applied until the string is stable (RFC 8264 7); one that never settles is refused. */
static bool settle(struct text *t, bool (*map)(struct text *))
{
    for (int round = 0; round < ROUNDS; round++) {
        struct text before;
        before.len = t->len;
        memcpy(before.cp, t->cp, t->len * sizeof(t->cp[0]));
        if (!map(t))
            return false;
        if (t->len == before.len && memcmp(t->cp, before.cp, t->len * sizeof(t->cp[0])) == 0)
            return true;
    }
    return false;
}

enum zerr precis_fold(struct slice raw, char *out, size_t *len)
{
    struct text t;

    if (!decode(raw, &t) || !settle(&t, map_username))
        return ZE_BAD_JID;
    return encode(&t, out, len);
}

enum zerr precis_username(struct slice raw, char *out, size_t *len)
{
    struct text t;

    if (!decode(raw, &t) || !settle(&t, map_username) || !class_allows(&t, false) || !bidi_allows(&t))
        return ZE_BAD_JID;
    return encode(&t, out, len);
}

enum zerr precis_opaque(struct slice raw, char *out, size_t *len)
{
    struct text t;

    if (!decode(raw, &t) || !settle(&t, map_opaque) || !class_allows(&t, true))
        return ZE_BAD_JID;
    return encode(&t, out, len);
}
