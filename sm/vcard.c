/* XEP-0054 vcard-temp: one XML element an account, readable by everybody.
 *
 * T_VCARD  slot, owner -> u8 format 1, the <vCard/> element as XML
 *
 * Whoever asks for the vCard of somebody who has none, or does not exist, gets item-not-found (3.1). */

#include "feature.h"
#include "ns.h"

enum { FORMAT = 1 };

static int get(struct iq *iq)
{
    struct passage    *p = iq->p;
    struct store_view *view = store_view(p->sm->store.accounts);
    struct slice       row = store_get(view, T_VCARD, sm_key(p->sm, p->owner, slice_of(NULL, 0)));
    int                err = ZE_OK;

    if (row.len > 1 && row.p[0] == FORMAT) {
        xml_raw(iq->reply, slice_cut(row, 1, row.len));
    } else if (iq->target == TO_OWN_ACCOUNT) {
        xml_open(iq->reply, "vCard", NS_VCARD);
        xml_close(iq->reply);
    } else {
        err = ZE_NOT_FOUND;
    }
    store_view_end(&view);
    return err;
}

static int set(struct iq *iq)
{
    struct passage   *p = iq->p;
    struct buf        row = { 0 };
    struct xml_writer w;
    int               err = ZE_OK;

    if (!p->session)
        return ZE_FORBIDDEN;
    buf_put_u8(&row, FORMAT);
    xml_begin(&w, &row, NS_CLIENT);
    xml_element(&w, iq->payload);
    if (buf_len(&row) > (size_t)p->sm->settings->limits.vcard_max)
        err = ZE_NOT_ACCEPTABLE;
    else
        store_put(outcome_accounts(p->out), T_VCARD, sm_key(p->sm, p->owner, slice_of(NULL, 0)),
                  buf_slice(&row));
    buf_free(&row);
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
