/* The vectors of XEP-0115 5.2 and 5.3 and of XEP-0390 4.5, what is ill-formed, and what a <c/> says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "caps_hash.h"
#include "ns.h"
#include "xml_stream.h"

static const struct xml_limits limits = {
    .element_max = 65536, .depth_max = 16, .attributes_max = 16, .name_max = 256,
};

#define INFO(inside) "<query xmlns='http://jabber.org/protocol/disco#info'>" inside "</query>"
#define FEATURE(var) "<feature var='" var "'/>"
#define FIELD(var, values) "<field var='" var "'>" values "</field>"
#define VALUE(v) "<value>" v "</value>"
#define TYPE(v) "<field var='FORM_TYPE' type='hidden'>" v "</field>"
#define FORM(inside) "<x xmlns='jabber:x:data' type='result'>" inside "</x>"
#define BASE FEATURE("http://jabber.org/protocol/muc") FEATURE("http://jabber.org/protocol/disco#items") \
    FEATURE("http://jabber.org/protocol/caps") FEATURE("http://jabber.org/protocol/disco#info")
#define PSI INFO("<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>" \
    "<identity xml:lang='el' category='client' name='\xce\xa8 0.11' type='pc'/>" BASE \
    FORM(TYPE(VALUE("urn:xmpp:dataforms:softwareinfo")) FIELD("os", VALUE("Mac")) \
    FIELD("ip_version", VALUE("ipv6") VALUE("ipv4")) FIELD("software_version", VALUE("0.11")) \
    FIELD("os_version", VALUE("10.5.1")) FIELD("software", VALUE("Psi"))))

static const char simple[] =
    "<query xmlns='http://jabber.org/protocol/disco#info'>"
    "<identity category='client' name='BombusMod' type='mobile'/>"
    "<feature var='http://jabber.org/protocol/si'/>"
    "<feature var='http://jabber.org/protocol/bytestreams'/>"
    "<feature var='http://jabber.org/protocol/chatstates'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='urn:xmpp:ping'/>"
    "<feature var='jabber:iq:time'/>"
    "<feature var='jabber:iq:privacy'/>"
    "<feature var='jabber:iq:version'/>"
    "<feature var='http://jabber.org/protocol/rosterx'/>"
    "<feature var='urn:xmpp:time'/>"
    "<feature var='jabber:x:oob'/>"
    "<feature var='http://jabber.org/protocol/ibb'/>"
    "<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>"
    "<feature var='urn:xmpp:receipts'/>"
    "<feature var='jabber:iq:roster'/>"
    "<feature var='jabber:iq:last'/>"
    "</query>";

static const char complex_one[] =
    "<query xmlns='http://jabber.org/protocol/disco#info'>"
    "<identity category='client' name='Tkabber' type='pc' xml:lang='en'/>"
    "<identity category='client' name='Ткаббер' type='pc' xml:lang='ru'/>"
    "<feature var='games:board'/>"
    "<feature var='http://jabber.org/protocol/activity'/>"
    "<feature var='http://jabber.org/protocol/activity+notify'/>"
    "<feature var='http://jabber.org/protocol/bytestreams'/>"
    "<feature var='http://jabber.org/protocol/chatstates'/>"
    "<feature var='http://jabber.org/protocol/commands'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/disco#items'/>"
    "<feature var='http://jabber.org/protocol/evil'/>"
    "<feature var='http://jabber.org/protocol/feature-neg'/>"
    "<feature var='http://jabber.org/protocol/geoloc'/>"
    "<feature var='http://jabber.org/protocol/geoloc+notify'/>"
    "<feature var='http://jabber.org/protocol/ibb'/>"
    "<feature var='http://jabber.org/protocol/iqibb'/>"
    "<feature var='http://jabber.org/protocol/mood'/>"
    "<feature var='http://jabber.org/protocol/mood+notify'/>"
    "<feature var='http://jabber.org/protocol/rosterx'/>"
    "<feature var='http://jabber.org/protocol/si'/>"
    "<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>"
    "<feature var='http://jabber.org/protocol/tune'/>"
    "<feature var='http://www.facebook.com/xmpp/messages'/>"
    "<feature var='http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify'/>"
    "<feature var='jabber:iq:avatar'/>"
    "<feature var='jabber:iq:browse'/>"
    "<feature var='jabber:iq:dtcp'/>"
    "<feature var='jabber:iq:filexfer'/>"
    "<feature var='jabber:iq:ibb'/>"
    "<feature var='jabber:iq:inband'/>"
    "<feature var='jabber:iq:jidlink'/>"
    "<feature var='jabber:iq:last'/>"
    "<feature var='jabber:iq:oob'/>"
    "<feature var='jabber:iq:privacy'/>"
    "<feature var='jabber:iq:roster'/>"
    "<feature var='jabber:iq:time'/>"
    "<feature var='jabber:iq:version'/>"
    "<feature var='jabber:x:data'/>"
    "<feature var='jabber:x:event'/>"
    "<feature var='jabber:x:oob'/>"
    "<feature var='urn:xmpp:avatar:metadata+notify'/>"
    "<feature var='urn:xmpp:ping'/>"
    "<feature var='urn:xmpp:receipts'/>"
    "<feature var='urn:xmpp:time'/>"
    "<x xmlns='jabber:x:data' type='result'>"
    "<field type='hidden' var='FORM_TYPE'>"
    "<value>urn:xmpp:dataforms:softwareinfo</value>"
    "</field>"
    "<field var='software'>"
    "<value>Tkabber</value>"
    "</field>"
    "<field var='software_version'>"
    "<value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value>"
    "</field>"
    "<field var='os'>"
    "<value>Windows</value>"
    "</field>"
    "<field var='os_version'>"
    "<value>XP</value>"
    "</field>"
    "</x>"
    "</query>";

static struct slice hashed(struct arena *arena, const char *xml, enum caps_format format, const char *algorithm,
                           enum zerr *err)
{
    const struct element *root = xml_parse_content(arena, slice_str(xml), NS_CLIENT, &limits);
    struct buf            b = { 0 };
    struct slice          text;

    assert_non_null(root);
    *err = caps_hash(arena, root->children, format, slice_str(algorithm), slice_of(NULL, 0), &b);
    text = arena_copy(arena, buf_slice(&b));
    buf_free(&b);
    return text;
}

static void the_documents_vectors(void **state)
{
    static const struct {
        const char      *xml, *algorithm, *expected;
        enum caps_format format;
    } rows[] = {
        { INFO("<identity category='client' name='Exodus 0.9.1' type='pc'/>" BASE), "sha-1",
          "QgayPKawpkPSDYmwT/WM94uAlu0=", CAPS_1 },
        { PSI, "sha-1", "q07IKJEyjvHSyhy//CH0CxmKi8w=", CAPS_1 },
        { simple, "sha-256", "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8=", CAPS_2 },
        { simple, "sha3-256", "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q=", CAPS_2 },
        { complex_one, "sha-256", "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY=", CAPS_2 },
        { complex_one, "sha3-256", "XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg=", CAPS_2 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        enum zerr     err;
        struct slice  got = hashed(arena, rows[i].xml, rows[i].format, rows[i].algorithm, &err);
        assert_int_equal(err, ZE_OK);
        if (!slice_is(got, rows[i].expected))
            fail_msg("row %zu: %.*s", i, SLICE_FMT(got));
        arena_free(&arena);
    }
}

/* XEP-0115 5.4 and XEP-0390 4.1: what makes the whole answer worthless, and what does not count. */
static void ill_formed_answers(void **state)
{
    static const struct {
        const char *xml;
        enum zerr   one, two;
    } rows[] = {
        { INFO(FEATURE("a") FEATURE("b")), ZE_OK, ZE_OK },
        { INFO(FEATURE("a") FEATURE("a")), ZE_BAD_REQUEST, ZE_OK },
        { INFO("<identity category='c' type='t'/><identity category='c' type='t'/>"), ZE_BAD_REQUEST, ZE_OK },
        { INFO("<identity category='c' type='t'/><identity category='c' type='t' xml:lang='de'/>"), ZE_OK, ZE_OK },
        { INFO(FEATURE("a&lt;b")), ZE_BAD_REQUEST, ZE_OK },
        { INFO(FORM(TYPE(VALUE("x")) FIELD("v", VALUE("1"))) FORM(TYPE(VALUE("x")) FIELD("v", VALUE("2")))),
          ZE_BAD_REQUEST, ZE_OK },
        { INFO(FORM(TYPE(VALUE("x") VALUE("y")))), ZE_BAD_REQUEST, ZE_OK },
        { INFO(FORM(FIELD("FORM_TYPE", VALUE("x")))), ZE_OK, ZE_BAD_REQUEST },
        { INFO(FORM(FIELD("v", VALUE("x")))), ZE_OK, ZE_BAD_REQUEST },
        { INFO(FORM(TYPE(VALUE("x")) "<reported/>")), ZE_OK, ZE_BAD_REQUEST },
        { INFO("<else xmlns='urn:example:else'/>"), ZE_OK, ZE_BAD_REQUEST },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        enum zerr     one, two;
        hashed(arena, rows[i].xml, CAPS_1, "sha-1", &one);
        hashed(arena, rows[i].xml, CAPS_2, "sha-256", &two);
        if (one != rows[i].one || two != rows[i].two)
            fail_msg("row %zu: %d %d", i, one, two);
        arena_free(&arena);
    }
}

#define C1(attrs) "<c xmlns='http://jabber.org/protocol/caps' " attrs "/>"
#define C2(hashes) "<c xmlns='urn:xmpp:caps'>" hashes "</c>"
#define HASH(algo, v) "<hash xmlns='urn:xmpp:hashes:2' algo='" algo "'>" v "</hash>"

static void what_a_presence_says(void **state)
{
    static const struct {
        const char      *xml, *algorithm, *ver, *node;
        enum caps_format format;
    } rows[] = {
        { "<show>away</show>", "", "", "", CAPS_NONE },
        { C1("hash='sha-1' node='http://n' ver='QQ=='"), "sha-1", "QQ==", "http://n#QQ==", CAPS_1 },
        { C1("hash='sha-512' node='http://n' ver='QQ=='"), "sha-512", "QQ==", "http://n#QQ==", CAPS_1 },
        { C1("hash='md5' node='http://n' ver='QQ=='"), "md5", "QQ==", "http://n#QQ==", CAPS_UNVERIFIED },
        { C1("node='http://n' ver='0.9'"), "", "0.9", "http://n#0.9", CAPS_UNVERIFIED },
        { C1("hash='sha-1' node='http://n'"), "", "", "", CAPS_NONE },
        { C2(HASH("sha-256", "YWJj")), "sha-256", "YWJj", "urn:xmpp:caps#sha-256.YWJj", CAPS_2 },
        { C2(HASH("blake", "eA==") HASH("sha3-256", "YWJj")), "sha3-256", "YWJj", "urn:xmpp:caps#sha3-256.YWJj",
          CAPS_2 },
        { C1("hash='sha-1' node='n' ver='QQ=='") C2(HASH("sha-256", "YWJj")), "sha-256", "YWJj",
          "urn:xmpp:caps#sha-256.YWJj", CAPS_2 },
        { C1("hash='sha-1' node='n' ver='QQ=='") C2(HASH("blake", "eA==")), "sha-1", "QQ==", "n#QQ==", CAPS_1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena    *arena = arena_new();
        struct caps_said said = caps_said(arena, xml_parse_content(arena, slice_str(rows[i].xml), NS_CLIENT, &limits));
        if (said.format != rows[i].format || !slice_is(said.algorithm, rows[i].algorithm) ||
            !slice_is(said.ver, rows[i].ver) || !slice_is(said.node, rows[i].node))
            fail_msg("row %zu: %u %.*s", i, said.format, SLICE_FMT(said.node));
        arena_free(&arena);
    }
}

static void too_long_says_nothing(void **state)
{
    struct arena *arena = arena_new();
    char          ver[CAPS_SAID_MAX + 10], xml[CAPS_SAID_MAX + 200];

    (void)state;
    memset(ver, 'A', sizeof(ver));
    ver[sizeof(ver) - 1] = 0;
    snprintf(xml, sizeof(xml), C1("hash='sha-1' node='n' ver='%s'"), ver);
    assert_int_equal(caps_said(arena, xml_parse_content(arena, slice_str(xml), NS_CLIENT, &limits)).format, CAPS_NONE);
    arena_free(&arena);
}

static void nodes_of_an_answer(void **state)
{
    struct arena *arena = arena_new();
    struct buf    b = { 0 };
    struct slice  nodes;

    (void)state;
    caps_nodes(xml_parse_content(arena, SLICE(INFO(FEATURE("urn:a+notify") FEATURE("urn:b") FEATURE("+notify")
                                                   FEATURE("urn:ab+notify"))), NS_CLIENT, &limits)->children, &b);
    nodes = buf_slice(&b);
    assert_true(caps_nodes_have(nodes, SLICE("urn:a")));
    assert_true(caps_nodes_have(nodes, SLICE("urn:ab")));
    assert_false(caps_nodes_have(nodes, SLICE("urn:b")));
    assert_false(caps_nodes_have(nodes, SLICE("urn:")));
    assert_false(caps_nodes_have(nodes, SLICE("")));
    assert_false(caps_nodes_have(slice_of(NULL, 0), SLICE("urn:a")));
    buf_free(&b);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documents_vectors),
        cmocka_unit_test(ill_formed_answers),
        cmocka_unit_test(what_a_presence_says),
        cmocka_unit_test(too_long_says_nothing),
        cmocka_unit_test(nodes_of_an_answer),
    };

    return cmocka_run_group_tests_name("caps_hash", tests, NULL, NULL);
}
