/* proto/mam, proto/rsm: queries in every form, and what is wrong with the others; results and ends. */

#include "arena_fixture.h"

#include "mam.h"
#include "ns.h"

#define QUERY(in) "<query xmlns='" NS_MAM "' queryid='q&amp;1'>" in "</query>"
#define FIELD(var, value) "<field var='" var "'><value>" value "</value></field>"
#define FORM(fields) "<x xmlns='" NS_DATA "' type='submit'>" FIELD("FORM_TYPE", NS_MAM) fields "</x>"
#define SET(in) "<set xmlns='" NS_RSM "'>" in "</set>"

static enum archive_place place = ARCHIVE_OF_ACCOUNT;

static enum zerr parse(const char *xml, struct mam_request *m)
{
    const struct element *root = xml_parse_content(arena, slice_str(xml), NS_CLIENT, &limits);

    assert_non_null(root);
    return mam_parse(arena, root->children, place, m);
}

static void what_a_query_says(void **state)
{
    struct mam_request m;

    (void)state;
    assert_int_equal(parse(QUERY(FORM(FIELD("with", "Romeo@M.net/R") FIELD("start", "2026-11-21T00:00:00Z")
                                      FIELD("end", "2026-11-21T00:00:01.5Z")) SET("<max>7</max><after>x</after>")), &m),
                     ZE_OK);
    assert_true(slice_is(m.queryid, "q&1"));
    assert_true(slice_is(m.with, "romeo@m.net/R"));
    assert_int_equal(m.end_us - m.start_us, 1500000);
    assert_true(m.rsm.has_max && m.rsm.max == 7 && m.rsm.has_after && !m.rsm.has_before);
    assert_true(slice_is(m.rsm.after, "x"));
    assert_int_equal(parse("<query xmlns='" NS_MAM "'/>", &m), ZE_OK);
    assert_true(!m.queryid.p && !m.with.len && !m.rsm.has_max);
    assert_int_equal(parse(QUERY(SET("<before/><max>99999999999999999999</max>")), &m), ZE_OK);
    assert_true(m.rsm.has_before && !m.rsm.before.len && m.rsm.max == UINT32_MAX);
    assert_int_equal(parse(QUERY(FORM("<field var='with'/>")), &m), ZE_OK);
}

static void what_the_extended_part_says(void **state)
{
    struct mam_request m;

    (void)state;
    assert_int_equal(parse(QUERY(FORM(FIELD("before-id", "b") FIELD("after-id", "a")
                                      "<field var='ids'><value>1</value><value>2</value></field>"
                                      FIELD("include-groupchat", "true")) "<flip-page/>"), &m), ZE_OK);
    assert_true(slice_is(m.before_id, "b") && slice_is(m.after_id, "a") && m.flip);
    assert_int_equal(m.ids_count, 2);
    assert_true(slice_is(m.ids[0], "1") && slice_is(m.ids[1], "2"));
    assert_int_equal(parse(QUERY(FORM("<field var='ids'/><field var='before-id'/>")), &m), ZE_OK);
    assert_true(!m.ids && !m.before_id.len && !m.flip);
    assert_int_equal(parse(QUERY("<x xmlns='" NS_DATA "' type='cancel'/>"), &m), ZE_OK);      /* counts as none */
    place = ARCHIVE_OF_ROOM;
    assert_int_equal(parse(QUERY(FORM(FIELD("include-groupchat", "true"))), &m), ZE_FEATURE);
    place = ARCHIVE_OF_ACCOUNT;
}

static void ids_have_a_limit(void **state)
{
    struct buf         b = { 0 };
    struct mam_request m;

    (void)state;
    buf_put_str(&b, "<query xmlns='" NS_MAM "'><x xmlns='" NS_DATA "' type='submit'>" FIELD("FORM_TYPE", NS_MAM)
                    "<field var='ids'>");
    for (int i = 0; i < MAM_IDS_MOST; i++)
        buf_put_str(&b, "<value>x</value>");
    struct buf more = { 0 };
    buf_put_slice(&more, buf_slice(&b));
    buf_put_str(&b, "</field></x></query>");
    buf_put_str(&more, "<value>x</value></field></x></query>");
    assert_int_equal(parse(arena_str(arena, buf_slice(&b)), &m), ZE_OK);
    assert_int_equal(m.ids_count, MAM_IDS_MOST);
    assert_int_equal(parse(arena_str(arena, buf_slice(&more)), &m), ZE_FULL);
    buf_free(&b);
    buf_free(&more);
}

static void what_is_wrong_with_it(void **state)
{
    static const struct { const char *xml; enum zerr err; } cases[] = {
        { QUERY(FORM(FIELD("with", "a@b@c"))), ZE_BAD_JID },
        { QUERY(FORM(FIELD("start", "now"))), ZE_BAD_REQUEST },
        { QUERY(FORM(FIELD("end", "2026-13-01T00:00:00Z"))), ZE_BAD_REQUEST },
        { QUERY(FORM(FIELD("include-groupchat", "perhaps"))), ZE_BAD_REQUEST },
        { QUERY(FORM(FIELD("no-such-field", "x"))), ZE_FEATURE },
        { QUERY(FORM("<field/>")), ZE_FEATURE },
        { QUERY("<x xmlns='" NS_DATA "' type='submit'>" FIELD("with", "a@b") "</x>"), ZE_BAD_REQUEST },
        { QUERY("<x xmlns='" NS_DATA "' type='form'>" FIELD("FORM_TYPE", NS_MAM) "</x>"), ZE_BAD_REQUEST },
        { QUERY("<x xmlns='" NS_DATA "' type='submit'>" FIELD("FORM_TYPE", "urn:xmpp:mam:1") "</x>"), ZE_BAD_REQUEST },
        { QUERY("<x xmlns='" NS_DATA "' type='submit'><field var='FORM_TYPE'/></x>"), ZE_BAD_REQUEST },
        { QUERY(SET("<index>0</index>")), ZE_FEATURE },
        { QUERY(SET("<max>-1</max>")), ZE_BAD_REQUEST },
        { QUERY(SET("<max/>")), ZE_BAD_REQUEST },
        { "<query xmlns='" NS_MAM "' node='n'/>", ZE_NOT_FOUND },
    };
    struct mam_request m;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (parse(cases[i].xml, &m) != cases[i].err)
            fail_msg("%s: %s", cases[i].xml, err_name(parse(cases[i].xml, &m)));
}

static const char *text_of(struct buf *b)
{
    const char *text = arena_str(arena, buf_slice(b));

    buf_free(b);
    return text;
}

static void a_result_wraps_the_message_as_it_was(void **state)
{
    struct mam_request m = { .queryid = SLICE("f'27") };
    struct stanza      s = { .name = STANZA_MESSAGE, .type = TYPE_CHAT, .from = SLICE("a@b/c"), .to = SLICE("d@e"),
                             .id = SLICE("i1"), .lang = SLICE("be"), .content = SLICE("<body>hi</body>") };
    struct buf         b = { 0 };

    (void)state;
    mam_result_write(&b, &m, SLICE("id1"), 1795219199000001, &s);
    assert_string_equal(text_of(&b), "<result xmlns='urn:xmpp:mam:2' queryid='f&apos;27' id='id1'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-11-20T23:59:59.000001Z'/>"
        "<message xmlns='jabber:client' from='a@b/c' id='i1' type='chat' xml:lang='be' to='d@e'><body>hi</body>"
        "</message></forwarded></result>");
    m.queryid = (struct slice){ 0 };
    s.content = slice_of("", 0);
    mam_result_write(&b, &m, SLICE("id1"), 1795219199000000, &s);
    assert_string_equal(text_of(&b), "<result xmlns='urn:xmpp:mam:2' id='id1'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<delay xmlns='urn:xmpp:delay' stamp='2026-11-20T23:59:59Z'/><message xmlns='jabber:client' from='a@b/c' id='i1' "
        "type='chat' xml:lang='be' to='d@e'/></forwarded></result>");
}

static const char *fin(const struct mam_request *m, const struct ledger_page *page)
{
    struct ledger_query q = { .max = 50, .backwards = m->rsm.has_before };
    struct buf          b = { 0 };
    struct xml_writer   w;

    xml_begin(&w, &b, NS_CLIENT);
    mam_fin_write(&w, NULL, m, &q, page);
    return text_of(&b);
}

#define FIN(attr, set) "<fin xmlns='urn:xmpp:mam:2'" attr "><set xmlns='" NS_RSM "'" set "</fin>"

static void the_end_tells_what_is_known(void **state)
{
    struct ledger_record records[] = { { .id = { 0, 1 } }, { .id = { 1, 1 } } };
    struct ledger_page   all = { records, 2, true, false, { 0 } }, part = { records, 2, false, false, { 0 } },
                         none = { NULL, 0, true, false, { 0 } };
    struct mam_request   plain = { 0 }, after = { .rsm = { .has_after = true, .after = SLICE("x") } },
                         last = { .rsm = { .has_before = true } },
                         before = { .rsm = { .has_before = true, .before = SLICE("x") } };
    char                 first[LEDGER_ID_TEXT], second[LEDGER_ID_TEXT];

    (void)state;
    ledger_id_write(first, records[0].id);
    ledger_id_write(second, records[1].id);
    const struct { const struct mam_request *m; const struct ledger_page *page; const char *index, *end; bool complete; }
    cases[] = {
        { &plain, &all, " index='0'", "<count>2</count>", true },
        { &plain, &part, " index='0'", "", false },
        { &after, &all, "", "", true },
        { &last, &all, " index='0'", "<count>2</count>", true },
        { &last, &part, "", "", false },
        { &before, &all, " index='0'", "", true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *expected = arena_printf(arena, FIN("%s", "><first%s>%s</first><last>%s</last>%s</set>"),
                                      cases[i].complete ? " complete='true'" : "", cases[i].index, first, second,
                                      cases[i].end);
        assert_string_equal(fin(cases[i].m, cases[i].page), expected);
    }
    assert_string_equal(fin(&plain, &none), FIN(" complete='true'", "><count>0</count></set>"));
    assert_string_equal(fin(&after, &none), FIN(" complete='true'", "/>"));
}

static void the_form_has_our_fields(void **state)
{
    struct buf        b = { 0 };
    struct xml_writer w;

    (void)state;
    xml_begin(&w, &b, NS_CLIENT);
    mam_form_write(&w, place);
    assert_string_equal(text_of(&b), "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='form'>"
        "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field><field var='with' type='jid-single'/>"
        "<field var='start' type='text-single'/><field var='end' type='text-single'/>"
        "<field var='before-id' type='text-single'/><field var='after-id' type='text-single'/>"
        "<field var='ids' type='list-multi'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
        "datatype='xs:string'><open/></validate></field><field var='{urn:xmpp:fulltext:0}fulltext' type='text-single'/>"
        "<field var='withtext' type='text-single'/><field var='include-groupchat' type='boolean'/></x></query>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_query_says),
        cmocka_unit_test(what_the_extended_part_says),
        cmocka_unit_test(ids_have_a_limit),
        cmocka_unit_test(what_is_wrong_with_it),
        cmocka_unit_test(a_result_wraps_the_message_as_it_was),
        cmocka_unit_test(the_end_tells_what_is_known),
        cmocka_unit_test(the_form_has_our_fields),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
