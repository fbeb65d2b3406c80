/* XEP-0398: an avatar published by PEP becomes the photo of the vCard, a photo becomes an avatar, in the commit of
 * what the client did; and available presence, directed too, tells the hash (4). Nothing runs in circles: what is
 * written here calls no hooks. Who may not read the avatar does not see its copy either (vcard.c). Presence that
 * was sent already is not sent again (5): clients do, when they hear of the new metadata. */

#include "avatars.h"

#include "encode.h"
#include "ns.h"
#include "pep_access.h"
#include "pep_store.h"
#include "xml_cut.h"

bool avatar_bytes(struct arena *arena, struct slice text, struct buf *out)
{
    uint8_t *tight = arena_alloc(arena, text.len + 1);
    size_t   len = 0;

    for (size_t i = 0; i < text.len; i++)
        if (!memchr(" \t\r\n", text.p[i], 4))
            tight[len++] = text.p[i];
    return len > 0 && base64_take(out, slice_of(tight, len)) && buf_len(out) > 0;
}

bool avatar_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice who)
{
    return pep_may_read(sm, view, owner, SLICE(NS_AVATAR_DATA), who);
}

static struct slice hex_of(struct arena *arena, const uint8_t hash[PHOTO_HASH])
{
    struct buf   hex = { 0 };
    struct slice s;

    hex_put(&hex, slice_of(hash, PHOTO_HASH));
    s = arena_copy(arena, buf_slice(&hex));
    buf_free(&hex);
    return s;
}

/* ---- from PEP ---- */

/* 3.1: the one that is in the data node, and what its id says. */
static bool photo_of(struct passage *p, struct store_view *view, const struct element *info, struct vcard_photo *photo)
{
    struct arena         *arena = p->sm->arena;
    struct slice          id = element_attr(info, "id");
    struct pep_item       item;
    const struct element *data;
    struct buf            bytes = { 0 };

    if (!id.len || !pep_item_get(p->sm, view, p->owner, SLICE(NS_AVATAR_DATA), id, &item))
        return false;
    data = passage_element(p, item.payload);
    if (!data || !element_is(data, NS_AVATAR_DATA, "data") || !avatar_bytes(arena, element_text(arena, data), &bytes))
        return false;
    *photo = (struct vcard_photo){ .type = element_attr(info, "type"), .bytes = arena_copy(arena, buf_slice(&bytes)) };
    buf_free(&bytes);
    sha1(photo->bytes, photo->hash);
    return slice_eq(hex_of(arena, photo->hash), id);
}

/* Metadata without anything that we hold means: no avatar here. */
enum zerr avatar_published(struct passage *p, const struct pep_item *item)
{
    const struct element *metadata = passage_element(p, item->payload);
    struct store_view    *view = store_view(p->sm->store.accounts);
    struct vcard_photo    photo;
    uint8_t               hash[PHOTO_HASH];
    bool                  had = vcard_photo_hash(p->sm, view, p->owner, hash), found = false;

    if (metadata && element_is(metadata, NS_AVATAR, "metadata"))
        for (const struct element *e = element_child(metadata, NULL, "info"); e && !found; e = element_next(e, NULL, "info"))
            found = !element_attr(e, "url").p && photo_of(p, view, e, &photo);
    store_view_end(&view);
    if (found && !(had && memcmp(hash, photo.hash, PHOTO_HASH) == 0))
        vcard_set_photo(p, &photo);
    else if (!found && had)
        vcard_set_photo(p, NULL);
    return ZE_OK;
}

static enum zerr forget(struct passage *p)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    uint8_t            hash[PHOTO_HASH];
    bool               had = vcard_photo_hash(p->sm, view, p->owner, hash);

    store_view_end(&view);
    if (had)
        vcard_set_photo(p, NULL);
    return ZE_OK;
}

/* Only the current one counts: clients clean up the items of earlier ones. */
enum zerr avatar_retracted(struct passage *p, struct slice id)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    uint8_t            hash[PHOTO_HASH];
    bool               current = vcard_photo_hash(p->sm, view, p->owner, hash) && slice_eq(hex_of(p->sm->arena, hash), id);

    store_view_end(&view);
    return current ? forget(p) : ZE_OK;
}

enum zerr avatar_emptied(struct passage *p)
{
    return forget(p);
}

/* ---- from the vCard ---- */

/* XEP-0084 4.2.1 wants a type; what the vCard does not say the image does. */
static struct slice type_of(const struct vcard_photo *photo)
{
    static const struct {
        struct slice begins;
        const char  *type;
    } rows[] = {
        { SLICE_INIT("\x89PNG"), "image/png" }, { SLICE_INIT("\xff\xd8\xff"), "image/jpeg" },
        { SLICE_INIT("GIF8"), "image/gif" },    { SLICE_INIT("RIFF"), "image/webp" },
    };

    if (slice_starts(photo->type, SLICE("image/")))
        return photo->type;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_starts(photo->bytes, rows[i].begins))
            return slice_str(rows[i].type);
    return SLICE("image/png");
}

static struct slice data_of(struct passage *p, const struct vcard_photo *photo)
{
    struct buf        text = { 0 }, base64 = { 0 };
    struct xml_writer w;

    base64_put(&base64, photo->bytes);
    xml_begin(&w, &text, NS_CLIENT);
    xml_simple(&w, "data", NS_AVATAR_DATA, buf_slice(&base64));
    buf_free(&base64);
    return outcome_keep(p->out, &text);
}

static struct slice metadata_of(struct passage *p, const struct vcard_photo *photo, struct slice id)
{
    struct buf        text = { 0 };
    struct xml_writer w;

    xml_begin(&w, &text, NS_CLIENT);
    xml_open(&w, "metadata", NS_AVATAR);
    if (photo) {
        xml_open(&w, "info", NULL);
        xml_attr_num(&w, "bytes", (int64_t)photo->bytes.len);
        xml_attr_slice(&w, "id", id);
        xml_attr_slice(&w, "type", type_of(photo));
        xml_close(&w);
    }
    xml_close(&w);
    return outcome_keep(p->out, &text);
}

/* 3.2: first the data, then the metadata. A vCard is for everybody, so are the nodes made for it. A photo over the
 * limits of nodes is a photo only: the metadata then says that there is no avatar, so that nobody shows an old one. */
enum zerr avatar_from_vcard(struct passage *p, const struct vcard_photo *photo)
{
    const struct pep_wanted *open = &(const struct pep_wanted){ PEP_OPEN, 1, PEP_LAST_ON_PRESENCE };
    struct pep_item          item = { .node = SLICE(NS_AVATAR_DATA) };
    enum zerr                err = ZE_OK;

    if (photo) {
        item.id = hex_of(p->sm->arena, photo->hash);
        item.payload = data_of(p, photo);
        photo = pep_fits(p, &item) ? photo : NULL;
    }
    if (photo)
        err = pep_publish(p, &item, open);
    if (err)
        return err;
    item.node = SLICE(NS_AVATAR);
    item.payload = metadata_of(p, photo, item.id);
    return pep_fits(p, &item) ? pep_publish(p, &item, open) : ZE_OK;
}

/* ---- presence (4) ---- */

static bool is_update(void *arg, const struct element *e)
{
    (void)arg;
    return element_is(e, NS_VCARD_UPDATE, "x");
}

static bool mentions_update(struct slice content)
{
    static const char name[] = NS_VCARD_UPDATE;

    return content.len && memmem(content.p, content.len, name, sizeof(name) - 1);
}

/* True: it says what it shall say. An empty <photo/> is the client's word that it has no avatar; an element without
 * any is its word that it does not know. */
static bool says_enough(struct arena *arena, const struct element *root, const uint8_t *hash)
{
    const struct element *x = element_child(root, NS_VCARD_UPDATE, "x");
    const struct element *photo = x ? element_child(x, NULL, "photo") : NULL;
    struct slice          text = photo ? element_text(arena, photo) : slice_of(NULL, 0);

    if (!x)
        return !hash;
    return photo && (!text.len || !hash || slice_eq(text, hex_of(arena, hash)));
}

struct slice avatar_stamp(struct arena *arena, struct slice content, const struct xml_limits *limits,
                          const uint8_t *hash)
{
    struct slice          rest = content, photo = hash ? hex_of(arena, hash) : SLICE("");
    const struct element *root;

    if (mentions_update(content)) {
        root = xml_parse_content(arena, content, NS_CLIENT, limits);
        if (!root || says_enough(arena, root, hash))
            return content;
        rest = xml_cut(arena, content, limits, is_update, NULL);
    } else if (!hash) {
        return content;
    }
    return slice_str(arena_printf(arena, "%.*s<x xmlns='" NS_VCARD_UPDATE "'><photo>%.*s</photo></x>", SLICE_FMT(rest),
                                  SLICE_FMT(photo)));
}

static int avatars_outgoing(struct passage *p)
{
    struct stanza     *s = p->stanza;
    struct xml_limits  limits = sm_xml_limits(p->sm);
    struct store_view *view;
    uint8_t            hash[PHOTO_HASH];
    bool               has;

    if (s->name != STANZA_PRESENCE || s->type != TYPE_NONE)
        return GO_ON;
    view = store_view(p->sm->store.accounts);
    has = vcard_photo_hash(p->sm, view, p->owner, hash);
    store_view_end(&view);
    s->content = avatar_stamp(p->sm->arena, s->content, &limits, has ? hash : NULL);
    return GO_ON;
}

static const char *const avatars_disco[] = { "urn:xmpp:pep-vcard-conversion:0", NULL };

const struct sm_feature sm_avatars = {
    .name = "avatars", .spec = "XEP-0398, XEP-0153", .disco_account = avatars_disco, .outgoing = avatars_outgoing,
};
