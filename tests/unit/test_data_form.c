/* XEP-0004 forms: what is taken, what is refused, what is written. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data_form.h"
#include "ns.h"
#include "xml_stream.h"

#define TYPE "urn:example:form"
#define FORM(type, fields) "<x xmlns='jabber:x:data' type='" type "'>" fields "</x>"
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"

static const struct xml_limits limits = { .element_max = 65536, .depth_max = 16, .attributes_max = 16, .name_max = 256 };

static const struct element *parsed(struct arena *arena, const char *text)
{
    return xml_parse_content(arena, slice_str(text), NS_CLIENT, &limits);
}

static void takes_and_refuses(void **state)
{
    static const struct {
        const char *text;
        enum zerr   err;
        bool        form, cancelled;
    } rows[] = {
        { "<other/>", ZE_OK, false, false },
        { FORM("submit", FIELD("FORM_TYPE", TYPE)), ZE_OK, true, false },
        { FORM("cancel", ""), ZE_OK, false, true },
        { FORM("submit", ""), ZE_BAD_REQUEST, false, false },
        { FORM("submit", FIELD("FORM_TYPE", "urn:example:else")), ZE_BAD_REQUEST, false, false },
        { FORM("result", FIELD("FORM_TYPE", TYPE)), ZE_BAD_REQUEST, false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena         *arena = arena_new();
        const struct element *form;
        bool                  cancelled;
        assert_int_equal(form_take(arena, parsed(arena, rows[i].text), TYPE, &form, &cancelled), rows[i].err);
        assert_int_equal(form != NULL, rows[i].form);
        assert_int_equal(cancelled, rows[i].cancelled);
        arena_free(&arena);
    }
}

static void reads_values(void **state)
{
    struct arena         *arena = arena_new();
    const struct element *form;
    uint64_t              n;
    bool                  b;

    (void)state;
    assert_int_equal(form_take(arena, parsed(arena, FORM("submit", FIELD("FORM_TYPE", TYPE) FIELD("a", "x &amp; y")
                     "<field var='none'/><field var='empty'><value/></field>")), TYPE, &form, NULL), ZE_OK);
    assert_true(slice_is(form_value(arena, form, "a"), "x & y"));
    assert_null(form_value(arena, form, "none").p);
    assert_null(form_value(arena, form, "other").p);
    assert_non_null(form_value(arena, form, "empty").p);
    assert_null(form_value(arena, NULL, "a").p);
    assert_true(form_bool(SLICE("true"), &b) && b);
    assert_true(form_bool(SLICE("0"), &b) && !b);
    assert_false(form_bool(SLICE("yes"), &b));
    assert_true(form_number(SLICE("17"), 17, &n) && n == 17);
    assert_false(form_number(SLICE("18"), 17, &n));
    assert_false(form_number(SLICE("1a"), 17, &n));
    assert_false(form_number(SLICE(""), 17, &n));
    assert_false(form_number(SLICE("9999999999999999999"), UINT64_MAX, &n));
    arena_free(&arena);
}

static void writes(void **state)
{
    struct buf        out = { 0 };
    struct xml_writer w;

    (void)state;
    xml_begin(&w, &out, NS_CLIENT);
    form_open(&w, "form", TYPE);
    form_put_num(&w, "n", "text-single", "A number", 7);
    form_field_open(&w, "c", "list-single", NULL);
    form_put_value(&w, SLICE("<"));
    form_put_option(&w, "One", "1");
    xml_close(&w);
    xml_close(&w);
    assert_true(slice_is(buf_slice(&out),
        "<x xmlns='jabber:x:data' type='form'><field var='FORM_TYPE' type='hidden'><value>" TYPE "</value></field>"
        "<field var='n' type='text-single' label='A number'><value>7</value></field>"
        "<field var='c' type='list-single'><value>&lt;</value><option label='One'><value>1</value></option></field>"
        "</x>"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_refuses),
        cmocka_unit_test(reads_values),
        cmocka_unit_test(writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
