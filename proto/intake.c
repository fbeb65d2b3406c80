/* The receiving end of one channel (intake.h). */

#include "intake.h"

#include <stdlib.h>

#include "mem.h"

enum { CONFIRM_RESEND = 1, RANGES_A_FRAME = 1000 };

/* ---- what is done ---- */

static struct done_range *room_for(struct done_range **list, size_t count, size_t *room)
{
    if (count == *room) {
        *room = *room ? *room * 2 : 8;
        *list = xrealloc(*list, *room * sizeof(**list));
    }
    return *list + count;
}

/* Place of the first range that ends at or after `number`. */
static size_t range_place(const struct intake *i, uint64_t number)
{
    size_t low = 0, high = i->count;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (i->ranges[mid].last < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool is_done(const struct intake *i, uint64_t number)
{
    size_t at = range_place(i, number);

    return number <= i->done || (at < i->count && i->ranges[at].first <= number);
}

static void remove_ranges(struct intake *i, size_t at, size_t count)
{
    if (!count)
        return;
    memmove(i->ranges + at, i->ranges + at + count, (i->count - at - count) * sizeof(*i->ranges));
    i->count -= count;
}

/* Joins it with those it touches. */
static void add_range(struct intake *i, uint64_t first, uint64_t last)
{
    size_t at = range_place(i, first - 1), end = at;

    for (; end < i->count && i->ranges[end].first <= last + 1; end++) {
        if (i->ranges[end].first < first)
            first = i->ranges[end].first;
        if (i->ranges[end].last > last)
            last = i->ranges[end].last;
    }
    if (end == at) {
        room_for(&i->ranges, i->count, &i->room);
        memmove(i->ranges + at + 1, i->ranges + at, (i->count - at) * sizeof(*i->ranges));
        i->count++;
    } else {
        remove_ranges(i, at + 1, end - at - 1);
    }
    i->ranges[at] = (struct done_range){ first, last };
}

static void mark_done(struct intake *i, uint64_t first, uint64_t last)
{
    if (first > i->done + 1) {
        add_range(i, first, last);
        *room_for(&i->news, i->news_count, &i->news_room) = (struct done_range){ first, last };
        i->news_count++;
        return;
    }
    if (last > i->done)
        i->done = last;
    size_t passed = 0;
    for (; passed < i->count && i->ranges[passed].first <= i->done + 1; passed++)
        if (i->ranges[passed].last > i->done)
            i->done = i->ranges[passed].last;
    remove_ranges(i, 0, passed);
    if (!i->count)
        i->news_count = 0;
}

void intake_done(struct intake *i, uint64_t life, uint64_t number)
{
    if (i->life == life && number > i->done && number <= i->seen)
        mark_done(i, number, number);
}

/* ---- what comes ---- */

static void reset(struct intake *i, uint64_t life, uint64_t done)
{
    i->life = life;
    i->seen = i->done = done;
    i->asked = i->ask = i->all = false;
    i->count = i->news_count = 0;
}

void intake_free(struct intake *i)
{
    free(i->ranges);
    free(i->news);
    *i = (struct intake){ 0 };
}

/* The sender keeps nothing below `first`: whatever is missing there will never come. What it keeps and we
 * have seen is told by the answer. */
void intake_sync(struct intake *i, uint64_t life, uint64_t first, uint64_t sent)
{
    if (i->life != life)
        reset(i, life, first - 1);
    if (first - 1 > i->seen) {
        uint64_t missing = i->seen + 1;
        i->seen = first - 1;
        mark_done(i, missing, first - 1);
    }
    i->asked = i->ask = i->seen < sent;
    i->all = true;
}

static enum intake_verdict judge(struct intake *i, uint64_t life, uint64_t first, uint64_t last)
{
    if (i->life != life)
        reset(i, life, 0);
    if (first > i->seen + 1) {
        i->ask |= !i->asked;
        i->asked = true;
        return INTAKE_GAP;
    }
    if (last <= i->seen)
        return INTAKE_DUPLICATE;
    i->asked = i->ask = false;
    return INTAKE_NEW;
}

enum intake_verdict intake_take(struct intake *i, uint64_t life, uint64_t number)
{
    enum intake_verdict verdict = judge(i, life, number, number);

    if (verdict != INTAKE_NEW)
        return verdict;
    i->seen = number;
    return is_done(i, number) ? INTAKE_DUPLICATE : INTAKE_NEW;
}

enum intake_verdict intake_void(struct intake *i, uint64_t life, uint64_t first, uint64_t last)
{
    enum intake_verdict verdict = judge(i, life, first, last);

    if (verdict != INTAKE_NEW)
        return verdict;
    first = i->seen + 1;
    i->seen = last;
    mark_done(i, first, last);
    return INTAKE_NEW;
}

void intake_restore(struct intake *i, uint64_t life, uint64_t done)
{
    reset(i, life, done);
}

void intake_restore_range(struct intake *i, uint64_t first, uint64_t last)
{
    add_range(i, first, last);
}

/* ---- what is said ---- */

bool intake_confirm(struct intake *i, struct buf *body)
{
    const struct done_range *list = i->all ? i->ranges : i->news;
    size_t total = i->all ? i->count : i->news_count;
    size_t count = total < RANGES_A_FRAME ? total : RANGES_A_FRAME;

    buf_put_u64(body, i->life);
    buf_put_u64(body, i->done);
    buf_put_u64(body, i->seen);
    buf_put_u8(body, i->ask ? CONFIRM_RESEND : 0);
    buf_put_u16(body, (uint16_t)count);
    for (size_t n = total - count; n < total; n++) {
        buf_put_u64(body, list[n].first);
        buf_put_u64(body, list[n].last);
    }
    i->ask = false;
    if (i->all) {       /* what is left of it is news */
        i->all = false;
        i->news_count = 0;
        for (size_t n = 0; n < total - count; n++)
            *room_for(&i->news, i->news_count++, &i->news_room) = list[n];
    } else {
        i->news_count -= count;
    }
    return i->news_count > 0;
}

bool confirm_read(struct slice body, struct confirm *out)
{
    struct cursor c = { body, false };

    out->life = take_u64(&c);
    out->done = take_u64(&c);
    out->seen = take_u64(&c);
    out->resend = take_u8(&c) & CONFIRM_RESEND;
    size_t count = take_u16(&c);
    out->ranges = take_bytes(&c, count * 16);
    return cursor_done(&c);
}

bool confirm_next(struct confirmed *each, uint64_t *first, uint64_t *last)
{
    struct cursor c = { slice_cut(each->said->ranges, each->at, each->said->ranges.len), false };

    if (!c.rest.len)
        return false;
    *first = take_u64(&c);
    *last = take_u64(&c);
    each->at += 16;
    return true;
}

void sync_write(struct buf *body, uint64_t first, uint64_t sent)
{
    buf_put_u64(body, first);
    buf_put_u64(body, sent);
}

bool sync_read(struct slice body, uint64_t *first, uint64_t *sent)
{
    struct cursor c = { body, false };

    *first = take_u64(&c);
    *sent = take_u64(&c);
    return cursor_done(&c) && *first && *sent >= *first - 1;
}
