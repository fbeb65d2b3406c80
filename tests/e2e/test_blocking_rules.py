"""XEP-0191 and XEP-0377 sentence by sentence, with real sessions; the clause stands before each test. What is blocked
here is mostly an address of a component, which may have any form and sees everything that is sent to it."""

import pytest

from harness import NS
from test_blocking import BLOCKING, block, blocklist, is_push, unblock
from test_delivery import ACCEPT, COMPONENT, connect_component
from test_resume import hibernates, managed, resume

OPTIONS = ["--set", "domain[example.org].admins=admin@example.org", "--set", "limits.blocklist_max=10",
           "--set", "limits.reports_per_hour=5", "--set", "limits.resume_seconds=300"]
REPORTING, SPAM = "urn:xmpp:reporting:1", "urn:xmpp:reporting:spam"
PING = "<ping xmlns='urn:xmpp:ping'/>"


@pytest.fixture(scope="module")
def outside(suite):
    c = connect_component(suite)
    yield c
    c.sock.close()


def says(c, name, start, to, attributes="", content=""):
    """A stanza of the component's, from one of its addresses."""
    ident = c.new_id()
    c.write(f"<{name} from='{start}' to='{to}' id='{ident}' {attributes}>{content}</{name}>")
    return ident


def fence(user, c):
    """All that comes to the component until what it and the user have sent is handled (by the user's sm)."""
    ident, seen = says(c, "iq", COMPONENT, user.bare, "type='get'", PING), []
    while (e := c.next()).get("id") != ident:
        seen.append(e)
    return seen


def until_now(c):
    """All that comes to a client until what was sent to it is there."""
    ident, seen = c.new_id(), []
    c.write(f"<iq type='get' id='{ident}' to='{c.domain}'>{PING}</iq>")
    while (e := c.next()).get("id") != ident:
        seen.append(e)
    return seen


def condition(e):
    return next(child.tag.split("}")[1] for child in e.find(ACCEPT + "error"))


def outcome(c, user, name, start, attributes="", content="<body>x</body>"):
    """What becomes of a stanza: "taken", the error's condition, or "nothing"."""
    ident = says(c, name, start, user.jid if name == "iq" else user.bare, attributes, content)
    answers = [e for e in fence(user, c) if e.get("id") == ident]
    taken = [e for e in until_now(user) if e.get("id") == ident]
    assert len(answers) + len(taken) <= 1
    return condition(answers[0]) if answers else "taken" if taken else "nothing"


# 3.2
def test_the_list_has_one_item_for_each_jid(server):
    a = server.client("lister")
    e = a.iq("get", f"<blocklist xmlns='{BLOCKING}'/>")
    assert e.get("type") == "result" and len(e.find(f"{{{BLOCKING}}}blocklist")) == 0
    block(a, "romeo@montague.net", "iago@shakespeare.lit", "romeo@montague.net", "Romeo@Montague.NET")
    e = a.iq("get", f"<blocklist xmlns='{BLOCKING}'/>")
    assert sorted(i.get("jid") for i in e.find(f"{{{BLOCKING}}}blocklist")) == ["iago@shakespeare.lit", "romeo@montague.net"]


# 3.3-3.5
def test_pushes_go_to_all_resources_that_asked_for_the_list_and_to_no_other(server):
    one, two, three = (server.client("pusher", resource=r) for r in ("one", "two", "three"))
    blocklist(one), blocklist(two)
    for command, jids in (("block", ["x@far.example", "y@far.example"]), ("unblock", ["x@far.example"]), ("unblock", [])):
        (block if command == "block" else unblock)(three, *jids)
        for c in (one, two):
            push = c.expect("iq", is_push(command))
            assert push.get("to") == c.jid and sorted(i.get("jid") for i in push[0]) == jids
        three.ping()
        three.expect_none("iq", is_push(command), 0.1)
    asked = server.client("pusher", resource="asked")
    blocklist(asked)
    asked.write(f"<iq type='set' id='mine'><block xmlns='{BLOCKING}'><item jid='z@far.example'/></block></iq>")
    came = [asked.expect("iq") for _ in range(2)]
    assert sorted(is_push("block")(e) for e in came) == [False, True]          # the one that did it, too


# 3.3 "If the <block/> element does not contain at least one <item/>", 3.4; RFC 6120 8.3
@pytest.mark.parametrize("command, items, error", [
    ("block", "", "bad-request"), ("block", "<item/>", "bad-request"), ("block", "<item jid=''/>", "bad-request"),
    ("block", "<item xmlns='urn:other' jid='a@b.example'/>", "bad-request"),
    ("block", "<item jid='a@b.example'/><item/>", "bad-request"), ("block", "<item jid='@'/>", "jid-malformed"),
    ("block", "<item jid='a@b.example'/><item jid='a@@b'/>", "jid-malformed"),
    ("unblock", "<item/>", "bad-request"), ("unblock", "<item jid='a@b.example/'/>", "jid-malformed"),
])
def test_a_bad_request_changes_nothing(server, command, items, error):
    a = server.client("clumsy")
    before = blocklist(a)
    assert a.error_of(a.iq("set", f"<{command} xmlns='{BLOCKING}'>{items}</{command}>")) == error
    assert blocklist(a) == before
    a.expect_none("iq", is_push(command), 0.1)


def test_over_the_limit_nothing_is_blocked(server):
    a = server.client("bounded")
    blocklist(a)
    block(a, *(f"u{i}@far.example" for i in range(8)))
    assert a.error_of(block(a, *(f"v{i}@far.example" for i in range(3)))) == "resource-constraint"
    assert len(blocklist(a)) == 8
    assert block(a, "u1@far.example", "v1@far.example", "v2@far.example").get("type") == "result"
    assert len(blocklist(a)) == 10
    assert unblock(a, "u1@far.example", "never@far.example").get("type") == "result"
    assert block(a, "v3@far.example").get("type") == "result"
    assert len(blocklist(a)) == 10


def test_nobody_reads_or_changes_the_list_of_another(server):
    a, b = server.client("owner"), server.client("stranger")
    for content in (f"<block xmlns='{BLOCKING}'><item jid='x@y.example'/></block>", f"<unblock xmlns='{BLOCKING}'/>"):
        assert b.error_of(b.iq("set", content, to=a.bare)) == "service-unavailable"
    assert b.error_of(b.iq("get", f"<blocklist xmlns='{BLOCKING}'/>", to=a.bare)) == "service-unavailable"
    assert blocklist(a) == set()


# 3.3 "the server MUST NOT respond ...", "SHOULD return an error", "MUST be silently dropped"; 5 (the order of matching)
INBOUND = [
    ("presence", "", "", "nothing"), ("presence", "type='unavailable'", "", "nothing"),
    ("presence", "type='subscribe'", "", "nothing"), ("presence", "type='subscribed'", "", "nothing"),
    ("presence", "type='unsubscribe'", "", "nothing"), ("presence", "type='unsubscribed'", "", "nothing"),
    ("presence", "type='probe'", "", "nothing"),
    ("message", "", "<body>x</body>", "service-unavailable"), ("message", "type='chat'", "<body>x</body>", "service-unavailable"),
    ("message", "type='headline'", "<body>x</body>", "service-unavailable"),
    ("message", "type='groupchat'", "<body>x</body>", "nothing"),       # of a room: an error would throw us out of it
    ("message", "type='error'", "<error type='cancel'/>", "nothing"),
    ("iq", "type='get'", PING, "service-unavailable"), ("iq", "type='set'", "<q xmlns='urn:q'/>", "service-unavailable"),
    ("iq", "type='result'", "", "nothing"), ("iq", "type='error'", "<error type='cancel'/>", "nothing"),
]


@pytest.mark.parametrize("online", [True, False])
def test_inbound(server, outside, online):
    a = server.client(f"inbound-{online}".lower())
    a.write(f"<presence to='x@{COMPONENT}/r'/>")            # who may ask a resource: RFC 6121 8.5.3.1
    block(a, f"x@{COMPONENT}")
    fence(a, outside)
    if not online:
        a.close()
    wrong = []
    for name, attributes, content, expected in INBOUND:
        ident = says(outside, name, f"x@{COMPONENT}/r", a.jid if name == "iq" else a.bare, attributes, content)
        answers = [e for e in fence(a, outside) if e.get("id") == ident]
        found = condition(answers[0]) if answers else "nothing"
        wrong += [(name, attributes, found, expected)] if found != expected or len(answers) > 1 else []
    assert not wrong
    b = a if online else server.client(a.bare, register=False, resource="later")
    assert not [e for e in until_now(b) if (e.get("from") or "").startswith(f"x@{COMPONENT}")]
    b.close()


@pytest.mark.parametrize("item, reaches", [
    ("x@{}/r", {"x@{}/r": False, "x@{}/s": True, "x@{}": True, "{}/r": True, "{}": True, "y@{}/r": True}),
    ("x@{}", {"x@{}/r": False, "x@{}/s": False, "x@{}": False, "{}/r": True, "{}": True, "y@{}": True}),
    ("{}/r", {"x@{}/r": True, "x@{}": True, "{}/r": False, "{}/s": True, "{}": True}),
    ("{}", {"x@{}/r": False, "x@{}": False, "{}/r": False, "{}": False, "y@{}/s": False}),
])
def test_matching(server, outside, item, reaches):
    a = server.client("matcher")
    unblock(a)
    block(a, item.format(COMPONENT))
    got = {start: outcome(outside, a, "message", start.format(COMPONENT)) for start in reaches}
    assert got == {start: "taken" if free else "service-unavailable" for start, free in reaches.items()}
    for start, free in reaches.items():
        ident = a.message(start.format(COMPONENT), "out")
        if not free:
            assert a.error_of(a.expect("message", lambda m: m.get("id") == ident)) == "not-acceptable"
    until_now(a)
    passed = [e.get("to") for e in fence(a, outside) if e.get("type") == "chat"]
    assert passed == [start.format(COMPONENT) for start, free in reaches.items() if free]


# 3.3 "the user's server MUST NOT route the stanza to the JID but instead MUST return a <not-acceptable/> error"
@pytest.mark.parametrize("stanza, answered", [
    ("<message to='{}' id='{}' type='chat'><body>x</body></message>", True),
    ("<message to='{}' id='{}'><body>x</body></message>", True),
    ("<iq to='{}' id='{}' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", True),
    ("<iq to='{}' id='{}' type='set'><q xmlns='urn:q'/></iq>", True),
    ("<presence to='{}' id='{}'/>", True), ("<presence to='{}' id='{}' type='subscribe'/>", True),
    ("<presence to='{}' id='{}' type='unavailable'/>", True),
    ("<iq to='{}' id='{}' type='result'/>", False), ("<message to='{}' id='{}' type='error'><error/></message>", False),
])
def test_outbound(server, outside, stanza, answered):
    a = server.client("outbound")
    block(a, f"x@{COMPONENT}")
    to, ident = f"x@{COMPONENT}/r", a.new_id()
    a.write(stanza.format(to, ident))
    if answered:
        e = a.expect(None, lambda e: e.get("id") == ident)
        assert e.get("from") == to and a.error_of(e) == "not-acceptable"
        assert e.find("client:error", NS).get("type") == "cancel"
        assert e.find("client:error/{urn:xmpp:blocking:errors}blocked", NS) is not None
    assert not [e for e in until_now(a) if e.get("id") == ident]
    assert not [e for e in fence(a, outside) if (e.get("from") or "").startswith(a.bare)]
    unblock(a)


# 3.3, 3.4 "but only if the JID is allowed to receive presence notifications from the user"
def test_presence_is_sent_to_who_may_see_it_only(server, outside):
    a = server.client("shown")
    contact, stranger, directed = f"contact@{COMPONENT}", f"stranger@{COMPONENT}", f"room@{COMPONENT}/nick"
    a.iq("get", f"<query xmlns='{NS['roster']}'/>")
    says(outside, "presence", contact, a.bare, "type='subscribe'")
    a.expect("presence", lambda p: p.get("type") == "subscribe")
    a.write(f"<presence to='{contact}' type='subscribed'/><presence to='{directed}'/>")
    a.ping()
    fence(a, outside)
    seen = lambda: [(e.get("to"), e.get("type")) for e in fence(a, outside) if e.tag == ACCEPT + "presence"]
    for jid, leaves, comes in ((contact, [(contact, "unavailable")], [(contact, None)]), (stranger, [], []),
                               (directed.split("/")[0], [(directed, "unavailable")], [])):
        block(a, jid)
        assert seen() == leaves, jid
        a.write("<presence><show>dnd</show></presence>")
        a.ping()
        assert seen() == ([] if jid == contact else [(contact, None)])
        unblock(a, jid)
        assert seen() == comes, jid
    block(a, contact, stranger)
    seen()
    unblock(a)                                             # 3.5
    assert seen() == [(contact, None)]
    item = [i for i in a.iq("get", f"<query xmlns='{NS['roster']}'/>")[0] if i.get("jid") == contact]
    assert item[0].get("subscription") == "from"           # 4: polite


# 3.3 "applies across sessions", 3.4 "MUST deliver any subsequent XML stanzas"
def test_it_holds_until_it_is_lifted(server, outside):
    a = server.client("lasting")
    block(a, f"x@{COMPONENT}")
    a.close()
    a = server.client("lasting", resource="another")
    assert outcome(outside, a, "message", f"x@{COMPONENT}/r") == "service-unavailable"
    unblock(a, f"x@{COMPONENT}")
    assert outcome(outside, a, "message", f"x@{COMPONENT}/r") == "taken"
    block(a, f"x@{COMPONENT}")
    unblock(a)
    assert outcome(outside, a, "message", f"x@{COMPONENT}/r") == "taken"


def test_while_a_client_sleeps(server, outside):
    a = managed(server, "sleepy")
    blocklist(a)
    other = server.client("sleepy", register=False, resource="other", priority=-1)
    a.drop()
    hibernates(server, a.jid)
    says(outside, "message", f"x@{COMPONENT}/r", a.bare, "type='chat'", "<body>before</body>")
    fence(a, outside)
    block(other, f"x@{COMPONENT}")
    says(outside, "message", f"x@{COMPONENT}/r", a.bare, "type='chat'", "<body>after</body>")
    assert [condition(e) for e in fence(a, outside)] == ["service-unavailable"]
    back = resume(server, a, "sleepy")
    back.expect_body("before")
    assert back.expect("iq", is_push("block"))             # it had asked for the list
    back.expect_none("message")


# 5 "MUST NOT block communications from one of a user's resources to another"
def test_oneself_cannot_be_blocked(server):
    one, two = server.client("self", resource="one"), server.client("self", resource="two")
    assert block(one, one.bare, two.jid, server.domain).get("type") == "result"
    one.message(two.jid, "still here")
    two.expect_body("still here")
    assert one.ping().get("type") == "result"
    assert one.iq("get", f"<query xmlns='{NS['roster']}'/>").get("type") == "result"
    unblock(one)


# ---- XEP-0377

def report(reason=f"reason='{SPAM}'", inside=""):
    return f"<report xmlns='{REPORTING}' {reason}>{inside}</report>"


@pytest.fixture(scope="module")
def admin(suite):
    return suite.client("admin")


def heard(server, admin, reporter):
    """What the admin is told of one reporter, up to now: (item, body)."""
    reporter.ping()
    told = [m for m in until_now(admin) if m.tag.endswith("}message") and m.get("from") == server.domain]
    return [(m.find(f"{{{BLOCKING}}}item"), m.findtext("client:body", None, NS)) for m in told]


def test_reasons_texts_and_stanza_ids_reach_the_admin(server, admin):
    a = server.client("reporter1")
    ids = "".join(f"<stanza-id xmlns='urn:xmpp:sid:0' by='{a.bare}' id='{i}'/>" for i in (1, 2))
    for reason in (SPAM, "urn:xmpp:reporting:abuse", "urn:example:some-other-reason"):
        text = f"<text xml:lang='en'>he &amp; his {reason[-5:]}</text><text xml:lang='de'>er</text>"
        assert block(a, f"bad{reason[-3:]}@far.example",
                     inside=report(f"reason='{reason}'", ids + text)).get("type") == "result"
        (item, body), = heard(server, admin, a)
        assert item.get("jid") == f"bad{reason[-3:]}@far.example" and a.bare in body and reason in body
        assert f"he & his {reason[-5:]}" in body
        inner = item.find(f"{{{REPORTING}}}report")
        assert inner.get("reason") == reason and [i.get("id") for i in inner.iter("{urn:xmpp:sid:0}stanza-id")] == ["1", "2"]
        assert [t.get("{http://www.w3.org/XML/1998/namespace}lang") for t in inner.iter(f"{{{REPORTING}}}text")] == ["en", "de"]


# "Servers that receive a blocking command with a report MUST block the JID or return an error just as they would if no
# report were present"; "Abuse reports MUST include a reason"
@pytest.mark.parametrize("inside", [report(""), report("reason=''"), "<report xmlns='urn:xmpp:reporting:2' reason='x'/>",
                                    "<report reason='x'/>", "<report xmlns='urn:xmpp:reporting'><spam/></report>"])
def test_a_bad_report_is_no_report_and_the_block_stands(server, admin, inside):
    a = server.client("reporter2")
    unblock(a)
    assert block(a, "bad@far.example", inside=inside).get("type") == "result"
    assert blocklist(a) == {"bad@far.example"}
    assert heard(server, admin, a) == []


# Version 0.1 of XEP-0377, which slixmpp 1.8 and nbxmpp 4.2 speak: "Abuse reports MAY include a reason", an element, "and
# servers MUST tolerate unknown XML elements in a report". What an attribute of today's would say means nothing there.
@pytest.mark.parametrize("inner, reason", [
    ("<spam/>", SPAM), ("<text xml:lang='en'>he &amp; his</text><abuse/>", "urn:xmpp:reporting:abuse"),
    ("", "no reason given"), ("<odd/><spam xmlns='urn:example'/>", "no reason given")])
def test_reports_of_before_the_reasons_were_uris(server, admin, inner, reason):
    a = server.client("elder1")
    unblock(a)
    inside = f"<report xmlns='urn:xmpp:reporting:0' reason='x'>{inner}</report>"
    assert block(a, "bad@far.example", inside=inside).get("type") == "result"
    (item, body), = heard(server, admin, a)
    assert body == f"{a.bare} reports bad@far.example: {reason}" + ("\nhe & his" if "text" in inner else "")
    assert len(item.find("{urn:xmpp:reporting:0}report")) == inner.count("<") - inner.count("</")
    assert blocklist(a) == {"bad@far.example"}


def test_a_client_of_slixmpp_reports(server, admin):
    from slixmpp.plugins.xep_0377.stanza import Report
    elder = Report()
    elder["text"], elder["spam"] = "never ends", True
    a = server.client("elder2")
    assert block(a, "bad@far.example", inside=str(elder)).get("type") == "result"
    (_, body), = heard(server, admin, a)
    assert body == f"{a.bare} reports bad@far.example: {SPAM}\nnever ends"


def test_without_a_block_there_is_no_report(server, admin):
    a = server.client("reporter3")
    assert a.error_of(block(a, "a@@b", inside=report())) == "jid-malformed"
    assert a.error_of(block(a, *(f"x{i}@far.example" for i in range(11)), inside=report())) == "resource-constraint"
    a.iq("set", f"<unblock xmlns='{BLOCKING}'><item jid='a@b.example'>{report()}</item></unblock>")
    assert a.error_of(a.iq("set", report(), to=server.domain)) == "service-unavailable"
    assert heard(server, admin, a) == []


# "When blocking multiple JIDs any abuse report only applies to a single JID."
def test_each_report_is_about_one_jid(server, admin):
    a = server.client("reporter4")
    items = f"<item jid='one@far.example'>{report()}</item><item jid='two@far.example'/>" \
            f"<item jid='three@far.example'>{report('reason=`urn:x`'.replace('`', chr(39)))}</item>"
    assert a.iq("set", f"<block xmlns='{BLOCKING}'>{items}</block>").get("type") == "result"
    assert len(blocklist(a)) == 3
    told = heard(server, admin, a)
    assert [(i.get("jid"), i[0].get("reason")) for i, _ in told] == [("one@far.example", SPAM), ("three@far.example", "urn:x")]


# "Servers MUST NOT process a report ... that do not explicitly include the corresponding processing option"
def test_nothing_leaves_the_server(server, outside, admin):
    a = server.client("reporter5")
    for inside in (report(), report(inside="<report-origin/><third-party/>")):
        unblock(a)
        fence(a, outside)
        block(a, f"bad@{COMPONENT}", inside=inside)
        assert len(heard(server, admin, a)) == 1
        assert fence(a, outside) == []


def test_over_the_rate_blocks_stand_and_reports_are_dropped(server, admin):
    a = server.client("reporter6")
    for i in range(7):
        assert block(a, f"bad{i}@far.example", inside=report()).get("type") == "result"
    assert len(blocklist(a)) == 7
    assert len(heard(server, admin, a)) == 5


def test_an_admin_who_is_away_reads_it_later(server, admin):
    a = server.client("reporter7")
    admin.write("<presence type='unavailable'/>")
    admin.ping()
    block(a, "bad@far.example", inside=report())
    a.ping()
    admin.write("<presence/>")
    assert "reporter7" in admin.expect("message", lambda m: m.get("from") == server.domain).findtext("client:body", None, NS)
