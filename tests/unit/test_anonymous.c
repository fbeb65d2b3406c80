/* sm/anonymous: names of sessions without an account. sm/sasl: ANONYMOUS (RFC 4505). */

#include "sasl_rig.h"

#include "anonymous.h"

static struct slice bare_of(char *room, size_t size, const char *name, const char *domain)
{
    snprintf(room, size, "%s@%s", name, domain);
    return slice_str(room);
}

static void a_name_is_known_for_what_it_is(void **state)
{
    struct sm_store *s = &((struct talk *)*state)->f->store;
    char             name[ANONYMOUS_NAME + 1], other[ANONYMOUS_NAME + 1], jid[128];

    for (int i = 0; i < 100; i++) {
        anonymous_name(s, SLICE("example.org"), name);
        assert_int_equal(strlen(name), ANONYMOUS_NAME);
        assert_int_equal(name[14], '8');
        assert_non_null(strchr("89ab", name[19]));
        assert_true(anonymous_is(s, bare_of(jid, sizeof(jid), name, "example.org")));
        assert_false(anonymous_is(s, bare_of(jid, sizeof(jid), name, "example.net")));
    }
    anonymous_name(s, SLICE("example.org"), other);
    assert_string_not_equal(name, other);
}

static void another_name_is_not(void **state)
{
    struct sm_store *s = &((struct talk *)*state)->f->store;
    char             name[ANONYMOUS_NAME + 1], jid[128];

    anonymous_name(s, SLICE("example.org"), name);
    for (size_t i = 0; i < ANONYMOUS_NAME; i++) {
        char was = name[i];
        name[i] = was == '0' ? '1' : '0';
        assert_false(anonymous_is(s, bare_of(jid, sizeof(jid), name, "example.org")));
        name[i] = 'X';
        assert_false(anonymous_is(s, bare_of(jid, sizeof(jid), name, "example.org")));
        name[i] = was;
    }
    name[35] = 0;
    assert_false(anonymous_is(s, bare_of(jid, sizeof(jid), name, "example.org")));
    assert_false(anonymous_is(s, SLICE("juliet@example.org")));
    assert_false(anonymous_is(s, SLICE("example.org")));
}

static void no_account_gets_such_a_name(void **state)
{
    struct talk   *t = *state;
    struct outcome o = { 0 };
    char           name[ANONYMOUS_NAME + 1], jid[128];

    anonymous_name(&t->f->store, SLICE("example.org"), name);
    account_create(&t->f->store, t->f->loop, bare_of(jid, sizeof(jid), name, "example.org"), SLICE("secret"), 4096, note, &o);
    turn_until(t->f->loop, &o, 1);
    assert_int_equal(o.last, ZE_CONFLICT);
}

static unsigned admitted;

static const char *admit(void *arg, const struct auth_start *start, struct jid *out, const char **text)
{
    const char *refused = arg;

    admitted++;
    *text = refused ? "no" : NULL;
    assert_true(slice_is(start->domain, "example.org"));
    return refused ? refused : jid_make(SLICE("somebody"), start->domain, SLICE(""), out) ? "malformed-request" : NULL;
}

static void without_somebody_to_admit_there_is_no_anonymous(void **state)
{
    begin_with(*state, hello("ANONYMOUS"), SLICE("trace"));
    expect_refused(*state, "invalid-mechanism");
}

static void the_one_who_admits_says_who_it_is(void **state)
{
    static char  too_many[] = "temporary-auth-failure";
    struct talk *t = *state;

    sasl_admit(t->sasl, admit, NULL);
    struct auth_start start = hello("ANONYMOUS");
    begin(t, &start);                               /* nothing said: no challenge asks for it */
    assert_int_equal(t->outcome, SASL_OK);
    assert_string_equal(t->jid, "somebody@example.org");
    begin_with(t, hello("ANONYMOUS"), SLICE("sirhc"));
    assert_int_equal(t->outcome, SASL_OK);
    sasl_admit(t->sasl, admit, too_many);
    begin_with(t, hello("ANONYMOUS"), SLICE("sirhc"));
    expect_refused(t, "temporary-auth-failure");
}

static void trace_information_has_its_form(void **state)
{
    struct talk *t = *state;
    char         trace[512];
    unsigned     before;

    sasl_admit(t->sasl, admit, NULL);
    memset(trace, 'x', sizeof(trace));
    before = admitted;
    begin_with(t, hello("ANONYMOUS"), slice_of(trace, 256));
    expect_refused(t, "malformed-request");
    begin_with(t, hello("ANONYMOUS"), SLICE("a\nb"));
    expect_refused(t, "malformed-request");
    begin_with(t, hello("ANONYMOUS"), SLICE("\xff"));
    expect_refused(t, "malformed-request");
    assert_int_equal(admitted, before);
    begin_with(t, hello("ANONYMOUS"), slice_of(trace, 255));
    assert_int_equal(t->outcome, SASL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SASL(a_name_is_known_for_what_it_is),
        SASL(another_name_is_not),
        SASL(no_account_gets_such_a_name),
        SASL(without_somebody_to_admit_there_is_no_anonymous),
        SASL(the_one_who_admits_says_who_it_is),
        SASL(trace_information_has_its_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
