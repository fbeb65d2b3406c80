/* sm/ticket: a ticket is good once, for a minute, for one connection of one JID. */

#include "sm_fixture.h"

#include "sasl.h"

#define NOW 1795230000000000

static const struct ticket_claim claim = { SLICE_INIT("juliet@example.org"), 7, 0x1122334455667788, 42 };

static struct buf fresh(struct sm_fixture *f)
{
    struct buf ticket = { 0 };

    ticket_make(&f->store, &claim, NOW, &ticket);
    return ticket;
}

static void a_ticket_is_good_once(void **state)
{
    struct sm_fixture *f = *state;
    struct buf         first = fresh(f), second = fresh(f);

    assert_int_equal(ticket_check(&f->store, buf_slice(&first), &claim, NOW + 59000000), ZE_OK);
    assert_int_equal(ticket_check(&f->store, buf_slice(&first), &claim, NOW + 59000000), ZE_NOT_AUTHORIZED);
    assert_int_equal(ticket_check(&f->store, buf_slice(&second), &claim, NOW + 60000000), ZE_OK);
    assert_int_equal(ticket_check(&f->store, buf_slice(&first), &claim, NOW + 60000000), ZE_NOT_AUTHORIZED);
    buf_free(&first);
    buf_free(&second);
}

static void it_is_for_one_minute(void **state)
{
    struct sm_fixture *f = *state;
    struct buf         ticket = fresh(f);

    assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &claim, NOW + 60000001), ZE_NOT_AUTHORIZED);
    assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &claim, NOW), ZE_OK);
    buf_free(&ticket);
}

static void it_is_for_nobody_else_and_no_other_connection(void **state)
{
    struct sm_fixture *f = *state;
    struct buf         ticket = fresh(f);

    for (int i = 0; i < 4; i++) {
        struct ticket_claim other = claim;
        if (i == 0)
            other.jid = SLICE("romeo@example.org");
        other.instance += i == 1;
        other.incarnation += i == 2;
        other.handle += i == 3;
        assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &other, NOW), ZE_NOT_AUTHORIZED);
    }
    assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &claim, NOW), ZE_OK);
    buf_free(&ticket);
}

static void a_changed_or_cut_one_is_forged(void **state)
{
    struct sm_fixture *f = *state;
    struct buf         ticket = fresh(f);
    size_t             len = buf_len(&ticket);

    for (size_t i = 0; i < len; i++) {
        ticket.bytes[ticket.start + i] ^= 1;
        assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &claim, NOW), ZE_NOT_AUTHORIZED);
        ticket.bytes[ticket.start + i] ^= 1;
        assert_int_equal(ticket_check(&f->store, slice_cut(buf_slice(&ticket), 0, i), &claim, NOW), ZE_NOT_AUTHORIZED);
    }
    assert_int_equal(ticket_check(&f->store, buf_slice(&ticket), &claim, NOW), ZE_OK);
    buf_free(&ticket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ticket_is_good_once, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(it_is_for_one_minute, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(it_is_for_nobody_else_and_no_other_connection, sm_start, sm_end),
        cmocka_unit_test_setup_teardown(a_changed_or_cut_one_is_forged, sm_start, sm_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
