/* XEP-0045 section 5: every cell of its tables, typed from the document. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "privileges.h"

/* 5.1.1, columns None Visitor Participant Moderator; y yes, n no, Y "Yes*", N "No*". */
static void role_privileges_are_those_of_the_table(void **state)
{
    static const char *const table[ROLE_PRIVILEGES] = {
        "nyyy",   /* Present in Room */
        "nyyy",   /* Receive Messages */
        "nyyy",   /* Receive Occupant Presence */
        "nYyy",   /* Broadcast Presence to All Occupants */
        "nYyy",   /* Change Availability Status */
        "nYyy",   /* Change Room Nickname */
        "nYyy",   /* Send Private Messages */
        "nYYy",   /* Invite Other Users */
        "nnyy",   /* Send Messages to All */
        "nNYy",   /* Modify Subject */
        "nnny",   /* Kick Participants and Visitors */
        "nnny",   /* Grant Voice */
        "nnny",   /* Revoke Voice */
    };
    static const char letters[] = { [NO] = 'n', [NOT_YET] = 'N', [UNLESS] = 'Y', [YES] = 'y' };

    (void)state;
    for (int what = 0; what < ROLE_PRIVILEGES; what++)
        for (int role = 0; role < MUC_ROLES; role++)
            assert_int_equal(letters[role_verdict((enum muc_role)role, (enum role_privilege)what)],
                             table[what][role]);
}

/* 5.2.1, columns Outcast None Member Admin Owner. */
static void affiliation_privileges_are_those_of_the_table(void **state)
{
    static const char *const table[AFFILIATION_PRIVILEGES] = {
        "nyyyy",   /* Enter Open Room */
        "nynnn",   /* Register with Open Room (N/A for who is somebody) */
        "nnyyy",   /* Retrieve Member List */
        "nnyyy",   /* Enter Members-Only Room */
        "nnnyy",   /* Ban Members and Unaffiliated Users */
        "nnnyy",   /* Edit Member List */
        "nnnyy",   /* Assign and Remove Moderator Role */
        "nnnny",   /* Edit Admin List */
        "nnnny",   /* Edit Owner List */
        "nnnny",   /* Change Room Configuration */
        "nnnny",   /* Destroy Room */
    };

    (void)state;
    for (int what = 0; what < AFFILIATION_PRIVILEGES; what++)
        for (int who = 0; who < AFFILIATIONS; who++)
            assert_int_equal(affiliation_may((enum affiliation)who, (enum affiliation_privilege)what),
                             table[what][who] == 'y');
}

/* 5.1.2, columns None Member Admin Owner; an outcast never enters. */
static void the_role_on_entry_is_that_of_the_table(void **state)
{
    static const struct {
        bool moderated, members_only;
        enum muc_role roles[4];
    } table[] = {
        { true, false, { MUC_VISITOR, MUC_PARTICIPANT, MUC_MODERATOR, MUC_MODERATOR } },
        { false, false, { MUC_PARTICIPANT, MUC_PARTICIPANT, MUC_MODERATOR, MUC_MODERATOR } },
        { false, true, { MUC_NONE, MUC_PARTICIPANT, MUC_MODERATOR, MUC_MODERATOR } },
        { true, true, { MUC_NONE, MUC_PARTICIPANT, MUC_MODERATOR, MUC_MODERATOR } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        for (int who = AFF_NONE; who <= AFF_OWNER; who++)
            assert_int_equal(role_on_entry((enum affiliation)who, table[i].moderated, table[i].members_only),
                             table[i].roles[who - AFF_NONE]);
        assert_int_equal(role_on_entry(AFF_OUTCAST, table[i].moderated, table[i].members_only), MUC_NONE);
    }
}

/* 5.2.2: '-' nothing changes, 'a' admin or owner, 'o' owner only. Rows from, columns to. */
static void affiliations_change_as_the_chart_says(void **state)
{
    static const char *const chart[AFFILIATIONS] = {
        "-aaoo",   /* Outcast */
        "a-aoo",   /* None */
        "aa-oo",   /* Member */
        "ooo-o",   /* Admin */
        "oooo-",   /* Owner */
    };

    (void)state;
    for (int from = 0; from < AFFILIATIONS; from++)
        for (int to = 0; to < AFFILIATIONS; to++) {
            char cell = chart[from][to];

            assert_int_equal(affiliation_change(AFF_OWNER, (enum affiliation)from, (enum affiliation)to, false, false),
                             ZE_OK);
            assert_int_equal(affiliation_change(AFF_ADMIN, (enum affiliation)from, (enum affiliation)to, false,
                                                false) == ZE_OK, cell != 'o');
            for (int actor = AFF_OUTCAST; actor <= AFF_MEMBER; actor++)
                assert_int_equal(affiliation_change((enum affiliation)actor, (enum affiliation)from,
                                                    (enum affiliation)to, false, false), ZE_FORBIDDEN);
        }
}

static void nobody_bans_himself_or_leaves_the_room_without_owner(void **state)
{
    (void)state;
    assert_int_equal(affiliation_change(AFF_OWNER, AFF_OWNER, AFF_OUTCAST, true, false), ZE_CONFLICT);
    assert_int_equal(affiliation_change(AFF_ADMIN, AFF_ADMIN, AFF_OUTCAST, true, false), ZE_CONFLICT);
    assert_int_equal(affiliation_change(AFF_OWNER, AFF_OWNER, AFF_ADMIN, true, true), ZE_CONFLICT);
    assert_int_equal(affiliation_change(AFF_OWNER, AFF_OWNER, AFF_ADMIN, true, false), ZE_OK);
    /* 9.1: an admin who bans an owner. */
    assert_int_equal(affiliation_change(AFF_ADMIN, AFF_OWNER, AFF_OUTCAST, false, false), ZE_NOT_ALLOWED);
    /* 10.6: an admin who makes an admin. */
    assert_int_equal(affiliation_change(AFF_ADMIN, AFF_MEMBER, AFF_ADMIN, false, false), ZE_FORBIDDEN);
}

static enum zerr by(enum muc_role role, enum affiliation affiliation, enum muc_role target_role,
                    enum affiliation target, enum muc_role to)
{
    return role_change((struct rank){ role, affiliation }, (struct rank){ target_role, target }, to);
}

static void who_is_no_moderator_changes_no_role(void **state)
{
    (void)state;
    for (int role = MUC_NONE; role < MUC_MODERATOR; role++)
        for (int affiliation = AFF_NONE; affiliation <= AFF_MEMBER; affiliation++)
            for (int target = MUC_VISITOR; target < MUC_ROLES; target++)
                for (int to = MUC_NONE; to < MUC_ROLES; to++)
                    assert_int_equal(by((enum muc_role)role, (enum affiliation)affiliation, (enum muc_role)target,
                                        AFF_NONE, (enum muc_role)to), ZE_FORBIDDEN);
}

/* 5.1.3 for a target without affiliation: 'm' a moderator may, 'a' only an admin or owner. */
static void roles_change_as_the_chart_says(void **state)
{
    static const char *const chart[MUC_ROLES] = {
        [MUC_VISITOR] = "m-ma",
        [MUC_PARTICIPANT] = "mm-a",
        [MUC_MODERATOR] = "aaa-",
    };

    (void)state;
    for (int from = MUC_VISITOR; from < MUC_ROLES; from++)
        for (int to = MUC_NONE; to < MUC_ROLES; to++) {
            char cell = chart[from][to];

            assert_int_equal(by(MUC_MODERATOR, AFF_NONE, (enum muc_role)from, AFF_NONE, (enum muc_role)to) == ZE_OK,
                             cell != 'a');
            assert_int_equal(by(MUC_MODERATOR, AFF_ADMIN, (enum muc_role)from, AFF_NONE, (enum muc_role)to), ZE_OK);
            assert_int_equal(by(MUC_MODERATOR, AFF_OWNER, (enum muc_role)from, AFF_NONE, (enum muc_role)to), ZE_OK);
        }
}

static void nobody_acts_upon_a_higher_affiliation(void **state)
{
    (void)state;
    for (int actor = AFF_NONE; actor <= AFF_OWNER; actor++)
        for (int target = actor + 1; target <= AFF_OWNER; target++) {
            assert_int_equal(by(MUC_MODERATOR, (enum affiliation)actor, MUC_PARTICIPANT, (enum affiliation)target,
                                MUC_NONE), ZE_NOT_ALLOWED);
            assert_int_equal(by(MUC_MODERATOR, (enum affiliation)actor, MUC_PARTICIPANT, (enum affiliation)target,
                                MUC_VISITOR), ZE_NOT_ALLOWED);
        }
    /* 8.4: not even an owner takes the voice of an admin. */
    assert_int_equal(by(MUC_MODERATOR, AFF_OWNER, MUC_PARTICIPANT, AFF_ADMIN, MUC_VISITOR), ZE_NOT_ALLOWED);
    /* 9.7: nor is an admin made less than a moderator. */
    assert_int_equal(by(MUC_MODERATOR, AFF_OWNER, MUC_MODERATOR, AFF_ADMIN, MUC_PARTICIPANT), ZE_NOT_ALLOWED);
    assert_int_equal(by(MUC_MODERATOR, AFF_MEMBER, MUC_PARTICIPANT, AFF_MEMBER, MUC_VISITOR), ZE_NOT_ALLOWED);
    assert_int_equal(by(MUC_MODERATOR, AFF_OWNER, MUC_MODERATOR, AFF_ADMIN, MUC_NONE), ZE_OK);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < MUC_ROLES; i++)
        assert_int_equal(role_from_text(slice_str(role_text((enum muc_role)i))), i);
    for (int i = 0; i < AFFILIATIONS; i++)
        assert_int_equal(affiliation_from_text(slice_str(affiliation_text((enum affiliation)i))), i);
    assert_int_equal(role_from_text(SLICE("king")), -1);
    assert_int_equal(affiliation_from_text(SLICE("")), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(role_privileges_are_those_of_the_table),
        cmocka_unit_test(affiliation_privileges_are_those_of_the_table),
        cmocka_unit_test(the_role_on_entry_is_that_of_the_table),
        cmocka_unit_test(affiliations_change_as_the_chart_says),
        cmocka_unit_test(nobody_bans_himself_or_leaves_the_room_without_owner),
        cmocka_unit_test(who_is_no_moderator_changes_no_role),
        cmocka_unit_test(roles_change_as_the_chart_says),
        cmocka_unit_test(nobody_acts_upon_a_higher_affiliation),
        cmocka_unit_test(names_go_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
