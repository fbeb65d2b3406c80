/* ANONYMOUS (RFC 4505): one message of the client, trace information that is used for nothing (XEP-0175 3). Who it
 * becomes is said by sasl_admit_fn (anonymous.c). */

#include "sasl_inner.h"

#include <unistr.h>

enum { TRACE_MAX = 255 };            /* characters, RFC 4505 2 */

static bool is_trace(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.p[i] < 0x20 || bytes.p[i] == 0x7F)
            return false;
    return bytes.len == 0 || u8_mbsnlen(bytes.p, bytes.len) <= TRACE_MAX;
}

void anonymous_take(struct sasl_exchange *x, struct slice bytes)
{
    const char *text = NULL, *refused = "malformed-request";

    if (is_trace(bytes))
        refused = x->sasl->admit(x->sasl->admit_arg, &x->start, &x->jid, &text);
    if (refused)
        exchange_fail_with(x, refused, text);
    else
        exchange_succeed(x, slice_of(NULL, 0));
}
