/* Both ends of a channel under whatever another daemon may say (proto/channel.h, proto/intake.h): SYNC, CONFIRM,
 * VOID and numbers in any order. The input is a list of acts: one byte what, then its body. */

#include <stdlib.h>

#include "channel.h"
#include "cursor.h"

static struct channel c;
static struct intake  in;

static void check(void)
{
    size_t count = 0;

    for (uint64_t n = c.base; n < c.next; n++)
        count += c.ring[n & (c.room - 1)] != NULL;
    if (c.base > c.next || c.cursor > c.next || count != c.count || (c.count == 0) != (c.bytes == 0))
        abort();
    if (in.done > in.seen)
        abort();
    for (size_t i = 0; i < in.count; i++)
        if (in.ranges[i].first > in.ranges[i].last || in.ranges[i].last > in.seen
            || in.ranges[i].first <= (i ? in.ranges[i - 1].last : in.done) + 1)
            abort();
}

static void forget(struct kept *chain)
{
    while (chain) {
        struct kept *k = chain;
        chain = k->next;
        free(k);
    }
}

static void enter_one(void)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = STANZA_MESSAGE;
    f.number = c.next;
    if (c.next - c.base < 1000)
        channel_enter(&c, kept_new(&f));
}

static void step_all(void)
{
    struct channel_step step;

    while (channel_step(&c, &step))
        continue;
}

static void say(void)
{
    struct buf body = { 0 };

    for (int i = 0; i < 4 && intake_confirm(&in, &body); i++)
        buf_reset(&body, 64);
    buf_free(&body);
}

/* What the link lets through (link_in.c). */
static void hear(unsigned act, struct slice body)
{
    struct cursor  cur = { body, false };
    struct confirm said;
    uint64_t       first, last;

    switch (act) {
    case 0:
        if (sync_read(body, &first, &last))
            intake_sync(&in, 1 + body.p[7] % 2, first, last);
        break;
    case 1:
        if (confirm_read(body, &said))
            forget(channel_confirm(&c, &said, body.p[0] & 1));
        break;
    case 2:
        first = take_u64(&cur);
        last = take_u64(&cur);
        if (first && last >= first && last < UINT64_MAX)
            intake_void(&in, 1, first, last);
        break;
    case 3:
        first = take_u64(&cur);
        if (first && intake_take(&in, 1, first) == INTAKE_NEW && !(first & 1))
            intake_done(&in, 1, first);
        break;
    case 4:
        intake_done(&in, 1, take_u64(&cur));
        break;
    case 5:
        channel_join(&c, 1 + take_u8(&cur), 1);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor input = { slice_of(data, size), false };

    channel_init(&c);
    in = (struct intake){ 0 };
    while (input.rest.len && !input.bad) {
        unsigned act = take_u8(&input), len = take_u8(&input);
        enter_one();
        if (act & 8)
            step_all();
        if (act & 16)
            say();
        hear(act & 7, take_bytes(&input, len < input.rest.len ? len : input.rest.len));
        check();
    }
    forget(channel_take(&c, channel_is_any, 0));
    channel_free(&c);
    intake_free(&in);
    return 0;
}
