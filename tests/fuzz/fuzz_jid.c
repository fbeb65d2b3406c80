/* A JID that is taken is canonical: parsed again it stays as it is, it is UTF-8, and its parts put it
 * together. */

#include <stdlib.h>
#include <unistr.h>

#include "jid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void prove(bool truth)
{
    if (!truth)
        abort();
}

static void same(const struct jid *a, const struct jid *b)
{
    prove(slice_eq(jid_slice(a), jid_slice(b)) && a->local_len == b->local_len &&
          a->domain_len == b->domain_len &&
          a->resource_len == b->resource_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jid   j, again;
    struct slice text;

    if (jid_parse(slice_of(data, size), &j))
        return 0;
    text = jid_slice(&j);
    prove(j.text[j.len] == 0 && !memchr(j.text, 0, j.len) && !u8_check(text.p, text.len));
    prove(j.local_len <= JID_PART_MAX && j.domain_len <= JID_PART_MAX && j.resource_len <= JID_PART_MAX);
    prove(jid_parse(text, &again) == ZE_OK);
    same(&j, &again);
    prove(jid_local(text).len == j.local_len && jid_domain(text).len == j.domain_len &&
          jid_resource(text).len == j.resource_len);
    prove(jid_make(jid_local(text), jid_domain(text), jid_resource(text), &again) == ZE_OK);
    same(&j, &again);
    prove(jid_is_bare(text) == (j.resource_len == 0));
    return 0;
}
