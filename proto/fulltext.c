/* XEP-0431 (fulltext.h). Case folding and NFKC are those of Unicode, by libunistring. */

#include "fulltext.h"

#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>

#include "ns.h"
#include "xml_stream.h"

/* Of what is stored: it kept to stricter ones when it came. */
static const struct xml_limits limits = { 16 << 20, 1000, 1000, 8192 };

static bool is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] >= 0x80)
            return false;
    return true;
}

static struct slice lower(struct arena *arena, struct slice text)
{
    uint8_t *out = arena_alloc(arena, text.len + 1);

    for (size_t i = 0; i < text.len; i++)
        out[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (uint8_t)(text.p[i] | 0x20) : text.p[i];
    return slice_of(out, text.len);
}

static struct slice fold(struct arena *arena, struct slice text)
{
    size_t       len = 0;
    uint8_t     *folded;
    struct slice out;

    if (is_ascii(text))
        return lower(arena, text);
    folded = u8_casefold(text.p, text.len, NULL, UNINORM_NFKC, NULL, &len);
    out = folded ? arena_copy(arena, slice_of(folded, len)) : slice_of("", 0);
    free(folded);
    return out;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word of `text` from *at; empty: no more. */
static struct slice next_word(struct slice text, size_t *at)
{
    size_t start;

    while (*at < text.len && is_space(text.p[*at]))
        ++*at;
    start = *at;
    while (*at < text.len && !is_space(text.p[*at]))
        ++*at;
    return slice_cut(text, start, *at);
}

const struct fulltext *fulltext_new(struct arena *arena, struct slice text)
{
    struct fulltext *f = arena_alloc(arena, sizeof(*f));
    struct slice     folded = fold(arena, text);
    size_t           at = 0;

    f->count = 0;
    for (struct slice word; (word = next_word(folded, &at)).len; f->words[f->count++] = word)
        if (f->count == FULLTEXT_WORDS)
            return NULL;
    return f->count ? f : NULL;
}

/* ---- a message ---- */

static bool has(struct slice text, struct slice word)
{
    return word.len <= text.len && memmem(text.p, text.len, word.p, word.len);
}

/* Takes the words that are in `text` out of `open`, a bit each. */
static unsigned still_open(const struct fulltext *f, struct slice text, unsigned open)
{
    for (unsigned i = 0; i < f->count; i++)
        if (open & 1u << i && has(text, f->words[i]))
            open &= ~(1u << i);
    return open;
}

bool fulltext_matches(const struct fulltext *f, struct slice content, struct arena *scratch)
{
    static const char *const where[] = { "body", "subject" };
    const struct element    *root = xml_parse_content(scratch, content, NS_CLIENT, &limits);
    unsigned                 open = (1u << f->count) - 1;

    for (size_t i = 0; root && i < COUNT_OF(where); i++)
        for (const struct element *e = element_child(root, NS_CLIENT, where[i]); e && open;
             e = element_next(e, NS_CLIENT, where[i]))
            open = still_open(f, fold(scratch, element_text(scratch, e)), open);
    return root && !open;
}
