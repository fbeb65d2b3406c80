#pragma once

/* One SASL exchange after the other with sm/sasl: by hand, or by GNU SASL as the client. */

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
    bool                  by_password;
};

static inline void answered(void *arg, const struct sasl_answer *answer)
{
    struct talk *t = arg;

    t->answers++;
    t->outcome = answer->outcome;
    t->by_password = answer->by_password;
    buf_reset(&t->bytes, 0);
    buf_put_slice(&t->bytes, answer->bytes);
    snprintf(t->jid, sizeof t->jid, "%.*s", SLICE_FMT(answer->jid));
    snprintf(t->condition, sizeof t->condition, "%s", answer->condition ? answer->condition : "");
    if (answer->outcome != SASL_CONTINUE)
        t->exchange = NULL;
}

static inline struct auth_start hello(const char *mechanism)
{
    return (struct auth_start){ .domain = SLICE("example.org"), .mechanism = slice_str(mechanism), .secure = true,
                                .binding = { { SLICE("tls-exporter"), SLICE(BINDING) } }, .bindings = 1 };
}

static inline int start(void **state)
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

static inline int end(void **state)
{
    struct talk *t = *state;
    void        *fixture = t->f;

    sasl_free(&t->sasl);
    buf_free(&t->bytes);
    return sm_end(&fixture);
}

static inline void begin(struct talk *t, const struct auth_start *hello)
{
    t->answers = 0;
    struct sasl_exchange *x = sasl_begin(t->sasl, hello, answered, t);
    t->exchange = t->outcome == SASL_CONTINUE || t->answers == 0 ? x : NULL;
}

static inline void begin_with(struct talk *t, struct auth_start start, struct slice initial)
{
    start.has_initial = true;
    start.initial = initial;
    begin(t, &start);
}

static inline void wait_for_answer(struct talk *t, unsigned answers)
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

static inline void client_properties(Gsasl_session *session, const struct client *c)
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

static inline void client_says(struct client *c, Gsasl_session *session, struct slice heard, int step, struct buf *message)
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
static inline void converse(struct talk *t, struct auth_start start, struct client *c)
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

static inline void expect_refused(struct talk *t, const char *condition)
{
    assert_int_equal(t->outcome, SASL_FAILED);
    assert_string_equal(t->condition, condition);
    assert_null(t->exchange);
}

static inline bool is_plus(const char *mechanism)
{
    return strstr(mechanism, "-PLUS") != NULL;
}

#define SASL(name) cmocka_unit_test_setup_teardown(name, start, end)
