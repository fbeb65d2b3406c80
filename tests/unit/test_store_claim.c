/* Who may write for a slot (store_claim): the record in the environment decides. */

#include "store_fixture.h"

/* Slots by parity, so that the test needs no hash. */
static uint32_t by_parity(const uint32_t *members, size_t count, unsigned slot)
{
    return members[slot % count];
}

static void open_as(struct fixture *f, uint32_t instance)
{
    store_close(&f->store);
    f->spec.owner_of = by_parity;
    f->spec.instance = instance;
    fixture_open(f);
}

static void begin_write_for(struct fixture *f, unsigned slot, const char *owner, struct outcome *o)
{
    struct store_batch *b = store_batch(slice_str(owner));
    struct buf          key = { 0 };

    store_key(&key, slot, SLICE("k"));
    store_put(b, FIRST, buf_slice(&key), SLICE("v"));
    buf_free(&key);
    store_commit(f->store, &b, note, o);
}

static enum zerr write_for(struct fixture *f, unsigned slot, const char *owner)
{
    struct outcome o = { 0 };

    begin_write_for(f, slot, owner, &o);
    turn_until(f->loop, &o, 1);
    return o.last;
}

static const struct store_members one_5 = { 5, 1, 0, { 1 }, { 0 } }, two_6 = { 6, 2, 0, { 1, 2 }, { 0 } },
                                  one_7 = { 7, 1, 0, { 1 }, { 0 } }, moving_8 = { 8, 2, 1, { 1, 2 }, { 1 } },
                                  two_8 = { 8, 2, 0, { 1, 2 }, { 0 } };

static void one_that_slept_through_a_change_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    fixture_start(&f);
    open_as(&f, 1);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);           /* nobody has claimed anything */
    store_claim(f.store, &one_5);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);

    open_as(&f, 2);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_STALE);        /* not a member yet */
    store_claim(f.store, &two_6);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);
    assert_int_equal(write_for(&f, 8, "c@b"), ZE_STALE);        /* the other one's */

    open_as(&f, 1);
    store_claim(f.store, &one_5);                               /* what it remembers */
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_STALE);
    assert_int_equal(write_for(&f, 8, "c@b"), ZE_OK);
    assert_int_equal(write_for(&f, 7, ""), ZE_OK);              /* a fact of the whole environment */
    store_claim(f.store, &one_7);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);
    fixture_end(&f);
}

static void during_a_change_both_owners_may_write(void **state)
{
    struct fixture f;

    (void)state;
    fixture_start(&f);
    open_as(&f, 1);
    store_claim(f.store, &moving_8);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);
    open_as(&f, 2);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);
    assert_int_equal(write_for(&f, 8, "c@b"), ZE_STALE);
    store_claim(f.store, &two_8);                               /* settled */
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_OK);
    open_as(&f, 1);
    store_claim(f.store, &moving_8);
    assert_int_equal(write_for(&f, 7, "a@b"), ZE_STALE);
    fixture_end(&f);
}

/* A transaction asks once whose a slot is. */
static void of_a_group_each_batch_is_judged_by_its_slot(void **state)
{
    enum { SLOTS_TRIED = 5000, TIMES = 3 };    /* more than there are: any bytes may be in front of a key */
    static struct outcome told[SLOTS_TRIED];
    struct fixture        f;

    (void)state;
    memset(told, 0, sizeof(told));
    fixture_start(&f);
    open_as(&f, 2);
    store_claim(f.store, &two_6);
    for (unsigned i = 0; i < SLOTS_TRIED * TIMES; i++) {
        char owner[16];
        snprintf(owner, sizeof(owner), "o%u", i);
        begin_write_for(&f, i % SLOTS_TRIED, owner, &told[i % SLOTS_TRIED]);
    }
    for (unsigned slot = 0; slot < SLOTS_TRIED; slot++) {
        turn_until(f.loop, &told[slot], TIMES);
        assert_int_equal(told[slot].last, slot % 2 ? ZE_OK : ZE_STALE);
    }
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_slept_through_a_change_is_refused),
        cmocka_unit_test(during_a_change_both_owners_may_write),
        cmocka_unit_test(of_a_group_each_batch_is_judged_by_its_slot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
