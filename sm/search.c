/* XEP-0055 Jabber Search of the accounts of a domain by their vCards (XEP-0054), off unless the setting `search`
 * says so: who fills in a vCard may not want to be found. A query looks at the first limits.search_bytes of vCards
 * and gives limits.search_results accounts; all fields that are given must occur, in any case of ASCII letters.
 * Only for accounts of this host. */

#include <strings.h>

#include "data_form.h"
#include "feature.h"
#include "jid.h"
#include "ns.h"
#include "vcard.h"

enum { FIELDS = 4 };

/* A field, and where vCards have it. */
static const struct {
    const char *name, *label, *parent, *element;
} fields[FIELDS] = {
    { "first", "Given Name", "N", "GIVEN" },
    { "last", "Family Name", "N", "FAMILY" },
    { "nick", "Nickname", NULL, "NICKNAME" },
    { "email", "Email Address", "EMAIL", "USERID" },
};

struct query {
    struct iq   *iq;
    struct store_view *view;
    struct slice domain;
    struct slice wanted[FIELDS];
    bool         form;
    long         bytes_left, results_left;
};

/* ---- matching ---- */

static bool contains(struct slice text, struct slice part)
{
    for (size_t i = 0; part.len && i + part.len <= text.len; i++)
        if (strncasecmp((const char *)text.p + i, (const char *)part.p, part.len) == 0)
            return true;
    return false;
}

static struct slice value_of(struct arena *arena, const struct element *card, unsigned field)
{
    const struct element *parent = fields[field].parent ? element_child(card, NULL, fields[field].parent) : card;

    return parent ? element_child_text(arena, parent, fields[field].element) : slice_of(NULL, 0);
}

/* Before a vCard with its photo is parsed, its bytes are looked at. */
static bool may_match(const struct query *q, struct slice xml)
{
    for (unsigned i = 0; i < FIELDS; i++)
        if (q->wanted[i].len && !contains(xml, q->wanted[i]))
            return false;
    return true;
}

static bool matches(const struct query *q, const struct element *card)
{
    for (unsigned i = 0; i < FIELDS; i++)
        if (q->wanted[i].len && !contains(value_of(q->iq->p->sm->arena, card, i), q->wanted[i]))
            return false;
    return true;
}

/* ---- results ---- */

static void item_write(const struct query *q, struct slice jid, const struct element *card)
{
    struct xml_writer *w = q->iq->reply;
    struct arena      *arena = q->iq->p->sm->arena;

    xml_open(w, "item", NULL);
    if (q->form)
        form_put(w, "jid", NULL, NULL, jid);
    else
        xml_attr_slice(w, "jid", jid);
    for (unsigned i = 0; i < FIELDS; i++) {
        struct slice value = value_of(arena, card, i);

        if (!value.p)
            value = slice_of("", 0);
        if (q->form)
            form_put(w, fields[i].name, NULL, NULL, value);
        else
            xml_simple(w, fields[i].name, NULL, value);
    }
    xml_close(w);
}

/* Key: slot, owner (sm/vcard.c). */
static int look(void *arg, struct slice key, struct slice value)
{
    struct query         *q = arg;
    struct sm            *sm = q->iq->p->sm;
    struct xml_limits     limits = sm_xml_limits(sm);
    struct slice          jid = key.len > 2 ? slice_cut(key, 2, key.len) : key, xml;
    const struct element *root;

    q->bytes_left -= (long)value.len;
    if (q->bytes_left < 0 || q->results_left == 0)
        return 1;
    if (!slice_eq(jid_domain(jid), q->domain) || !may_match(q, value))
        return 0;
    xml = vcard_of_row(sm, q->view, jid, value, jid_bare(q->iq->p->stanza->from));
    if (!xml.p)
        return 0;
    root = xml_parse_content(sm->arena, xml, NS_CLIENT, &limits);
    if (root && root->children && matches(q, root->children)) {
        item_write(q, jid, root->children);
        q->results_left--;
    }
    return 0;
}

static void reported_write(struct xml_writer *w)
{
    xml_open(w, "reported", NULL);
    form_put(w, "jid", "jid-single", "Jabber ID", slice_of(NULL, 0));
    for (unsigned i = 0; i < FIELDS; i++)
        form_put(w, fields[i].name, "text-single", fields[i].label, slice_of(NULL, 0));
    xml_close(w);
}

static int find(struct query *q)
{
    struct sm         *sm = q->iq->p->sm;
    struct store_view *view = store_view(sm->store.accounts);
    int                err;

    q->view = view;
    xml_open(q->iq->reply, "query", NS_SEARCH);
    if (q->form) {
        form_open(q->iq->reply, "result", NS_SEARCH);
        reported_write(q->iq->reply);
    }
    err = store_each(view, T_VCARD, SLICE(""), SLICE(""), false, look, q);
    if (q->form)
        xml_close(q->iq->reply);
    xml_close(q->iq->reply);
    store_view_end(&view);
    return err < 0 ? err : ZE_OK;
}

/* ---- requests ---- */

static int give_fields(struct iq *iq)
{
    struct xml_writer *w = iq->reply;

    xml_open(w, "query", NS_SEARCH);
    xml_simple(w, "instructions", NULL, SLICE("Fill in one or more fields: those whose vCard has all of them are found."));
    for (unsigned i = 0; i < FIELDS; i++)
        xml_simple(w, fields[i].name, NULL, slice_of("", 0));
    form_open(w, "form", NS_SEARCH);
    for (unsigned i = 0; i < FIELDS; i++)
        form_put(w, fields[i].name, "text-single", fields[i].label, slice_of(NULL, 0));
    xml_close(w);
    xml_close(w);
    return ZE_OK;
}

static int read_wanted(struct query *q)
{
    struct arena         *arena = q->iq->p->sm->arena;
    const struct element *form;
    size_t                given = 0;
    int                   err = form_take(arena, q->iq->payload, NS_SEARCH, &form, NULL);

    q->form = form != NULL;
    for (unsigned i = 0; i < FIELDS && !err; i++) {
        q->wanted[i] = form ? form_value(arena, form, fields[i].name)
                            : element_child_text(arena, q->iq->payload, fields[i].name);
        given += q->wanted[i].len;
    }
    return err ? err : given ? ZE_OK : ZE_NOT_ACCEPTABLE;      /* everybody is no search */
}

static int search(struct iq *iq)
{
    const struct settings *settings = iq->p->sm->settings;
    struct query           q = {
        .iq = iq, .domain = iq->p->stanza->to, .bytes_left = settings->limits.search_bytes,
        .results_left = settings->limits.search_results,
    };
    int                    err;

    if (!iq->p->session)
        return ZE_FORBIDDEN;
    if (iq->type == IQ_GET)
        return give_fields(iq);
    err = read_wanted(&q);
    return err ? err : find(&q);
}

static bool on(const struct sm *sm)
{
    return sm->settings->server.search;
}

static const char *const disco[] = { NS_SEARCH, NULL };

static const struct iq_row iqs[] = {
    { IQ_GET | IQ_SET, NS_SEARCH, "query", TO_SERVER, search },
    { 0 },
};

const struct sm_feature sm_search = {
    .name = "search", .spec = "XEP-0055", .on = on, .disco_server = disco, .iqs = iqs,
};
