#pragma once

/* An XML element tree in an arena. Text and attribute values are unescaped. */

#include "mem.h"
#include "slice.h"

struct attribute {
    struct attribute *next;
    struct slice      ns;             /* empty: none */
    struct slice      name, value;
};

struct element {
    struct element   *next;           /* sibling */
    struct element   *children;       /* first child element */
    struct attribute *attributes;
    struct slice      ns, name;       /* name empty: a root without a tag, or a text node (text set) */
    struct slice      text;           /* of a text node */
    struct element   *nodes;          /* first child node, text nodes included (next_node) */
    struct element   *next_node;
};

bool element_is(const struct element *e, const char *ns, const char *name);
/* First child element with that ns and name (NULL ns: the parent's ns; NULL name: any); NULL. */
const struct element *element_child(const struct element *e, const char *ns, const char *name);
const struct element *element_next(const struct element *child, const char *ns, const char *name);
/* Value of the attribute without namespace; p == NULL when absent. */
struct slice element_attr(const struct element *e, const char *name);
struct slice element_attr_ns(const struct element *e, const char *ns, const char *name);
/* All direct text, joined (in the arena when in several pieces). */
struct slice element_text(struct arena *arena, const struct element *e);
/* Text of the first child `name` in the parent's ns; empty when absent. */
struct slice element_child_text(struct arena *arena, const struct element *e, const char *name);
