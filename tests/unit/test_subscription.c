/* sm/subscription.c against RFC 6121 appendix A: for each of the eight tables the lines as the RFC
 * prints them: existing state, delivered or routed, new state. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "subscription.h"

static const char *const names[SUB_STATES] = {
    [SUB_NONE] = "None", [SUB_NONE_OUT] = "None + Pending Out", [SUB_NONE_IN] = "None + Pending In",
    [SUB_NONE_OUT_IN] = "None + Pending Out+In", [SUB_TO] = "To", [SUB_TO_IN] = "To + Pending In",
    [SUB_FROM] = "From", [SUB_FROM_OUT] = "From + Pending Out", [SUB_BOTH] = "Both",
};

#define SAME NULL

static const struct table {
    const char        *where;
    enum sub_direction direction;
    unsigned           type;
    struct { const char *state; bool pass; const char *next; } line[SUB_STATES];
} tables[] = {
    { "A.2.1", SUB_OUTBOUND, TYPE_SUBSCRIBE, {
        { "None",                  true, "None + Pending Out" },
        { "None + Pending Out",    true, SAME },
        { "None + Pending In",     true, "None + Pending Out+In" },
        { "None + Pending Out+In", true, SAME },
        { "To",                    true, SAME },
        { "To + Pending In",       true, SAME },
        { "From",                  true, "From + Pending Out" },
        { "From + Pending Out",    true, SAME },
        { "Both",                  true, SAME } } },
    { "A.2.2", SUB_OUTBOUND, TYPE_UNSUBSCRIBE, {
        { "None",                  true, SAME },
        { "None + Pending Out",    true, "None" },
        { "None + Pending In",     true, SAME },
        { "None + Pending Out+In", true, "None + Pending In" },
        { "To",                    true, "None" },
        { "To + Pending In",       true, "None + Pending In" },
        { "From",                  true, SAME },
        { "From + Pending Out",    true, "From" },
        { "Both",                  true, "From" } } },
    { "A.2.3", SUB_OUTBOUND, TYPE_SUBSCRIBED, {
        { "None",                  false, SAME },
        { "None + Pending Out",    false, SAME },
        { "None + Pending In",     true,  "From" },
        { "None + Pending Out+In", true,  "From + Pending Out" },
        { "To",                    false, SAME },
        { "To + Pending In",       true,  "Both" },
        { "From",                  false, SAME },
        { "From + Pending Out",    false, SAME },
        { "Both",                  false, SAME } } },
    { "A.2.4", SUB_OUTBOUND, TYPE_UNSUBSCRIBED, {
        { "None",                  false, SAME },
        { "None + Pending Out",    false, SAME },
        { "None + Pending In",     true,  "None" },
        { "None + Pending Out+In", true,  "None + Pending Out" },
        { "To",                    false, SAME },
        { "To + Pending In",       true,  "To" },
        { "From",                  true,  "None" },
        { "From + Pending Out",    true,  "None + Pending Out" },
        { "Both",                  true,  "To" } } },
    { "A.3.1", SUB_INBOUND, TYPE_SUBSCRIBE, {
        { "None",                  true,  "None + Pending In" },
        { "None + Pending Out",    true,  "None + Pending Out+In" },
        { "None + Pending In",     false, SAME },
        { "None + Pending Out+In", false, SAME },
        { "To",                    true,  "To + Pending In" },
        { "To + Pending In",       false, SAME },
        { "From",                  false, SAME },
        { "From + Pending Out",    false, SAME },
        { "Both",                  false, SAME } } },
    { "A.3.2", SUB_INBOUND, TYPE_UNSUBSCRIBE, {
        { "None",                  false, SAME },
        { "None + Pending Out",    false, SAME },
        { "None + Pending In",     true,  "None" },
        { "None + Pending Out+In", true,  "None + Pending Out" },
        { "To",                    false, SAME },
        { "To + Pending In",       true,  "To" },
        { "From",                  true,  "None" },
        { "From + Pending Out",    true,  "None + Pending Out" },
        { "Both",                  true,  "To" } } },
    { "A.3.3", SUB_INBOUND, TYPE_SUBSCRIBED, {
        { "None",                  false, SAME },
        { "None + Pending Out",    true,  "To" },
        { "None + Pending In",     false, SAME },
        { "None + Pending Out+In", true,  "To + Pending In" },
        { "To",                    false, SAME },
        { "To + Pending In",       false, SAME },
        { "From",                  false, SAME },
        { "From + Pending Out",    true,  "Both" },
        { "Both",                  false, SAME } } },
    { "A.3.4", SUB_INBOUND, TYPE_UNSUBSCRIBED, {
        { "None",                  false, SAME },
        { "None + Pending Out",    true,  "None" },
        { "None + Pending In",     false, SAME },
        { "None + Pending Out+In", true,  "None + Pending In" },
        { "To",                    true,  "None" },
        { "To + Pending In",       true,  "None + Pending In" },
        { "From",                  false, SAME },
        { "From + Pending Out",    true,  "From" },
        { "Both",                  true,  "From" } } },
};

static enum sub_state named(const char *name)
{
    for (unsigned i = 0; i < SUB_STATES; i++)
        if (strcmp(names[i], name) == 0)
            return (enum sub_state)i;
    fail_msg("no state %s", name);
    return SUB_NONE;
}

static void appendix_a_line_by_line(void **state)
{
    (void)state;
    for (size_t t = 0; t < COUNT_OF(tables); t++)
        for (size_t i = 0; i < SUB_STATES; i++) {
            enum sub_state    before = named(tables[t].line[i].state);
            enum sub_state    next = tables[t].line[i].next ? named(tables[t].line[i].next) : before;
            struct sub_result got = sub_rule(tables[t].direction, tables[t].type, before, false);
            if (got.next != next || got.pass != tables[t].line[i].pass)
                fail_msg("%s, %s: %s, %s", tables[t].where, names[before], names[got.next], got.pass ? "pass" : "stop");
        }
}

/* A.3.1 note 2. */
static void who_is_subscribed_already_is_told_so(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SUB_STATES; s++) {
        struct sub_result got = sub_rule(SUB_INBOUND, TYPE_SUBSCRIBE, s, false);
        assert_int_equal(got.reply, s == SUB_FROM || s == SUB_FROM_OUT || s == SUB_BOTH);
    }
}

/* A.2.3 note 1, 3.4.1. */
static void approval_of_nothing_is_a_pre_approval(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SUB_STATES; s++) {
        struct sub_result got = sub_rule(SUB_OUTBOUND, TYPE_SUBSCRIBED, s, false);
        assert_int_equal(got.approved, s == SUB_NONE || s == SUB_NONE_OUT || s == SUB_TO);
        assert_false(sub_rule(SUB_OUTBOUND, TYPE_UNSUBSCRIBED, s, true).approved);
        assert_true(sub_rule(SUB_OUTBOUND, TYPE_SUBSCRIBE, s, true).approved);
    }
}

/* A.3.1 note 1: not delivered, answered, and the state moves on. */
static void a_pre_approved_contact_is_not_asked_about(void **state)
{
    static const struct { enum sub_state before, after; } cases[] = {
        { SUB_NONE, SUB_FROM }, { SUB_NONE_OUT, SUB_FROM_OUT }, { SUB_TO, SUB_BOTH },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sub_result got = sub_rule(SUB_INBOUND, TYPE_SUBSCRIBE, cases[i].before, true);
        assert_int_equal(got.next, cases[i].after);
        assert_false(got.pass);
        assert_true(got.reply);
    }
}

static void states_and_flags_are_two_forms_of_one_thing(void **state)
{
    (void)state;
    for (unsigned s = 0; s < SUB_STATES; s++)
        assert_int_equal(sub_state_of(sub_flags(s), sub_pending_in(s)), s);
    /* A request that waits beside a subscription that stands is none. */
    assert_int_equal(sub_state_of(ROSTER_TO | ROSTER_FROM, true), SUB_BOTH);
    assert_int_equal(sub_state_of(ROSTER_FROM, true), SUB_FROM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appendix_a_line_by_line),
        cmocka_unit_test(who_is_subscribed_already_is_told_so),
        cmocka_unit_test(approval_of_nothing_is_a_pre_approval),
        cmocka_unit_test(a_pre_approved_contact_is_not_asked_about),
        cmocka_unit_test(states_and_flags_are_two_forms_of_one_thing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
