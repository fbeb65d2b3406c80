/* Questions that wait for an answer (pending.h). Two tables: by number, and by asker, so that the
 * death of one session among many costs no walk over everybody's questions. */

#include "pending.h"

#include <stdlib.h>

#include "encode.h"
#include "mem.h"
#include "table.h"

struct pending {
    struct loop  *loop;
    struct table *by_id, *by_owner;
};

struct wait {
    struct list     link;        /* of its asker's */
    struct timer    deadline;
    struct pending *pending;
    uint64_t        id;
    void           *owner;
    answer_fn      *then;
};

static struct slice id_key(const uint64_t *id)
{
    return slice_of(id, sizeof(*id));
}

static struct slice owner_key(const void *const *owner)
{
    return slice_of(owner, sizeof(*owner));
}

struct pending *pending_new(struct loop *loop)
{
    struct pending *p = xcalloc(1, sizeof(*p));

    p->loop = loop;
    p->by_id = table_new();
    p->by_owner = table_new();
    return p;
}

void pending_free(struct pending **p)
{
    if (!*p)
        return;
    for (struct table_iter i = { 0 }; table_next((*p)->by_id, &i);) {
        timer_disarm(&((struct wait *)i.value)->deadline);
        free(i.value);
    }
    table_free(&(*p)->by_id);
    table_free_values(&(*p)->by_owner, free);
    free(*p);
    *p = NULL;
}

/* Takes it out of both tables; it is the caller's to free. */
static void take_out(struct wait *w)
{
    struct pending *p = w->pending;
    const void     *owner = w->owner;
    struct list    *waits = table_get(p->by_owner, owner_key(&owner));

    table_remove(p->by_id, id_key(&w->id));
    timer_disarm(&w->deadline);
    list_remove(&w->link);
    if (waits && list_empty(waits)) {
        table_remove(p->by_owner, owner_key(&owner));
        free(waits);
    }
}

static void end(struct wait *w, const void *answer, enum zerr why)
{
    take_out(w);
    w->then(w->owner, answer, why);
    free(w);
}

static void on_deadline(void *arg)
{
    end(arg, NULL, ZE_TIMEOUT);
}

void pending_again(struct pending *p, uint64_t id, void *owner, answer_fn *then, uint64_t ms)
{
    struct wait *w = xcalloc(1, sizeof(*w));
    const void  *asker = owner;
    struct list *waits = table_get(p->by_owner, owner_key(&asker));

    if (!waits) {
        waits = xmalloc(sizeof(*waits));
        list_init(waits);
        table_put(p->by_owner, owner_key(&asker), waits);
    }
    *w = (struct wait){ .pending = p, .id = id, .owner = owner, .then = then,
                        .deadline = { .fire = on_deadline, .arg = w } };
    list_append(waits, &w->link);
    table_put(p->by_id, id_key(&w->id), w);
    timer_arm(p->loop, &w->deadline, ms);
}

/* Far from any that another life of this instance can have reached: an answer that comes late must not
 * meet a new question. 62 bits are 19 digits. */
static uint64_t next_id(void)
{
    static uint64_t last_id;

    if (!last_id) {
        random_bytes(&last_id, sizeof(last_id));
        last_id >>= 2;
    }
    return ++last_id;
}

uint64_t pending_add(struct pending *p, void *owner, answer_fn *then, uint64_t ms)
{
    uint64_t id = next_id();

    pending_again(p, id, owner, then, ms);
    return id;
}

bool pending_answer(struct pending *p, uint64_t id, const void *answer)
{
    struct wait *w = table_get(p->by_id, id_key(&id));

    if (!w)
        return false;
    end(w, answer, ZE_OK);
    return true;
}

void pending_forget(struct pending *p, const void *owner)
{
    struct list *waits;

    while ((waits = table_get(p->by_owner, owner_key(&owner))) != NULL) {
        struct wait *w = LIST_OWNER(waits->next, struct wait, link);

        take_out(w);
        free(w);
    }
}

size_t pending_count(const struct pending *p)
{
    return table_count(p->by_id);
}
