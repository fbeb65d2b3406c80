/* What the server says of itself (XEP-0115 6.3, XEP-0390 5.2), a domain at a time: <c/> for the features of a
 * stream, in AUTH_DONE, made from what disco#info answers; and the answer to the nodes named there. */

#include "caps_inner.h"

#include <stdlib.h>

#include "disco.h"
#include "ns.h"

/* XEP-0115 4: a URI for the software. */
#define SOFTWARE "urn:x-zubr"

struct own_caps {
    struct blob *features;             /* both <c/> */
    struct blob *nodes;                /* that stand for them (caps_nodes_have) */
};

void caps_server_forget(struct sm *sm)
{
    for (struct table_iter i = { 0 }; table_next(sm->caps->own, &i);) {
        struct own_caps *own = i.value;
        table_remove(sm->caps->own, i.key);
        blob_unref(&own->features);
        blob_unref(&own->nodes);
        free(own);
    }
}

/* As anybody would be answered. */
static const struct element *info_of(struct sm *sm, struct slice domain)
{
    struct buf         text = { 0 };
    struct xml_writer  w;
    struct element     none = { 0 };
    struct stanza      stanza = { .name = STANZA_IQ, .type = TYPE_GET, .from = domain, .to = domain };
    struct passage     p = { .sm = sm, .owner = domain, .stanza = &stanza };
    struct iq          iq = { &p, IQ_GET, TO_SERVER, &none, &w };
    struct xml_limits  limits = sm_xml_limits(sm);
    struct slice       kept;

    xml_begin(&w, &text, NS_CLIENT);
    xml_open(&w, "query", NS_DISCO_INFO);
    disco_info_write(&iq);
    xml_close(&w);
    kept = arena_copy(sm->arena, buf_slice(&text));
    buf_free(&text);
    return xml_parse_content(sm->arena, kept, NS_CLIENT, &limits);
}

static struct slice hash_of(struct sm *sm, const struct element *query, enum caps_format format, const char *algorithm)
{
    struct buf   b = { 0 };
    struct slice text = slice_of(NULL, 0);

    if (caps_hash(sm->arena, query, format, slice_str(algorithm), slice_of(NULL, 0), &b) == ZE_OK)
        text = arena_copy(sm->arena, buf_slice(&b));
    buf_free(&b);
    return text;
}

static void put_node(struct buf *nodes, const char *before, struct slice hash)
{
    buf_put_str(nodes, before);
    buf_put_slice(nodes, hash);
    buf_put_u8(nodes, 0);
}

/* XEP-0115 with SHA-1, which everybody knows; XEP-0390 with two. */
static void write_own(struct sm *sm, const struct element *query, struct buf *out, struct buf *nodes)
{
    static const char *const algorithms[] = { "sha-256", "sha3-256" };
    struct slice             one = hash_of(sm, query, CAPS_1, "sha-1");
    struct xml_writer        w;

    xml_begin(&w, out, NS_CLIENT);
    xml_open(&w, "c", NS_CAPS);
    xml_attr(&w, "hash", "sha-1");
    xml_attr(&w, "node", SOFTWARE);
    xml_attr_slice(&w, "ver", one);
    xml_close(&w);
    put_node(nodes, SOFTWARE "#", one);
    xml_open(&w, "c", NS_CAPS_2);
    for (size_t i = 0; i < COUNT_OF(algorithms); i++) {
        struct slice hash = hash_of(sm, query, CAPS_2, algorithms[i]);
        xml_open(&w, "hash", NS_HASHES);
        xml_attr(&w, "algo", algorithms[i]);
        xml_text(&w, hash);
        xml_close(&w);
        put_node(nodes, arena_printf(sm->arena, NS_CAPS_2 "#%s.", algorithms[i]), hash);
    }
    xml_close(&w);
}

static struct own_caps *own_of(struct sm *sm, struct slice domain)
{
    struct own_caps      *own = table_get(sm->caps->own, domain);
    const struct element *root;
    struct buf            text = { 0 }, nodes = { 0 };

    if (own)
        return own;
    root = info_of(sm, domain);
    if (!root || !root->children)
        return NULL;
    own = xcalloc(1, sizeof(*own));
    write_own(sm, root->children, &text, &nodes);
    own->features = blob_copy(buf_slice(&text));
    own->nodes = blob_copy(buf_slice(&nodes));
    table_put(sm->caps->own, domain, own);
    buf_free(&text);
    buf_free(&nodes);
    return own;
}

struct slice caps_server(struct sm *sm, struct slice domain)
{
    struct own_caps *own = sm_serves(sm, domain) ? own_of(sm, domain) : NULL;

    return own ? blob_slice(own->features) : slice_of(NULL, 0);
}

bool caps_server_node(struct iq *iq, struct slice node)
{
    struct sm       *sm = iq->p->sm;
    struct own_caps *own = iq->target == TO_SERVER && sm_serves(sm, iq->p->stanza->to) ? own_of(sm, iq->p->stanza->to) : NULL;

    return own && caps_nodes_have(blob_slice(own->nodes), node);
}
