/* What clients of contacts elsewhere (on other servers, or at another sm) want. One entry for each full JID
 * and what it says of itself, with the accounts that it says it to (by directed presence it may tell each of
 * them something else): so that an account's nodes are sent to it once when it comes (XEP-0163 4.3.4:
 * initial presence), and not when it only changes its status. An entry is made for presence from somebody in
 * the account's roster, so no stranger fills the memory; it ends with unavailable presence to the last
 * account, or makes room for newer ones at the limit. */

#include "caps_inner.h"

#include <stdlib.h>

#include "jid.h"
#include "ns.h"
#include "roster.h"

struct bare {
    struct list contacts;
    unsigned    count;
    size_t      jid_len;
    char        jid[];
};

static struct slice jid_of(const struct contact *k)
{
    return slice_of(k->jid, k->jid_len);
}

uint64_t caps_owner(struct slice bare)
{
    static const uint8_t key[16] = { 0 };

    return (uint64_t)slot_of(bare) << 52 | hash_keyed(key, bare) >> 12;
}

unsigned caps_owner_slot(uint64_t owner)
{
    return (unsigned)(owner >> 52);
}

static struct contact *find(struct caps *c, struct slice full, const struct caps_said *said)
{
    struct bare *b = table_get(c->bares, jid_bare(full));

    if (!b)
        return NULL;
    LIST_EACH(&b->contacts, node) {
        struct contact *k = LIST_OWNER(node, struct contact, link);
        if (slice_eq(jid_of(k), full) && caps_text_is(k->text, said))
            return k;
    }
    return NULL;
}

static void contact_free(struct caps *c, struct contact *k)
{
    struct bare *b = k->of;

    list_remove(&k->link);
    list_remove(&k->order);
    list_remove(&k->changed);
    c->pairs -= k->count;
    blob_unref(&k->wants);
    free(k->text);
    free(k->owners);
    free(k);
    if (--b->count == 0) {
        table_remove(c->bares, slice_of(b->jid, b->jid_len));
        free(b);
    }
}

static void contact_remove(struct caps *c, struct contact *k)
{
    caps_contact_gone(c->sm, k);
    contact_free(c, k);
}

void caps_contacts_free(struct caps *c)
{
    while (!list_empty(&c->contacts))
        contact_free(c, LIST_OWNER(c->contacts.next, struct contact, order));
}

/* ---- making ---- */

static struct bare *bare_of(struct caps *c, struct slice jid)
{
    struct bare *b = table_get(c->bares, jid);

    if (b)
        return b;
    b = xcalloc(1, sizeof(*b) + jid.len);
    b->jid_len = jid.len;
    memcpy(b->jid, jid.p, jid.len);
    list_init(&b->contacts);
    table_put(c->bares, jid, b);
    return b;
}

/* The oldest of that contact, or of all, goes. */
static void make_room(struct caps *c, struct slice full)
{
    struct bare *b = table_get(c->bares, jid_bare(full));

    if (b && b->count >= (unsigned)c->sm->settings->limits.caps_contact_resources) {
        contact_remove(c, LIST_OWNER(b->contacts.next, struct contact, link));
        caps_forgotten++;
    }
    while (c->pairs >= (uint64_t)c->sm->settings->limits.caps_contacts && !list_empty(&c->contacts)) {
        contact_remove(c, LIST_OWNER(c->contacts.next, struct contact, order));
        caps_forgotten++;
    }
}

static struct contact *contact_make(struct caps *c, struct slice full, const struct caps_said *said)
{
    struct contact *k = find(c, full, said);

    if (k) {
        list_remove(&k->order);
        list_append(&c->contacts, &k->order);
        return k;
    }
    make_room(c, full);
    k = xcalloc(1, sizeof(*k) + full.len);
    k->text = caps_text(said, full);
    k->jid_len = (uint16_t)full.len;
    memcpy(k->jid, full.p, full.len);
    k->of = bare_of(c, jid_bare(full));
    k->of->count++;
    list_append(&k->of->contacts, &k->link);
    list_append(&c->contacts, &k->order);
    return k;
}

/* Where that account is, or belongs. */
static uint32_t place_of(const struct contact *k, uint64_t owner)
{
    uint32_t low = 0, high = k->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (k->owners[middle] < owner)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_owner(const struct contact *k, uint64_t owner)
{
    uint32_t at = place_of(k, owner);

    return at < k->count && k->owners[at] == owner;
}

static void add_owner(struct caps *c, struct contact *k, uint64_t owner)
{
    uint32_t at = place_of(k, owner);

    if (k->count == k->room) {
        k->room = k->room ? 2 * k->room : 4;
        k->owners = xrealloc(k->owners, k->room * sizeof(*k->owners));
    }
    memmove(k->owners + at + 1, k->owners + at, (k->count - at) * sizeof(*k->owners));
    k->owners[at] = owner;
    k->count++;
    c->pairs++;
    caps_contact_changed(c->sm, k);
}

void caps_contact_drop(struct caps *c, struct contact *k, uint32_t first, uint32_t count)
{
    memmove(k->owners + first, k->owners + first + count, (k->count - first - count) * sizeof(*k->owners));
    k->count -= count;
    c->pairs -= count;
    if (k->count)
        caps_contact_changed(c->sm, k);
    else
        contact_remove(c, k);
}


static void drop_owner(struct caps *c, struct contact *k, uint64_t owner)
{
    caps_contact_drop(c, k, place_of(k, owner), 1);
}

/* ---- presence ---- */

static uint64_t hash_of(struct slice content)
{
    uint64_t hash = hash_bytes(content);

    return hash ? hash : 1;
}

/* The entry that this presence is about; NULL: it says nothing of itself. */
static struct contact *contact_of(struct caps *c, const struct stanza *s)
{
    struct bare          *b = table_get(c->bares, jid_bare(s->from));
    uint64_t              hash = hash_of(s->content);
    struct xml_limits     limits = sm_xml_limits(c->sm);
    const struct element *root;
    struct caps_said      said;
    struct contact       *k;

    if (b)
        LIST_EACH(&b->contacts, node) {
            k = LIST_OWNER(node, struct contact, link);
            if (k->content == hash && slice_eq(jid_of(k), s->from))
                return k;
        }
    root = xml_parse_content(c->sm->arena, s->content, NS_CLIENT, &limits);
    said = root ? caps_said(c->sm->arena, root) : (struct caps_said){ 0 };
    if (said.format == CAPS_NONE)
        return NULL;
    k = contact_make(c, s->from, &said);
    k->content = hash;
    return k;
}

/* The account is no longer among those of the other entries of that full JID (of all of a bare JID).
 * *before: what it wanted of this account until now; a reference. */
static void leave_others(struct caps *c, struct slice jid, uint64_t owner, const struct contact *but,
                         struct blob **before)
{
    struct bare *b = table_get(c->bares, jid_bare(jid));
    bool         all = jid_is_bare(jid);
    unsigned     left = b ? b->count : 0;

    for (struct list *node = left ? b->contacts.next : NULL; left; left--) {
        struct contact *k = LIST_OWNER(node, struct contact, link);
        node = node->next;
        if (k == but || !(all || slice_eq(jid_of(k), jid)) || !has_owner(k, owner))
            continue;
        if (before && !*before && k->wants)
            *before = blob_ref(k->wants);
        drop_owner(c, k, owner);
    }
}

static void look(struct caps *c, struct contact *k, struct slice owner)
{
    if (k->wants || k->asked)
        return;
    k->asked = true;
    k->wants = caps_recall(c->sm, k->text);
    if (!k->wants)
        caps_ask(c->sm, &k->text->said, arena_copy(c->sm->arena, jid_of(k)), owner);
}

/* k may be NULL: it says nothing any more. */
static void arrives(struct caps *c, struct contact *k, struct slice full, struct slice owner)
{
    uint64_t     id = caps_owner(owner);
    struct blob *before = NULL;
    struct slice news;

    if (k && has_owner(k, id))
        return;
    leave_others(c, full, id, k, &before);
    if (k) {
        add_owner(c, k, id);
        if (!k->wants)
            k->wants = caps_recall(c->sm, k->text);
        if (k->wants) {
            news = caps_news(c->sm, before, k->wants);
            if (news.len)
                features_caps_known(c->sm, owner, full, news);
        } else {
            k->asked = true;
            caps_ask(c->sm, &k->text->said, full, owner);
        }
    }
    blob_unref(&before);
}

/* Rooms pass on what their occupants say; those are no contacts. */
static bool may_be_contact(struct sm *sm, const struct stanza *s)
{
    return jid_local(s->from).len && !caps_lives_here(sm, jid_bare(s->from)) &&
           routes_domain_role(sm->routes, jid_domain(s->from)) != ROLE_MUC;
}

static bool in_roster(struct sm *sm, struct slice owner, struct slice contact)
{
    struct store_view *view = store_view(sm->store.accounts);
    struct roster_item item;
    bool               there = roster_find(sm, view, owner, contact, &item) && item.flags & (ROSTER_FROM | ROSTER_TO);

    store_view_end(&view);
    return there;
}

static bool is_known(struct caps *c, struct slice full, uint64_t owner)
{
    struct bare *b = table_get(c->bares, jid_bare(full));

    if (b)
        LIST_EACH(&b->contacts, node) {
            struct contact *k = LIST_OWNER(node, struct contact, link);
            if (slice_eq(jid_of(k), full) && has_owner(k, owner))
                return true;
        }
    return false;
}

int caps_contact_presence(struct passage *p)
{
    struct caps         *c = p->sm->caps;
    const struct stanza *s = p->stanza;

    if (!p->exists || !may_be_contact(p->sm, s))
        return GO_ON;
    if (s->type == TYPE_UNAVAILABLE || s->type == TYPE_ERROR)
        leave_others(c, s->from, caps_owner(p->owner), NULL, NULL);
    else if (s->type == TYPE_NONE && !jid_is_bare(s->from) &&
             (is_known(c, s->from, caps_owner(p->owner)) || in_roster(p->sm, p->owner, jid_bare(s->from))))
        arrives(c, contact_of(c, s), s->from, p->owner);
    return GO_ON;
}

void caps_arrival_begin(struct caps_arrival *a, struct sm *sm, const struct stanza *s)
{
    bool shows = s->name == STANZA_PRESENCE && (s->type == TYPE_NONE || s->type == TYPE_UNAVAILABLE);

    *a = (struct caps_arrival){ .sm = sm };
    if (shows && !jid_is_bare(s->from) && may_be_contact(sm, s))
        a->presence = s;
}

void caps_arrival_for(struct caps_arrival *a, struct slice account)
{
    struct caps *c = a->sm->caps;

    if (!a->presence || !jid_is_bare(account))
        return;
    if (a->presence->type == TYPE_UNAVAILABLE) {
        leave_others(c, a->presence->from, caps_owner(account), NULL, NULL);
        return;
    }
    if (!a->read)
        a->contact = contact_of(c, a->presence);
    a->read = true;
    arrives(c, a->contact, a->presence->from, account);
}

void caps_contact_told(struct sm *sm, struct slice owner, struct slice full, const struct caps_text *t,
                       struct blob *nodes)
{
    struct contact *k = find(sm->caps, full, &t->said);

    if (!k || !has_owner(k, caps_owner(owner)))
        return;
    if (!k->wants)
        k->wants = blob_ref(nodes);
    if (nodes->len)
        features_caps_known(sm, arena_copy(sm->arena, owner), arena_copy(sm->arena, full),
                            arena_copy(sm->arena, blob_slice(nodes)));
}

void caps_contacts_each(struct sm *sm, struct slice owner, struct slice contact, struct slice node,
                        void (*each)(void *arg, struct slice full_jid), void *arg)
{
    struct caps *c = sm->caps;
    struct bare *b = table_get(c->bares, contact);
    uint64_t     id = caps_owner(owner);

    if (!b)
        return;
    LIST_EACH(&b->contacts, place) {
        struct contact *k = LIST_OWNER(place, struct contact, link);
        if (!has_owner(k, id))
            continue;
        look(c, k, owner);
        if (k->wants && caps_nodes_have(blob_slice(k->wants), node))
            each(arg, arena_copy(sm->arena, jid_of(k)));
    }
}

/* ---- rows, and slots that leave ---- */

void caps_contact_add(struct caps *c, struct slice full, const struct caps_said *said, uint64_t owner)
{
    struct contact *k;

    if (said->format == CAPS_NONE)
        return;
    k = contact_make(c, full, said);
    if (!has_owner(k, owner))
        add_owner(c, k, owner);
}

static void drop_if_unused(struct caps *c, struct contact *k)
{
    if (k && k->count == 0)
        contact_remove(c, k);
}

enum zerr caps_contact_restore(struct caps *c, struct cursor *row)
{
    struct slice     full = take_sized(row);
    struct caps_said said = { .format = take_u8(row) };
    struct contact  *k;

    said.algorithm = take_sized(row);
    said.ver = take_sized(row);
    said.node = take_sized(row);
    uint32_t count = take_u32(row);
    if (row->bad || !full.len || full.len > JID_MAX || jid_is_bare(full) || count > row->rest.len / 8)
        return ZE_PROTOCOL;
    if (said.format == CAPS_NONE || said.format > CAPS_2)
        return ZE_PROTOCOL;
    k = contact_make(c, full, &said);
    for (; count; count--) {
        uint64_t owner = take_u64(row);
        if (!has_owner(k, owner))
            add_owner(c, k, owner);
    }
    drop_if_unused(c, k);
    return ZE_OK;
}
