/* sm/deliver.c against table 1 of RFC 6121 8.5.5 and the rules of 8.5.1-8.5.4, written as rows of letters:
 * one row for each situation, one letter for each kind of stanza. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver.h"

/* S silently ignored, E error, O offline, D to the session, A all available, M all non-negative,
 * R ignored but a room of ours is told, - cannot be.
 *                      normal chat groupchat headline error | presence unavailable | iq iq-reply */
static const struct row {
    enum deliver_who    who;
    enum deliver_target target;
    const char         *letters;
} rows[] = {
    /* the account does not exist: as when nobody is there */
    { WHO_NO_USER,   TARGET_BARE,     "OOESS" "SS" "ES" },
    { WHO_NO_USER,   TARGET_NO_MATCH, "EOESS" "RS" "ES" },
    { WHO_NO_USER,   TARGET_MATCH,    "-----" "--" "--" },
    /* it exists, no available resource */
    { WHO_NOBODY,    TARGET_BARE,     "OOESS" "SS" "ES" },
    { WHO_NOBODY,    TARGET_NO_MATCH, "EOESS" "RS" "ES" },
    { WHO_NOBODY,    TARGET_MATCH,    "DDDDD" "DD" "QD" },
    /* negative priorities only */
    { WHO_NEGATIVE,  TARGET_BARE,     "OOESS" "AA" "ES" },
    { WHO_NEGATIVE,  TARGET_MATCH,    "DDDDD" "DD" "QD" },
    { WHO_NEGATIVE,  TARGET_NO_MATCH, "EOESS" "RS" "ES" },
    /* at least one non-negative priority */
    { WHO_RECEPTIVE, TARGET_BARE,     "MMEMS" "AA" "ES" },
    { WHO_RECEPTIVE, TARGET_MATCH,    "DDDDD" "DD" "QD" },
    { WHO_RECEPTIVE, TARGET_NO_MATCH, "EMESS" "RS" "ES" },
};

static const char letter[] = {
    [ACT_IMPOSSIBLE] = '-', [ACT_DROP] = 'S', [ACT_REFUSE] = 'E', [ACT_STORE] = 'O', [ACT_SESSION] = 'D',
    [ACT_RECEPTIVE] = 'M', [ACT_AVAILABLE] = 'A', [ACT_ABSENT] = 'R', [ACT_ASK] = 'Q',
};

static void every_cell_is_what_the_rfc_says(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(rows), DELIVER_WHO * DELIVER_TARGETS);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (unsigned kind = 0; kind < DELIVER_KINDS; kind++) {
            char got = letter[deliver_rule((enum deliver_kind)kind, rows[i].target, rows[i].who)];
            if (got != rows[i].letters[kind])
                fail_msg("who %d, target %d, kind %u: %c, expected %c", rows[i].who, rows[i].target, kind, got,
                         rows[i].letters[kind]);
        }
}

static void no_user_cannot_be_told_from_nobody(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < DELIVER_KINDS; kind++) {
        assert_int_equal(deliver_rule(kind, TARGET_BARE, WHO_NO_USER), deliver_rule(kind, TARGET_BARE, WHO_NOBODY));
        assert_int_equal(deliver_rule(kind, TARGET_NO_MATCH, WHO_NO_USER),
                         deliver_rule(kind, TARGET_NO_MATCH, WHO_NOBODY));
    }
}

static void stanzas_have_their_kind(void **state)
{
    static const struct { uint8_t name, type; enum deliver_kind kind; } cases[] = {
        { STANZA_MESSAGE, TYPE_NORMAL, DELIVER_NORMAL },
        { STANZA_MESSAGE, TYPE_CHAT, DELIVER_CHAT },
        { STANZA_MESSAGE, TYPE_GROUPCHAT, DELIVER_GROUPCHAT },
        { STANZA_MESSAGE, TYPE_HEADLINE, DELIVER_HEADLINE },
        { STANZA_MESSAGE, TYPE_ERROR, DELIVER_MESSAGE_ERROR },
        { STANZA_PRESENCE, TYPE_NONE, DELIVER_PRESENCE },
        { STANZA_PRESENCE, TYPE_ERROR, DELIVER_PRESENCE },
        { STANZA_PRESENCE, TYPE_UNAVAILABLE, DELIVER_UNAVAILABLE },
        { STANZA_IQ, TYPE_GET, DELIVER_IQ },
        { STANZA_IQ, TYPE_SET, DELIVER_IQ },
        { STANZA_IQ, TYPE_RESULT, DELIVER_IQ_REPLY },
        { STANZA_IQ, TYPE_ERROR, DELIVER_IQ_REPLY },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct stanza s = { .name = cases[i].name, .type = cases[i].type };
        assert_int_equal(deliver_kind_of(&s), cases[i].kind);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_what_the_rfc_says),
        cmocka_unit_test(no_user_cannot_be_told_from_nobody),
        cmocka_unit_test(stanzas_have_their_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
