#pragma once

/* Avatars in two places kept in step (XEP-0398): the nodes of XEP-0084 and the photo of the vCard (XEP-0153). */

#include "buf.h"
#include "pep.h"
#include "vcard.h"

/* A client has put this photo into the vCard (NULL: one that is not there any more); p->out has it already. */
enum zerr avatar_from_vcard(struct passage *p, const struct vcard_photo *photo);
/* May that bare JID read the account's avatar? */
bool avatar_may_read(struct sm *sm, struct store_view *view, struct slice owner, struct slice who);
/* The image in a base64 text with any white space; false: there is none. */
bool avatar_bytes(struct arena *arena, struct slice text, struct buf *out);
/* XEP-0398 4: what an available presence with this content shall say instead. hash: of the account's photo, or
 * NULL. `content` itself when nothing is to be changed. Pure. */
struct slice avatar_stamp(struct arena *arena, struct slice content, const struct xml_limits *limits,
                          const uint8_t *hash);

/* Rows of pep_hooks.c, for the node of the metadata. */
enum zerr avatar_published(struct passage *p, const struct pep_item *item);
enum zerr avatar_retracted(struct passage *p, struct slice id);
enum zerr avatar_emptied(struct passage *p);
