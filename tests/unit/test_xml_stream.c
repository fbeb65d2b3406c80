/* proto/xml_stream.c and below: events from bytes, whole and in pieces; what a stranger may not send. */

#include "xml_rig.h"

#include <malloc.h>

static void headers(void **state)
{
    assert_stream(HEADER, OPENED);
    assert_stream("<?xml version='1.0'?>" HEADER, OPENED);
    assert_stream("<?xml version=\"1.0\" encoding='utf-8' standalone=\"yes\" ?> \n" HEADER, OPENED);
    assert_stream("\xEF\xBB\xBF<?xml version='1.0'?>" HEADER, OPENED);
    assert_stream("\xEF\xBB\xBF" HEADER, OPENED);
    assert_stream(" \r\n\t" HEADER, OPENED);
    assert_stream("\n <?xml version='1.0'?>" HEADER, OPENED);   /* what is left of the stream before */
    assert_stream("<stream:stream xml:lang='be' from='j@a' id='&lt;1&amp;2&#38;3&gt;' to='&apos;&quot;'"
                  " xmlns='jabber:server' xmlns:db='" NS_DIALBACK "' xmlns:stream='" NS_STREAM "' >",
                  "open to='\" from=j@a id=<1&2&3> lang=be ns=jabber:server dialback\n");
    assert_stream(HEADER_NS(NS_COMPONENT) "</stream:stream \n>",
                  "open to=a.example version=1.0 ns=jabber:component:accept\nclose\n");
}

static void headers_that_are_refused(void **state)
{
    assert_stream("<?xml version='1.0' encoding='ISO-8859-1'?>" HEADER, "error unsupported-encoding\n");
    assert_stream("<?xml version='1.0' encoding='UTF-16'?>" HEADER, "error unsupported-encoding\n");
    assert_stream("<?xml version='1.1'?>" HEADER, "error bad-format\n");
    assert_stream("<?xml encoding='UTF-8'?>" HEADER, "error not-well-formed\n");
    assert_stream("<?xml version='1.0' junk?>" HEADER, "error not-well-formed\n");
    assert_stream("<?xml-stylesheet href='x'?>" HEADER, "error restricted-xml\n");
    assert_stream("<?php evil ?>" HEADER, "error restricted-xml\n");
    assert_stream("<?xml version='1.0'?><?xml version='1.0'?>" HEADER, "error restricted-xml\n");
    assert_stream("<!DOCTYPE stream [<!ENTITY a 'aaaa'>]>" HEADER, "error restricted-xml\n");
    assert_stream("<!-- hello -->" HEADER, "error restricted-xml\n");
    assert_stream("GET / HTTP/1.1\r\n\r\n", "error not-well-formed\n");
    assert_stream("<message to='a'/>" HEADER, "error bad-format\n");
    assert_stream("<message to='a'>", "error invalid-namespace\n");
    assert_stream("<stream:stream xmlns='jabber:client' to='a'>", "error not-well-formed\n");
    assert_stream("<stream:stream xmlns='jabber:client' xmlns:stream='urn:x'>", "error invalid-namespace\n");
    assert_stream("<stream:stream xmlns='urn:x' xmlns:stream='" NS_STREAM "'>", "error invalid-namespace\n");
    assert_stream("<stream:stream xmlns:stream='" NS_STREAM "'>", "error invalid-namespace\n");
    assert_stream("<stream:flow xmlns='jabber:client' xmlns:stream='" NS_STREAM "'>", "error bad-format\n");
    assert_stream("<s:stream xmlns='jabber:client' xmlns:s='" NS_STREAM "'>", "error bad-namespace-prefix\n");
    assert_stream("<stream xmlns='" NS_STREAM "'>", "error bad-namespace-prefix\n");
    assert_stream("<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAM "'/>",
                  "error bad-format\n");
    assert_stream("<stream:stream to='a' to='b' xmlns='jabber:client' xmlns:stream='" NS_STREAM "'>",
                  "error not-well-formed\n");
    assert_stream("</stream:stream>", "error not-well-formed\n");
    assert_stream("<![CDATA[x]]>", "error bad-format\n");
    assert_bytes_give(NS_CLIENT, &limits, SLICE(HEADER_NS(NS_SERVER)), "error invalid-namespace\n");
}

static void utf16_is_refused(void **state)
{
    assert_bytes_give(NULL, &limits, SLICE("\xFF\xFE<\0s\0t\0"), "error unsupported-encoding\n");
    assert_bytes_give(NULL, &limits, SLICE("\xFE\xFF\0<\0s"), "error unsupported-encoding\n");
    assert_bytes_give(NULL, &limits, SLICE("<\0s\0t\0r\0"), "error unsupported-encoding\n");
    assert_bytes_give(NULL, &limits, SLICE("\0<\0s\0t"), "error unsupported-encoding\n");
}

static void a_stanza_is_header_and_content(void **state)
{
    assert_gives("<message from='a@b/c' to='d@e' id='1' type='chat' xml:lang='be' other='x'>"
                 "<body>Hi &amp; <b/>\n<![CDATA[<&]]></body><thread>t</thread></message>",
                 "message chat from=a@b/c to=d@e id=1 lang=be {jabber:client}body 10005 "
                 "|<body>Hi &amp; <b/>\n<![CDATA[<&]]></body><thread>t</thread>|\n");
    assert_gives("<presence/><presence ></presence ><iq type='get' id='&#x31;&amp;&quot;'><q "
                 "xmlns='urn:q'/></iq>",
                 "presence  8000 ||\npresence  8000 ||\niq get id=1&\" {urn:q}q 0 |<q xmlns='urn:q'/>|\n");
    assert_gives("<message xmlns='jabber:client'><body>x</body></message>",
                 "message normal {jabber:client}body 1 |<body>x</body>|\n");
    assert_gives("<message to=''> text </message>", "message normal to= 8000 | text |\n");
    assert_gives("<message><a xmlns='urn:a' b='>'/></message>",
                 "message normal {urn:a}a 0 |<a xmlns='urn:a' b='>'/>|\n");
}

static void white_space_between_stanzas_is_dropped(void **state)
{
    assert_gives(" \n\t\r <presence/>   <presence/>  ", "presence  8000 ||\npresence  8000 ||\n");
}

static void types_are_checked(void **state)
{
    assert_gives("<iq id='1'/>", "iq ? id=1 8000 ||\n");
    assert_gives("<iq type='chat'/>", "iq ? 8000 ||\n");
    assert_gives("<presence type='nonsense'/>", "presence ? 8000 ||\n");
    assert_gives("<message type='nonsense'/>", "message normal 8000 ||\n");
    assert_gives("<presence type='subscribe'/>", "presence subscribe 8000 ||\n");
}

static unsigned flags_of(const char *child)
{
    struct arena *arena = arena_new();
    struct stanza s = { .name = STANZA_MESSAGE, .content = slice_str(child) };

    assert_int_equal(xml_check_content(arena, &s, &limits), ZE_OK);
    arena_free(&arena);
    return s.flags;
}

static void children_become_flags(void **state)
{
    assert_int_equal(flags_of(""), STANZA_EMPTY);
    assert_int_equal(flags_of(" just text "), STANZA_EMPTY);
    assert_int_equal(flags_of("<body/>"), STANZA_HAS_BODY);
    assert_int_equal(flags_of("<subject>s</subject>"), STANZA_HAS_SUBJECT);
    assert_int_equal(flags_of("<body xmlns='urn:x'/>"), 0);
    assert_int_equal(flags_of("<x xmlns='urn:x'><body xmlns='jabber:client'/></x>"), 0);
    assert_int_equal(flags_of("<no-store xmlns='urn:xmpp:hints'/>"), STANZA_NO_STORE);
    assert_int_equal(flags_of("<no-permanent-store xmlns='urn:xmpp:hints'/>"), STANZA_NO_PERM_STORE);
    assert_int_equal(flags_of("<no-copy xmlns='urn:xmpp:hints'/><store xmlns='urn:xmpp:hints'/>"),
                     STANZA_NO_COPY | STANZA_STORE | STANZA_MANY);
    assert_int_equal(flags_of("<private xmlns='urn:xmpp:carbons:2'/>"), STANZA_PRIVATE);
    assert_int_equal(flags_of("<delay xmlns='urn:xmpp:delay'/>"), STANZA_HAS_DELAY);
    assert_int_equal(flags_of("<stanza-id xmlns='urn:xmpp:sid:0'/>"), STANZA_HAS_ID);
    assert_int_equal(flags_of("<active xmlns='http://jabber.org/protocol/chatstates'/>"), STANZA_CHAT_STATE);
    assert_int_equal(flags_of("<received xmlns='urn:xmpp:receipts'/>"), STANZA_HAS_RECEIPT);
    assert_int_equal(flags_of("<displayed xmlns='urn:xmpp:chat-markers:0'/>"), STANZA_HAS_MARKER);
    assert_int_equal(flags_of("<encrypted xmlns='eu.siacs.conversations.axolotl'/>"), STANZA_ENCRYPTED);
    assert_int_equal(flags_of("<proceed xmlns='urn:xmpp:jingle-message:0' id='1'/>"), STANZA_CALL);
    assert_int_equal(flags_of("<store xmlns='urn:xmpp:hints'/><propose xmlns='urn:xmpp:jingle-message:0' id='1'/>"),
                     STANZA_CALL | STANZA_RINGS | STANZA_STORE | STANZA_MANY);
    assert_int_equal(flags_of("<m:x xmlns:m='http://jabber.org/protocol/muc#user'/>"), STANZA_MUC_USER);
}

static void the_stream_lends_its_language(void **state)
{
    assert_stream("<stream:stream xml:lang='be' xmlns='jabber:client' xmlns:stream='" NS_STREAM "'>"
                  "<presence/><presence xml:lang='pl'/>",
                  "open lang=be ns=jabber:client\npresence  lang=be 8000 ||\npresence  lang=pl 8000 ||\n");
}

static void other_elements_become_trees(void **state)
{
    assert_gives("<auth xmlns='urn:sasl' mechanism='PLAIN' xml:lang='be'>AG&lt;E=</auth><x><y "
                 "z='&amp;&#10;'/>t</x>",
                 "element <auth xmlns='urn:sasl' mechanism='PLAIN' xml:lang='be'>AG&lt;E=</auth>\n"
                 "element <x xmlns='jabber:client'><y z='&amp;&#10;'/>t</x>\n");
    assert_gives("<message xmlns='urn:other'/>", "element <message xmlns='urn:other'/>\n");
    assert_gives("<a xmlns='urn:a' xmlns:p='urn:p' p:k='v'>1<p:b/>2<![CDATA[<]]>3</a>",
                 "element <a xmlns='urn:a' xmlns:a0='urn:p' a0:k='v'>1<b xmlns='urn:p'/>2&lt;3</a>\n");
    assert_stream(HEADER_NS(NS_COMPONENT) "<handshake>abc</handshake>",
                  "open to=a.example version=1.0 ns=jabber:component:accept\n"
                  "element <handshake xmlns='jabber:component:accept'>abc</handshake>\n");
}

static void prefixes_of_the_header_serve_first_level_elements(void **state)
{
    assert_gives("<stream:error><conflict xmlns='" NS_STREAMS "'/></stream:error>",
                 "element <error xmlns='" NS_STREAM "'><conflict xmlns='" NS_STREAMS "'/></error>\n");
    assert_stream("<stream:stream xmlns='jabber:server' xmlns:db='" NS_DIALBACK "'"
                  " xmlns:stream='" NS_STREAM "'>"
                  "<db:result to='a' from='b'>key</db:result>",
                  "open ns=jabber:server dialback\n"
                  "element <result xmlns='jabber:server:dialback' to='a' from='b'>key</result>\n");
}

static void borrowed_prefixes_are_rewritten(void **state)
{
    assert_stream("<stream:stream xmlns='jabber:client' xmlns:x='urn:x&amp;y' xmlns:stream='" NS_STREAM "'>"
                  "<message><body>a&amp;b</body><x:a x:b='c'/></message><message><x:a/></message>",
                  "open ns=jabber:client\nmessage normal {jabber:client}body 10001 "
                  "|<body>a&amp;b</body><a xmlns='urn:x&amp;y' xmlns:a0='urn:x&amp;y' a0:b='c'/>|\n"
                  "message normal {urn:x&y}a 0 |<a xmlns='urn:x&amp;y'/>|\n");
    assert_gives("<message xmlns:p='urn:p'><p:a/></message>",
                 "message normal {urn:p}a 0 |<a xmlns='urn:p'/>|\n");
    assert_gives("<c:message xmlns:c='jabber:client' xmlns='urn:d'><a/><c:body/></c:message>",
                 "message normal {urn:d}a 10001 |<a xmlns='urn:d'/><body/>|\n");
    assert_gives("<presence/>", "presence  8000 ||\n");
}

static void content_means_the_same_on_every_stream(void **state)
{
    assert_stream(HEADER_NS(NS_SERVER) "<message><body>x</body></message>"
                  "<message xmlns='jabber:server'><body>y</body></message>"
                  "<message><body xmlns='jabber:server'>z</body><a xmlns='urn:a'><body "
                  "xmlns='jabber:server'/></a>"
                  "</message>",
                  "open to=a.example version=1.0 ns=jabber:server\n"
                  "message normal {jabber:client}body 1 |<body>x</body>|\n"
                  "message normal {jabber:client}body 1 |<body>y</body>|\n"
                  "message normal {jabber:client}body 10001 "
                  "|<body>z</body><a xmlns='urn:a'><body xmlns='jabber:client'/></a>|\n");
    assert_gives("<message><body xmlns='jabber:client'>x</body></message>",
                 "message normal {jabber:client}body 1 |<body>x</body>|\n");
    assert_gives("<message><c:body xmlns:c='jabber:client'/></message>",
                 "message normal {jabber:client}body 1 |<body/>|\n");
    assert_gives("<message><f xmlns='urn:f'><message xmlns='jabber:client'><body/></message></f></message>",
                 "message normal {urn:f}f 0 "
                 "|<f xmlns='urn:f'><message xmlns='jabber:client'><body/></message></f>|\n");
    assert_gives("<message><a xmlns=''/></message>", "message normal {}a 0 |<a xmlns=''/>|\n");
}

static void the_stream_prefix_stays_outside_of_stanzas(void **state)
{
    assert_refused("<message><stream:error/></message>", "bad-namespace-prefix");
    assert_refused("<message><a xmlns='urn:a'><stream:error/></a></message>", "bad-namespace-prefix");
    assert_refused("<message><stream:error xmlns:stream='" NS_STREAM "'/></message>", "bad-namespace-prefix");
}

static void text_between_stanzas(void **state)
{
    assert_gives("<presence/>junk<presence/>", "presence  8000 ||\nerror bad-format\n");
    assert_refused("\xEF\xBB\xBF<presence/>", "bad-format");
    assert_refused("&amp;", "bad-format");
    assert_refused("<![CDATA[x]]>", "bad-format");
}

static void restricted_xml(void **state)
{
    assert_refused("<message><!-- c --></message>", "restricted-xml");
    assert_refused("<!-- c --><message/>", "restricted-xml");
    assert_refused("<message><?pi x?></message>", "restricted-xml");
    assert_refused("<?xml version='1.0'?><presence/>", "restricted-xml");
    assert_refused("<!DOCTYPE a>", "restricted-xml");
    assert_refused("<message><!ENTITY a 'b'></message>", "restricted-xml");
    assert_refused("<message><body>&lol;</body></message>", "restricted-xml");
    assert_refused("<message to='&lol;'/>", "restricted-xml");
    assert_refused("<a xmlns='urn:a'>&lol;</a>", "restricted-xml");
    assert_stream("<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;&lol;'>]>" HEADER
                  "<message><body>&lol2;</body></message>", "error restricted-xml\n");
}

static void not_well_formed(void **state)
{
    static const char *const bad[] = {
        "<a></b>", "<message><a></message></a>", "</presence>", "<message><a><b></a>", "<presence//>",
        "< presence/>",
        "<presence><<", "<message to='a' to='b'/>", "<message to=a/>", "<message to/>", "<message 'a'/>",
        "<message to='<'/>", "<message><p:a/></message>", "<message><a p:b='c'/></message>", "<p:message/>",
        "<message><a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/></message>", "<a><![CDAT[x]]></a>",
        "<message><body>]]></body></message>", "<message><body>&#0;</body></message>",
        "<message><body>&#xFFFE;</body></message>", "<message><body>\x01</body></message>",
        "<message><body>\uFFFE</body></message>", "<message><body>&amp</body></message>",
        "<message><body>& </body></message>", "<message a='1'b='2'/>", "<message><1a/></message>",
        "<message><a:b:c xmlns:a='urn:a'/></message>", "<message><a xmlns:p=''/></message>",
        "<message><a xmlns:xmlns='urn:a'/></message>", "<message><a xmlns:xml='urn:a'/></message>",
        "<message><a xmlns='http://www.w3.org/XML/1998/namespace'/></message>", "<message></message/>",
        "<message></message x='y'>", "<message><a b='&#x1;'/></message>", "</stream:strean>",
        "<message><x/</message>",
        "<message><-a/></message>", "<message:/>",
    };

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(bad[i], "not-well-formed");
}

/* RFC 6120 4.9.3.22 */
static void bad_utf8(void **state)
{
    assert_refused("<message><body>\xFF</body></message>", "unsupported-encoding");
    assert_refused("<message><body>\xC0\x80</body></message>", "unsupported-encoding");
    assert_refused("<message><body>a\xE2\x82</body></message>", "unsupported-encoding");
    assert_refused("<message to='\xC3'/>", "unsupported-encoding");
    assert_refused("<message><body>\xF5\x80\x80\x80</body></message>", "unsupported-encoding");
    assert_refused("<message><body>\xED\xA0\x80</body></message>", "unsupported-encoding");
    assert_bytes_give(NULL, &limits, SLICE(HEADER "<a>\0</a>"), OPENED "error not-well-formed\n");
    assert_bytes_give(NULL, &limits, SLICE(HEADER "<a b='\0'/>"), OPENED "error not-well-formed\n");
    assert_bytes_give(NULL, &limits, SLICE(HEADER "<a\0b/>"), OPENED "error not-well-formed\n");
}

static void odd_namespace_names_are_taken(void **state)
{
    assert_gives("<message><a xmlns='not a uri'/><b xmlns='relative'/><c xmlns=':'/></message>",
                 "message normal {not a uri}a 10000 |<a xmlns='not a uri'/><b xmlns='relative'/><c "
                 "xmlns=':'/>|\n");
}

/* An end tag that does not match is told at once, not when the element would close. */
static void a_mismatch_is_told_at_once(void **state)
{
    assert_refused("<message><a></b>", "not-well-formed");
    assert_refused("<message to='a <body>", "not-well-formed");
    assert_refused("<message><!-- ", "restricted-xml");
}

static void the_end_of_a_stream(void **state)
{
    assert_gives("<presence/></stream:stream>trailing \xFF junk", "presence  8000 ||\nclose\n");
    assert_gives("</stream:stream >", "close\n");
    assert_gives("</stream:stream", "");
    assert_gives("</stream>", "error not-well-formed\n");
    assert_refused("<a></b>more", "not-well-formed");
}

static void assert_repeated(const char *before, const char *piece, size_t times, const char *after,
                            const char *expected)
{
    char *bytes = repeat(before, piece, times, after);

    assert_gives(bytes, expected);
    free(bytes);
}

static void limits_come_before_the_parser(void **state)
{
    const char *policy = "error policy-violation\n";

    assert_repeated("", "<a>", 10000, "", policy);
    assert_repeated("<message>", "<a>", 64, "", policy);
    assert_repeated("<message ", "a='' ", 10000, "/>", policy);
    assert_repeated("<", "a", 10000, "/>", policy);
    assert_repeated("</", "a", 10000, ">", policy);
    assert_repeated("<message ", "a", 10000, "=''/>", policy);
    assert_repeated("<message><body>", "abcdefgh", 10000, "</body></message>", policy);
    assert_repeated("<message to='", "abcdefgh", 10000, "'/>", policy);
    assert_repeated("<message><![CDATA[", "abcdefgh", 10000, "", policy);
    assert_stream("<?xml version='1.0'                                                               "
                  "                                                                              ?>", policy);
}

static void depth_up_to_the_limit(void **state)
{
    struct xml_limits deep = limits;
    char             *open = repeat(HEADER, "<a>", 64, ""), *bytes = repeat(open, "</a>", 64, "<presence/>");
    struct buf        log = { 0 };

    play(&log, NULL, &limits, slice_str(bytes), SIZE_MAX);
    buf_put_u8(&log, 0);
    assert_non_null(strstr((const char *)buf_slice(&log).p, "presence"));
    buf_reset(&log, 0);
    deep.depth_max = 63;
    play(&log, NULL, &deep, slice_str(bytes), SIZE_MAX);
    buf_put_u8(&log, 0);
    assert_non_null(strstr((const char *)buf_slice(&log).p, "policy-violation"));
    buf_free(&log);
    free(open);
    free(bytes);
}

/* Exactly element_max bytes pass; one more does not, however they come. */
static void the_size_limit_is_exact(void **state)
{
    struct xml_limits small = limits;
    const char        stanza[] = "<message><body>0123456789</body></message>";

    small.element_max = strlen(HEADER);
    assert_bytes_give(NULL, &small, SLICE(HEADER), OPENED);
    small.element_max--;
    assert_bytes_give(NULL, &small, SLICE(HEADER), "error policy-violation\n");
    for (size_t i = 0; i < COUNT_OF(pieces); i++)
        for (size_t less = 0; less < 2; less++) {
            struct xml_stream *xs = xml_stream_new(NULL, &limits);
            struct arena      *arena = arena_new();
            struct xml_item    item;
            struct slice       in = SLICE(HEADER);
            assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
            small.element_max = strlen(stanza) - less;
            xml_stream_limits(xs, &small);
            enum xml_event event = XML_MORE;
            for (size_t at = 0; at < strlen(stanza) && event == XML_MORE; at += pieces[i]) {
                size_t rest = strlen(stanza) - at;
                in = slice_of(stanza + at, rest < pieces[i] ? rest : pieces[i]);
                event = xml_stream_feed(xs, arena, &in, &item);
                if (pieces[i] == SIZE_MAX)
                    break;
            }
            assert_int_equal(event, less ? XML_ERROR : XML_STANZA);
            arena_free(&arena);
            xml_stream_free(&xs);
        }
}

/* libxml2 never gives names of a dictionary back: contexts must be replaced. */
static void names_do_not_pile_up(void **state)
{
    struct xml_stream *xs = xml_stream_new(NULL, &limits);
    struct arena      *arena = arena_new();
    struct xml_item    item;
    struct slice       in = SLICE(HEADER);
    unsigned           stanzas = 0;

    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 20000; i++) {
        char *text = xprintf("<message><n%d.%0200d xmlns='urn:%d'/></message>", i, i, i);
        in = slice_str(text);
        stanzas += xml_stream_feed(xs, arena, &in, &item) == XML_STANZA;
        arena_reset(arena);
        free(text);
    }
    assert_int_equal(stanzas, 20000);
    assert_true(mallinfo2().uordblks < before + 300000);   /* 4 MB of names went by */
    arena_free(&arena);
    xml_stream_free(&xs);
}

static void an_idle_stream_holds_nothing(void **state)
{
    struct xml_stream *xs = xml_stream_new(NULL, &limits);
    struct arena      *arena = arena_new();
    struct xml_item    item;
    struct slice       in = SLICE(HEADER "<mess");

    assert_int_equal(xml_stream_held(xs), 0);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
    assert_int_equal(xml_stream_held(xs), 0);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_MORE);
    assert_true(xml_stream_held(xs) > 0);
    in = SLICE("age/>   ");
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_STANZA);
    assert_int_equal(xml_stream_held(xs), 0);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_MORE);
    assert_int_equal(xml_stream_held(xs), 0);
    in = SLICE("<a");
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_MORE);
    xml_stream_restart(xs);
    assert_int_equal(xml_stream_held(xs), 0);
    in = SLICE("<?xml version='1.0'?>" HEADER "<presence/>");
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_STANZA);
    arena_free(&arena);
    xml_stream_free(&xs);
    assert_null(xs);
}

static void a_whole_stanza_is_not_copied(void **state)
{
    struct xml_stream *xs = xml_stream_new(NULL, &limits);
    struct arena      *arena = arena_new();
    struct xml_item    item;
    static const char  bytes[] = HEADER "<message><body>x</body></message>";
    struct slice       in = slice_str(bytes);

    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_OPEN);
    in = slice_of(bytes + strlen(HEADER), strlen(bytes) - strlen(HEADER));
    assert_int_equal(xml_stream_feed(xs, arena, &in, &item), XML_STANZA);
    assert_ptr_equal(item.stanza.content.p, bytes + strlen(HEADER "<message>"));
    arena_free(&arena);
    xml_stream_free(&xs);
}

/* A broken stream leaves no trace in the next one that uses the same context. */
static void streams_do_not_mix(void **state)
{
    static const char *const bad[] = { "<message><a>\xFF", "<message><a>&lol;</a></message>",
                                       "<a xmlns:p='urn:p'>", "<message><p:a/></message>", "<message><body>&amp</body></message>" };

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct buf log = { 0 };
        char      *bytes = xprintf("%s%s", HEADER, bad[i]);
        play(&log, NULL, &limits, slice_str(bytes), SIZE_MAX);
        buf_free(&log);
        free(bytes);
        assert_gives("<message><body>x</body></message>",
                     "message normal {jabber:client}body 1 |<body>x</body>|\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(utf16_is_refused),
        cmocka_unit_test(a_stanza_is_header_and_content),
        cmocka_unit_test(white_space_between_stanzas_is_dropped),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(children_become_flags),
        cmocka_unit_test(the_stream_lends_its_language),
        cmocka_unit_test(other_elements_become_trees),
        cmocka_unit_test(prefixes_of_the_header_serve_first_level_elements),
        cmocka_unit_test(borrowed_prefixes_are_rewritten),
        cmocka_unit_test(content_means_the_same_on_every_stream),
        cmocka_unit_test(the_stream_prefix_stays_outside_of_stanzas),
        cmocka_unit_test(text_between_stanzas),
        cmocka_unit_test(restricted_xml),
        cmocka_unit_test(not_well_formed),
        cmocka_unit_test(bad_utf8),
        cmocka_unit_test(odd_namespace_names_are_taken),
        cmocka_unit_test(a_mismatch_is_told_at_once),
        cmocka_unit_test(the_end_of_a_stream),
        cmocka_unit_test(limits_come_before_the_parser),
        cmocka_unit_test(depth_up_to_the_limit),
        cmocka_unit_test(the_size_limit_is_exact),
        cmocka_unit_test(names_do_not_pile_up),
        cmocka_unit_test(an_idle_stream_holds_nothing),
        cmocka_unit_test(a_whole_stanza_is_not_copied),
        cmocka_unit_test(streams_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, free_pool);
}
