"""RFC 6121 appendix A from outside: every subscription stanza in each of the nine states, in both directions, with a
contact of this server and with one of another. The rows are those of A.2 and A.3; what follows from a change (roster
pushes, presence, automatic answers) is told by section 3."""

import itertools
import xml.etree.ElementTree as ET

import pytest

from harness import NS
from test_delivery import COMPONENT, connect_component
from test_roster import get, is_push, put

# What waits for one account and what the other hears are in one order only where one sm answers for both.
OPTIONS = ["--instances", "sm=1,s2sd=1"]

TYPES = ("subscribe", "unsubscribe", "subscribed", "unsubscribed")

# States: N None, T To, F From, B Both; O Pending Out, I Pending In. The new state behind + (routed, delivered),
# - (neither), * (not delivered, answered `subscribed` for the user).
OUTBOUND = """
N    +NO   +N   -N   -N
NO   +NO   +N   -NO  -NO
NI   +NOI  +NI  +F   +N
NOI  +NOI  +NI  +FO  +NO
T    +T    +N   -T   -T
TI   +TI   +NI  +B   +T
F    +FO   +F   -F   +N
FO   +FO   +F   -FO  +NO
B    +B    +F   -B   +T
"""
INBOUND = """
N    +NI   -N   -N   -N
NO   +NOI  -NO  +T   +N
NI   -NI   +N   -NI  -NI
NOI  -NOI  +NO  +TI  +NI
T    +TI   -T   -T   +N
TI   -TI   +T   -TI  +NI
F    *F    +N   -F   -F
FO   *FO   +NO  +B   +F
B    *B    +T   -B   +F
"""


def table(text):
    rows = (line.split() for line in text.strip().splitlines())
    return {(row[0], kind): (cell[0], cell[1:]) for row in rows for kind, cell in zip(TYPES, row[1:])}


RULES = {"out": table(OUTBOUND), "in": table(INBOUND)}
STATES = tuple(dict.fromkeys(state for state, _ in RULES["out"]))
MIRROR = {"N": "N", "NO": "NI", "NI": "NO", "NOI": "NOI", "T": "F", "TI": "FO", "F": "T", "FO": "TI", "B": "B"}

# From N: what the user (>) and the contact (<) say.
WAYS = {
    "N": (), "NO": (">subscribe",), "NI": ("<subscribe",), "NOI": (">subscribe", "<subscribe"),
    "T": (">subscribe", "<subscribed"), "TI": (">subscribe", "<subscribed", "<subscribe"),
    "F": ("<subscribe", ">subscribed"), "FO": ("<subscribe", ">subscribed", ">subscribe"),
    "B": (">subscribe", "<subscribed", "<subscribe", ">subscribed"),
}
count = itertools.count(1)


def shown(state):
    """subscription and ask of the item; of no item as well."""
    name = {"N": "none", "T": "to", "F": "from", "B": "both"}[state[0]]
    return name, "subscribe" if "O" in state else None


def gives(state):
    return state[0] in "FB"


class Remote:
    """A contact of another server: an address of a component."""

    def __init__(self, component, user):
        self.client, self.user = component, user
        self.bare = f"contact{next(count)}@{COMPONENT}"
        self.resource = self.bare + "/r"

    def write(self, name, kind, to, inside="", ident=""):
        attr = f" type='{kind}'" if kind else ""
        start = self.resource if name == "message" else self.bare
        self.client.write(f"<{name} id='{ident}' from='{start}' to='{to}'{attr}>{inside}</{name}>")

    def say(self, kind):
        self.write("presence", kind, self.user.bare)


class Local(Remote):
    """A contact of this server, with one resource, available and interested."""

    def __init__(self, server, user):
        self.client, self.user = server.client(f"contact{next(count)}", resource="r"), user
        self.bare, self.resource = self.client.bare, self.client.jid
        get(self.client)

    def write(self, name, kind, to, inside="", ident=""):
        attr = f" type='{kind}'" if kind else ""
        self.client.write(f"<{name} id='{ident}' to='{to}'{attr}>{inside}</{name}>")


class User:
    """Three resources: one that does all, one only interested, one only available."""

    def __init__(self, server):
        name = f"user{next(count)}"
        self.server = server
        self.main = server.client(name, resource="main")
        self.interested = server.client(name, register=False, resource="interested", presence=False)
        self.available = server.client(name, register=False, resource="available")
        self.bare = self.main.bare
        self.all = {"main": self.main, "interested": self.interested, "available": self.available}
        get(self.main), get(self.interested)
        for c in self.all.values():
            c.settle(0.2)

    def say(self, kind, contact):
        self.main.write(f"<presence type='{kind}' to='{contact.bare}'/>")

    def close(self):
        for c in self.all.values():
            c.close()


def until(client, ident):
    """What came before the stanza of this id."""
    found = []
    while (e := client.next()).get("id") != ident:
        found.append(e)
    return found


def settle(user, contact, user_speaks):
    """All that either side hears of what was said last: stanzas between two keep their order, and so a message there
    and one back come behind it (RFC 6120 10.1). (at the user's resources, at the contact)"""
    ident = f"fence{next(count)}"

    def there():
        user.main.write(f"<message type='normal' id='{ident}' to='{contact.resource}'><body>f</body></message>")
        return until(contact.client, ident)

    def back():
        contact.write("message", "normal", user.main.jid, "<body>f</body>", ident)
        return until(user.main, ident)

    at_contact, main = [], []
    for step in (there, back, there) if user_speaks else (back, there, back):
        (at_contact if step == there else main).extend(step())
    at = {"main": main}
    for name in ("interested", "available"):
        c, fence = user.all[name], f"fence{next(count)}"
        c.write(f"<iq type='get' id='{fence}'><vCard xmlns='vcard-temp'/></iq>")
        at[name] = until(c, fence)
    return at, at_contact


def presences(elements, sender):
    return sorted(e.get("type") or "available" for e in elements
                  if e.tag.endswith("}presence") and (e.get("from") or "").split("/")[0] == sender)


def pushes(elements):
    items = [e.find("roster:query/roster:item", NS) for e in elements if e.tag.endswith("}iq") and is_push(e)]
    return [(i.get("jid"), i.get("subscription"), i.get("ask"), i.get("approved")) for i in items]


def reach(user, contact, state):
    for way in WAYS[state]:
        user.say(way[1:], contact) if way[0] == ">" else contact.say(way[1:])
        settle(user, contact, way[0] == ">")


def expected(state, direction, kind, remote):
    """(at the user's resources: presence and pushes, at the contact, the new state)"""
    sign, new = RULES[direction][state, kind]
    peer = MIRROR[state]
    at_contact, at_user = [], []
    if direction == "in":
        theirs, peer_new = RULES["out"][peer, kind]
        if not remote and theirs == "-":              # it never leaves the contact's side
            return [], None, [], state
        if sign == "+":
            at_user.append(kind)
        if sign == "*":                               # and what the contact makes of the answer
            answer = RULES["in"][peer_new, "subscribed"]
            at_contact += ["subscribed"] if remote or answer[0] == "+" else []
    elif sign == "+":
        theirs, _ = RULES["in"][peer, kind]
        at_contact += [kind] if remote or theirs == "+" else []
    if gives(state) != gives(new):
        at_contact += ["available" if gives(new) else "unavailable"] * 2
    push = None
    approved = "true" if direction == "out" and kind == "subscribed" and sign == "-" and not gives(state) else None
    if shown(state) != shown(new) or approved:
        push = (*shown(new), approved)
    return at_user, push, at_contact, new


def of_contact(state, new, direction, kind, remote):
    """What the contact's own server does for a local one: its presence begins or ends for the user."""
    before, after = gives(MIRROR[state]), gives(MIRROR[new])
    return [] if remote or before == after else ["available" if after else "unavailable"]


def check(user, contact, state, direction, kind, remote):
    reach(user, contact, state)
    user.say(kind, contact) if direction == "out" else contact.say(kind)
    at, at_contact = settle(user, contact, direction == "out")
    said, push, heard, new = expected(state, direction, kind, remote)
    theirs = of_contact(state, new, direction, kind, remote)
    wrong = []

    def compare(what, found, wanted):
        if sorted(found) != sorted(wanted):
            wrong.append(f"{state} {direction} {kind}: {what}: found {found}, wanted {wanted}")

    for name in user.all:
        answer = said and said[0] != "subscribe"
        reached = (name != "interested") if not answer else name != "available"
        presence = theirs if name != "interested" else []
        compare(f"presence at {name}", presences(at[name], contact.bare), (said if reached else []) + presence)
        compare(f"pushes at {name}", pushes(at[name]),
                [(contact.bare, *push)] if push and name != "available" else [])
    compare("presence at the contact", presences(at_contact, user.bare), heard)
    return wrong, new


@pytest.mark.parametrize("where", ["remote", "local"])
def test_appendix_a(server, where):
    remote = where == "remote"
    user = User(server)
    component = connect_component(server) if remote else None
    wrong, waiting = [], set()
    items = {}
    for state, direction, kind in itertools.product(STATES, ("out", "in"), TYPES):
        contact = Remote(component, user) if remote else Local(server, user)
        found, new = check(user, contact, state, direction, kind, remote)
        wrong += found
        if "I" in new:
            waiting.add(contact.bare)
        items[contact.bare] = (f"{state} {direction} {kind}", *shown(new))
        if not remote:
            contact.client.close()
            until_gone(user, contact)
    roster = {i.get("jid"): (i.get("subscription"), i.get("ask"))
              for i in get(user.main).findall("roster:query/roster:item", NS)}
    for jid, (what, *state) in items.items():
        if roster.get(jid, ("none", None)) != tuple(state):
            wrong.append(f"{what}: the roster says {roster.get(jid)}, wanted {state}")
    again = server.client(user.bare, register=False, resource="again")
    again.write("<iq type='get' id='all'><vCard xmlns='vcard-temp'/></iq>")
    asked = {e.get("from") for e in until(again, "all") if e.get("type") == "subscribe"}
    if asked != waiting:                                    # 3.1.3
        wrong.append(f"requests shown at login: {sorted(asked ^ waiting)} too many or missing")
    assert not wrong, "\n".join(wrong)
    again.close()
    user.close()
    if component:
        component.close()


def until_gone(user, contact):
    """A contact that logs out is heard of by who sees it; nothing of it is left for the next one."""
    for c in user.all.values():
        c.write("<iq type='get' id='clean'><vCard xmlns='vcard-temp'/></iq>")
        until(c, "clean")


REMOVAL = {          # 2.5.2: what the contact's server is told
    "NO": ["unsubscribe"], "NOI": ["unsubscribe"], "T": ["unsubscribe"], "TI": ["unsubscribe"],
    "F": ["unsubscribed"], "FO": ["unsubscribe", "unsubscribed"], "B": ["unsubscribe", "unsubscribed"],
}


def test_removal_in_every_state(server):
    user, component = User(server), connect_component(server)
    for state in STATES:
        contact = Remote(component, user)
        reach(user, contact, state)
        answer = put(user.main, contact.bare, " subscription='remove'")
        if state not in REMOVAL:                            # no item: nothing to remove
            assert user.main.error_of(answer) == "item-not-found", state
            settle(user, contact, True)
            continue
        assert answer.get("type") == "result", state
        at, heard = settle(user, contact, True)
        gone = ["unavailable"] * 2 if gives(state) else []
        assert presences(heard, user.bare) == sorted(REMOVAL[state] + gone), state
        assert pushes(at["interested"]) == [(contact.bare, "remove", None, None)], state
        assert not pushes(at["available"]), state
        # and the contact, asked or not, is a stranger again
        contact.say("probe")
        _, heard = settle(user, contact, False)
        assert presences(heard, user.bare) == ["unsubscribed"], state
    user.close()
    component.close()


def test_subscriptions_are_between_bare_addresses(server):
    """3.1.2, 3.1.3: what clients write is made bare in both directions, and keeps its id and what it says."""
    user, component = User(server), connect_component(server)
    contact = Remote(component, user)
    user.main.write(f"<presence type='subscribe' id='sub1' to='{contact.resource}'><status>it is me</status>"
                    "<nick xmlns='http://jabber.org/protocol/nick'>U</nick></presence>")
    e = component.expect("presence")
    assert (e.get("from"), e.get("to"), e.get("id")) == (user.bare, contact.bare, "sub1")
    assert [c.tag.split("}")[1] for c in e] == ["status", "nick"]
    component.write(f"<presence type='subscribe' id='sub2' from='{contact.resource}' to='{user.main.jid}'>"
                    "<status>and me</status></presence>")
    for c in (user.main, user.available):
        e = c.expect("presence", lambda p: p.get("type") == "subscribe")
        assert (e.get("from"), e.get("to").split("/")[0], e.get("id")) == (contact.bare, user.bare, "sub2")
        assert e.findtext("client:status", None, NS) == "and me"
    # one cannot subscribe to oneself: one sees oneself anyway (4.2.2)
    user.main.write(f"<presence type='subscribe' to='{user.bare}'/><presence type='unsubscribed' to='{user.bare}'/>")
    user.main.ping()
    assert user.bare not in {i.get("jid") for i in get(user.main).findall("roster:query/roster:item", NS)}
    user.main.write("<presence type='subscribe' id='nowhere'/>")
    assert user.main.error_of(user.main.expect("presence", lambda p: p.get("id") == "nowhere")) == "bad-request"
    user.close()
    component.close()


def test_requests_that_wait_are_limited(server):
    """3.1.3: over limits.requests_max they are ignored, and those that wait are still shown."""
    user, component = User(server), connect_component(server)
    names = [f"many{i}@{COMPONENT}" for i in range(501)]
    for name in names:
        component.write(f"<presence type='subscribe' from='{name}' to='{user.bare}'/>")
    component.write(f"<message id='end' from='{names[0]}' to='{user.main.jid}'/>")
    until(user.main, "end")
    again = server.client(user.bare, register=False, resource="again")
    again.write("<iq type='get' id='all'><vCard xmlns='vcard-temp'/></iq>")
    asked = {e.get("from") for e in until(again, "all") if e.get("type") == "subscribe"}
    assert asked == set(names[:500])
    # an answer makes room
    user.main.write(f"<presence type='unsubscribed' to='{names[0]}'/>")
    component.expect("presence", lambda p: p.get("type") == "unsubscribed")
    component.write(f"<presence type='subscribe' from='{names[500]}' to='{user.bare}'/>")
    again.expect("presence", lambda p: p.get("from") == names[500])
    again.close()
    user.close()
    component.close()
