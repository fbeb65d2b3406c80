#pragma once

/* A vCard in the forms that clients know: vcard-temp (XEP-0054) and vCard4 (XEP-0292). What both forms have a
 * word for is converted (XEP-0292 11: names, addresses, numbers); the rest stays where it is: photos
 * are kept in step as avatars (avatars.h). Pure. */

#include "element.h"
#include "xml_write.h"

/* Has this child of a <vCard/>, of a <vcard/>, a counterpart? */
bool vcard4_maps_temp(const struct element *child);
bool vcard4_maps(const struct element *child);

/* Into an open element of the other form: what has a counterpart and says something, in a fixed order, so
 * that two vCards that say the same give the same text. vcard may be NULL. */
void vcard4_write(struct xml_writer *w, struct arena *arena, const struct element *vcard_temp);
void vcard4_write_temp(struct xml_writer *w, struct arena *arena, const struct element *vcard);
