/* The SASL allow-list (sasl_list.h). RFC 4422 A, RFC 5802, RFC 7677, RFC 4616, RFC 4505. */

#include "sasl_list.h"

#include <stdlib.h>

const struct sasl_mechanism sasl_list[] = {
    { "EXTERNAL", .certified = true },      /* RFC 6120 6.3.4: who can, should */
    { "SCRAM-SHA-256-PLUS", .binds = true },
    { "SCRAM-SHA-1-PLUS", .binds = true },
    { "SCRAM-SHA-256" },
    { "SCRAM-SHA-1" },
    { "PLAIN", .in_clear = true },
    { "ANONYMOUS", .anonymous = true },     /* RFC 4505 */
    { 0 },
};

const char *const sasl_upgrades[SASL_UPGRADES] = { "UPGR-SCRAM-SHA-1", "UPGR-SCRAM-SHA-256" };

bool sasl_may(const struct sasl_mechanism *m, const struct sasl_stream *s)
{
    if (!s->secure && !s->clear_allowed)
        return false;
    if (m->anonymous)
        return s->anonymous;
    if (m->certified)
        return s->secure && s->certificate;
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

/* ---- XEP-0474 ---- */

/* i;octet of RFC 4790 9.3. */
static int by_octets(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void put_sorted(struct buf *out, struct slice *names, size_t count)
{
    qsort(names, count, sizeof(*names), by_octets);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_put_u8(out, 0x1E);
        buf_put_slice(out, names[i]);
    }
}

void sasl_advertised_of(struct buf *out, struct slice *mechanism, size_t mechanisms, struct slice *binding,
                        size_t bindings)
{
    put_sorted(out, mechanism, mechanisms);
    if (bindings) {
        buf_put_u8(out, 0x1F);
        put_sorted(out, binding, bindings);
    }
}

void sasl_advertised(struct buf *out, struct sasl_stream s, const struct auth_binding *binding, unsigned count)
{
    struct slice mechanisms[COUNT_OF(sasl_list)], bindings[AUTH_BINDINGS_MAX];
    size_t       n = 0;

    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (sasl_may(m, &s))
            mechanisms[n++] = slice_str(m->name);
    for (unsigned i = 0; i < count; i++)
        bindings[i] = binding[i].name;
    sasl_advertised_of(out, mechanisms, n, bindings, count);
}
