/* Pooled libxml2 contexts (xml_parse.h). A context is primed once with our own root, which fixes
 * UTF-8 and the namespaces in scope, and stays at depth 1: each element is parsed as one more child.
 * One context for each prime and thread is enough, since a parse never waits. After an error, a long
 * element or a grown dictionary the context is freed: libxml2 gives neither buffers nor names back. */

#include "xml_parse.h"

#include <libxml/parser.h>
#include <limits.h>
#include <stddef.h>

#include "ns.h"

enum { DICTIONARY_MAX = 64 * 1024, KEEP_AFTER = 16 * 1024 };

struct parser {
    struct xml_user user;
    size_t          fed;
};

static _Thread_local struct parser *pool[PRIME_COUNT];

static const struct {
    const char  *ns;
    struct slice root;
} primes[PRIME_COUNT] = {
    [PRIME_CLIENT] = { NS_CLIENT, SLICE_INIT("<r xmlns='" NS_CLIENT "'>") },
    [PRIME_SERVER] = { NS_SERVER, SLICE_INIT("<r xmlns='" NS_SERVER "'>") },
    [PRIME_COMPONENT] = { NS_COMPONENT, SLICE_INIT("<r xmlns='" NS_COMPONENT "'>") },
};

const char *xml_prime_ns(enum xml_prime prime)
{
    return primes[prime].ns;
}

enum xml_prime xml_prime_of(struct slice ns)
{
    for (int prime = 0; prime < PRIME_COUNT; prime++)
        if (slice_is(ns, primes[prime].ns))
            return (enum xml_prime)prime;
    return PRIME_OTHER;
}

static void parser_free(struct parser **parser)
{
    if (!*parser)
        return;
    xmlFreeParserCtxt((*parser)->user.context);
    free(*parser);
    *parser = NULL;
}

static void parser_feed(struct parser *parser, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t piece = bytes.len < INT_MAX ? bytes.len : INT_MAX;
        xmlParseChunk(parser->user.context, (const char *)bytes.p, (int)piece, 0);
        parser->fed += piece;
        bytes = slice_cut(bytes, piece, bytes.len);
    }
}

/* NONET, and neither NOENT nor HUGE; the declared encoding never counts (IGNORE_ENC), and as the first
 * bytes are our own root no byte order mark does either. */
static struct parser *parser_new(struct slice root)
{
    struct parser *parser = xcalloc(1, sizeof(*parser));
    xmlSAXHandler  handler = xml_sax_handler;

    xmlInitParser();
    parser->user.context = xmlCreatePushParserCtxt(&handler, &parser->user, NULL, 0, NULL);
    if (!parser->user.context)
        abort();
    xmlCtxtUseOptions(parser->user.context, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    parser_feed(parser, root);
    return parser;
}

void xml_job_begin(struct xml_job *job, enum xml_job_kind kind, struct arena *arena, bool tree)
{
    memset(job, 0, offsetof(struct xml_job, client_default));
    job->kind = kind;
    job->arena = arena;
    job->tree = tree;
}

static struct parser *parser_take(enum xml_prime prime, struct slice root)
{
    if (prime == PRIME_OTHER)
        return parser_new(root);
    struct parser *parser = pool[prime] ? pool[prime] : parser_new(primes[prime].root);
    pool[prime] = NULL;
    return parser;
}

static void parser_give(struct parser *parser, enum xml_prime prime, bool good)
{
    parser->user.job = NULL;
    if (!good || prime == PRIME_OTHER || xmlDictGetUsage(parser->user.context->dict) > DICTIONARY_MAX)
        parser_free(&parser);
    else
        pool[prime] = parser;
}

bool xml_job_run(struct xml_job *job, enum xml_prime prime, struct slice root, const struct slice *pieces,
                 size_t count)
{
    struct parser *parser = parser_take(prime, root);
    bool           whole;

    parser->user.job = job;
    job->base = parser->fed;
    for (size_t i = 0; i < count && !job->error; i++)
        parser_feed(parser, pieces[i]);
    buf_free(&job->text);
    whole = job->kind == JOB_HEADER ? job->depth == 1 && !job->closed
                                    : job->closed && job->closed_at == parser->fed - job->base;
    if (!whole && !job->error)
        job->error = SE_NOT_WELL_FORMED;
    parser_give(parser, prime, !job->error && parser->fed - job->base <= KEEP_AFTER);
    return !job->error;
}

void xml_pool_free(void)
{
    for (int prime = 0; prime < PRIME_COUNT; prime++)
        parser_free(&pool[prime]);
}
