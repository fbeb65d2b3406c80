/* The SASL allow-list (sasl_list.h). RFC 5802, RFC 7677, RFC 4616. */

#include "sasl_list.h"

const struct sasl_mechanism sasl_list[] = {
    { "SCRAM-SHA-256-PLUS", true,  false },
    { "SCRAM-SHA-1-PLUS",   true,  false },
    { "SCRAM-SHA-256",      false, false },
    { "SCRAM-SHA-1",        false, false },
    { "PLAIN",              false, true },
    { 0 },
};

bool sasl_may(const struct sasl_mechanism *m, const struct sasl_stream *s)
{
    if (!s->secure && !s->clear_allowed)
        return false;
    if (m->binds)
        return s->secure && s->binding;
    return !m->in_clear || s->secure || s->clear_allowed;
}

const struct sasl_mechanism *sasl_find(struct slice name, const struct sasl_stream *s)
{
    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (slice_is(name, m->name))
            return sasl_may(m, s) ? m : NULL;
    return NULL;
}
