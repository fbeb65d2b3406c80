/* What else happens when a client changes a node of its own account: conversions to and from older places, one row
 * each (pep.h). */

#include "pep_hooks.h"

#include "avatars.h"
#include "bookmarks.h"
#include "ns.h"
#include "vcard4.h"

static const struct pep_hook rows[] = {
    { NS_BOOKMARKS_2, bookmarks_published, bookmarks_retracted, bookmarks_emptied },
    { NS_BOOKMARKS, bookmarks_storage_published, NULL, NULL },
    { NS_AVATAR, avatar_published, avatar_retracted, avatar_emptied },
    { NODE_VCARD4, vcard4_published, vcard4_retracted, vcard4_emptied },
    { 0 },
};

enum zerr pep_hook_published(struct passage *p, const struct pep_item *item)
{
    enum zerr err = ZE_OK;

    for (const struct pep_hook *row = rows; row->node && !err; row++)
        if (row->published && slice_is(item->node, row->node))
            err = row->published(p, item);
    return err;
}

enum zerr pep_hook_retracted(struct passage *p, struct slice node, struct slice id)
{
    enum zerr err = ZE_OK;

    for (const struct pep_hook *row = rows; row->node && !err; row++)
        if (row->retracted && slice_is(node, row->node))
            err = row->retracted(p, id);
    return err;
}

enum zerr pep_hook_emptied(struct passage *p, struct slice node)
{
    enum zerr err = ZE_OK;

    for (const struct pep_hook *row = rows; row->node && !err; row++)
        if (row->emptied && slice_is(node, row->node))
            err = row->emptied(p);
    return err;
}
