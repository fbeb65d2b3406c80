/* Contacts and slots that leave (caps.h). */

#include "caps_inner.h"

#include "handover.h"
#include "jid.h"
#include "slots.h"

/* The accounts of one entry, stretch by stretch of one slot. */
static void give_owners(struct caps *c, struct slots *slots, struct contact *k)
{
    uint32_t first = k->count;

    while (first) {
        uint32_t   end = first;
        unsigned   slot = caps_owner_slot(k->owners[end - 1]);
        struct buf item = { 0 };
        while (first && caps_owner_slot(k->owners[first - 1]) == slot)
            first--;
        if (!slots_leaves(slots, slot))
            continue;
        buf_put_u8(&item, ITEM_CONTACTS);
        caps_contact_put(&item, slice_of(k->jid, k->jid_len), &k->text->said, k->owners + first, end - first);
        slots_give(slots, slot, buf_slice(&item));
        buf_free(&item);
        caps_contact_drop(c, k, first, end - first);
        if (first == 0)
            return;                          /* perhaps it is gone */
    }
}

/* A contact in this instance was looked up; the account that leaves needs an entry. */
static void put_sessions(struct sm *sm, struct slice contact, uint64_t owner, struct buf *item)
{
    const struct online *account = session_online(sm->sessions, contact);

    if (!account)
        return;
    ONLINE_EACH(account, node, s) {
        struct caps_said said = s->available ? caps_session_said(sm, s) : (struct caps_said){ 0 };
        if (said.format != CAPS_NONE)
            caps_contact_put(item, session_jid(s), &said, &owner, 1);
    }
}

/* And the contacts that stay need one of its sessions. */
static void keep_sessions(struct sm *sm, const struct online *account, uint64_t contact)
{
    ONLINE_EACH(account, node, s)
        if (s->available) {
            struct caps_said said = caps_session_said(sm, s);
            caps_contact_add(sm->caps, session_jid(s), &said, contact);
        }
}

static void give_account(struct sm *sm, struct slots *slots, const struct online *account)
{
    struct slice  owner = slice_of(account->jid, account->jid_len);
    struct mutual m = caps_mutual(sm, owner);
    struct buf    item = { 0 };

    buf_put_u8(&item, ITEM_CONTACTS);
    for (size_t i = 0; i < m.count; i++) {
        if (!caps_lives_here(sm, m.contacts[i]))
            continue;
        put_sessions(sm, m.contacts[i], caps_owner(owner), &item);
        if (!slots_leaves(slots, slot_of(m.contacts[i])))
            keep_sessions(sm, account, caps_owner(m.contacts[i]));
    }
    if (buf_len(&item) > 1)
        slots_give(slots, slot_of(owner), buf_slice(&item));
    buf_free(&item);
}

/* While a slot leaves, this instance is its owner: what lives there counts as here. */
void caps_give(struct sm *sm, struct slots *slots)
{
    size_t place = 0;

    for (struct list *node = sm->caps->contacts.next, *next; node != &sm->caps->contacts; node = next) {
        next = node->next;
        give_owners(sm->caps, slots, LIST_OWNER(node, struct contact, order));
    }
    for (struct session *s; (s = sessions_next(sm->sessions, &place));)
        if (slots_leaves(slots, slot_of(session_bare(s))) &&
            LIST_OWNER(s->account->sessions.next, struct session, link) == s)
            give_account(sm, slots, s->account);
}

enum zerr caps_take(struct sm *sm, struct cursor *c)
{
    enum zerr err = ZE_OK;

    while (c->rest.len && !err)
        err = caps_contact_restore(sm->caps, c);
    return err;
}
