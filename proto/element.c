/* Looking things up in an element tree (element.h). */

#include "element.h"

bool element_is(const struct element *e, const char *ns, const char *name)
{
    return e && slice_is(e->name, name) && slice_is(e->ns, ns);
}

static const struct element *find(const struct element *e, struct slice ns, const char *name)
{
    for (; e; e = e->next)
        if (slice_eq(e->ns, ns) && (!name || slice_is(e->name, name)))
            return e;
    return NULL;
}

const struct element *element_child(const struct element *e, const char *ns, const char *name)
{
    return e ? find(e->children, ns ? slice_str(ns) : e->ns, name) : NULL;
}

/* A sibling's NULL namespace is its own, which is what element_child gave for the same arguments. */
const struct element *element_next(const struct element *child, const char *ns, const char *name)
{
    return child ? find(child->next, ns ? slice_str(ns) : child->ns, name) : NULL;
}

struct slice element_attr_ns(const struct element *e, const char *ns, const char *name)
{
    for (const struct attribute *a = e ? e->attributes : NULL; a; a = a->next)
        if (slice_is(a->name, name) && slice_is(a->ns, ns))
            return a->value;
    return (struct slice){ 0 };
}

struct slice element_attr(const struct element *e, const char *name)
{
    return element_attr_ns(e, "", name);
}

struct slice element_text(struct arena *arena, const struct element *e)
{
    size_t       pieces = 0, len = 0;
    struct slice last = { 0 };

    for (const struct element *n = e ? e->nodes : NULL; n; n = n->next_node)
        if (n->name.len == 0) {
            pieces++;
            len += n->text.len;
            last = n->text;
        }
    if (pieces < 2)
        return last;
    uint8_t *joined = arena_alloc(arena, len), *at = joined;
    for (const struct element *n = e->nodes; n; n = n->next_node)
        if (n->name.len == 0 && n->text.len) {
            memcpy(at, n->text.p, n->text.len);
            at += n->text.len;
        }
    return slice_of(joined, len);
}

struct slice element_child_text(struct arena *arena, const struct element *e, const char *name)
{
    return element_text(arena, element_child(e, NULL, name));
}
