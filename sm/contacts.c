/* What the operator says of himself in disco#info of the server (XEP-0128): XEP-0157 Contact Addresses and the
 * external status address of XEP-0455 Service Outage Status. Rows of the settings of a domain. */

#include "data_form.h"
#include "feature.h"
#include "ns.h"

static const struct contact {
    const char *var;
    size_t      offset;                  /* of a list in struct settings_domain */
} contacts[] = {
    { "abuse-addresses", offsetof(struct settings_domain, abuse_addresses) },
    { "admin-addresses", offsetof(struct settings_domain, admin_addresses) },
    { "feedback-addresses", offsetof(struct settings_domain, feedback_addresses) },
    { "sales-addresses", offsetof(struct settings_domain, sales_addresses) },
    { "security-addresses", offsetof(struct settings_domain, security_addresses) },
    { "status-addresses", offsetof(struct settings_domain, status_addresses) },
    { "support-addresses", offsetof(struct settings_domain, support_addresses) },
};

static void list_write(struct xml_writer *w, const char *var, const struct str_list *list)
{
    if (!list->count)
        return;
    form_field_open(w, var, "list-multi", NULL);
    for (size_t i = 0; i < list->count; i++)
        form_put_value(w, slice_str(list->item[i]));
    xml_close(w);
}

static const struct str_list *list_of(const struct settings_domain *domain, const struct contact *c)
{
    return (const struct str_list *)((const char *)domain + c->offset);
}

static void forms_write(struct iq *iq)
{
    const struct settings_domain *domain = sm_domain(iq->p->sm, iq->p->stanza->to);
    size_t                        said = 0;

    if (iq->target != TO_SERVER || !domain)
        return;
    for (size_t i = 0; i < COUNT_OF(contacts); i++)
        said += list_of(domain, &contacts[i])->count;
    if (said) {
        form_open(iq->reply, "result", NS_SERVERINFO);
        for (size_t i = 0; i < COUNT_OF(contacts); i++)
            list_write(iq->reply, contacts[i].var, list_of(domain, &contacts[i]));
        xml_close(iq->reply);
    }
    if (domain->outage_addresses.count) {
        form_open(iq->reply, "result", NS_SOS);
        list_write(iq->reply, "external-status-addresses", &domain->outage_addresses);
        xml_close(iq->reply);
    }
}

const struct sm_feature sm_contacts = {
    .name = "contacts", .spec = "XEP-0157, 0455", .disco_forms = forms_write,
};
