/* Contacts elsewhere in live memory and on their way to another sm (caps.h). Without the rows a killed sm
 * would have to probe all contacts of all accounts to learn again who wants what.
 *
 * CONTACT, by SHA-256 of full JID and what is asked: u8 format 1, then what caps_contact_put writes: sized
 * full JID, u8 enum caps_format, sized algorithm, sized ver, sized node, u32 count, as many u64 accounts. */

#include "caps_inner.h"

#include "encode.h"
#include "log.h"
#include "sm_live.h"

enum { FORMAT = 1 };

void caps_contact_put(struct buf *out, struct slice full, const struct caps_said *said, const uint64_t *owners,
                      uint32_t count)
{
    buf_put_sized(out, full);
    buf_put_u8(out, said->format);
    buf_put_sized(out, said->algorithm);
    buf_put_sized(out, said->ver);
    buf_put_sized(out, said->node);
    buf_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        buf_put_u64(out, owners[i]);
}

static void row_key(const struct contact *k, uint8_t key[32])
{
    struct buf b = { 0 };

    buf_put(&b, k->jid, k->jid_len);
    buf_put_u8(&b, 0);
    buf_put_slice(&b, k->text->key);
    sha256(buf_slice(&b), key);
    buf_free(&b);
}

void caps_contact_changed(struct sm *sm, struct contact *k)
{
    if (k->changed.next || !sm->live)
        return;
    list_append(&sm->caps->changed, &k->changed);
    live_dirty(sm->live);
}

void caps_contact_gone(struct sm *sm, struct contact *k)
{
    uint8_t key[32];

    if (!sm->live)
        return;
    row_key(k, key);
    live_delete(sm->live, L_CONTACT, slice_of(key, sizeof(key)));
}

static void before_commit(void *arg)
{
    struct sm *sm = arg;
    struct buf row = { 0 };

    while (!list_empty(&sm->caps->changed)) {
        struct contact *k = LIST_OWNER(sm->caps->changed.next, struct contact, changed);
        uint8_t         key[32];
        list_remove(&k->changed);
        row_key(k, key);
        buf_reset(&row, 65536);
        buf_put_u8(&row, FORMAT);
        caps_contact_put(&row, slice_of(k->jid, k->jid_len), &k->text->said, k->owners, k->count);
        live_put(sm->live, L_CONTACT, slice_of(key, sizeof(key)), buf_slice(&row));
    }
    buf_free(&row);
}

static int restore(void *arg, struct slice key, struct slice value)
{
    struct caps  *c = arg;
    struct cursor row = { value, false };

    (void)key;
    if (take_u8(&row) != FORMAT || caps_contact_restore(c, &row) || !cursor_done(&row))
        log_error("contact_row_unreadable", "bytes", log_num((int64_t)value.len), NULL);
    return 0;
}

void caps_live_start(struct sm *sm)
{
    struct caps *c = sm->caps;

    if (!sm->live)
        return;
    live_each(sm->live, L_CONTACT, restore, c);
    while (!list_empty(&c->changed))
        list_remove(c->changed.next);           /* they are as their rows say */
    c->hook = (struct live_hook){ .run = before_commit, .arg = sm };
    live_before_commit(sm->live, &c->hook);
}
