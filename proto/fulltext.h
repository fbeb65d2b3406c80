#pragma once

/* XEP-0431 Full Text Search: what a search means here. Every word of it (apart by white space, at most
 * FULLTEXT_WORDS) is somewhere in the bodies and the subject of a message, in whatever case; a word may be a part
 * of a longer one. Pure. */

#include "mem.h"
#include "slice.h"

enum { FULLTEXT_WORDS = 16 };

struct fulltext {
    struct slice words[FULLTEXT_WORDS];    /* folded */
    unsigned     count;
};

/* In the arena, without pointers to `text`. NULL: more words than that, or none. */
const struct fulltext *fulltext_new(struct arena *arena, struct slice text);
/* content: of a stored message. */
bool fulltext_matches(const struct fulltext *f, struct slice content, struct arena *scratch);
