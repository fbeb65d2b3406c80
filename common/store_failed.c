/* Owners of failed batches (store_inner.h): what they handed in before they heard of it fails too. */

#include "store_inner.h"

#include <stdlib.h>

#include "mem.h"

static struct failed_owner *failing_find(struct writer *w, struct slice owner)
{
    LIST_EACH(&w->failed, node)
        if (slice_eq(LIST_OWNER(node, struct failed_owner, link)->owner, owner))
            return LIST_OWNER(node, struct failed_owner, link);
    return NULL;
}

void failing_add(struct writer *w, struct slice owner)
{
    struct failed_owner *f = failing_find(w, owner);

    if (!f) {
        f = xcalloc(1, sizeof *f + owner.len);
        if (owner.len)
            memcpy(f + 1, owner.p, owner.len);
        f->owner = slice_of(f + 1, owner.len);
        list_append(&w->failed, &f->link);
    }
    f->untold++;
}

void failing_purge(struct writer *w)
{
    LIST_EACH(&w->failed, node) {
        struct failed_owner *f = LIST_OWNER(node, struct failed_owner, link);

        if (f->untold > 0 || f->until > w->seen_seq)
            continue;
        list_remove(node);
        free(f);
    }
}

/* The owner is about to hear of it: what he handed in until now was built on what has failed. */
void failing_told(struct store *store, const struct store_batch *b)
{
    struct writer *w = &store->writer;

    pthread_mutex_lock(&w->mutex);
    struct failed_owner *f = failing_find(w, b->owner);
    if (f) {
        f->untold--;
        f->until = store->seq;
    }
    failing_purge(w);
    pthread_mutex_unlock(&w->mutex);
}

bool failed_any(struct store *store)
{
    struct writer *w = &store->writer;

    pthread_mutex_lock(&w->mutex);
    bool any = !list_empty(&w->failed);
    pthread_mutex_unlock(&w->mutex);
    return any;
}

bool owner_failed(struct store *store, bool any, const struct store_batch *failed_here, const struct store_batch *b)
{
    struct writer *w = &store->writer;

    for (const struct store_batch *earlier = failed_here; earlier; earlier = earlier->failed_before)
        if (slice_eq(earlier->owner, b->owner))
            return true;
    if (!any)
        return false;
    pthread_mutex_lock(&w->mutex);
    const struct failed_owner *f = failing_find(w, b->owner);
    bool                  failed = f && (f->untold > 0 || b->seq <= f->until);
    pthread_mutex_unlock(&w->mutex);
    return failed;
}
