#pragma once

/* Bookmarks in three places kept in step (XEP-0402 7, XEP-0411): private XML storage, the node storage:bookmarks,
 * and the node urn:xmpp:bookmarks:1. */

#include "pep.h"

/* A client has put this <storage/> into private XML storage; p->out has it already. */
enum zerr bookmarks_from_private(struct passage *p, const struct element *storage);

/* Rows of pep_hooks.c. */
enum zerr bookmarks_published(struct passage *p, const struct pep_item *item);         /* urn:xmpp:bookmarks:1 */
enum zerr bookmarks_retracted(struct passage *p, struct slice id);
enum zerr bookmarks_emptied(struct passage *p);
enum zerr bookmarks_storage_published(struct passage *p, const struct pep_item *item); /* storage:bookmarks */
