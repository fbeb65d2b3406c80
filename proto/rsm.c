/* XEP-0059 (rsm.h). */

#include "rsm.h"

#include <stdio.h>

#include "ns.h"

/* xs:int, which is never negative here; more than fits is as good as the most. */
static enum zerr number(struct slice text, uint32_t *out)
{
    uint64_t value = 0;

    if (!text.len)
        return ZE_BAD_REQUEST;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return ZE_BAD_REQUEST;
        value = value * 10 + (unsigned)(text.p[i] - '0');
        if (value > UINT32_MAX)
            value = UINT32_MAX;
    }
    *out = (uint32_t)value;
    return ZE_OK;
}

enum zerr rsm_parse(struct arena *arena, const struct element *parent, struct rsm_request *out)
{
    const struct element *set = element_child(parent, NS_RSM, "set");
    const struct element *max = element_child(set, NULL, "max"), *before = element_child(set, NULL, "before");
    const struct element *after = element_child(set, NULL, "after");

    *out = (struct rsm_request){ .has_max = max, .has_before = before, .has_after = after };
    if (element_child(set, NULL, "index"))
        return ZE_FEATURE;
    if (before)
        out->before = element_text(arena, before);
    if (after)
        out->after = element_text(arena, after);
    return max ? number(element_text(arena, max), &out->max) : ZE_OK;
}

static void number_write(struct xml_writer *w, const char *name, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    xml_open(w, name, NULL);
    xml_text_str(w, text);
    xml_close(w);
}

void rsm_write(struct xml_writer *w, const struct rsm_answer *a)
{
    xml_open(w, "set", NS_RSM);
    if (a->first.len) {
        xml_open(w, "first", NULL);
        if (a->has_index)
            xml_attr_num(w, "index", (int64_t)a->index);
        xml_text(w, a->first);
        xml_close(w);
        xml_simple(w, "last", NULL, a->last);
    }
    if (a->has_count)
        number_write(w, "count", a->count);
    xml_close(w);
}
