#pragma once

/* Requests of XEP-0060 to an account: rows in pep.c, handlers by use case. */

#include "pep_access.h"
#include "pep_change.h"

struct pep_request {
    struct iq            *iq;
    struct passage       *p;
    struct store_view    *view;        /* open while the handler runs */
    const struct element *pubsub, *action;   /* <pubsub/> and the child that the row names */
    struct slice          node;        /* its attribute; empty: none */
    struct pep_open      *open;        /* the node, when the row says that it must be there */
};

/* As of iq rows. */
typedef int pep_handler(struct pep_request *r);

/* pep_publish.c: XEP-0060 7 */
pep_handler pep_publish_request, pep_retract_request;
/* pep_retrieve.c: 6.5 */
pep_handler pep_items_request;
/* pep_subscribe.c: 6.1, 6.2, 5.6, 5.7 */
pep_handler pep_subscribe, pep_unsubscribe, pep_subscriptions, pep_affiliations;
/* pep_options.c: 6.3, 6.4 */
pep_handler pep_get_options, pep_set_options, pep_default_options;
/* pep_owner.c: 8.1 - 8.5 */
pep_handler pep_create, pep_configure_form, pep_configure, pep_default, pep_delete_request, pep_purge_request;
/* pep_manage.c: 8.8, 8.9 */
pep_handler pep_owner_subscriptions, pep_owner_set_subscriptions, pep_owner_affiliations, pep_owner_set_affiliations;

/* The relation of who asks to the node of the request. */
unsigned pep_asker(const struct pep_request *r);
/* Whether who asks is a stranger who must not learn from the answer if there is such a node, or such an account:
 * PEP_E_PRESENCE_REQUIRED is the answer then. */
bool pep_hides(const struct pep_request *r);
/* A canonical JID from an attribute, in the arena; empty: none or none such. */
struct slice pep_attr_jid(const struct pep_request *r, const struct element *e, const char *name);
/* The action's element again, open in the reply's open <pubsub/>; ends with two xml_close. */
void pep_reply_open(struct pep_request *r, const char *ns, const char *action);

/* The form of options in `parent`, read over *o. PEP_E_INVALID_OPTIONS. */
enum zerr pep_options_take(struct pep_request *r, const struct element *parent, struct pep_options *o);
/* type: "form" (to fill in), "result". */
void pep_options_form(struct pep_request *r, struct xml_writer *w, const struct pep_options *o, const char *type);
