/* XEP-0402 7 and XEP-0411: whichever place a client writes its bookmarks to, the other two follow in the same
 * commit. Each place has all of them, so that reading needs no conversion, and a client of any age finds what
 * it knows. Nothing runs in circles: what is written here calls no hooks.
 *
 * A node that others than its owner may read is left alone (XEP-0411 5). That the node storage:bookmarks is
 * purged or deleted changes nothing elsewhere: clients that move to the newer form clean up the older one. */

#include "bookmarks.h"

#include "bookmarks_convert.h"
#include "ns.h"
#include "pep_store.h"
#include "private.h"

/* XEP-0048 (1.1) 3: the one item. */
#define CURRENT "current"

static bool is_private(struct passage *p, struct store_view *view, const char *node)
{
    struct pep_node found;

    return !pep_node_find(p->sm, view, p->owner, slice_str(node), &found) || found.config.access == PEP_WHITELIST;
}

/* ---- what is there ---- */

struct room {
    struct room    *next;
    struct slice    id;               /* of its item */
    struct bookmark bookmark;
};

struct rooms {
    struct passage *p;
    struct room    *list;             /* oldest first */
};

static int add_room(void *arg, const struct pep_item *item)
{
    struct rooms *rooms = arg;
    struct arena *arena = rooms->p->sm->arena;
    struct room  *room = arena_alloc(arena, sizeof(*room));

    *room = (struct room){ .next = rooms->list, .id = arena_copy(arena, item->id) };
    if (bookmark_of_item(arena, room->id, passage_element(rooms->p, item->payload), &room->bookmark))
        rooms->list = room;
    return 0;
}

static struct rooms rooms_of(struct passage *p, struct store_view *view)
{
    struct rooms rooms = { .p = p };

    pep_items_each(p->sm, view, p->owner, SLICE(NS_BOOKMARKS_2), add_room, &rooms);
    return rooms;
}

static const struct room *room_find(const struct rooms *rooms, struct slice jid)
{
    const struct room *r = rooms->list;

    while (r && !slice_eq(r->bookmark.jid, jid))
        r = r->next;
    return r;
}

/* ---- from one element to items ---- */

static enum zerr publish_room(struct passage *p, const struct bookmark *b)
{
    struct buf      text = { 0 };
    struct pep_item item = { .node = SLICE(NS_BOOKMARKS_2), .id = b->jid };

    bookmark_write_item(&text, b);
    item.payload = outcome_keep(p->out, &text);
    return pep_publish(p, &item, PEP_PRIVATE);
}

/* Only what differs is published or retracted (XEP-0402 7). What an old client cannot say of a room, its
 * extensions, stays. */
static enum zerr items_follow(struct passage *p, struct store_view *view, const struct bookmark *list)
{
    struct rooms rooms = rooms_of(p, view);
    enum zerr    err = ZE_OK;

    if (!is_private(p, view, NS_BOOKMARKS_2))
        return ZE_OK;
    for (const struct bookmark *b = list; b && !err; b = b->next) {
        const struct room *there = room_find(&rooms, b->jid);
        struct bookmark    merged = *b;
        if (there && bookmark_same(&there->bookmark, b))
            continue;
        if (there && !merged.extensions)
            merged.extensions = there->bookmark.extensions;
        err = publish_room(p, &merged);
    }
    for (const struct room *r = rooms.list; r && !err; r = r->next)
        if (!bookmark_find(list, r->bookmark.jid))
            err = pep_retract(p, SLICE(NS_BOOKMARKS_2), r->id);
    return err;
}

/* ---- the node of one item ---- */

static enum zerr storage_follows(struct passage *p, struct store_view *view, struct slice xml)
{
    struct pep_item item, there;

    if (!is_private(p, view, NS_BOOKMARKS))
        return ZE_OK;
    if (pep_item_get(p->sm, view, p->owner, SLICE(NS_BOOKMARKS), SLICE(CURRENT), &there) && slice_eq(there.payload, xml))
        return ZE_OK;
    item = (struct pep_item){ .node = SLICE(NS_BOOKMARKS), .id = SLICE(CURRENT), .payload = xml };
    return pep_publish(p, &item, &(const struct pep_wanted){ PEP_WHITELIST, 1, PEP_LAST_ON_PRESENCE });
}

/* ---- private storage, or the node of one item, was written ---- */

static struct slice text_of(struct passage *p, const struct element *storage)
{
    struct buf        text = { 0 };
    struct xml_writer w;

    xml_begin(&w, &text, NS_CLIENT);
    xml_element(&w, storage);
    return outcome_keep(p->out, &text);
}

enum zerr bookmarks_from_private(struct passage *p, const struct element *storage)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    enum zerr          err = items_follow(p, view, bookmarks_of_storage(p->sm->arena, storage));

    if (!err)
        err = storage_follows(p, view, text_of(p, storage));
    store_view_end(&view);
    return err;
}

enum zerr bookmarks_storage_published(struct passage *p, const struct pep_item *item)
{
    const struct element *storage = passage_element(p, item->payload);
    struct store_view    *view;
    enum zerr             err;

    if (!storage || !element_is(storage, NS_BOOKMARKS, "storage"))
        return ZE_OK;
    view = store_view(p->sm->store.accounts);
    err = items_follow(p, view, bookmarks_of_storage(p->sm->arena, storage));
    if (!err)
        err = private_put(p, NS_BOOKMARKS, "storage", item->payload);
    store_view_end(&view);
    return err;
}

/* ---- an item was ---- */

/* The rooms as they are now: without that one, and with `added` (NULL: none). */
static struct bookmark *list_now(struct passage *p, const struct rooms *rooms, struct slice jid,
                                 const struct bookmark *added)
{
    struct bookmark *list = NULL, **end = &list;

    for (const struct room *r = rooms->list; r; r = r->next)
        if (!slice_eq(r->bookmark.jid, jid) && !bookmark_find(list, r->bookmark.jid)) {
            *end = arena_alloc(p->sm->arena, sizeof(**end));
            **end = r->bookmark;
            (*end)->next = NULL;
            end = &(*end)->next;
        }
    if (added) {
        *end = arena_alloc(p->sm->arena, sizeof(**end));
        **end = *added;
        (*end)->next = NULL;
    }
    return list;
}

/* Old places keep what only they have (URLs). */
static enum zerr old_places_follow(struct passage *p, struct store_view *view, const struct bookmark *list)
{
    struct slice old = private_get(p->sm, view, p->owner, NS_BOOKMARKS, "storage");
    struct buf   text = { 0 };
    struct slice xml;
    enum zerr    err;

    bookmarks_write_storage(&text, p->sm->arena, list, passage_element(p, old));
    xml = outcome_keep(p->out, &text);
    err = private_put(p, NS_BOOKMARKS, "storage", xml);
    return err ? err : storage_follows(p, view, xml);
}

static enum zerr item_changed(struct passage *p, struct slice jid, const struct bookmark *added)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct rooms       rooms = rooms_of(p, view);
    enum zerr          err = old_places_follow(p, view, list_now(p, &rooms, jid, added));

    store_view_end(&view);
    return err;
}

enum zerr bookmarks_published(struct passage *p, const struct pep_item *item)
{
    struct bookmark added;

    if (!bookmark_of_item(p->sm->arena, item->id, passage_element(p, item->payload), &added))
        return ZE_OK;
    return item_changed(p, added.jid, &added);
}

enum zerr bookmarks_retracted(struct passage *p, struct slice id)
{
    return item_changed(p, bookmark_jid(p->sm->arena, id), NULL);
}

enum zerr bookmarks_emptied(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    enum zerr          err = old_places_follow(p, view, NULL);

    store_view_end(&view);
    return err;
}

/* ---- the feature ---- */

static const char *const bookmarks_disco[] = {
    NS_BOOKMARKS_2 "#compat", NS_BOOKMARKS_2 "#compat-pep", "urn:xmpp:bookmarks-conversion:0", NULL,
};

const struct sm_feature sm_bookmarks = {
    .name = "bookmarks", .spec = "XEP-0402, XEP-0411", .disco_account = bookmarks_disco,
};
