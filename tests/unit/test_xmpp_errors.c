/* proto/stanza_error.c, stream_error.c: RFC 6120 4.9 and 8.3. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ns.h"
#include "stanza_error.h"
#include "stream_error.h"

static void assert_written(struct buf *b, const char *expected)
{
    buf_put_u8(b, 0);
    assert_string_equal((const char *)buf_slice(b).p, expected);
    buf_free(b);
}

static void stream_errors_have_names(void **state)
{
    for (int e = SE_NONE + 1; e < SE_COUNT; e++)
        assert_int_equal(stream_error_parse(slice_str(stream_error_name(e))), e);
    assert_string_equal(stream_error_name(SE_NOT_WELL_FORMED), "not-well-formed");
    assert_int_equal(stream_error_parse(SLICE("no-such")), SE_UNDEFINED_CONDITION);
    assert_int_equal(stream_error_parse((struct slice){ 0 }), SE_UNDEFINED_CONDITION);
}

static void a_stream_error_closes_the_stream(void **state)
{
    struct buf b = { 0 };

    stream_error_write(&b, SE_CONFLICT, NULL);
    assert_written(&b, "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                       "</stream:stream>");
    stream_error_write(&b, SE_SYSTEM_SHUTDOWN, "Back at <5>");
    assert_written(&b, "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                       "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>Back at &lt;5&gt;"
                       "</text>"
                       "</stream:error></stream:stream>");
}

static void a_stanza_error_is_written(void **state)
{
    struct buf b = { 0 };

    stanza_error_write(&b, ZE_NOT_FOUND, NULL, (struct slice){ 0 });
    assert_written(&b, "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                       "</error>");
    stanza_error_write(&b, ZE_FULL, "no & no", SLICE("room@muc"));
    assert_written(&b, "<error by='room@muc' type='wait'>"
                       "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                       "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no &amp; no</text>"
                       "</error>");
}

static void an_extension_adds_its_own_condition(void **state)
{
    struct error_detail detail = { .text = "no", .ns = "urn:e", .condition = "unsupported", .attr = "feature", .value = "f" };
    struct buf          b = { 0 };

    stanza_error_detailed(&b, ZE_FEATURE, &detail, (struct slice){ 0 });
    assert_written(&b, "<error type='cancel'><feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                       "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>no</text>"
                       "<unsupported xmlns='urn:e' feature='f'/></error>");
}

static const struct stanza iq = {
    .name = STANZA_IQ, .type = TYPE_GET, .from = SLICE_INIT("a@b/c"), .to = SLICE_INIT("d"),
    .id = SLICE_INIT("7"),
    .payload_ns = SLICE_INIT("urn:q"), .payload_name = SLICE_INIT("q"),
    .content = SLICE_INIT("<q xmlns='urn:q'/>"),
};

static void the_reply_goes_back(void **state)
{
    struct buf    b = { 0 };
    struct stanza reply;

    assert_true(stanza_error_reply(&iq, ZE_NO_SUCH, NULL, &b, &reply));
    assert_int_equal(reply.name, STANZA_IQ);
    assert_int_equal(reply.type, TYPE_ERROR);
    assert_true(slice_is(reply.from, "d"));
    assert_true(slice_is(reply.to, "a@b/c"));
    assert_true(slice_is(reply.id, "7"));
    assert_true(slice_is(reply.payload_name, "q"));
    assert_true(reply.flags & STANZA_MANY);
    assert_true(slice_eq(reply.content, buf_slice(&b)));
    assert_written(&b, "<q xmlns='urn:q'/><error type='cancel'>"
                       "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
}

/* Without `to` it was for the own account, and that is who answers. */
static void the_own_account_answers_for_itself(void **state)
{
    struct buf    b = { 0 };
    struct stanza asked = iq, reply;

    asked.to = (struct slice){ 0 };
    assert_true(stanza_error_reply(&asked, ZE_NO_SUCH, NULL, &b, &reply));
    assert_true(slice_is(reply.from, "a@b"));
    assert_true(slice_is(reply.to, "a@b/c"));
    buf_free(&b);
}

static void a_long_payload_is_left_out(void **state)
{
    char         *text = calloc(1, 5000);
    struct stanza s = iq, reply;
    struct buf    b = { 0 };

    memset(text, 'x', 5000);
    s.content = slice_of(text, 5000);
    buf_put_str(&b, "kept ");
    assert_true(stanza_error_reply(&s, ZE_NO_SUCH, NULL, &b, &reply));
    assert_true(slice_starts(reply.content, SLICE("<error ")));
    assert_true(slice_is(reply.payload_name, "error"));
    assert_true(slice_starts(buf_slice(&b), SLICE("kept <error ")));
    buf_free(&b);
    free(text);
}

static bool answered(unsigned name, unsigned type, enum zerr err)
{
    struct stanza s = { .name = (uint8_t)name, .type = (uint8_t)type, .to = SLICE("a@b") };
    struct stanza reply = { .name = 77 };
    struct buf    b = { 0 };
    bool          yes = stanza_error_reply(&s, err, NULL, &b, &reply);

    if (!yes) {
        assert_int_equal(buf_len(&b), 0);
        assert_int_equal(reply.name, 77);
    }
    buf_free(&b);
    return yes;
}

static void errors_and_results_are_never_answered(void **state)
{
    assert_false(answered(STANZA_IQ, TYPE_ERROR, ZE_NO_SUCH));
    assert_false(answered(STANZA_IQ, TYPE_RESULT, ZE_NO_SUCH));
    assert_false(answered(STANZA_MESSAGE, TYPE_ERROR, ZE_NO_SUCH));
    assert_false(answered(STANZA_PRESENCE, TYPE_ERROR, ZE_NO_ROUTE));
    assert_true(answered(STANZA_IQ, TYPE_SET, ZE_NO_SUCH));
    assert_true(answered(STANZA_MESSAGE, TYPE_NORMAL, ZE_NO_SUCH));
    assert_false(answered(STANZA_NONE, TYPE_NONE, ZE_NO_SUCH));
}

static void presence_is_answered_only_when_nobody_is_there(void **state)
{
    assert_false(answered(STANZA_PRESENCE, TYPE_NONE, ZE_NO_SUCH));
    assert_false(answered(STANZA_PRESENCE, TYPE_UNAVAILABLE, ZE_NO_ROUTE));
    assert_false(answered(STANZA_PRESENCE, TYPE_PROBE, ZE_NO_ROUTE));
    assert_true(answered(STANZA_PRESENCE, TYPE_NONE, ZE_NO_ROUTE));
    assert_true(answered(STANZA_PRESENCE, TYPE_SUBSCRIBE, ZE_REMOTE));
    assert_true(answered(STANZA_PRESENCE, TYPE_NONE, ZE_BAD_JID));
}

static void a_condition_is_read_back(void **state)
{
    struct element condition = { .ns = SLICE(NS_STANZAS), .name = SLICE("item-not-found") };
    struct element text = { .ns = SLICE(NS_STANZAS), .name = SLICE("text"), .next = &condition };
    struct element error = { .ns = SLICE(NS_CLIENT), .name = SLICE("error"), .children = &text };
    struct element root = { .ns = SLICE(NS_CLIENT), .children = &error };

    assert_int_equal(stanza_error_parse(&root), ZE_NOT_FOUND);
    assert_int_equal(stanza_error_parse(&error), ZE_NOT_FOUND);
    condition.name = SLICE("made-up");
    assert_int_equal(stanza_error_parse(&root), ZE_UNDEFINED);
    error.name = SLICE("other");
    assert_int_equal(stanza_error_parse(&root), ZE_UNDEFINED);
    assert_int_equal(stanza_error_parse(NULL), ZE_UNDEFINED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_errors_have_names),
        cmocka_unit_test(a_stream_error_closes_the_stream),
        cmocka_unit_test(a_stanza_error_is_written),
        cmocka_unit_test(an_extension_adds_its_own_condition),
        cmocka_unit_test(the_reply_goes_back),
        cmocka_unit_test(the_own_account_answers_for_itself),
        cmocka_unit_test(a_long_payload_is_left_out),
        cmocka_unit_test(errors_and_results_are_never_answered),
        cmocka_unit_test(presence_is_answered_only_when_nobody_is_there),
        cmocka_unit_test(a_condition_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
