/* What is offered for tokens (fast.h). */

#include "fast.h"

#include "ns.h"
#include "sasl_inner.h"
#include "sasl_tokens.h"

/* XEP-0484 7: never in clear. No TLS 0-RTT (4.1), so `count` is not needed, but it is heeded. */
void fast_feature(struct conn *c, struct buf *out)
{
    struct sasl_offer offer;

    if (!c->secure)
        return;
    sasl_offer_take(c, &offer);
    buf_put_str(out, "<fast xmlns='" NS_FAST "'>");
    for (const struct sasl_token *t = sasl_tokens; t->name; t++)
        if (sasl_token_may(t, offer.binding, offer.bindings))
            buf_printf(out, "<mechanism>%s</mechanism>", t->name);
    buf_put_str(out, "</fast>");
    sasl_offer_free(&offer);
}

bool sasl_offers_token(const struct sasl_offer *offer, const struct sasl_profile *profile, struct slice mechanism)
{
    return profile == &sasl2 && offer->stream.secure && sasl_token_find(mechanism, offer->binding, offer->bindings);
}
