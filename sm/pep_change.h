#pragma once

/* Changes of nodes, recorded with p->out. A node that was changed in an outcome is kept with it
 * (outcome_nodes), because no view shows what is not handed in yet: several changes of it add up. */

#include "pep_error.h"
#include "pep_store.h"

struct pep_open;

/* The node as it is with what p->out has changed already. NULL: there is none. Its view must stay open. */
struct pep_open *pep_open(struct passage *p, struct store_view *view, struct slice name);
struct pep_node *pep_open_node(struct pep_open *n);
/* PEP_E_MAX_NODES; ZE_BAD_REQUEST: no name one can keep. */
enum zerr pep_make(struct passage *p, struct store_view *view, struct slice name, const struct pep_config *config,
                   struct pep_open **out);
/* Its row, after a change of what pep_open_node gives. */
void pep_keep(struct passage *p, const struct pep_open *n);

/* A random one, in the arena: for nodes and items. */
struct slice pep_new_id(struct passage *p);
/* Stores the item (if the node keeps any), makes room, and notifies. Sets node and time. */
enum zerr pep_publish_into(struct passage *p, struct store_view *view, struct pep_open *n, struct pep_item *item);
/* ZE_NOT_FOUND. */
enum zerr pep_retract_from(struct passage *p, struct store_view *view, struct pep_open *n, struct slice id,
                           bool notify);
void pep_purge(struct passage *p, struct store_view *view, struct pep_open *n);
/* So many items at most stay: after a new configuration. */
void pep_trim(struct passage *p, struct store_view *view, struct pep_open *n);
void pep_delete(struct passage *p, struct store_view *view, struct pep_open *n);

/* ---- subscribers (pep_subs.c) ---- */

/* Writes the row and counts it in the node, for what was `before`; pep_keep is the caller's. */
void pep_change_sub(struct passage *p, struct pep_open *n, const struct pep_sub *before, const struct pep_sub *sub);
/* True: the node has no place for one more (limits.pep_subscriptions_max), without those whose time is over. */
bool pep_subs_full(struct passage *p, struct store_view *view, struct pep_open *n);
