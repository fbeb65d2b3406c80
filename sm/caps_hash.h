#pragma once

/* Entity capabilities as texts: what a <c/> says, what a disco#info answer hashes to (XEP-0115 5,
 * XEP-0390 4), and which notifications it asks for. Pure. */

#include "buf.h"
#include "element.h"
#include "err.h"

enum caps_format {
    CAPS_NONE,              /* no <c/>: nothing is asked */
    CAPS_UNVERIFIED,        /* XEP-0115 before 1.4, or by a hash that we do not know: good for one JID only */
    CAPS_1,                 /* XEP-0115 */
    CAPS_2,                 /* XEP-0390 */
};

/* Slices as long-lived as the element they are from. */
struct caps_said {
    uint8_t      format;         /* enum caps_format */
    struct slice algorithm;      /* by its name in XEP-0300 */
    struct slice ver;            /* base64 */
    struct slice node;           /* of a disco#info query about it, in the arena */
};

/* Of a presence's content, root as from xml_parse_content. Where both formats are there the stronger one
 * counts: XEP-0390. What says more than CAPS_SAID_MAX bytes counts as CAPS_NONE. */
enum { CAPS_SAID_MAX = 1000 };
struct caps_said caps_said(struct arena *arena, const struct element *root);

/* Appends the base64 of the hash of a disco#info answer. lang: the xml:lang in scope around it.
 * ZE_BAD_REQUEST: it is ill-formed in the sense of XEP-0115 5.4 or XEP-0390 4.1; ZE_NO_SUCH: no such hash. */
enum zerr caps_hash(struct arena *arena, const struct element *query, enum caps_format format,
                    struct slice algorithm, struct slice lang, struct buf *out);

/* A list of nodes: each name and NUL. The nodes whose notifications a disco#info answer asks for (XEP-0060
 * 9.2: features NODE+notify), without those beyond CAPS_NODES_BYTES. */
enum { CAPS_NODES_BYTES = 8192 };
void caps_nodes(const struct element *query, struct buf *out);
bool caps_nodes_have(struct slice nodes, struct slice node);
