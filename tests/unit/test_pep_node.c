/* sm/pep_node, pep_access: configuration rows and access models, without a store. */

#include "arena_fixture.h"
#include "ns.h"
#include "pep_access.h"

static const struct element *form_of(const char *fields)
{
    const char           *text = arena_printf(arena, "<x xmlns='jabber:x:data' type='submit'>%s</x>", fields);
    const struct element *root = xml_parse_content(arena, slice_str(text), NS_CLIENT, &limits);

    assert_non_null(root);
    return root->children;
}

static const char *one(const char *var, const char *value)
{
    return arena_printf(arena, "<field var='%s'><value>%s</value></field>", var, value);
}

static enum zerr read_over(struct pep_config *c, const char *fields, enum pep_form_use use)
{
    struct slice refused;

    return pep_config_read(arena, form_of(fields), use, c, &refused);
}

static void the_defaults_are_those_of_personal_eventing(void **state)
{
    struct pep_config c;

    (void)state;
    pep_config_preset(&c);
    assert_int_equal(c.access, PEP_PRESENCE);
    assert_int_equal(c.send_last, PEP_LAST_ON_PRESENCE);
    assert_int_equal(c.notification, PEP_HEADLINE);
    assert_true(c.persist && c.deliver && c.payloads && c.subscribe && c.notify_delete && c.notify_retract);
    assert_int_equal(c.max_items, 1);
    assert_int_equal(c.expire, PEP_MAX);
}

static void fields_are_read_by_their_rows(void **state)
{
    static const struct {
        const char *var, *value;
        enum zerr   err;
    } cases[] = {
        { "pubsub#access_model", "whitelist", ZE_OK },
        { "pubsub#access_model", "everybody", ZE_NOT_ACCEPTABLE },
        { "pubsub#persist_items", "true", ZE_OK },
        { "pubsub#persist_items", "0", ZE_OK },
        { "pubsub#persist_items", "yes", ZE_NOT_ACCEPTABLE },
        { "pubsub#max_items", "7", ZE_OK },
        { "pubsub#max_items", "max", ZE_OK },
        { "pubsub#max_items", "-1", ZE_NOT_ACCEPTABLE },
        { "pubsub#max_items", "0", ZE_NOT_ACCEPTABLE },
        { "pubsub#max_items", "99999999999", ZE_NOT_ACCEPTABLE },
        { "pubsub#item_expire", "604800", ZE_OK },
        { "pubsub#send_last_published_item", "never", ZE_OK },
        { "pubsub#node_type", "leaf", ZE_OK },
        { "pubsub#node_type", "collection", ZE_NOT_ACCEPTABLE },
        { "pubsub#publish_model", "open", ZE_NOT_ACCEPTABLE },
        { "pubsub#presence_based_delivery", "false", ZE_OK },
        { "pubsub#title", "my own", ZE_OK },
        { "pubsub#max_items", "", ZE_OK },
    };
    struct pep_config c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        pep_config_preset(&c);
        assert_int_equal(read_over(&c, one(cases[i].var, cases[i].value), PEP_FORM_CONFIGURE), cases[i].err);
    }
}

static void unknown_fields_are_ignored_in_a_configuration_and_refused_as_preconditions(void **state)
{
    struct pep_config c;
    const char       *fields = arena_printf(arena, "%s%s", one("FORM_TYPE", "x"), one("pubsub#colour", "red"));

    (void)state;
    pep_config_preset(&c);
    assert_int_equal(read_over(&c, fields, PEP_FORM_CONFIGURE), ZE_OK);
    assert_int_equal(read_over(&c, fields, PEP_FORM_PRECONDITIONS), ZE_BAD_REQUEST);
    assert_int_equal(read_over(&c, one("FORM_TYPE", "x"), PEP_FORM_PRECONDITIONS), ZE_OK);
}

static void preconditions_are_met_when_nothing_changes(void **state)
{
    struct pep_config have, wanted;

    (void)state;
    pep_config_preset(&have);
    have.max_items = PEP_MAX;
    wanted = have;
    assert_int_equal(read_over(&wanted, one("pubsub#max_items", "max"), PEP_FORM_PRECONDITIONS), ZE_OK);
    assert_int_equal(read_over(&wanted, one("pubsub#persist_items", "true"), PEP_FORM_PRECONDITIONS), ZE_OK);
    assert_true(pep_config_same(arena, &wanted, &have));
    assert_int_equal(read_over(&wanted, one("pubsub#access_model", "open"), PEP_FORM_PRECONDITIONS), ZE_OK);
    assert_false(pep_config_same(arena, &wanted, &have));
}

static void what_is_stored_comes_back(void **state)
{
    const char *fields = "<field var='pubsub#roster_groups_allowed'><value>Friends</value><value>Nurses</value></field>"
                         "<field var='pubsub#access_model'><value>roster</value></field>"
                         "<field var='pubsub#deliver_payloads'><value>0</value></field>"
                         "<field var='pubsub#max_items'><value>max</value></field>"
                         "<field var='pubsub#title'><value>a &amp; b</value></field>";
    struct pep_config c, back;
    struct buf        row = { 0 };

    (void)state;
    pep_config_preset(&c);
    assert_int_equal(read_over(&c, fields, PEP_FORM_CONFIGURE), ZE_OK);
    pep_config_put(&row, arena, &c);
    struct cursor cur = { buf_slice(&row), false };
    assert_true(pep_config_take(&cur, &back));
    assert_true(pep_config_same(arena, &c, &back));
    assert_int_equal(back.max_items, PEP_MAX);
    assert_true(pep_config_group(&back, SLICE("Nurses")));
    assert_false(pep_config_group(&back, SLICE("Nurse")));
    for (size_t cut = 1; cut < buf_len(&row); cut++) {       /* nothing is read out of half a value */
        cur = (struct cursor){ slice_cut(buf_slice(&row), 0, cut), false };
        pep_config_take(&cur, &back);
    }
    cur = (struct cursor){ SLICE("\xfe\x01\x00\x00\x00x"), false };
    assert_false(pep_config_take(&cur, &back));
    buf_free(&row);
}

static void defaults_cost_nothing(void **state)
{
    struct pep_config c;
    struct buf        row = { 0 };

    (void)state;
    pep_config_preset(&c);
    pep_config_put(&row, arena, &c);
    assert_int_equal(buf_len(&row), 0);
    buf_free(&row);
}

static void access_models_decide_as_the_document_says(void **state)
{
    enum { C = PEP_IS_CONTACT, G = PEP_IS_IN_GROUP, M = PEP_IS_MEMBER, S = PEP_IS_SUBSCRIBED };
    static const struct {
        enum pep_access model;
        unsigned        relation;
        enum pep_error  said[PEP_ACTS];            /* subscribe, retrieve, hear */
    } cases[] = {
        { PEP_OPEN, 0, { PEP_OK, PEP_OK, PEP_OK } },
        { PEP_OPEN, PEP_IS_OUTCAST, { PEP_E_OUTCAST, PEP_E_OUTCAST, PEP_E_OUTCAST } },
        { PEP_PRESENCE, 0, { PEP_E_PRESENCE_REQUIRED, PEP_E_PRESENCE_REQUIRED, PEP_E_PRESENCE_REQUIRED } },
        { PEP_PRESENCE, M | S, { PEP_E_PRESENCE_REQUIRED, PEP_E_PRESENCE_REQUIRED, PEP_E_PRESENCE_REQUIRED } },
        { PEP_PRESENCE, C, { PEP_OK, PEP_OK, PEP_OK } },
        { PEP_ROSTER, C, { PEP_E_NOT_IN_GROUP, PEP_E_NOT_IN_GROUP, PEP_E_NOT_IN_GROUP } },
        { PEP_ROSTER, G, { PEP_E_NOT_IN_GROUP, PEP_E_NOT_IN_GROUP, PEP_E_NOT_IN_GROUP } },
        { PEP_ROSTER, C | G, { PEP_OK, PEP_OK, PEP_OK } },
        { PEP_AUTHORIZE, C, { PEP_OK, PEP_E_SUBSCRIBERS_ONLY, PEP_E_SUBSCRIBERS_ONLY } },
        { PEP_AUTHORIZE, S, { PEP_OK, PEP_OK, PEP_E_SUBSCRIBERS_ONLY } },
        { PEP_WHITELIST, C | G, { PEP_E_CLOSED_NODE, PEP_E_CLOSED_NODE, PEP_E_CLOSED_NODE } },
        { PEP_WHITELIST, M, { PEP_OK, PEP_E_SUBSCRIBERS_ONLY, PEP_E_CLOSED_NODE } },
        { PEP_WHITELIST, M | S, { PEP_OK, PEP_OK, PEP_E_CLOSED_NODE } },
        { PEP_WHITELIST, S, { PEP_E_CLOSED_NODE, PEP_E_CLOSED_NODE, PEP_E_CLOSED_NODE } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int act = 0; act < PEP_ACTS; act++) {
            assert_int_equal(pep_access_rule(cases[i].model, (enum pep_act)act, cases[i].relation), cases[i].said[act]);
            assert_int_equal(pep_access_rule(cases[i].model, (enum pep_act)act, PEP_IS_OWNER), PEP_OK);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_personal_eventing),
        cmocka_unit_test(fields_are_read_by_their_rows),
        cmocka_unit_test(unknown_fields_are_ignored_in_a_configuration_and_refused_as_preconditions),
        cmocka_unit_test(preconditions_are_met_when_nothing_changes),
        cmocka_unit_test(what_is_stored_comes_back),
        cmocka_unit_test(defaults_cost_nothing),
        cmocka_unit_test(access_models_decide_as_the_document_says),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
