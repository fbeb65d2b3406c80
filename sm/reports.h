#pragma once

/* Reports of abuse that come with a block (XEP-0377). */

#include "feature.h"

/* Each <report/> in the items of a <block/> goes to the admins of the owner's domain, as a message after the
 * commit. A report that is none, or one too many, changes nothing about the block (XEP-0377 6). */
void reports_take(struct iq *iq);
