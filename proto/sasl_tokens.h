#pragma once

#include "login.h"

/* The mechanisms of XEP-0484, strongest first: offered in <fast/> only, good for tokens only. */
struct sasl_token {
    const char *name;
    const char *binding;        /* the channel binding it needs; NULL: none */
};
/* Ended by a NULL name. */
extern const struct sasl_token sasl_tokens[];
bool sasl_token_may(const struct sasl_token *t, const struct auth_binding *binding, unsigned count);
/* NULL: unknown, or it needs a binding that is not among these. */
const struct sasl_token *sasl_token_find(struct slice name, const struct auth_binding *binding, unsigned count);
