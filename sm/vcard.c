/* XEP-0054 vcard-temp: one XML element an account, readable by everybody; but a photo that came from the owner's
 * avatar (XEP-0084) only by those who may read that (XEP-0398 6).
 *
 * T_VCARD  slot, owner -> u8 format 2, u8 flags (HAS_PHOTO, FROM_AVATAR), SHA-1 of the photo if there is one, the
 *          <vCard/> element as XML; or u8 format 1 and the element alone
 *
 * Whoever asks for the vCard of somebody who has none, or does not exist, gets service-unavailable (3.3). */

#include "vcard.h"

#include "avatars.h"
#include "cursor.h"
#include "encode.h"
#include "jid.h"
#include "ns.h"

enum { FORMAT_BARE = 1, FORMAT = 2 };
enum { HAS_PHOTO = 1, FROM_AVATAR = 2 };

/* ---- the row ---- */

struct vcard {
    unsigned     flags;
    struct slice hash, xml;        /* xml p NULL: there is none */
};

static struct vcard vcard_read(struct slice row)
{
    struct cursor c = { row, false };
    struct vcard  v = { 0 };
    unsigned      format = take_u8(&c);

    if (format == FORMAT) {
        v.flags = take_u8(&c);
        v.hash = take_bytes(&c, v.flags & HAS_PHOTO ? PHOTO_HASH : 0);
    }
    if (!c.bad && (format == FORMAT || format == FORMAT_BARE) && c.rest.len)
        v.xml = c.rest;
    return v;
}

static struct vcard vcard_find(const struct sm *sm, struct store_view *view, struct slice owner)
{
    return vcard_read(store_get(view, T_VCARD, sm_key(sm, owner, slice_of(NULL, 0))));
}

struct slice vcard_of_row(struct slice row)
{
    return vcard_read(row).xml;
}

bool vcard_photo_hash(const struct sm *sm, struct store_view *view, struct slice owner, uint8_t hash[PHOTO_HASH])
{
    struct vcard v = vcard_find(sm, view, owner);

    if (!v.xml.p || !(v.flags & HAS_PHOTO))
        return false;
    memcpy(hash, v.hash.p, PHOTO_HASH);
    return true;
}

static void row_begin(struct buf *row, const struct vcard_photo *photo, unsigned flags)
{
    buf_put_u8(row, FORMAT);
    buf_put_u8(row, (uint8_t)(flags | (photo ? HAS_PHOTO : 0)));
    if (photo)
        buf_put(row, photo->hash, PHOTO_HASH);
}

static void row_put(struct passage *p, const struct buf *row)
{
    store_put(outcome_accounts(p->out), T_VCARD, sm_key(p->sm, p->owner, slice_of(NULL, 0)), buf_slice(row));
}

static bool fits(struct passage *p, const struct buf *row)
{
    return buf_len(row) <= (size_t)p->sm->settings->limits.vcard_max;
}

static const struct element *parsed(struct passage *p, struct slice xml)
{
    struct xml_limits     limits = sm_xml_limits(p->sm);
    const struct element *root =
        xml.len ? xml_parse_content(p->sm->arena, arena_copy(p->sm->arena, xml), NS_CLIENT, &limits) : NULL;

    return root ? root->children : NULL;
}

/* ---- photos ---- */

/* XEP-0153 4.4: white space in the base64 is ignored. False: there is none, or it is not base64. */
static bool photo_of(struct arena *arena, const struct element *vcard, struct vcard_photo *photo)
{
    const struct element *e = element_child(vcard, NULL, "PHOTO");
    struct slice          text = element_child_text(arena, e, "BINVAL");
    struct buf            bytes = { 0 };

    *photo = (struct vcard_photo){ .type = element_child_text(arena, e, "TYPE") };
    if (!e || !avatar_bytes(arena, text, &bytes))
        return false;
    photo->bytes = arena_copy(arena, buf_slice(&bytes));
    sha1(photo->bytes, photo->hash);
    buf_free(&bytes);
    return true;
}

static void photo_write(struct xml_writer *w, const struct vcard_photo *photo)
{
    struct buf text = { 0 };

    base64_put(&text, photo->bytes);
    xml_open(w, "PHOTO", NULL);
    if (photo->type.len)
        xml_simple(w, "TYPE", NULL, photo->type);
    xml_simple(w, "BINVAL", NULL, buf_slice(&text));
    xml_close(w);
    buf_free(&text);
}

/* vcard may be NULL: an empty one. */
static void write_with(struct xml_writer *w, const struct element *vcard, const struct vcard_photo *photo)
{
    xml_open(w, "vCard", NS_VCARD);
    for (const struct element *e = vcard ? vcard->children : NULL; e; e = e->next)
        if (!element_is(e, NS_VCARD, "PHOTO"))
            xml_element(w, e);
    if (photo)
        photo_write(w, photo);
    xml_close(w);
}

static void put_with(struct passage *p, struct buf *row, const struct element *vcard, const struct vcard_photo *photo)
{
    struct xml_writer w;

    row_begin(row, photo, photo ? FROM_AVATAR : 0);
    xml_begin(&w, row, NS_CLIENT);
    write_with(&w, vcard, photo);
}

void vcard_set_photo(struct passage *p, const struct vcard_photo *photo)
{
    struct store_view    *view = store_view(p->sm->store.accounts);
    const struct element *vcard = parsed(p, vcard_find(p->sm, view, p->owner).xml);
    struct buf            row = { 0 };

    put_with(p, &row, vcard, photo);
    if (photo && !fits(p, &row)) {
        buf_reset(&row, 0);
        put_with(p, &row, vcard, NULL);
    }
    row_put(p, &row);
    buf_free(&row);
    store_view_end(&view);
}

/* ---- IQs ---- */

/* Does it say anything but a photo? */
static bool says_more(const struct element *vcard)
{
    for (const struct element *e = vcard ? vcard->children : NULL; e; e = e->next)
        if (e->name.len && !element_is(e, NS_VCARD, "PHOTO"))
            return true;
    return false;
}

/* Nothing left but a photo that is not for this one: as if there were none. */
static int reply_with(struct iq *iq, struct store_view *view, const struct vcard *v)
{
    const struct element *vcard;

    if (!(v->flags & FROM_AVATAR) || iq->target == TO_OWN_ACCOUNT ||
        avatar_may_read(iq->p->sm, view, iq->p->owner, jid_bare(iq->p->stanza->from))) {
        xml_raw(iq->reply, v->xml);
        return ZE_OK;
    }
    vcard = parsed(iq->p, v->xml);
    if (!says_more(vcard))
        return ZE_NO_SUCH;
    write_with(iq->reply, vcard, NULL);
    return ZE_OK;
}

static int get(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view = store_view(p->sm->store.accounts);
    struct vcard       v = vcard_find(p->sm, view, p->owner);
    int                err = ZE_OK;

    if (v.xml.p) {
        err = reply_with(iq, view, &v);
    } else if (iq->target == TO_OWN_ACCOUNT) {
        xml_open(iq->reply, "vCard", NS_VCARD);
        xml_close(iq->reply);
    } else {
        err = ZE_NO_SUCH;
    }
    store_view_end(&view);
    return err;
}

/* A photo that was there and is sent back unchanged stays what it was, and nothing is published. */
static int put_whole(struct iq *iq, struct store_view *view)
{
    struct passage    *p = iq->p;
    struct vcard       before = vcard_find(p->sm, view, p->owner);
    struct buf         row = { 0 };
    struct xml_writer  w;
    struct vcard_photo photo;
    bool               has = photo_of(p->sm->arena, iq->payload, &photo), had = before.flags & HAS_PHOTO;
    bool               same = has && had && slice_eq(before.hash, slice_of(photo.hash, PHOTO_HASH));
    int                err = ZE_OK;

    row_begin(&row, has ? &photo : NULL, same ? before.flags & FROM_AVATAR : 0);
    xml_begin(&w, &row, NS_CLIENT);
    xml_element(&w, iq->payload);
    if (!fits(p, &row))
        err = ZE_NOT_ACCEPTABLE;
    else
        row_put(p, &row);
    buf_free(&row);
    if (!err && !same && (has || had))
        err = avatar_from_vcard(p, has ? &photo : NULL);
    return err;
}

static int set(struct iq *iq)
{
    struct store_view *view;
    int                err;

    if (!iq->p->session)
        return ZE_FORBIDDEN;
    view = store_view(iq->p->sm->store.accounts);
    err = put_whole(iq, view);
    store_view_end(&view);
    return err;
}

static void vcard_removed(struct passage *p)
{
    store_delete(outcome_accounts(p->out), T_VCARD, sm_key(p->sm, p->owner, slice_of(NULL, 0)));
}

static const char *const vcard_disco[] = { NS_VCARD, NULL };

static const struct iq_row vcard_iqs[] = {
    { IQ_GET, NS_VCARD, "vCard", TO_OWN_ACCOUNT | TO_OTHER_ACCOUNT, get },
    { IQ_SET, NS_VCARD, "vCard", TO_OWN_ACCOUNT, set },
    { 0 },
};

const struct sm_feature sm_vcard = {
    .name = "vcard", .spec = "XEP-0054", .disco_server = vcard_disco, .disco_account = vcard_disco,
    .iqs = vcard_iqs,
    .removed = vcard_removed,
};
