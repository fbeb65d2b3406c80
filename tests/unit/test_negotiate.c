/* What is legal and what is announced in each state of a client's stream (c2sd/negotiate.h, conn.h),
 * and the SASL allow-list (proto/sasl_list.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "negotiate.h"
#include "ns.h"
#include "sasl_list.h"

enum { FRESH = HAVE_CERTS, SECURE = HAVE_CERTS | HAVE_TLS | HAVE_SAFE, LOGGED_IN = SECURE | HAVE_AUTH };

static bool legal(enum conn_state state, unsigned have, const char *ns, const char *name, bool in_iq)
{
    return element_rule(state, have, slice_str(ns), slice_str(name), in_iq) != NULL;
}

static void name_rule(void *arg, const struct element_rule *rule)
{
    snprintf((char *)arg + strlen(arg), 200 - strlen(arg), "%s ", rule->name);
}

static void announces(enum conn_state state, unsigned have, const char *expected)
{
    char text[200] = "";

    features_each(state, have, name_rule, text);
    assert_string_equal(text, expected);
}

static void each_step_announces_what_is_legal_then(void **state)
{
    (void)state;
    announces(CONN_FEATURES, FRESH, "starttls limits ");
    announces(CONN_FEATURES, FRESH | HAVE_REGISTRATION, "starttls limits ");
    announces(CONN_FEATURES, SECURE, "auth sasl-channel-binding authenticate limits ");
    announces(CONN_FEATURES, SECURE | HAVE_REGISTRATION, "auth sasl-channel-binding authenticate query limits ");
    announces(CONN_FEATURES, HAVE_CERTS | HAVE_SAFE, "starttls auth limits ");
    announces(CONN_FEATURES, HAVE_SAFE, "auth limits ");
    announces(CONN_FEATURES, LOGGED_IN, "bind session resume active ver sub limits c ");
    announces(CONN_ACTIVE, LOGGED_IN, "resume active ver sub limits c ");       /* behind <success/> of XEP-0388 */
}

static void what_is_announced_can_be_done(void **state)
{
    (void)state;
    assert_true(legal(CONN_FEATURES, FRESH, NS_TLS, "starttls", false));
    assert_true(legal(CONN_FEATURES, SECURE, NS_SASL, "auth", false));
    assert_true(legal(CONN_SASL, SECURE, NS_SASL, "response", false));
    assert_true(legal(CONN_SASL, SECURE, NS_SASL, "abort", false));
    assert_true(legal(CONN_FEATURES, SECURE, NS_SASL2, "authenticate", false));
    assert_true(legal(CONN_FEATURES, LOGGED_IN, NS_BIND, "bind", true));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_SESSION, "session", true));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_SM, "enable", false));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_SM, "a", false));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_SM, "r", false));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_CSI, "active", false));
    assert_true(legal(CONN_ACTIVE, LOGGED_IN, NS_CSI, "inactive", false));
    assert_false(legal(CONN_FEATURES, LOGGED_IN, NS_CSI, "inactive", false));
}

static const struct element_rule *sm_rule(enum conn_state state, unsigned have, const char *name)
{
    return element_rule(state, have, SLICE(NS_SM), slice_str(name), false);
}

static void stream_management_out_of_order_is_refused_and_no_more(void **state)
{
    const struct element_rule *unexpected = sm_rule(CONN_FEATURES, LOGGED_IN, "enable");

    (void)state;
    assert_non_null(unexpected);
    assert_ptr_equal(sm_rule(CONN_FEATURES, SECURE, "enable")->handle, unexpected->handle);
    assert_ptr_equal(sm_rule(CONN_FEATURES, SECURE, "resume")->handle, unexpected->handle);
    assert_ptr_equal(sm_rule(CONN_FEATURES, LOGGED_IN, "r")->handle, unexpected->handle);
    assert_ptr_equal(sm_rule(CONN_ACTIVE, LOGGED_IN, "resume")->handle, unexpected->handle);
    assert_ptr_not_equal(sm_rule(CONN_FEATURES, LOGGED_IN, "resume")->handle, unexpected->handle);
    assert_ptr_not_equal(sm_rule(CONN_ACTIVE, LOGGED_IN, "enable")->handle, unexpected->handle);
}

/* XEP-0077 3.1: it is told so, and the stream goes on. */
static void registration_that_is_closed_is_answered(void **state)
{
    struct slice               ns = SLICE(NS_REGISTER), name = SLICE("query");
    const struct element_rule *open = element_rule(CONN_FEATURES, SECURE | HAVE_REGISTRATION, ns, name, true);
    const struct element_rule *closed = element_rule(CONN_FEATURES, SECURE, ns, name, true);

    (void)state;
    assert_non_null(closed);
    assert_ptr_not_equal(closed->handle, open->handle);
    assert_null(closed->feature);
    assert_null(element_rule(CONN_FEATURES, LOGGED_IN, ns, name, true));
}

static void nothing_is_legal_out_of_order(void **state)
{
    (void)state;
    assert_false(legal(CONN_FEATURES, SECURE, NS_TLS, "starttls", false));
    assert_false(legal(CONN_FEATURES, HAVE_SAFE, NS_TLS, "starttls", false));
    assert_false(legal(CONN_FEATURES, SECURE, NS_SASL, "response", false));
    assert_false(legal(CONN_FEATURES, LOGGED_IN, NS_SASL, "auth", false));
    assert_false(legal(CONN_FEATURES, SECURE, NS_BIND, "bind", true));
    assert_false(legal(CONN_FEATURES, LOGGED_IN, NS_BIND, "bind", false));
    assert_false(legal(CONN_FEATURES, FRESH | HAVE_REGISTRATION, NS_REGISTER, "query", true));
    assert_false(legal(CONN_FEATURES, LOGGED_IN, NS_SESSION, "session", true));
    assert_false(legal(CONN_OPENING, LOGGED_IN, NS_BIND, "bind", true));
    assert_false(legal(CONN_FEATURES, SECURE, NS_TLS, "auth", false));
    assert_false(legal(CONN_FEATURES, LOGGED_IN, NS_SASL2, "authenticate", false));
    assert_false(legal(CONN_SASL, SECURE | HAVE_SASL2, NS_SASL2, "authenticate", false));
}

static void the_two_profiles_do_not_mix(void **state)
{
    static const char *const both[] = { "response", "abort" }, *const second[] = { "next", "task-data" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(legal(CONN_SASL, SECURE | HAVE_SASL2, NS_SASL2, both[i], false));
        assert_false(legal(CONN_SASL, SECURE | HAVE_SASL2, NS_SASL, both[i], false));
        assert_false(legal(CONN_SASL, SECURE, NS_SASL2, both[i], false));
        assert_true(legal(CONN_SASL, SECURE | HAVE_SASL2, NS_SASL2, second[i], false));
        assert_false(legal(CONN_SASL, SECURE, NS_SASL2, second[i], false));
    }
}

static const struct element_rule *rule_of(unsigned have)
{
    return element_rule(CONN_FEATURES, have, SLICE(NS_SASL), SLICE("auth"), false);
}

static void auth_before_tls_has_an_answer_of_its_own(void **state)
{
    const struct element_rule *early = rule_of(FRESH);
    const struct element_rule *later = rule_of(SECURE);

    (void)state;
    assert_non_null(early);
    assert_ptr_not_equal(early->handle, later->handle);
    assert_null(early->feature);
}

static void states_change_only_along_the_edges(void **state)
{
    (void)state;
    assert_true(conn_may_enter(CONN_OPENING, CONN_FEATURES));
    assert_true(conn_may_enter(CONN_FEATURES, CONN_TLS));
    assert_true(conn_may_enter(CONN_TLS, CONN_OPENING));
    assert_true(conn_may_enter(CONN_SASL, CONN_OPENING));
    assert_true(conn_may_enter(CONN_BINDING, CONN_ACTIVE));
    assert_true(conn_may_enter(CONN_FEATURES, CONN_RESUMING));
    assert_true(conn_may_enter(CONN_RESUMING, CONN_ACTIVE));
    assert_true(conn_may_enter(CONN_RESUMING, CONN_FEATURES));
    assert_false(conn_may_enter(CONN_ACTIVE, CONN_RESUMING));
    assert_false(conn_may_enter(CONN_OPENING, CONN_ACTIVE));
    assert_false(conn_may_enter(CONN_FEATURES, CONN_ACTIVE));
    assert_false(conn_may_enter(CONN_SASL, CONN_ACTIVE));
    assert_false(conn_may_enter(CONN_ACTIVE, CONN_FEATURES));
    for (int next = 0; next < CONN_STATES; next++)
        assert_false(conn_may_enter(CONN_CLOSED, (enum conn_state)next));
    for (int from = 0; from < CONN_CLOSED; from++)
        assert_true(conn_may_enter((enum conn_state)from, CONN_CLOSED));
}

static void versions_before_1_0_are_not_spoken(void **state)
{
    static const char *const good[] = { "1.0", "1.1", "1.37", "2.0", "10.0", "01.0" };
    static const char *const bad[] = { "", "0.9", "1", "1.", ".0", "a.b", "1.0 ", "-1.0", "00.9", "1.x" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(version_speaks(slice_str(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(version_speaks(slice_str(bad[i])));
}

static void offers(struct sasl_stream stream, const char *expected)
{
    char text[200] = "";

    for (const struct sasl_mechanism *m = sasl_list; m->name; m++)
        if (sasl_may(m, &stream))
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", m->name);
    assert_string_equal(text, expected);
}

static void mechanisms_depend_on_the_stream(void **state)
{
    (void)state;
    offers((struct sasl_stream){ 0 }, "");
    offers((struct sasl_stream){ .secure = true, .binding = true },
           "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-1 PLAIN ");
    offers((struct sasl_stream){ .secure = true }, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN ");
    offers((struct sasl_stream){ .clear_allowed = true }, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN ");
    offers((struct sasl_stream){ .binding = true }, "");
    offers((struct sasl_stream){ .secure = true, .certificate = true },
           "EXTERNAL SCRAM-SHA-256 SCRAM-SHA-1 PLAIN ");
    offers((struct sasl_stream){ .clear_allowed = true, .certificate = true }, "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN ");
    assert_null(sasl_find(SLICE("CRAM-MD5"), &(struct sasl_stream){ .secure = true }));
    assert_null(sasl_find(SLICE("SCRAM-SHA-1-PLUS"), &(struct sasl_stream){ .secure = true }));
    assert_non_null(sasl_find(SLICE("PLAIN"), &(struct sasl_stream){ .secure = true }));
    assert_null(sasl_find(SLICE("plain"), &(struct sasl_stream){ .secure = true }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_announces_what_is_legal_then),
        cmocka_unit_test(what_is_announced_can_be_done),
        cmocka_unit_test(the_two_profiles_do_not_mix),
        cmocka_unit_test(registration_that_is_closed_is_answered),
        cmocka_unit_test(nothing_is_legal_out_of_order),
        cmocka_unit_test(stream_management_out_of_order_is_refused_and_no_more),
        cmocka_unit_test(auth_before_tls_has_an_answer_of_its_own),
        cmocka_unit_test(states_change_only_along_the_edges),
        cmocka_unit_test(versions_before_1_0_are_not_spoken),
        cmocka_unit_test(mechanisms_depend_on_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
