"""The extended part of XEP-0313: ids in the form, flipped pages, metadata; for accounts and for rooms."""

import itertools

import pytest
from harness import NS
from test_archive import DATA, MAM, Page, rsm, talk
from test_room_archive import configure, features, people, room, say  # noqa: F401  (fixtures)

counter = itertools.count(1)
UNKNOWN = "0" * 16


def ids_form(*ids):
    values = "".join(f"<value>{i}</value>" for i in ids)
    return (f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{MAM}</value></field>"
            f"<field var='ids'>{values}</field></x>")


def between(client, to=None, set="", **ids):
    return Page(client, to=to, set=set, **{name.replace("_", "-"): value for name, value in ids.items()})


@pytest.fixture
def archive(request, server):
    """Who asks, of whom (None: of himself), bodies m0.. and their ids."""
    if request.param == "account":
        a, b = server.client(f"ext-a{next(counter)}"), server.client(f"ext-b{next(counter)}")
        talk(a, b, 8)
        asked = None
    else:
        asked, (a, b) = request.getfixturevalue("room"), request.getfixturevalue("people")
        for i in range(8):
            say(a, asked, f"m{i}")
        b.expect_body("m7")
    p = Page(b, to=asked)
    assert p.bodies()[-8:] == [f"m{i}" for i in range(8)]
    return b, asked, p.ids[-8:], len(p.ids) - 8


both = pytest.mark.parametrize("archive", ["account", "room"], indirect=True)


@both
def test_between_ids(archive):
    b, to, ids, earlier = archive
    assert between(b, to, after_id=ids[5]).bodies() == ["m6", "m7"]
    assert between(b, to, before_id=ids[1]).bodies()[earlier:] == ["m0"]
    p = between(b, to, after_id=ids[1], before_id=ids[5])
    assert p.bodies() == ["m2", "m3", "m4"] and p.complete and p.count == "3" and p.index == "0"
    assert between(b, to, after_id=ids[5], before_id=ids[1]).bodies() == []
    assert between(b, to, after_id=ids[2], before_id=ids[3]).complete


@both
def test_pages_between_ids(archive):
    b, to, ids, _ = archive
    bounds = {"after_id": ids[0], "before_id": ids[6]}
    p = between(b, to, rsm(max=2), **bounds)
    assert p.bodies() == ["m1", "m2"] and not p.complete and p.index == "0"
    p = between(b, to, rsm(max=2, after=p.last), **bounds)
    assert p.bodies() == ["m3", "m4"] and not p.complete and p.index is None
    p = between(b, to, rsm(max=2, after=p.last), **bounds)
    assert p.bodies() == ["m5"] and p.complete
    p = between(b, to, rsm(max=2, before=""), **bounds)
    assert p.bodies() == ["m4", "m5"] and not p.complete
    p = between(b, to, rsm(max=9, before=p.first), **bounds)
    assert p.bodies() == ["m1", "m2", "m3"] and p.complete
    p = between(b, to, rsm(max=0), **bounds)
    assert p.count == "5" and not p.results


@both
def test_single_messages(archive):
    b, to, ids, _ = archive
    assert Page(b, to=to, ids=ids[3]).bodies() == ["m3"]
    p = Page(b, to=to, set=ids_form(ids[6], ids[1], ids[6], ids[4]))
    assert p.bodies() == ["m1", "m4", "m6"] and p.complete and p.count == "3"
    p = Page(b, to=to, set=ids_form(*ids[:5]) + rsm(max=2))
    assert p.bodies() == ["m0", "m1"] and not p.complete
    assert Page(b, to=to, set=ids_form(*ids[:5]) + rsm(max=9, after=p.last)).bodies() == ["m2", "m3", "m4"]
    assert Page(b, to=to, set=ids_form(*ids[:5]) + rsm(max=2, before="")).bodies() == ["m3", "m4"]


@both
def test_flipped_pages(archive):
    b, to, ids, _ = archive
    i = b.new_id()
    where = f" to='{to}'" if to else ""
    b.write(f"<iq type='set' id='{i}'{where}><query xmlns='{MAM}'>{rsm(max=3, after=ids[2])}<flip-page/></query></iq>")
    got = []
    while True:
        e = b.next()
        if e.tag.endswith("iq"):
            break
        got.append(e.find(f"{{{MAM}}}result").get("id"))
    assert got == [ids[5], ids[4], ids[3]]
    fin = e.find(f"{{{MAM}}}fin")
    assert fin.get("complete") is None                        # the page is the same one, only its order is not
    assert fin.findtext(".//{*}first") == ids[3] and fin.findtext(".//{*}last") == ids[5]


@both
def test_an_id_that_is_not_there(archive):
    b, to, ids, _ = archive
    for bad in (UNKNOWN, "nonsense"):
        for field in ("before-id", "after-id", "ids"):
            assert Page(b, to=to, **{field: bad}).error == "item-not-found"
        assert Page(b, to=to, set=ids_form(ids[0], bad)).error == "item-not-found"
    assert Page(b, to=to, set=ids_form(*[ids[0]] * 501)).error == "resource-constraint"


@both
def test_metadata(archive):
    b, to, ids, earlier = archive
    p = Page(b, to=to)
    meta = b.iq("get", f"<metadata xmlns='{MAM}'/>", to=to)[0]
    start, end = meta.find(f"{{{MAM}}}start"), meta.find(f"{{{MAM}}}end")
    assert (start.get("id"), start.get("timestamp")) == (p.ids[0], p.stamps()[0])
    assert (end.get("id"), end.get("timestamp")) == (ids[-1], p.stamps()[-1])


@both
def test_it_says_so_and_shows_its_form(archive):
    b, to, _, _ = archive
    assert f"{MAM}#extended" in features(b, to or b.bare)
    answer = b.iq("get", f"<query xmlns='{MAM}'/>", to=to)
    fields = {f.get("var"): f for f in answer.iter(f"{{{DATA}}}field")}
    assert {"with", "start", "end", "before-id", "after-id", "ids"} <= set(fields)
    assert ("include-groupchat" in fields) == (to is None)
    validate = fields["ids"].find("{http://jabber.org/protocol/xdata-validate}validate")
    assert validate.find("{http://jabber.org/protocol/xdata-validate}open") is not None
    assert not list(answer.iter(f"{{{DATA}}}required"))


def test_metadata_of_nothing_and_of_others(server):
    a = server.client("ext-empty")
    assert len(a.iq("get", f"<metadata xmlns='{MAM}'/>")[0]) == 0
    for other in ("ext-a1", "nobody-at-all"):
        assert a.error_of(a.iq("get", f"<metadata xmlns='{MAM}'/>", to=f"{other}@{server.domain}")) == "forbidden"


def test_metadata_of_a_room_for_members(server, room, people):  # noqa: F811
    a, _ = people
    say(a, room, "inside")
    configure(a, room, persistentroom=1, membersonly=1)
    c = server.client("ext-outsider")
    assert c.error_of(c.iq("get", f"<metadata xmlns='{MAM}'/>", to=room)) == "forbidden"
    assert c.error_of(c.iq("get", f"<metadata xmlns='{MAM}'/>", to=f"none@muc.{server.domain}")) == "item-not-found"


def test_room_messages_are_in_no_account(server, room, people):  # noqa: F811
    """4.1.4: the field is understood, and there is nothing it could show."""
    a, b = people
    say(a, room, "in the room")
    b.expect_body("in the room")
    assert f"{MAM}#groupchat-field" in features(b, b.bare) and f"{MAM}#groupchat-available" not in features(b, b.bare)
    for value in ("true", "false", "1"):
        assert "in the room" not in Page(b, **{"include-groupchat": value}).bodies()
    assert Page(b, **{"include-groupchat": "maybe"}).error == "bad-request"
    assert Page(b, to=room, **{"include-groupchat": "true"}).error == "feature-not-implemented"


# ---- XEP-0431

FULLTEXT = "{urn:xmpp:fulltext:0}fulltext"


@both
def test_words(archive):
    b, to, _, _ = archive
    assert "urn:xmpp:fulltext:0" in features(b, to or b.bare)
    assert Page(b, to=to, **{FULLTEXT: "M3"}).bodies() == ["m3"]
    assert Page(b, to=to, withtext="m 5").bodies() == ["m5"]
    assert Page(b, to=to, **{FULLTEXT: "no such word"}).bodies() == []
    p = Page(b, to=to, set=rsm(max=3, before=""), **{FULLTEXT: "m"})
    assert p.bodies() == ["m5", "m6", "m7"] and not p.complete
    p = Page(b, to=to, set=rsm(max=0), **{FULLTEXT: "m"})
    assert not p.results and p.count is None                  # counting would be a search of everything
    assert len(Page(b, to=to, **{FULLTEXT: "  "}).ids) >= 8   # no word: no search
    assert Page(b, to=to, **{FULLTEXT: " ".join("abcdefghijklmnopq")}).error == "resource-constraint"


def test_a_search_takes_several_turns(server):
    a, b = server.client("needle-a"), server.client("needle-b")
    a.message(b.bare, "the Needle &amp; more")
    b.expect_body("the Needle & more")
    talk(a, b, 250, prefix="hay")
    p = Page(b, set=rsm(max=5, before=""), **{FULLTEXT: "needle"})
    assert p.bodies() == ["the Needle & more"] and p.complete
    assert Page(b, **{FULLTEXT: "needle", "with": a.bare}).bodies() == ["the Needle & more"]
    assert Page(b, **{FULLTEXT: "pin"}).complete
    i, j = b.new_id(), b.new_id()                             # a second one meanwhile is one too many
    for ident in (i, j):
        b.write(f"<iq type='set' id='{ident}'><query xmlns='{MAM}'><x xmlns='{DATA}' type='submit'>"
                f"<field var='FORM_TYPE'><value>{MAM}</value></field><field var='{FULLTEXT}'><value>pin</value></field>"
                f"</x></query></iq>")
    answers = {e.get("id"): e for e in (b.expect("iq") for _ in range(2))}
    assert answers[i].get("type") == "result"
    assert answers[j].get("type") == "result" or b.error_of(answers[j]) == "resource-constraint"
