#pragma once

/* Taking first-level elements out of a content, bytewise: what stays is untouched (DESIGN.md 2.4). */

#include "element.h"
#include "xml_stream.h"

/* The content without the first-level elements that `drop` says yes to: in the arena, or `content` itself
 * when there is none. `content` has been proven (xml_check_content); one that cannot be parsed is
 * returned empty. */
struct slice xml_cut(struct arena *arena, struct slice content, const struct xml_limits *limits,
                     bool (*drop)(void *arg, const struct element *e), void *arg);
