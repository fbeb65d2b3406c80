/* XEP-0054 vcard-temp: one XML element an account, readable by everybody; but a photo that came from the owner's
 * avatar (XEP-0084) only by those who may read that (XEP-0398 6), and what came from its vCard4 (XEP-0292) the same.
 *
 * T_VCARD  slot, owner -> u8 format 2, u8 flags (HAS_PHOTO, FROM_AVATAR, FROM_VCARD4), SHA-1 of the photo if there is
 *          one, the <vCard/> element as XML; or u8 format 1 and the element alone
 *
 * Whoever asks for the vCard of somebody who has none, or does not exist, gets service-unavailable (3.3). */

#include "vcard.h"

#include "avatars.h"
#include "cursor.h"
#include "encode.h"
#include "jid.h"
#include "ns.h"
#include "vcard4.h"
#include "vcard4_convert.h"

enum { FORMAT_BARE = 1, FORMAT = 2 };
enum { HAS_PHOTO = 1, FROM_AVATAR = 2, FROM_VCARD4 = 4 };

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

enum { PHOTO = 1, FIELDS = 2 };        /* FIELDS: what has a counterpart in vCard4 */

static bool is_part(const struct element *e, unsigned parts)
{
    return (parts & PHOTO && element_is(e, NS_VCARD, "PHOTO")) || (parts & FIELDS && vcard4_maps_temp(e));
}

/* The element and what is in it (vcard may be NULL: an empty one), without these parts; ends with xml_close. */
static void open_without(struct xml_writer *w, const struct element *vcard, unsigned parts)
{
    xml_open(w, "vCard", NS_VCARD);
    for (const struct element *e = vcard ? vcard->children : NULL; e; e = e->next)
        if (!is_part(e, parts))
            xml_element(w, e);
}

static void put_with(struct passage *p, struct buf *row, const struct vcard *before, const struct vcard_photo *photo)
{
    struct xml_writer w;

    row_begin(row, photo, (photo ? FROM_AVATAR : 0) | (before->flags & FROM_VCARD4));
    xml_begin(&w, row, NS_CLIENT);
    open_without(&w, passage_element(p, before->xml), PHOTO);
    if (photo)
        photo_write(&w, photo);
    xml_close(&w);
}

void vcard_set_photo(struct passage *p, const struct vcard_photo *photo)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct vcard       before = vcard_find(p->sm, view, p->owner);
    struct buf         row = { 0 };

    put_with(p, &row, &before, photo);
    if (photo && !fits(p, &row)) {
        buf_reset(&row, 0);
        put_with(p, &row, &before, NULL);
    }
    row_put(p, &row);
    buf_free(&row);
    store_view_end(&view);
}

void vcard_set_fields(struct passage *p, const struct element *vcard4)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct vcard       before = vcard_find(p->sm, view, p->owner);
    struct buf         row = { 0 };
    struct xml_writer  w;

    if (before.xml.p || vcard4) {
        buf_put_u8(&row, FORMAT);
        buf_put_u8(&row, (uint8_t)((before.flags & ~(unsigned)FROM_VCARD4) | (vcard4 ? FROM_VCARD4 : 0)));
        buf_put_slice(&row, before.hash);
        xml_begin(&w, &row, NS_CLIENT);
        open_without(&w, passage_element(p, before.xml), FIELDS);
        vcard4_write_temp(&w, p->sm->arena, vcard4);
        xml_close(&w);
        if (fits(p, &row))
            row_put(p, &row);
    }
    buf_free(&row);
    store_view_end(&view);
}

/* ---- IQs ---- */

/* What that JID may not see of it. */
static unsigned hidden(struct sm *sm, struct store_view *view, struct slice owner, unsigned flags, struct slice who)
{
    unsigned parts = 0;

    if (slice_eq(owner, who))
        return 0;
    if (flags & FROM_AVATAR && !avatar_may_read(sm, view, owner, who))
        parts |= PHOTO;
    if (flags & FROM_VCARD4 && !vcard4_may_read(sm, view, owner, who))
        parts |= FIELDS;
    return parts;
}

struct slice vcard_of_row(struct sm *sm, struct store_view *view, struct slice owner, struct slice row, struct slice who)
{
    struct vcard v = vcard_read(row);

    return hidden(sm, view, owner, v.flags, who) & FIELDS ? slice_of(NULL, 0) : v.xml;
}

/* False: nothing is left for who asks. */
static bool reply_with(struct iq *iq, const struct vcard *v, unsigned parts)
{
    const struct element *vcard = parts ? passage_element(iq->p, v->xml) : NULL, *e = vcard ? vcard->children : NULL;

    if (!parts) {
        xml_raw(iq->reply, v->xml);
        return true;
    }
    while (e && is_part(e, parts))
        e = e->next;
    if (!e)
        return false;
    open_without(iq->reply, vcard, parts);
    xml_close(iq->reply);
    return true;
}

static int get(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view = store_view(p->sm->store.accounts);
    struct vcard       v = vcard_find(p->sm, view, p->owner);
    int                err = ZE_OK;

    if (!v.xml.p && iq->target == TO_OWN_ACCOUNT) {
        xml_open(iq->reply, "vCard", NS_VCARD);
        xml_close(iq->reply);
    } else if (!v.xml.p || !reply_with(iq, &v, hidden(p->sm, view, p->owner, v.flags, jid_bare(p->stanza->from)))) {
        err = ZE_NO_SUCH;
    }
    store_view_end(&view);
    return err;
}

/* A photo or fields that were there and are sent back unchanged stay what they were, and nothing is published. */
static int put_whole(struct iq *iq, struct store_view *view)
{
    struct passage    *p = iq->p;
    struct vcard       before = vcard_find(p->sm, view, p->owner);
    const struct element *old = passage_element(p, before.xml);
    struct buf         row = { 0 };
    struct xml_writer  w;
    struct vcard_photo photo;
    bool               has = photo_of(p->sm->arena, iq->payload, &photo), had = before.flags & HAS_PHOTO;
    bool               same = has && had && slice_eq(before.hash, slice_of(photo.hash, PHOTO_HASH));
    int                err = ZE_OK;

    row_begin(&row, has ? &photo : NULL,
              (same ? before.flags & FROM_AVATAR : 0) |
                  (vcard4_same(p, old, iq->payload) ? before.flags & FROM_VCARD4 : 0));
    xml_begin(&w, &row, NS_CLIENT);
    xml_element(&w, iq->payload);
    if (!fits(p, &row))
        err = ZE_NOT_ACCEPTABLE;
    else
        row_put(p, &row);
    buf_free(&row);
    if (!err && !same && (has || had))
        err = avatar_from_vcard(p, has ? &photo : NULL);
    if (!err)
        err = vcard4_from_temp(p, old, iq->payload);
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
