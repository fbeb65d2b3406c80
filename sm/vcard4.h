#pragma once

/* vCard4 (XEP-0292) and vcard-temp kept in step: the same name, numbers and addresses in either, in the commit of
 * what the client wrote. */

#include "pep.h"

#define NODE_VCARD4 "urn:xmpp:vcard4"                        /* 4.1 */

/* A client has written this <vCard/>; p->out has it already. `before`: the one it had, or NULL. What changed is
 * published. */
enum zerr vcard4_from_temp(struct passage *p, const struct element *before, const struct element *vcard);
/* Do two of vcard-temp (each may be NULL) say the same, as far as vCard4 has words for it? */
bool vcard4_same(struct passage *p, const struct element *a, const struct element *b);
/* May that bare JID read the account's vCard4? Yes, when there is no such node. */
bool vcard4_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice who);

/* Rows of pep_hooks.c. */
enum zerr vcard4_published(struct passage *p, const struct pep_item *item);
enum zerr vcard4_retracted(struct passage *p, struct slice id);
enum zerr vcard4_emptied(struct passage *p);
