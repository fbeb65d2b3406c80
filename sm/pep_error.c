/* The conditions of XEP-0060 17 (pep_error.h). */

#include "pep_error.h"

#include "ns.h"
#include "stanza_error.h"

static const struct {
    enum zerr   err;
    const char *condition, *feature;
} errors[PEP_ERROR_COUNT] = {
#define X(name, zerr, condition, feature) [PEP_E_##name] = { zerr, condition, feature },
    PEP_ERRORS(X)
#undef X
};

enum zerr pep_fail(struct passage *p, enum pep_error e)
{
    const struct error_detail detail = {
        .ns = NS_PUBSUB_ERRORS, .condition = errors[e].condition,
        .attr = errors[e].feature ? "feature" : NULL, .value = errors[e].feature,
    };

    if (errors[e].condition)
        outcome_detail(p->out, &detail);
    return errors[e].err;
}

enum zerr pep_fail_field(struct passage *p, enum zerr err, struct slice refused)
{
    static const struct {
        const char    *field;
        enum pep_error e;
    } rows[] = {
        { "pubsub#access_model", PEP_E_ACCESS_MODEL },       /* 8.1.2 */
        { "pubsub#node_type", PEP_E_NO_COLLECTIONS },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_is(refused, rows[i].field))
            return pep_fail(p, rows[i].e);
    return err;
}
