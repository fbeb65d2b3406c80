/* Bind 2 (bind2.h): XEP-0386. */

#include "bind2.h"

#include <stdio.h>

#include "carbons.h"
#include "csi.h"
#include "dispatch.h"
#include "encode.h"
#include "log.h"
#include "mam.h"
#include "manage.h"
#include "ns.h"
#include "resume.h"
#include "secrets.h"

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

/* ---- what the session begins with ---- */

static void set_carbons(struct sm *sm, struct session *s, const struct element *e, struct bind2_answer *out)
{
    (void)e;
    (void)out;
    carbons_set(sm, s, true);
}

static void set_activity(struct sm *sm, struct session *s, const struct element *e, struct bind2_answer *out)
{
    (void)out;
    csi_set(sm, s, slice_is(e->name, "inactive"));
}

static void set_management(struct sm *sm, struct session *s, const struct element *e, struct bind2_answer *out)
{
    struct manage asked;
    enum zerr     err = manage_enable_take(e, &asked);

    if (buf_len(&out->managed))
        return;                         /* said twice */
    if (err)
        manage_put(&out->managed, &(struct manage){ .op = MANAGE_FAILED, .err = err });
    else
        resume_enable_bound(sm, s, &asked, &out->managed);
}

/* Announced by c2sd/inline.c. */
static const struct {
    const char *ns, *element;
    void (*act)(struct sm *sm, struct session *s, const struct element *e, struct bind2_answer *out);
} rows[] = {
    { NS_CARBONS, "enable", set_carbons },
    { NS_CSI, "active", set_activity },
    { NS_CSI, "inactive", set_activity },
    { NS_SM, "enable", set_management },
};

/* 3.2: where the archive stands at this moment. The view holds what is on its way to the disk, too. */
static void put_metadata(struct sm *sm, struct session *s, struct buf *out)
{
    struct store_view *view = store_view(sm->store.archive);
    struct xml_writer  w;
    struct ledger      l;
    struct buf         text = { 0 };

    xml_begin(&w, &text, NS_BIND2);
    if (!ledger_open(&l, sm_ledger(&sm->store), view, session_bare(s)) && !mam_metadata_write(&w, &l, sm->arena))
        buf_put_slice(out, buf_slice(&text));
    store_view_end(&view);
    buf_free(&text);
}

/* 3.2: what waits offline and is in the archive is not sent to this client, which reads it there (offline.c). */
static void use_archive(struct sm *sm, struct session *s, struct buf *content)
{
    if (!sm->settings->server.archive || s->guest)
        return;
    s->asked_archive = true;
    session_changed(s);
    put_metadata(sm, s, content);
}

void bind2_apply(struct sm *sm, struct session *s, struct slice inlines, struct bind2_answer *out)
{
    struct xml_limits     limits = sm_xml_limits(sm);
    const struct element *root = xml_parse_content(sm->arena, inlines, NS_BIND2, &limits);

    use_archive(sm, s, &out->content);
    for (const struct element *e = root ? root->children : NULL; e; e = e->next)
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            if (element_is(e, rows[i].ns, rows[i].element))
                rows[i].act(sm, s, e, out);
}
