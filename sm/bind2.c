/* Bind 2 (bind2.h): XEP-0386. */

#include "bind2.h"

#include <stdio.h>

#include "dispatch.h"
#include "encode.h"
#include "log.h"
#include "secrets.h"
#include "session.h"

/* The id must not show (3.2.1): only who has the server's secret could find it in the resource. */
static void stable_part(struct sm *sm, struct slice bare, const struct bind_request *b, uint8_t out[32])
{
    uint8_t    key[SECRET_BYTES];
    struct buf text = { 0 };

    buf_put_sized(&text, bare);
    buf_put_sized(&text, b->resource);
    buf_put_sized(&text, b->client);
    secret_get(&sm->store, SECRET_RESOURCE, key);
    hmac_sha256(slice_of(key, sizeof key), buf_slice(&text), out);
    wipe(key, sizeof key);
    buf_free(&text);
}

void bind2_resource(struct sm *sm, struct slice bare, const struct bind_request *b, char out[BIND2_RESOURCE_MAX + 1])
{
    uint8_t    made[32];
    struct buf text = { 0 };

    if (b->client.len)
        stable_part(sm, bare, b, made);
    else
        random_bytes(made, sizeof made);
    if (b->resource.len && b->resource.len <= BIND_TAG_MAX)
        buf_printf(&text, "%.*s/", SLICE_FMT(b->resource));
    hex_put(&text, slice_of(made, 8));
    snprintf(out, BIND2_RESOURCE_MAX + 1, "%.*s", SLICE_FMT(buf_slice(&text)));
    buf_free(&text);
}

void bind2_replace(struct sm *sm, struct slice bare, struct slice client, uint64_t trace)
{
    struct online *account = client.len ? session_online(sm->sessions, bare) : NULL;

    while (account) {
        struct session *old = NULL;

        ONLINE_EACH(account, node, s)
            if (s->client && slice_eq(blob_slice(s->client), client))
                old = s;
        if (!old)
            return;
        dispatch_end_session(sm, &old, "conflict", "Replaced by new connection", trace);
        account = session_online(sm->sessions, bare);
    }
}
