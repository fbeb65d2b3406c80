/* EXTERNAL (RFC 4422 appendix A) with the certificate of a client, as XEP-0178 2 has it. What the certificate is worth
 * and whom it names was found by c2sd, where TLS ends (auth_start.certified). */

#include "sasl_inner.h"

/* Step 11 b: several need the client's word; a: the only one does not. */
static bool choose(const struct sasl_exchange *x, struct slice authzid, struct slice *chosen)
{
    struct cursor c = { x->start.certified, false };
    struct jid    wanted;
    struct slice  one;
    unsigned      named = 0;

    if (authzid.len && jid_parse(authzid, &wanted) != ZE_OK)
        return false;
    while (auth_certified_next(&c, &one)) {
        named++;
        *chosen = one;
        if (authzid.len && slice_eq(one, jid_slice(&wanted)))
            return true;
    }
    return !authzid.len && named == 1;
}

void external_take(struct sasl_exchange *x, struct slice bytes)
{
    struct slice chosen;

    if (bytes.len && memchr(bytes.p, 0, bytes.len)) {          /* RFC 4422 A.2 */
        exchange_fail(x, "malformed-request");
        return;
    }
    if (!choose(x, bytes, &chosen) || jid_parse(chosen, &x->jid) != ZE_OK ||
        !slice_eq(jid_domain(chosen), x->start.domain) || !authzid_ok(x, bytes)) {
        exchange_fail(x, "invalid-authzid");
        return;
    }
    x->known = true;                /* whether there is such an account is asked next */
    exchange_succeed(x, slice_of(NULL, 0));
}
