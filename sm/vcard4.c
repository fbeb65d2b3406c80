/* XEP-0292: what is published as vCard4 is found in vcard-temp too, and the other way round. What only one of the
 * two has a word for stays there. A vcard-temp that makes a vCard4 over the limits of nodes is kept, and the vCard4
 * stays as it was. Nothing runs in circles: what is written here calls no hooks. A vCard4 that not
 * everybody may read makes nothing public: vcard.c shows its copy to who may read the node. */

#include "vcard4.h"

#include "ns.h"
#include "pep_access.h"
#include "pep_store.h"
#include "vcard.h"
#include "vcard4_convert.h"

/* 4.1.2: there is one; clients that name it call it so. */
#define CURRENT "current"

bool vcard4_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice who)
{
    return pep_may_read(sm, view, owner, SLICE(NODE_VCARD4), who);
}

/* ---- from vcard-temp ---- */

/* What of it has a counterpart; empty: nothing. */
static struct slice said(struct passage *p, const struct element *vcard)
{
    struct buf        text = { 0 };
    struct xml_writer w;

    xml_begin(&w, &text, NS_VCARD4);
    vcard4_write(&w, p->sm->arena, vcard);
    return outcome_keep(p->out, &text);
}

bool vcard4_same(struct passage *p, const struct element *a, const struct element *b)
{
    return slice_eq(said(p, a), said(p, b));
}

/* The vCard4 as it is now; NULL: none. */
static const struct element *vcard4_now(struct passage *p, struct store_view *view, struct pep_item *item)
{
    const struct element *vcard;

    if (!pep_item_get(p->sm, view, p->owner, SLICE(NODE_VCARD4), slice_of(NULL, 0), item))
        return NULL;
    vcard = passage_element(p, item->payload);
    return vcard && element_is(vcard, NS_VCARD4, "vcard") ? vcard : NULL;
}

static enum zerr publish(struct passage *p, const struct element *now, struct slice id, const struct element *temp)
{
    const struct pep_wanted *open = &(const struct pep_wanted){ PEP_OPEN, 1, PEP_LAST_ON_PRESENCE };
    struct pep_item          item = { .node = SLICE(NODE_VCARD4), .id = id };
    struct buf               text = { 0 };
    struct xml_writer        w;

    xml_begin(&w, &text, NS_CLIENT);
    xml_open(&w, "vcard", NS_VCARD4);
    vcard4_write(&w, p->sm->arena, temp);
    for (const struct element *e = now ? now->children : NULL; e; e = e->next)
        if (!vcard4_maps(e))
            xml_element(&w, e);
    xml_close(&w);
    item.payload = outcome_keep(p->out, &text);
    return pep_fits(p, &item) ? pep_publish(p, &item, open) : ZE_OK;
}

enum zerr vcard4_from_temp(struct passage *p, const struct element *before, const struct element *vcard)
{
    struct store_view    *view = store_view(p->sm->store.accounts);
    struct pep_item       item;
    const struct element *now = vcard4_now(p, view, &item);
    enum zerr             err = ZE_OK;

    if (now ? !vcard4_same(p, before, vcard) : said(p, vcard).len > 0)
        err = publish(p, now, now ? item.id : SLICE(CURRENT), vcard);
    store_view_end(&view);
    return err;
}

/* ---- from vCard4 ---- */

enum zerr vcard4_published(struct passage *p, const struct pep_item *item)
{
    const struct element *vcard = passage_element(p, item->payload);

    if (vcard && element_is(vcard, NS_VCARD4, "vcard"))
        vcard_set_fields(p, vcard);
    return ZE_OK;
}

/* Only the newest counts. */
enum zerr vcard4_retracted(struct passage *p, struct slice id)
{
    struct store_view *view = store_view(p->sm->store.accounts);
    struct pep_item    item;
    bool               newest = pep_item_get(p->sm, view, p->owner, SLICE(NODE_VCARD4), slice_of(NULL, 0), &item) &&
                  slice_eq(item.id, id);

    store_view_end(&view);
    return newest ? vcard4_emptied(p) : ZE_OK;
}

enum zerr vcard4_emptied(struct passage *p)
{
    vcard_set_fields(p, NULL);
    return ZE_OK;
}

/* ---- the feature ---- */

static const char *const vcard4_disco[] = { NS_VCARD4, NULL };         /* 7 */

const struct sm_feature sm_vcard4 = {
    .name = "vcard4", .spec = "XEP-0292", .disco_account = vcard4_disco,
};
