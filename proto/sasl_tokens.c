/* HT-SHA-256-* of draft-schmaus-kitten-sasl-ht-09 (sasl_tokens.h). */

#include "sasl_tokens.h"

const struct sasl_token sasl_tokens[] = {
    { "HT-SHA-256-EXPR", "tls-exporter" },
    { "HT-SHA-256-UNIQ", "tls-unique" },
    { "HT-SHA-256-ENDP", "tls-server-end-point" },
    { "HT-SHA-256-NONE", NULL },
    { 0 },
};

bool sasl_token_may(const struct sasl_token *t, const struct auth_binding *binding, unsigned count)
{
    if (!t->binding)
        return true;
    for (unsigned i = 0; i < count; i++)
        if (slice_is(binding[i].name, t->binding))
            return true;
    return false;
}

const struct sasl_token *sasl_token_find(struct slice name, const struct auth_binding *binding, unsigned count)
{
    for (const struct sasl_token *t = sasl_tokens; t->name; t++)
        if (slice_is(name, t->name))
            return sasl_token_may(t, binding, count) ? t : NULL;
    return NULL;
}
