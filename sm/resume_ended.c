/* Ids of sessions that ended, with the last h, for those who come too late to resume (XEP-0198 5).
 * ENDED, by number: u8 format 1, u32 h, sized id, sized owner. */

#include "resume_inner.h"

#include <stdlib.h>

#include "list.h"
#include "log.h"
#include "sm_live.h"
#include "table.h"

enum { FORMAT = 1 };

struct ended_one {
    struct list link;
    uint64_t    number;        /* of its row */
    uint32_t    h;
    uint16_t    id_len, owner_len;
    char        text[];        /* id, owner */
};

struct ended {
    struct live  *live;
    struct table *by_id;
    struct list   oldest_first;
    uint64_t      last;
};

static void remember(struct ended *e, uint64_t number, struct slice id, struct slice owner, uint32_t h)
{
    struct ended_one *one = xcalloc(1, sizeof(*one) + id.len + owner.len);

    one->number = e->last = number;
    one->h = h;
    one->id_len = (uint16_t)id.len;
    one->owner_len = (uint16_t)owner.len;
    memcpy(one->text, id.p, id.len);
    memcpy(one->text + id.len, owner.p, owner.len);
    table_put(e->by_id, id, one);
    list_append(&e->oldest_first, &one->link);
}

static int restore(void *arg, struct slice key, struct slice value)
{
    struct cursor c = { value, false };
    uint8_t       format = take_u8(&c);
    uint32_t      h = take_u32(&c);
    struct slice  id = take_sized(&c), owner = take_sized(&c);

    if (format == FORMAT && cursor_done(&c) && id.len && owner.len)
        remember(arg, live_key_u64(key), id, owner, h);
    else
        log_error("ended_row_unreadable", "bytes", log_num((int64_t)value.len), NULL);
    return 0;
}

struct ended *ended_new(struct live *live)
{
    struct ended *e = xcalloc(1, sizeof(*e));

    e->live = live;
    e->by_id = table_new();
    list_init(&e->oldest_first);
    live_each(live, L_ENDED, restore, e);
    return e;
}

static struct slice id_of(const struct ended_one *one)
{
    return slice_of(one->text, one->id_len);
}

static void drop(struct ended *e, struct ended_one *one)
{
    table_remove(e->by_id, id_of(one));
    list_remove(&one->link);
    free(one);
}

static void forget(struct ended *e, struct ended_one *one)
{
    live_delete_u64(e->live, L_ENDED, one->number);
    drop(e, one);
}

void ended_free(struct ended **ep)
{
    struct ended *e = *ep;

    if (!e)
        return;
    while (!list_empty(&e->oldest_first))
        drop(e, LIST_OWNER(e->oldest_first.next, struct ended_one, link));
    table_free(&e->by_id);
    free(e);
    *ep = NULL;
}

static void put_row(struct ended *e, struct slice id, struct slice owner, uint32_t h)
{
    struct buf row = { 0 };

    buf_put_u8(&row, FORMAT);
    buf_put_u32(&row, h);
    buf_put_sized(&row, id);
    buf_put_sized(&row, owner);
    live_put_u64(e->live, L_ENDED, e->last, buf_slice(&row));
    buf_free(&row);
}

void ended_put(struct ended *e, struct slice id, struct slice owner, uint32_t h, size_t max)
{
    while (table_count(e->by_id) && table_count(e->by_id) >= max)
        forget(e, LIST_OWNER(e->oldest_first.next, struct ended_one, link));
    if (!max)
        return;
    remember(e, e->last + 1, id, owner, h);
    put_row(e, id, owner, h);
}

bool ended_get(const struct ended *e, struct slice id, struct slice owner, uint32_t *h)
{
    const struct ended_one *one = table_get(e->by_id, id);

    if (!one || !slice_eq(slice_of(one->text + one->id_len, one->owner_len), owner))
        return false;
    *h = one->h;
    return true;
}
