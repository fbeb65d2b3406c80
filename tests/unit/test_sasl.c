/* sm/sasl: whole exchanges against GNU SASL's client side, and what a hostile client tries. */

#include "sm_fixture.h"

#include <gsasl.h>

#include "encode.h"
#include "sasl.h"

#define BINDING "0123456789abcdef0123456789abcdef"

struct talk {
    struct sm_fixture    *f;
    struct sasl          *sasl;
    struct sasl_exchange *exchange;
    unsigned              answers;
    enum sasl_outcome     outcome;
    struct buf            bytes;
    char                  jid[64], condition[32];
};

static void answered(void *arg, const struct sasl_answer *answer)
{
    struct talk *t = arg;

    t->answers++;
    t->outcome = answer->outcome;
    buf_reset(&t->bytes, 0);
    buf_put_slice(&t->bytes, answer->bytes);
    snprintf(t->jid, sizeof t->jid, "%.*s", SLICE_FMT(answer->jid));
    snprintf(t->condition, sizeof t->condition, "%s", answer->condition ? answer->condition : "");
    if (answer->outcome != SASL_CONTINUE)
        t->exchange = NULL;
}

static struct auth_start hello(const char *mechanism)
{
    return (struct auth_start){ .domain = SLICE("example.org"), .mechanism = slice_str(mechanism), .secure = true,
                                .binding = { { SLICE("tls-exporter"), SLICE(BINDING) } }, .bindings = 1 };
}

static int start(void **state)
{
    static struct talk t;
    struct outcome     o = { 0 };
    void              *fixture;

    sm_start(&fixture);
    memset(&t, 0, sizeof t);
    t.f = fixture;
    t.sasl = sasl_new(&t.f->store, t.f->loop);
    account_create(&t.f->store, t.f->loop, SLICE("juliet@example.org"), SLICE("secret"), 4096, note, &o);
    turn_until(t.f->loop, &o, 1);
    assert_int_equal(o.last, ZE_OK);
    *state = &t;
    return 0;
}

static int end(void **state)
{
    struct talk *t = *state;
    void        *fixture = t->f;

    sasl_free(&t->sasl);
    buf_free(&t->bytes);
    return sm_end(&fixture);
}

static void begin(struct talk *t, const struct auth_start *hello)
{
    t->answers = 0;
    struct sasl_exchange *x = sasl_begin(t->sasl, hello, answered, t);
    t->exchange = t->outcome == SASL_CONTINUE || t->answers == 0 ? x : NULL;
}

static void begin_with(struct talk *t, struct auth_start start, struct slice initial)
{
    start.has_initial = true;
    start.initial = initial;
    begin(t, &start);
}

static void wait_for_answer(struct talk *t, unsigned answers)
{
    while (t->answers < answers)
        uv_run(loop_uv(t->f->loop), UV_RUN_ONCE);
}

struct client {
    const char *name, *password, *authzid, *binding;   /* binding NULL: none */
    bool        initial;
    /* Changes what the client says in its message number `step` (from 0). */
    void      (*meddle)(int step, struct buf *message);
    int         last_rc;               /* of the client's side */
};

static void client_properties(Gsasl_session *session, const struct client *c)
{
    gsasl_property_set(session, GSASL_AUTHID, c->name);
    gsasl_property_set(session, GSASL_PASSWORD, c->password);
    if (c->authzid)
        gsasl_property_set(session, GSASL_AUTHZID, c->authzid);
    if (c->binding) {
        struct buf text = { 0 };
        base64_put(&text, slice_str(c->binding));
        buf_put_u8(&text, 0);
        gsasl_property_set(session, GSASL_CB_TLS_EXPORTER, (const char *)text.bytes);
        buf_free(&text);
    }
}

static void client_says(struct client *c, Gsasl_session *session, struct slice heard, int step, struct buf *message)
{
    char  *output = NULL;
    size_t len = 0;

    buf_reset(message, 0);
    c->last_rc = gsasl_step(session, (const char *)heard.p, heard.len, &output, &len);
    buf_put(message, output, len);
    gsasl_free(output);
    if (c->meddle)
        c->meddle(step, message);
}

/* One whole exchange; the outcome is in *t. */
static void converse(struct talk *t, struct auth_start start, struct client *c)
{
    Gsasl         *gsasl;
    Gsasl_session *session;
    struct buf     message = { 0 };
    char           mechanism[32];
    int            step = 0;

    snprintf(mechanism, sizeof mechanism, "%.*s", SLICE_FMT(start.mechanism));
    assert_int_equal(gsasl_init(&gsasl), GSASL_OK);
    assert_int_equal(gsasl_client_start(gsasl, mechanism, &session), GSASL_OK);
    client_properties(session, c);
    if (c->initial) {
        client_says(c, session, SLICE(""), step++, &message);
        begin_with(t, start, buf_slice(&message));
    } else {
        begin(t, &start);
        assert_int_equal(buf_len(&t->bytes), 0);
    }
    wait_for_answer(t, 1);
    while (t->outcome == SASL_CONTINUE) {
        unsigned before = t->answers;
        client_says(c, session, buf_slice(&t->bytes), step++, &message);
        sasl_step(t->exchange, buf_slice(&message));
        wait_for_answer(t, before + 1);
    }
    if (t->outcome == SASL_OK && strncmp(mechanism, "SCRAM", 5) == 0)
        client_says(c, session, buf_slice(&t->bytes), step, &message);
    buf_free(&message);
    gsasl_finish(session);
    gsasl_done(gsasl);
}

static void expect_refused(struct talk *t, const char *condition)
{
    assert_int_equal(t->outcome, SASL_FAILED);
    assert_string_equal(t->condition, condition);
    assert_null(t->exchange);
}

static bool is_plus(const char *mechanism)
{
    return strstr(mechanism, "-PLUS") != NULL;
}

static void all_mechanisms_let_the_right_password_in(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++)
        for (int initial = 0; initial < 2; initial++) {
            struct client c = { .name = "juliet", .password = "secret", .initial = initial,
                                .binding = is_plus(*m) ? BINDING : NULL };
            converse(t, hello(*m), &c);
            assert_int_equal(t->outcome, SASL_OK);
            assert_string_equal(t->jid, "juliet@example.org");
            assert_int_equal(c.last_rc, GSASL_OK);    /* the client believes the server, too */
        }
}

static void a_wrong_password_or_name_is_refused_by_all(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++) {
        const char   *binding = is_plus(*m) ? BINDING : NULL;
        struct client wrong = { .name = "juliet", .password = "Secret", .binding = binding, .initial = true };
        struct client nobody = { .name = "romeo", .password = "secret", .binding = binding, .initial = true };

        converse(t, hello(*m), &wrong);
        expect_refused(t, "not-authorized");
        converse(t, hello(*m), &nobody);
        expect_refused(t, "not-authorized");
    }
}

static void names_are_prepared(void **state)
{
    struct talk  *t = *state;
    struct client c = { .name = "Juliet", .password = "secret", .initial = true };

    converse(t, hello("SCRAM-SHA-256"), &c);
    assert_string_equal(t->jid, "juliet@example.org");
    converse(t, hello("PLAIN"), &c);
    assert_string_equal(t->jid, "juliet@example.org");
}

static void a_disabled_account_is_told_so_after_the_proof(void **state)
{
    struct talk        *t = *state;
    struct store_batch *b = store_batch(SLICE("juliet@example.org"));
    struct outcome      o = { 0 };
    struct client       right = { .name = "juliet", .password = "secret", .initial = true };
    struct client       wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct store_view  *view = store_view(t->f->store.accounts);

    account_set_disabled(view, b, SLICE("juliet@example.org"), true);
    store_view_end(&view);
    store_commit(t->f->store.accounts, &b, note, &o);
    turn_until(t->f->loop, &o, 1);
    converse(t, hello("SCRAM-SHA-1"), &right);
    expect_refused(t, "account-disabled");
    converse(t, hello("PLAIN"), &right);
    expect_refused(t, "account-disabled");
    converse(t, hello("SCRAM-SHA-1"), &wrong);
    expect_refused(t, "not-authorized");
}

/* ---- channel binding ---- */

static void another_binding_is_refused(void **state)
{
    struct talk      *t = *state;
    struct client     c = { .name = "juliet", .password = "secret", .initial = true,
                            .binding = "of the man in the middle" };
    struct auth_start none = hello("SCRAM-SHA-1-PLUS");

    converse(t, hello("SCRAM-SHA-256-PLUS"), &c);
    expect_refused(t, "not-authorized");
    none.bindings = 0;
    begin(t, &none);
    expect_refused(t, "invalid-mechanism");
}

static void tls_unique_binds_as_well(void **state)
{
    struct talk      *t = *state;
    struct auth_start unique = hello("SCRAM-SHA-256-PLUS");
    struct client     c = { .name = "juliet", .password = "secret", .initial = true, .binding = BINDING };

    unique.binding[0].name = SLICE("tls-unique");
    begin_with(t, unique, SLICE("p=tls-unique,,n=juliet,r=abcdefghijkl"));
    assert_int_equal(t->outcome, SASL_CONTINUE);
    sasl_abort(&t->exchange);
    converse(t, unique, &c);              /* the client names tls-exporter */
    expect_refused(t, "not-authorized");
}

static void the_binding_flag_is_judged_at_the_first_message(void **state)
{
    struct talk *t = *state;
    static const struct {
        const char *mechanism, *first, *condition;     /* NULL: goes on */
        bool        plus_offered;
    } rows[] = {
        { "SCRAM-SHA-1", "n,,n=juliet,r=abcdefghijkl", NULL, true },
        { "SCRAM-SHA-1", "y,,n=juliet,r=abcdefghijkl", NULL, false },
        { "SCRAM-SHA-1", "y,,n=juliet,r=abcdefghijkl", "not-authorized", true },
        { "SCRAM-SHA-1", "p=tls-exporter,,n=juliet,r=abcdefghijkl", "not-authorized", true },
        { "SCRAM-SHA-1-PLUS", "p=tls-exporter,,n=juliet,r=abcdefghijkl", NULL, true },
        { "SCRAM-SHA-1-PLUS", "p=tls-unique,,n=juliet,r=abcdefghijkl", "not-authorized", true },
        { "SCRAM-SHA-1-PLUS", "n,,n=juliet,r=abcdefghijkl", "not-authorized", true },
        { "SCRAM-SHA-1-PLUS", "y,,n=juliet,r=abcdefghijkl", "not-authorized", true },
        { "SCRAM-SHA-1", "x,,n=juliet,r=abcdefghijkl", "not-authorized", true },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct auth_start first = hello(rows[i].mechanism);
        first.plus_offered = rows[i].plus_offered;
        begin_with(t, first, slice_str(rows[i].first));
        if (rows[i].condition)
            expect_refused(t, rows[i].condition);
        else
            assert_int_equal(t->outcome, SASL_CONTINUE);
        sasl_abort(&t->exchange);
    }
}

/* Another c=, the proof being made over it: only the comparison with the first message can tell. */
static void say_other_header(int step, struct buf *message)
{
    if (step == 0)
        message->bytes[message->start] = 'n';          /* what arrives; the client said y */
}

static void say_c_of_y(int step, struct buf *message)
{
    if (step == 1)
        memcpy(message->bytes + message->start, "c=eSws", 6);
}

static void c_must_repeat_the_first_message(void **state)
{
    struct talk  *t = *state;
    struct client c = { .name = "juliet", .password = "secret", .initial = true, .meddle = say_c_of_y };

    converse(t, hello("SCRAM-SHA-256"), &c);
    expect_refused(t, "not-authorized");
    c = (struct client){ .name = "juliet", .password = "secret", .initial = true, .binding = BINDING,
                         .meddle = say_other_header };
    converse(t, hello("SCRAM-SHA-256-PLUS"), &c);
    expect_refused(t, "not-authorized");
}

/* ---- who speaks for whom ---- */

static void only_oneself_may_be_the_authzid(void **state)
{
    struct talk *t = *state;

    for (const char *const *m = sasl_mechanisms; *m; m++) {
        struct client c = { .name = "juliet", .password = "secret", .initial = true,
                            .binding = is_plus(*m) ? BINDING : NULL, .authzid = "Juliet@example.org" };
        converse(t, hello(*m), &c);
        assert_int_equal(t->outcome, SASL_OK);
        c.authzid = "admin@example.org";
        converse(t, hello(*m), &c);
        expect_refused(t, "invalid-authzid");
        c.authzid = "juliet@example.org/balcony";
        converse(t, hello(*m), &c);
        expect_refused(t, "invalid-authzid");
    }
}

static void server_first(struct talk *t, const char *name, char *out, size_t room)
{
    char first[64];

    snprintf(first, sizeof first, "n,,n=%s,r=abcdefghijkl", name);
    begin_with(t, hello("SCRAM-SHA-1"), slice_str(first));
    assert_int_equal(t->outcome, SASL_CONTINUE);
    buf_put_u8(&t->bytes, 0);
    snprintf(out, room, "%s", strstr((char *)t->bytes.bytes, ",s="));
    sasl_abort(&t->exchange);
}

static void an_unknown_user_looks_like_any_other(void **state)
{
    struct talk *t = *state;
    char         first[128], again[128], other[128], impossible[128];

    server_first(t, "nobody", first, sizeof first);
    server_first(t, "nobody", again, sizeof again);
    server_first(t, "another", other, sizeof other);
    server_first(t, "a@b", impossible, sizeof impossible);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_int_equal(strlen(first), strlen(impossible));
    server_first(t, "juliet", other, sizeof other);
    assert_int_equal(strcspn(first + 1, ","), strcspn(other + 1, ","));     /* salts as long */
}

/* ---- guessing (login_throttle.h) ---- */

static void the_right_password_is_told_nothing_where_too_many_were_wrong(void **state)
{
    struct talk             *t = *state;
    const struct login_rules rules = { .pair_max = 2, .refuse_ms = 60000, .refuse_max_ms = 60000 };
    struct client            wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct client            right = { .name = "juliet", .password = "secret", .initial = true };
    struct auth_start        here = hello("SCRAM-SHA-1"), elsewhere = here;

    sasl_rules(t->sasl, &rules);
    here.address = SLICE("192.0.2.1");
    elsewhere.address = SLICE("192.0.2.2");
    converse(t, here, &wrong);
    converse(t, here, &wrong);
    expect_refused(t, "not-authorized");
    converse(t, here, &right);
    expect_refused(t, "temporary-auth-failure");
    assert_int_equal(buf_len(&t->bytes), 0);       /* no proof of the server's either */
    converse(t, elsewhere, &right);
    assert_int_equal(t->outcome, SASL_OK);
}

static void under_attack_both_outcomes_come_late(void **state)
{
    struct talk             *t = *state;
    const struct login_rules rules = { .account_max = 1, .refuse_max_ms = 60000, .delay_max_ms = 50 };
    struct client            wrong = { .name = "juliet", .password = "guess", .initial = true };
    struct client            right = { .name = "juliet", .password = "secret", .initial = true };
    struct auth_start        start = hello("SCRAM-SHA-1");

    sasl_rules(t->sasl, &rules);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = loop_now_ms(t->f->loop);

        start.address = slice_str(i < 2 ? "192.0.2.1" : "192.0.2.2");
        converse(t, start, i < 2 ? &wrong : &right);
        assert_true(loop_now_ms(t->f->loop) >= before + 50);
    }
    assert_int_equal(t->outcome, SASL_OK);
    begin_with(t, start, SLICE("n,,n=juliet,r=abcdefghijkl"));
    sasl_step(t->exchange, SLICE("c=biws,r=wrong,p=AAAA"));     /* now known there: at once */
    expect_refused(t, "not-authorized");
}

/* ---- tokens (sasl_ht.c) ---- */

#define CLIENT_ID "d4565fa7-4d72-4749-b3d3-740edbf87770"
#define SECRET    "WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm"
#define FAST      "<fast xmlns='urn:xmpp:fast:0'/>"

static void give_token(struct talk *t, const char *mechanism)
{
    struct token_pair   pair = { .current = { slice_str(mechanism), SLICE(SECRET), 1, UINT64_MAX, 0 } };
    struct store_batch *b = store_batch(SLICE("juliet@example.org"));
    struct outcome      o = { 0 };

    tokens_put(b, SLICE("juliet@example.org"), SLICE(CLIENT_ID), &pair);
    store_commit(t->f->store.accounts, &b, note, &o);
    turn_until(t->f->loop, &o, 1);
}

static struct auth_start token_start(const char *mechanism)
{
    struct auth_start start = hello(mechanism);

    start.sasl2 = true;
    start.from = SLICE("juliet@example.org");
    start.client.id = SLICE(CLIENT_ID);
    start.inlines = SLICE(FAST);
    return start;
}

static void say_proof(struct talk *t, struct auth_start start, const char *binding)
{
    struct buf message = { 0 };
    uint8_t    proof[32];

    token_hmac(SLICE(SECRET), "Initiator", slice_str(binding), proof);
    buf_put_str(&message, "juliet");
    buf_put_u8(&message, 0);
    buf_put(&message, proof, sizeof(proof));
    begin_with(t, start, buf_slice(&message));
    buf_free(&message);
}

static void a_token_lets_in_and_the_server_proves_itself(void **state)
{
    struct talk *t = *state;
    uint8_t      wanted[32];

    give_token(t, "HT-SHA-256-EXPR");
    say_proof(t, token_start("HT-SHA-256-EXPR"), BINDING);
    assert_int_equal(t->outcome, SASL_OK);
    assert_string_equal(t->jid, "juliet@example.org");
    token_hmac(SLICE(SECRET), "Responder", SLICE(BINDING), wanted);
    assert_true(slice_eq(buf_slice(&t->bytes), slice_of(wanted, sizeof(wanted))));
    say_proof(t, token_start("HT-SHA-256-EXPR"), "of the man in the middle");
    expect_refused(t, "not-authorized");
    say_proof(t, token_start("HT-SHA-256-NONE"), "");
    expect_refused(t, "not-authorized");
    say_proof(t, token_start("HT-SHA-256-UNIQ"), BINDING);      /* the stream has no such binding */
    expect_refused(t, "invalid-mechanism");
}

static void a_token_needs_sasl2_tls_and_a_client(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = token_start("HT-SHA-256-NONE");

    give_token(t, "HT-SHA-256-NONE");
    start.sasl2 = false;
    say_proof(t, start, "");
    expect_refused(t, "invalid-mechanism");
    start = token_start("HT-SHA-256-NONE");
    start.secure = false;
    say_proof(t, start, "");
    expect_refused(t, "invalid-mechanism");
    start = token_start("HT-SHA-256-NONE");
    start.client.id = SLICE("");
    say_proof(t, start, "");
    expect_refused(t, "malformed-request");
    start.client.id = SLICE("another");
    say_proof(t, start, "");
    expect_refused(t, "credentials-expired");
    start = token_start("HT-SHA-256-NONE");
    start.inlines = SLICE("");
    say_proof(t, start, "");
    expect_refused(t, "malformed-request");
    say_proof(t, token_start("HT-SHA-256-NONE"), "");
    assert_int_equal(t->outcome, SASL_OK);
}

/* ---- malformed ---- */

/* ---- certificates ---- */

static void say_certified(struct talk *t, const char *const *jids, struct slice authzid)
{
    struct auth_start start = hello("EXTERNAL");
    struct buf        certified = { 0 };

    for (; *jids; jids++)
        buf_put_sized(&certified, slice_str(*jids));
    start.certified = buf_slice(&certified);
    begin_with(t, start, authzid);
    buf_free(&certified);
}

static void a_certificate_lets_in_whom_it_names(void **state)
{
    static const char *const juliet[] = { "juliet@example.org", NULL };
    static const char *const two[] = { "nobody@example.org", "juliet@example.org", NULL };
    static const char *const nobody[] = { "nobody@example.org", NULL };
    static const char *const foreign[] = { "juliet@example.net", NULL };
    static const struct {
        const char *const *jids;
        struct slice       authzid;
        const char        *condition;      /* NULL: in */
    } rows[] = {
        { juliet, SLICE(""), NULL },
        { juliet, SLICE("juliet@example.org"), NULL },
        { juliet, SLICE("JULIET@example.org"), NULL },
        { juliet, SLICE("nobody@example.org"), "invalid-authzid" },
        { juliet, SLICE("juliet@example.org/x"), "invalid-authzid" },
        { juliet, SLICE("juliet@example.org\0"), "malformed-request" },
        { two, SLICE(""), "invalid-authzid" },
        { two, SLICE("juliet@example.org"), NULL },
        { two, SLICE("nobody@example.org"), "not-authorized" },
        { nobody, SLICE(""), "not-authorized" },
        { foreign, SLICE(""), "invalid-authzid" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say_certified(*state, rows[i].jids, rows[i].authzid);
        if (rows[i].condition)
            expect_refused(*state, rows[i].condition);
        else
            assert_string_equal(((struct talk *)*state)->jid, "juliet@example.org");
    }
}

static void without_a_certificate_or_tls_there_is_no_external(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = hello("EXTERNAL");

    begin_with(t, start, SLICE("juliet@example.org"));
    expect_refused(t, "invalid-mechanism");
    start.certified = SLICE("\x12\0\0\0juliet@example.org");
    start.secure = false;
    begin_with(t, start, SLICE(""));
    expect_refused(t, "invalid-mechanism");
}

static void malformed_messages_are_refused(void **state)
{
    struct talk *t = *state;
    static char  huge[9000];
    static const struct {
        const char  *mechanism;
        struct slice bytes;
        const char  *condition;
    } rows[] = {
        { "PLAIN", SLICE_INIT(""), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0\0secret"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0secret\0"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0\xff"), "malformed-request" },
        { "PLAIN", SLICE_INIT("\0juliet\0\x01"), "not-authorized" },
        { "PLAIN", SLICE_INIT("\0a@b\0secret"), "not-authorized" },
        { "SCRAM-SHA-1", SLICE_INIT(""), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=,r=abc"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=jul\0iet,r=abc"), "malformed-request" },
        { "SCRAM-SHA-1", SLICE_INIT("n,,n=jul\xffiet,r=abc"), "malformed-request" },
        { "DIGEST-MD5", SLICE_INIT(""), "invalid-mechanism" },
        { "", SLICE_INIT(""), "invalid-mechanism" },
        { "plain", SLICE_INIT("\0juliet\0secret"), "invalid-mechanism" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin_with(t, hello(rows[i].mechanism), rows[i].bytes);
        wait_for_answer(t, 1);
        expect_refused(t, rows[i].condition);
    }
    memset(huge, 'a', sizeof huge);
    begin_with(t, hello("PLAIN"), slice_of(huge, sizeof huge));
    expect_refused(t, "malformed-request");
}

static void plain_wants_tls(void **state)
{
    struct talk      *t = *state;
    struct auth_start clear = hello("PLAIN");

    clear.secure = false;
    begin_with(t, clear, SLICE("\0juliet\0secret"));
    expect_refused(t, "encryption-required");
    sasl_allow_clear(t->sasl, true);
    begin_with(t, clear, SLICE("\0juliet\0secret"));
    wait_for_answer(t, 1);
    assert_int_equal(t->outcome, SASL_OK);
}

static void an_abandoned_exchange_never_answers(void **state)
{
    struct talk *t = *state;

    begin_with(t, hello("PLAIN"), SLICE("\0juliet\0secret"));
    assert_int_equal(t->answers, 0);
    sasl_abort(&t->exchange);
    assert_null(t->exchange);
    for (int i = 0; i < 5; i++)
        uv_run(loop_uv(t->f->loop), UV_RUN_ONCE);
    assert_int_equal(t->answers, 0);
}

static void a_second_message_during_plain_ends_it(void **state)
{
    struct talk *t = *state;

    begin_with(t, hello("PLAIN"), SLICE("\0juliet\0secret"));
    sasl_step(t->exchange, SLICE("\0juliet\0secret"));
    expect_refused(t, "malformed-request");
    for (int i = 0; i < 5; i++)
        uv_run(loop_uv(t->f->loop), UV_RUN_ONCE);
    assert_int_equal(t->answers, 1);
}

static void exchanges_are_counted(void **state)
{
    struct talk      *t = *state;
    struct auth_start start = hello("SCRAM-SHA-1");
    struct talk       many = { .sasl = t->sasl };

    for (int i = 0; i < 10000; i++)
        assert_non_null(sasl_begin(t->sasl, &start, answered, &many));
    assert_null(sasl_begin(t->sasl, &start, answered, t));
    expect_refused(t, "temporary-auth-failure");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_mechanisms_let_the_right_password_in, start, end),
        cmocka_unit_test_setup_teardown(a_wrong_password_or_name_is_refused_by_all, start, end),
        cmocka_unit_test_setup_teardown(names_are_prepared, start, end),
        cmocka_unit_test_setup_teardown(a_disabled_account_is_told_so_after_the_proof, start, end),
        cmocka_unit_test_setup_teardown(another_binding_is_refused, start, end),
        cmocka_unit_test_setup_teardown(tls_unique_binds_as_well, start, end),
        cmocka_unit_test_setup_teardown(the_binding_flag_is_judged_at_the_first_message, start, end),
        cmocka_unit_test_setup_teardown(c_must_repeat_the_first_message, start, end),
        cmocka_unit_test_setup_teardown(only_oneself_may_be_the_authzid, start, end),
        cmocka_unit_test_setup_teardown(an_unknown_user_looks_like_any_other, start, end),
        cmocka_unit_test_setup_teardown(the_right_password_is_told_nothing_where_too_many_were_wrong, start, end),
        cmocka_unit_test_setup_teardown(under_attack_both_outcomes_come_late, start, end),
        cmocka_unit_test_setup_teardown(a_token_lets_in_and_the_server_proves_itself, start, end),
        cmocka_unit_test_setup_teardown(a_token_needs_sasl2_tls_and_a_client, start, end),
        cmocka_unit_test_setup_teardown(a_certificate_lets_in_whom_it_names, start, end),
        cmocka_unit_test_setup_teardown(without_a_certificate_or_tls_there_is_no_external, start, end),
        cmocka_unit_test_setup_teardown(malformed_messages_are_refused, start, end),
        cmocka_unit_test_setup_teardown(plain_wants_tls, start, end),
        cmocka_unit_test_setup_teardown(an_abandoned_exchange_never_answers, start, end),
        cmocka_unit_test_setup_teardown(a_second_message_during_plain_ends_it, start, end),
        cmocka_unit_test_setup_teardown(exchanges_are_counted, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
