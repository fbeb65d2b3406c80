#pragma once

/* XEP-0059 Result Set Management: the request and the answer as values. */

#include "element.h"
#include "err.h"
#include "xml_write.h"

struct rsm_request {
    bool         has_max, has_before, has_after;
    uint32_t     max;
    struct slice before;               /* empty with has_before: the last page (2.5) */
    struct slice after;
};

/* The <set/> among the children of `parent`; none: all false. Texts are in the arena. ZE_BAD_REQUEST: max is
 * no number. ZE_FEATURE: a page by its index (2.6: "exceptionally resource intensive"). */
enum zerr rsm_parse(struct arena *arena, const struct element *parent, struct rsm_request *out);

struct rsm_answer {
    struct slice first, last;          /* empty: no item (2.2: then neither is written) */
    bool         has_index, has_count;
    uint64_t     index, count;
};
void rsm_write(struct xml_writer *w, const struct rsm_answer *a);
