/* Both ends of a channel by themselves (proto/channel.c, proto/intake.c): what tests/model does not reach
 * for its small numbers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "channel.h"

static struct channel c;
static struct intake  in;

static struct kept *message(uint64_t tag)
{
    struct frame f = frame_make(FRAME_STANZA);

    f.stanza.name = STANZA_MESSAGE;
    f.number = c.next;
    struct kept *k = kept_new(&f);
    k->tag = tag;
    return k;
}

static unsigned forget(struct kept *chain)
{
    unsigned count = 0;

    while (chain) {
        struct kept *k = chain;
        chain = k->next;
        free(k);
        count++;
    }
    return count;
}

static int start(void **state)
{
    (void)state;
    channel_init(&c);
    in = (struct intake){ 0 };
    return 0;
}

static int end(void **state)
{
    (void)state;
    forget(channel_take(&c, channel_is_any, 0));
    channel_free(&c);
    intake_free(&in);
    return 0;
}

/* Steps of the channel into the receiving end; how many frames were new. */
static unsigned pass_all(unsigned *syncs, unsigned *voids)
{
    struct channel_step step;
    unsigned            news = 0;

    while (channel_step(&c, &step)) {
        if (step.kind == STEP_SYNC) {
            intake_sync(&in, 1, step.first, step.last);
            ++*syncs;
        } else if (step.kind == STEP_VOID) {
            intake_void(&in, 1, step.first, step.last);
            ++*voids;
        } else {
            news += intake_take(&in, 1, step.kept->number) == INTAKE_NEW;
        }
    }
    return news;
}

/* Every CONFIRM that the receiving end has to say; how many frames were let go. */
static unsigned confirm_all(unsigned *said_frames)
{
    struct confirm said;
    unsigned       gone = 0;
    bool           more;

    do {
        struct buf body = { 0 };
        more = intake_confirm(&in, &body);
        assert_true(confirm_read(buf_slice(&body), &said));
        gone += forget(channel_confirm(&c, &said, true));
        buf_free(&body);
        ++*said_frames;
    } while (more);
    return gone;
}

enum { MANY = 5000 };

static void thousands_are_confirmed_out_of_order(void **state)
{
    (void)state;
    unsigned syncs = 0, voids = 0, frames = 0;

    for (uint64_t n = 1; n <= MANY; n++)
        channel_enter(&c, message(n));
    assert_int_equal(pass_all(&syncs, &voids), MANY);
    for (uint64_t n = 2; n <= MANY; n += 2)
        intake_done(&in, 1, n);
    assert_int_equal(in.count, MANY / 2);
    assert_int_equal(confirm_all(&frames), MANY / 2);
    assert_int_equal(frames, 3);                        /* 1000 ranges in each */
    frames = 0;
    assert_int_equal(confirm_all(&frames), 0);          /* nothing is told twice */
    assert_int_equal(frames, 1);
    assert_true(c.base == 1 && c.count == MANY / 2);
    channel_cut(&c);                                    /* a new receiver: each hole has to be filled */
    assert_true(channel_join(&c, 7, 1));
    in.life = 2;
    syncs = voids = 0;
    assert_int_equal(pass_all(&syncs, &voids), MANY / 2);
    assert_true(syncs == 1 && voids == MANY / 2);
    assert_int_equal(in.seen, MANY);
    for (uint64_t n = 1; n < MANY; n += 2)
        intake_done(&in, 1, n);
    assert_true(in.done == MANY && in.count == 0);
    assert_int_equal(confirm_all(&frames), MANY / 2);
    assert_true(c.base == MANY + 1 && c.count == 0 && c.bytes == 0);
}

static void after_a_sync_all_is_told_again(void **state)
{
    (void)state;
    unsigned syncs = 0, voids = 0, frames = 0;

    for (uint64_t n = 1; n <= MANY; n++)
        channel_enter(&c, message(n));
    pass_all(&syncs, &voids);
    for (uint64_t n = 2; n <= MANY; n += 2)
        intake_done(&in, 1, n);
    struct buf lost = { 0 };
    while (intake_confirm(&in, &lost))                  /* CONFIRMs that went down with the router */
        continue;
    buf_free(&lost);
    assert_true(channel_join(&c, 8, 1));
    assert_int_equal(pass_all(&syncs, &voids), 0);      /* all of it was seen */
    assert_int_equal(confirm_all(&frames), MANY / 2);
}

static void put_back_in_any_order(void **state)
{
    static const uint64_t numbers[] = { 40, 12, 90, 13 };
    struct channel_step   step;

    (void)state;
    channel_put_back_end(&c, 100, 95);
    assert_true(c.base == 100 && c.next == 100);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct kept *k = message(i);
        k->number = numbers[i];
        channel_put_back(&c, k);
    }
    channel_put_back_end(&c, c.next, c.left);
    assert_true(c.base == 12 && c.next == 100 && c.left == 95 && c.count == 4);
    assert_true(channel_step(&c, &step) && step.kind == STEP_SYNC && step.first == 12 && step.last == 11);
    assert_true(channel_step(&c, &step) && step.kept->number == 12);
    assert_true(channel_step(&c, &step) && step.kept->number == 13);
    assert_true(channel_step(&c, &step) && step.kind == STEP_VOID && step.first == 14 && step.last == 39);
}

static void an_answer_is_asked_for_in_time(void **state)
{
    (void)state;
    struct channel_step step;
    unsigned            syncs = 0, voids = 0, frames = 0;

    assert_false(channel_tick(&c, &step));
    channel_enter(&c, message(1));
    pass_all(&syncs, &voids);
    assert_false(channel_tick(&c, &step));
    assert_false(channel_tick(&c, &step));
    assert_true(channel_tick(&c, &step));
    assert_true(step.kind == STEP_SYNC && step.first == 1 && step.last == 1);
    intake_done(&in, 1, 1);
    assert_int_equal(confirm_all(&frames), 1);
    for (int i = 0; i < 10; i++)
        assert_false(channel_tick(&c, &step));
}

static void bodies_are_checked(void **state)
{
    (void)state;
    struct buf     body = { 0 };
    struct confirm said;
    uint64_t       first, sent;

    sync_write(&body, 5, 4);
    assert_true(sync_read(buf_slice(&body), &first, &sent) && first == 5 && sent == 4);
    assert_false(sync_read(slice_cut(buf_slice(&body), 0, 15), &first, &sent));
    buf_reset(&body, 64);
    sync_write(&body, 5, 3);
    assert_false(sync_read(buf_slice(&body), &first, &sent));
    buf_reset(&body, 64);
    sync_write(&body, 0, 3);
    assert_false(sync_read(buf_slice(&body), &first, &sent));
    buf_reset(&body, 64);
    intake_confirm(&in, &body);
    for (size_t len = 0; len < buf_len(&body); len++)
        assert_false(confirm_read(slice_cut(buf_slice(&body), 0, len), &said));
    assert_true(confirm_read(buf_slice(&body), &said));
    buf_put_u8(&body, 0);
    assert_false(confirm_read(buf_slice(&body), &said));
    buf_free(&body);
}

static void ranges_join(void **state)
{
    (void)state;
    intake_sync(&in, 1, 1, 0);
    for (uint64_t n = 1; n <= 9; n++)
        assert_int_equal(intake_take(&in, 1, n), INTAKE_NEW);
    intake_done(&in, 1, 3);
    intake_done(&in, 1, 7);
    intake_done(&in, 1, 5);
    assert_int_equal(in.count, 3);
    intake_done(&in, 1, 4);
    assert_true(in.count == 2 && in.ranges[0].first == 3 && in.ranges[0].last == 5);
    intake_done(&in, 1, 10);                            /* not seen: nothing */
    intake_done(&in, 2, 1);                             /* of another life */
    assert_int_equal(in.done, 0);
    intake_done(&in, 1, 1);
    intake_done(&in, 1, 2);
    assert_true(in.done == 5 && in.count == 1);
    intake_sync(&in, 1, 9, 8);                          /* the sender keeps nothing below 9 */
    assert_true(in.done == 5 && in.seen == 9);
}

#define CHANNEL_TEST(test) cmocka_unit_test_setup_teardown(test, start, end)

/* A receiver that has seen a frame does it in its turn; one that joins anew may have to get it again. */
static void what_is_seen_is_known_until_the_next_join(void **state)
{
    (void)state;
    unsigned syncs = 0, voids = 0, frames = 0;

    for (uint64_t n = 1; n <= 3; n++) {
        channel_enter(&c, message(n));
        c.ring[n & (c.room - 1)]->serial = n + 10;
    }
    assert_true(channel_keeps_before(&c, 11) && channel_unseen_before(&c, 11));
    assert_false(channel_keeps_before(&c, 10) || channel_unseen_before(&c, 10));
    pass_all(&syncs, &voids);
    assert_true(channel_unseen_before(&c, 13));         /* nobody has said so */
    intake_done(&in, 1, 2);
    assert_int_equal(confirm_all(&frames), 1);
    assert_true(channel_keeps_before(&c, 13));
    assert_false(channel_unseen_before(&c, 13));
    channel_enter(&c, message(4));
    c.ring[4 & (c.room - 1)]->serial = 14;
    assert_true(channel_unseen_before(&c, 14));
    assert_false(channel_unseen_before(&c, 13));
    assert_true(channel_join(&c, 7, 1));
    assert_true(channel_unseen_before(&c, 13));
}

/* What another life has seen is seen by nobody who is there. */
static void what_another_life_has_seen_does_not_count(void **state)
{
    (void)state;
    struct confirm said = { .life = 1, .seen = 1 };
    unsigned       syncs = 0, voids = 0;

    channel_enter(&c, message(1));
    pass_all(&syncs, &voids);
    assert_null(channel_confirm(&c, &said, false));
    assert_true(channel_unseen_before(&c, 0));
    assert_null(channel_confirm(&c, &said, true));
    assert_false(channel_unseen_before(&c, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANNEL_TEST(thousands_are_confirmed_out_of_order),
        CHANNEL_TEST(after_a_sync_all_is_told_again),
        CHANNEL_TEST(put_back_in_any_order),
        CHANNEL_TEST(an_answer_is_asked_for_in_time),
        CHANNEL_TEST(bodies_are_checked),
        CHANNEL_TEST(ranges_join),
        CHANNEL_TEST(what_is_seen_is_known_until_the_next_join),
        CHANNEL_TEST(what_another_life_has_seen_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
