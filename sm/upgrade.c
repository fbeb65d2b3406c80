/* SCRAM upgrade tasks (upgrade.h): XEP-0480 2, 3. */

#include "upgrade.h"

#include <stdlib.h>

#include "credentials.h"
#include "encode.h"
#include "login_inline.h"
#include "mem.h"
#include "ns.h"
#include "sasl_list.h"

struct upgrade {
    enum scram_hash   hash;
    struct scram_keys keys;        /* salt and iterations once begun */
    bool              begun;
    char              jid[];
};

static bool asked_for(struct sm *sm, const struct auth_start *start, const char *task)
{
    const struct element *e = login_inline(sm, start->inlines, NS_SASL_UPGRADE, "upgrade");

    for (; e; e = element_next(e, NS_SASL_UPGRADE, "upgrade"))
        if (slice_is(element_text(sm->arena, e), task))
            return true;
    return false;
}

static bool lacks(struct sm *sm, struct slice jid, enum scram_hash hash)
{
    struct store_view *view = store_view(sm->store.accounts);
    bool               has = credentials_has(view, jid, hash);

    store_view_end(&view);
    return !has;
}

static struct upgrade *upgrade_new(struct slice jid, enum scram_hash hash)
{
    struct upgrade *u = xcalloc(1, sizeof *u + jid.len + 1);

    u->hash = hash;
    memcpy(u->jid, jid.p, jid.len);
    return u;
}

struct upgrade *upgrade_next(struct sm *sm, const struct auth_start *start, struct slice jid)
{
    if (!start->inlines.len || !sm_owns(sm, jid))
        return NULL;
    for (unsigned hash = 0; hash < SCRAM_HASHES; hash++)
        if (asked_for(sm, start, sasl_upgrades[hash]) && lacks(sm, jid, hash)) {
            struct upgrade *u = upgrade_new(jid, hash);
            scram_keys_salt(&u->keys, hash, (uint32_t)sm->settings->server.scram_iterations);
            return u;
        }
    return NULL;
}

void upgrade_free(struct upgrade **u)
{
    if (*u)
        wipe(&(*u)->keys, sizeof (*u)->keys);
    free(*u);
    *u = NULL;
}

const char *upgrade_task(const struct upgrade *u)
{
    return sasl_upgrades[u->hash];
}

bool upgrade_begin(struct upgrade *u, struct slice task, struct buf *content)
{
    if (u->begun || !slice_is(task, upgrade_task(u)))
        return false;
    u->begun = true;
    buf_printf(content, "<salt xmlns='" NS_SCRAM_UPGRADE "' iterations='%u'>", u->keys.iterations);
    base64_put(content, slice_of(u->keys.salt, u->keys.salt_len));
    buf_put_str(content, "</salt>");
    return true;
}

/* <hash/>: the SaltedPassword of RFC 5802 3, white space around it as in the XEP's example. */
static bool take_salted(struct sm *sm, struct slice content, struct buf *salted)
{
    struct slice text = element_text(sm->arena, login_inline(sm, content, NS_SCRAM_UPGRADE, "hash"));

    while (text.len && memchr(" \t\r\n", text.p[0], 4))
        text = slice_cut(text, 1, text.len);
    while (text.len && memchr(" \t\r\n", text.p[text.len - 1], 4))
        text.len--;
    return base64_take(salted, text);
}

bool upgrade_finish(struct upgrade *u, struct sm *sm, struct slice content, struct store_batch *batch)
{
    struct buf         salted = { 0 };
    bool               good = u->begun && take_salted(sm, content, &salted) && buf_len(&salted) == u->keys.key_len;
    struct store_view *view = store_view(sm->store.accounts);

    if (good) {
        scram_keys_of(buf_slice(&salted), &u->keys);
        good = credentials_add(view, batch, slice_str(u->jid), u->hash, &u->keys);
    }
    store_view_end(&view);
    if (salted.bytes)
        wipe(salted.bytes, salted.room);
    buf_free(&salted);
    return good;
}
