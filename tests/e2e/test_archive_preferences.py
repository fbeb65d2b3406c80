"""What is archived (XEP-0441), for how long, who may empty it, and what is said of it (XEP-0504)."""

import pytest
from harness import NS
from test_archive import DATA, MAM, Page

ALWAYS, NEVER, POLICY = "always", "never", "urn:xmpp:data-policy:0"


def prefs(client, by_default=None, always=(), never=(), to=None):
    """What the server says they are now, or its error."""
    rows = lambda name, jids: f"<{name}>{''.join(f'<jid>{j}</jid>' for j in jids)}</{name}>"  # noqa: E731
    asked = (f"<prefs xmlns='{MAM}' default='{by_default}'>{rows('always', always)}{rows('never', never)}</prefs>"
             if by_default else f"<prefs xmlns='{MAM}'/>")
    e = client.iq("set" if by_default else "get", asked, to=to)
    if e.get("type") == "error":
        return client.error_of(e)
    told = e[0]
    assert told.tag == f"{{{MAM}}}prefs"
    jids = lambda name: [j.text for j in told.find(f"{{{MAM}}}{name}")]  # noqa: E731
    return told.get("default"), jids("always"), jids("never")


def exchange(a, b, word):
    a.message(b.bare, f"{word} from a")
    b.expect_body(f"{word} from a")
    b.message(a.bare, f"{word} from b")
    a.expect_body(f"{word} from b")


def pair(server, name):
    return server.client(f"{name}-a"), server.client(f"{name}-b")


def test_protocol(server):
    a, b = pair(server, "prefs")
    assert prefs(a) == ("always", [], [])
    said = ("roster", ["romeo@montague.lit"], ["montague@montague.lit", "x@y.z/R"])
    assert prefs(a, *said) == said == prefs(a)
    assert prefs(a, "never", ["ROMEO@montague.lit", "romeo@montague.lit"]) == ("never", ["romeo@montague.lit"], [])
    assert prefs(b) == ("always", [], [])
    assert prefs(b, to=a.bare) == "forbidden" == prefs(b, "never", to=a.bare)
    assert prefs(b, to=f"nobody@{server.domain}") == "forbidden"
    assert prefs(a, "often") == "bad-request"
    assert prefs(a, "never", ["a@b@c"]) == "jid-malformed"
    assert prefs(a, "never", [f"u{i}@example.net" for i in range(201)]) == "resource-constraint"
    assert prefs(a, "never", [f"u{i}@example.net" for i in range(150)],
                 [f"n{i}@example.net" for i in range(51)]) == "resource-constraint"
    assert prefs(a) == ("never", ["romeo@montague.lit"], [])
    server.restart("sm-1")
    assert prefs(server.client("prefs-a", register=False)) == ("never", ["romeo@montague.lit"], [])


def test_what_is_archived(server):
    a, b = pair(server, "what")
    exchange(a, b, "one")
    prefs(a, "never")
    exchange(a, b, "two")
    prefs(a, "never", always=[b.bare])
    exchange(a, b, "three")
    prefs(a, "always", never=[b.bare])
    exchange(a, b, "four")
    prefs(a, "roster")
    exchange(a, b, "five")
    a.iq("set", f"<query xmlns='{NS['roster']}'><item jid='{b.bare}'/></query>")
    exchange(a, b, "six")
    assert Page(a).bodies() == [f"{word} from {who}" for word in ("one", "three", "six") for who in "ab"]
    assert len(Page(b).bodies()) == 12                       # his own archive is not hers to decide


def test_not_archived_still_waits(server):
    a, b = pair(server, "unseen")
    prefs(b, "never")
    b.close()
    a.message(b.bare, "while you were away")
    a.ping()
    b = server.client("unseen-b", register=False)
    m = b.expect_body("while you were away")
    assert m.find("{urn:xmpp:sid:0}stanza-id") is None
    assert Page(b).bodies() == []


# ---- the operator's side, and what everybody is told

def policy(client, to=None):
    info = client.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=to)
    forms = [x for x in info.iter(f"{{{DATA}}}x") if x.get("type") == "result"]
    fields = [{f.get("var"): f.findtext(f"{{{DATA}}}value") for f in x.iter(f"{{{DATA}}}field")} for x in forms]
    return next(f for f in fields if f["FORM_TYPE"] == POLICY)


def test_how_long(server):
    a = server.client("long")
    assert policy(a)["data_retention"] == policy(a, server.domain)["data_retention"] == "infinite"
    server.ctl("archive", "keep", a.bare, "30")
    assert policy(a)["data_retention"] == "720" and policy(a, server.domain)["data_retention"] == "infinite"
    assert server.ctl_json("archive", a.bare)[0]["days"] == 30
    server.ctl("archive", "keep", a.bare, "domain")
    assert server.ctl_json("archive", a.bare)[0]["days"] == 0
    said = policy(a)
    assert (said["data_deletion"], said["encryption_at_rest"], said["full_erasure"]) == ("true", "false", "true")


def test_the_operator_looks_and_empties(server):
    a, b = pair(server, "purge")
    exchange(a, b, "old")
    prefs(a, "always", never=["x@example.net"])
    row = server.ctl_json("archive", a.bare)[0]
    assert (row["jid"], row["default"], row["always"], row["never"]) == (a.bare, "always", 0, 1)
    first, last = Page(a).stamps()
    assert (row["first"], row["last"]) == (first, last)
    assert server.ctl_json("archive", "purge", a.bare, "2020-01-01")[0]["removed"] == 0
    assert server.ctl_json("archive", "purge", a.bare, last)[0]["removed"] == 1
    assert Page(a).bodies() == ["old from b"]
    exchange(a, b, "new")
    assert server.ctl_json("archive", "purge", a.bare)[0]["removed"] == 3
    assert Page(a).bodies() == [] and len(Page(b).bodies()) == 4
    assert len(a.iq("get", f"<metadata xmlns='{MAM}'/>")[0]) == 0


@pytest.mark.parametrize("args", [
    ("purge", "purge-a@example.org", "yesterday"), ("purge", "nobody@example.org"), ("purge", "a@b@c"),
    ("keep", "purge-a@example.org"), ("keep", "purge-a@example.org", "ever"), ("keep", "purge-a@example.org", "1x"),
    ("keep", "purge-a@example.org", "36501"), ("nobody@example.org",), ("other@example.net",),
    ("purge-a@example.org", "purge"),
])
def test_what_the_operator_may_not_say(server, args):
    server.client("purge-a")
    server.ctl("archive", *args, check=False)
    assert server.ctl_status == 1, server.ctl_error


# ---- the owner's side (2.2)

COMMANDS, CONFIGURE = "http://jabber.org/protocol/commands", "urn:xmpp:mam#configure"


def configure(client, **fields):
    """(status or error, note) of the command with this form; without fields the values it shows."""
    begun = client.iq("set", f"<command xmlns='{COMMANDS}' node='{CONFIGURE}'/>", to=client.bare)[0]
    if not fields:
        return {f.get("var"): f.findtext(f"{{{DATA}}}value") for f in begun.iter(f"{{{DATA}}}field")}
    rows = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in fields.items())
    e = client.iq("set", f"<command xmlns='{COMMANDS}' node='{CONFIGURE}' sessionid='{begun.get('sessionid')}'>"
                  f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{CONFIGURE}</value></field>{rows}</x>"
                  "</command>", to=client.bare)
    if e.get("type") == "error":
        return client.error_of(e), None
    return e[0].get("status"), e[0].findtext(f"{{{COMMANDS}}}note")


def test_the_owner_says_how_long(server):
    a = server.client("wish")
    assert configure(a, days=20) == ("completed", None)
    assert policy(a)["data_retention"] == "480" and configure(a)["days"] == "20"
    server.ctl("archive", "keep", a.bare, "10")
    assert policy(a)["data_retention"] == "240"              # what is less counts
    assert configure(a, days="")[0] == "completed"
    server.ctl("archive", "keep", a.bare, "domain")
    assert policy(a)["data_retention"] == "infinite"
    for bad in ({"days": "0"}, {"days": "36501"}, {"days": "x"}, {"purge": "perhaps"}, {"before": "once"}):
        assert configure(a, **bad)[0] == "bad-request"


def test_the_owner_empties_it(server):
    a, b = pair(server, "empty")
    exchange(a, b, "old")
    last = Page(a).stamps()[1]
    assert configure(a, purge="1", before=last) == ("completed", "Messages deleted: 1")
    assert Page(a).bodies() == ["old from b"]
    assert configure(a, purge="true") == ("completed", "Messages deleted: 1")
    assert Page(a).bodies() == [] and len(Page(b).bodies()) == 2
