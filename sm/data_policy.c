/* XEP-0504 Data Policy: what is kept of an account and how long, as a form in service discovery; of the server,
 * what is kept of who says nothing. */

#include "data_form.h"
#include "jid.h"
#include "ns.h"
#include "preferences.h"

/* 3.3: in hours. What waits for its owner has no age (XEP-0160), and neither has an archive kept for ever. */
static void retention_write(struct iq *iq)
{
    struct passage *p = iq->p;
    bool            server = iq->target == TO_SERVER;
    long            days = 0;

    if (p->sm->settings->server.archive)
        days = server ? preferences_domain_days(p->sm, p->stanza->to) : preferences_days(p->sm, p->owner);
    if (days)
        form_put_num(iq->reply, "data_retention", "text-single", NULL, days * 24);
    else
        form_put_str(iq->reply, "data_retention", "text-single", NULL, "infinite");
}

static void forms(struct iq *iq)
{
    form_open(iq->reply, "result", NS_DATA_POLICY);
    retention_write(iq);
    form_put_str(iq->reply, "data_deletion", "boolean", NULL, "true");      /* archive_command.c, XEP-0060 */
    form_put_str(iq->reply, "encryption_at_rest", "boolean", NULL, "false");
    form_put_str(iq->reply, "full_erasure", "boolean", NULL, "true");      /* XEP-0077 3.2 */
    form_put_str(iq->reply, "extra_info", "text-multi", NULL,
                 "The time is that of archived messages. A message that waits for delivery is kept until then.");
    xml_close(iq->reply);
}

const struct sm_feature sm_data_policy = {
    .name = "data_policy", .spec = "XEP-0504", .disco_forms = forms,
};
