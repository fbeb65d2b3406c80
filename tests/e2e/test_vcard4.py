"""vCard4 (XEP-0292) and vcard-temp (XEP-0054) say the same, to whoever may read it."""

from harness import Server
from test_avatars import META, PNG, b64, photo, publish_avatar, set_vcard, sha
from test_avatars import items as avatar_items
from test_pep import ask, event, friends, interest, items, ok, options, refused, silent

NODE = "urn:xmpp:vcard4"
V4 = "urn:ietf:params:xml:ns:vcard-4.0"
TEMP = "vcard-temp"

OLD = ("<FN>Anna B</FN><N><FAMILY>B</FAMILY><GIVEN>Anna</GIVEN></N><NICKNAME>anna</NICKNAME><BDAY>1980-01-02</BDAY>"
       "<TEL><HOME/><CELL/><NUMBER>+375 1</NUMBER></TEL><EMAIL><WORK/><PREF/><USERID>a@example.net</USERID></EMAIL>"
       "<ADR><HOME/><LOCALITY>Minsk</LOCALITY><CTRY>BY</CTRY></ADR><ORG><ORGNAME>O</ORGNAME><ORGUNIT>U</ORGUNIT></ORG>"
       "<JABBERID>a@example.org</JABBERID><URL>http://x/</URL><DESC>about</DESC>")


def set_old(client, inside):
    return client.iq("set", f"<vCard xmlns='{TEMP}'>{inside}</vCard>")


def old(client, of=None):
    return client.iq("get", f"<vCard xmlns='{TEMP}'/>", to=of)


def old_text(e, *path):
    return e.findtext("./" + "/".join(f"{{{TEMP}}}{name}" for name in ("vCard", *path)))


def new(client, of=None):
    return ok(items(client, of, node=NODE)).find(f".//{{{V4}}}vcard")


def new_text(card, *path):
    return card.findtext("./" + "/".join(f"{{{V4}}}{name}" for name in path))


def publish(client, inside, **opts):
    return ok(ask(client, "set", f"<publish node='{NODE}'><item id='me'><vcard xmlns='{V4}'>{inside}</vcard></item></publish>"
                  f"{options(**opts)}"))


def test_an_old_client_s_vcard_is_found_by_a_new_one(server):
    a, b = server.client("v1"), server.client("v1b")
    other = interest(server.client("v1", resource="other", register=False), NODE)
    ok(set_old(a, OLD + "<MAILER>m</MAILER>"))
    event(other, NODE)
    card = new(b, a.bare)
    assert new_text(card, "fn", "text") == "Anna B" and new_text(card, "n", "surname") == "B"
    assert new_text(card, "nickname", "text") == "anna" and new_text(card, "bday", "date") == "1980-01-02"
    assert new_text(card, "tel", "text") == "+375 1" and new_text(card, "email", "text") == "a@example.net"
    assert [t.text for t in card.findall(f"{{{V4}}}tel/{{{V4}}}parameters/{{{V4}}}type/{{{V4}}}text")] == ["home", "cell"]
    assert new_text(card, "email", "parameters", "pref", "integer") == "1"
    assert new_text(card, "adr", "locality") == "Minsk" and new_text(card, "adr", "country") == "BY"
    assert [t.text for t in card.findall(f"{{{V4}}}org/{{{V4}}}text")] == ["O", "U"]
    assert new_text(card, "impp", "uri") == "xmpp:a@example.org" and new_text(card, "note", "text") == "about"
    ok(set_old(a, OLD + "<MAILER>other</MAILER>"))          # nothing that vCard4 tells has changed
    silent(other)


def test_a_new_client_s_vcard_is_found_by_an_old_one(server):
    a, b = server.client("v2"), server.client("v2b")
    ok(set_old(a, "<FN>Before</FN><MAILER>m</MAILER>"))
    publish(a, "<fn><text>Anna &amp; B</text></fn><tel><parameters><type><text>work</text></type></parameters>"
               "<uri>tel:+1</uri></tel><impp><uri>sip:a@x</uri></impp><lang><language-tag>be</language-tag></lang>")
    e = old(b, a.bare)
    assert old_text(e, "FN") == "Anna & B" and old_text(e, "TEL", "NUMBER") == "+1"
    assert old_text(e, "MAILER") == "m" and old_text(e, "JABBERID") is None
    ok(set_old(a, "<FN>After</FN>"))
    card = new(b, a.bare)
    assert new_text(card, "fn", "text") == "After"
    assert new_text(card, "impp", "uri") == "sip:a@x" and new_text(card, "lang", "language-tag") == "be"
    ok(ask(a, "set", f"<retract node='{NODE}'><item id='me'/></retract>"))
    assert old_text(old(b, a.bare), "FN") is None


def test_what_contacts_only_may_read_stays_theirs(server):
    a, b = friends(server, "v3", "v3b")
    c = server.client("v3c")
    publish(a, "<fn><text>Secret</text></fn>", access_model="presence")
    assert old_text(old(b, a.bare), "FN") == "Secret"
    assert c.error_of(old(c, a.bare)) == "service-unavailable"
    assert old_text(old(a), "FN") == "Secret"
    ok(set_old(a, "<FN>Secret</FN><MAILER>m</MAILER>"))     # as an old client does that has read it
    assert old_text(old(c, a.bare), "FN") is None and old_text(old(c, a.bare), "MAILER") == "m"


def test_photos_and_fields_leave_each_other_alone(server):
    a, b = server.client("v4"), server.client("v4b")
    publish(a, "<fn><text>F</text></fn>", access_model="open")
    publish_avatar(a, PNG, "open")
    e = old(b, a.bare)
    assert old_text(e, "FN") == "F" and photo(e) == b64(PNG)
    publish(a, "<fn><text>G</text></fn>")
    e = old(b, a.bare)
    assert old_text(e, "FN") == "G" and photo(e) == b64(PNG)


def test_it_is_announced(server):
    a = server.client("v5")
    e = a.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=a.bare)
    assert V4 in {f.get("var") for f in e.iter("{http://jabber.org/protocol/disco#info}feature")}


def test_a_vcard_over_the_limits_of_nodes_is_a_vcard():
    """What an old client may say does not shrink because nodes have limits of their own."""
    with Server("--set", "limits.pep_item_max=1000", "--set", "limits.pep_nodes_max=3") as server:
        a, b = server.client("v6"), server.client("v6b")
        ok(set_old(a, "<FN>Short</FN>"))
        assert new_text(new(b, a.bare), "fn", "text") == "Short"
        ok(set_old(a, f"<FN>Long</FN><DESC>{'x' * 2000}</DESC>"))
        assert old_text(old(b, a.bare), "FN") == "Long" and len(old_text(old(b, a.bare), "DESC")) == 2000
        assert new_text(new(b, a.bare), "fn", "text") == "Short"
        ok(set_old(a, "<FN>Short again</FN>"))
        assert new_text(new(b, a.bare), "fn", "text") == "Short again"
        ok(set_vcard(a, b64(PNG)))
        assert list(avatar_items(b, META, a.bare)) == [sha(PNG)]
        large = PNG + b"x" * 2000
        ok(set_vcard(a, b64(large)))
        assert photo(old(b, a.bare)) == b64(large)
        found = avatar_items(b, META, a.bare)                   # no old one is shown
        assert [len(i[0]) for i in found.values()] == [0]
        ok(set_vcard(a, b64(PNG)))
        assert sha(PNG) in avatar_items(b, META, a.bare)
        # No node is left for what it makes.
        c = server.client("v6c")
        for i in range(3):
            ok(ask(c, "set", f"<create node='urn:n{i}'/>"))
        ok(set_vcard(c, b64(PNG)))
        assert photo(old(b, c.bare)) == b64(PNG) and old_text(old(b, c.bare), "FN") == "Anna"
        refused(c, items(c, c.bare, node=NODE), "item-not-found")
