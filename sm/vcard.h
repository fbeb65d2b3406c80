#pragma once

/* vcard-temp (XEP-0054): one element an account, and the SHA-1 of the photo in it (XEP-0153). */

#include "feature.h"

enum { PHOTO_HASH = 20 };

/* A photo as it stands in a vCard. p of both NULL: none. */
struct vcard_photo {
    struct slice type;             /* "image/png" */
    struct slice bytes;            /* the image itself, in the arena */
    uint8_t      hash[PHOTO_HASH]; /* of the image */
};

/* The <vCard/> in a row of T_VCARD, p NULL: none that can be read, or not by `who` (a bare JID). */
struct slice vcard_of_row(struct sm *sm, struct store_view *view, struct slice owner, struct slice row,
                          struct slice who);
/* The photo's hash; false: there is no vCard, or none of it that can be read. */
bool vcard_photo_hash(const struct sm *sm, struct store_view *view, struct slice owner, uint8_t hash[PHOTO_HASH]);
/* In p->out, the vCard of p->owner with that photo in the place of the one it had (NULL: with none). A vCard that
 * becomes too large for limits.vcard_max goes without a photo. */
void vcard_set_photo(struct passage *p, const struct vcard_photo *photo);
/* The same for what this <vcard/> (XEP-0292; NULL: none) has a word for. One that becomes too large stays as it was. */
void vcard_set_fields(struct passage *p, const struct element *vcard4);
