"""Push notifications (XEP-0357): to a component that answers with each kind of error, and to a real pubsub service
on another server."""

import os
import shutil
import signal
import xml.etree.ElementTree as ET

import pytest
from federation import two_servers
from harness import NS, Closed, Server, wait_for
from test_components import connect
from test_resume import hibernates, managed, resume

PUSH, PUBSUB, DATA = "urn:xmpp:push:0", "http://jabber.org/protocol/pubsub", "jabber:x:data"
ACCEPT = "jabber:component:accept"
SERVICE = "comp.example.org"
CSI = "urn:xmpp:csi:0"
OPTIONS = ["--set", "limits.push_retry_seconds=1", "--set", "limits.push_registrations=3",
           "--set", "limits.push_options_bytes=500", "--set", "limits.resume_seconds=300", "--set", "push_sender=true"]


class Service:
    """A push service: an external component that answers what it is told to."""

    def __init__(self, server):
        self.c = connect(server, domain=SERVICE)
        self.others = []                             # that came before they were asked for
        assert self.c.next().tag == f"{{{ACCEPT}}}handshake"

    def take(self, e):
        if e is not None and e.get("type") == "set":
            self.others.append(e)

    def about(self, client):
        return next((e for e in self.others if e.get("from") == client.bare), None)

    def notification(self, client, timeout=15):
        """The next one about this account."""
        if self.about(client) is None:
            self.c.expect("iq", lambda e: self.take(e) or self.about(client) is not None, timeout)
        e = self.about(client)
        self.others.remove(e)
        return Notification(e)

    def none(self, client, seconds=0.5):
        """Others may be told of: a session that an earlier test left behind begins to hibernate."""
        for e in self.c.settle(seconds):
            self.take(e)
        assert self.about(client) is None, ET.tostring(self.about(client), encoding="unicode")

    def answer(self, n, error=None, kind="cancel"):
        what = f"<error type='{kind}'><{error} xmlns='{NS['stanzas']}'/></error>" if error else ""
        self.c.write(f"<iq type='{'error' if error else 'result'}' id='{n.id}' from='{SERVICE}' to='{n.sender}'>{what}</iq>")


class Notification:
    def __init__(self, e):
        self.id, self.sender = e.get("id"), e.get("from")
        pubsub = e.find(f"{{{PUBSUB}}}pubsub")
        publish = pubsub.find(f"{{{PUBSUB}}}publish")
        self.node = publish.get("node")
        self.summary = self.fields(publish.find(f"{{{PUBSUB}}}item/{{{PUSH}}}notification"))
        options = pubsub.find(f"{{{PUBSUB}}}publish-options")
        self.options = self.fields(options) if options is not None else None

    @staticmethod
    def fields(e):
        return {f.get("var"): f.findtext(f"{{{DATA}}}value") for f in e.iter(f"{{{DATA}}}field")}


@pytest.fixture
def service(server):
    s = Service(server)
    yield s
    try:
        s.c.close()
    except (AssertionError, OSError, Closed):
        pass


def options_form(**fields):
    rows = "".join(f"<field var='{k}'><value>{v}</value></field>" for k, v in fields.items())
    return (f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{PUBSUB}#publish-options</value></field>"
            f"{rows}</x>")


def enable(client, node="node", service=SERVICE, options=""):
    e = client.iq("set", f"<enable xmlns='{PUSH}' jid='{service}' node='{node}'>{options}</enable>")
    return "" if e.get("type") == "result" else client.error_of(e)


def disable(client, node=None, service=SERVICE):
    where = f" node='{node}'" if node else ""
    assert client.iq("set", f"<disable xmlns='{PUSH}' jid='{service}'{where}/>").get("type") == "result"


def decisions(server, client):
    return [(r["what"], r["why"]) for r in server.ctl_json("push", client.bare)]


def registered(server, client):
    return sorted(r["service"].split(" ")[1] for r in server.ctl_json("push", client.bare) if r["what"] == "registered")


def asleep(server, client):
    client.write(f"<inactive xmlns='{CSI}'/>")
    wait_for(lambda: next(r for r in server.ctl_json("sessions") if r["jid"] == client.jid)["inactive"], "inactive")


def leave(server, client):
    client.close()
    wait_for(lambda: not any(r["jid"] == client.jid for r in server.ctl_json("sessions")), "the end of the session")


# ---- registrations

def test_the_feature_is_announced_for_the_account(server):
    a = server.client("disco")
    info = a.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=a.bare)
    assert PUSH in [f.get("var") for f in info[0]]


def submitted(what, **fields):
    """An <enable/> with such a form."""
    rows = "".join(f"<field var='{k}'><value>{v}</value></field>" for k, v in fields.items())
    return f"<enable xmlns='{PUSH}' jid='{SERVICE}' node='n'><x xmlns='{DATA}' type='{what}'>{rows}</x></enable>"


BAD = {
    "no jid": (f"<enable xmlns='{PUSH}' node='n'/>", "bad-request"),
    "no JID": (f"<enable xmlns='{PUSH}' jid='@@' node='n'/>", "jid-malformed"),
    "node too long": (f"<enable xmlns='{PUSH}' jid='{SERVICE}' node='{'n' * 1024}'/>", "bad-request"),
    "form without a type": (submitted("submit", secret="s"), "bad-request"),
    "form of another type": (submitted("submit", FORM_TYPE=f"{PUBSUB}#node_config", secret="s"), "bad-request"),
    "form not submitted": (submitted("form", FORM_TYPE=f"{PUBSUB}#publish-options", secret="s"), "bad-request"),
    "form too large": (submitted("submit", FORM_TYPE=f"{PUBSUB}#publish-options", secret="x" * 500), "not-acceptable"),
    "disable, no jid": (f"<disable xmlns='{PUSH}'/>", "bad-request"),
    "disable, no JID": (f"<disable xmlns='{PUSH}' jid='@@'/>", "jid-malformed"),
    "disable, node too long": (f"<disable xmlns='{PUSH}' jid='{SERVICE}' node='{'n' * 1024}'/>", "bad-request"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests_leave_what_was_registered(server, service, what):
    payload, error = BAD[what]
    name = f"bad{list(BAD).index(what)}"
    a, ben = server.client(name), server.client("benbad")
    assert enable(a, "n", options=options_form(secret="first")) == ""
    assert a.error_of(a.iq("set", payload)) == error
    assert registered(server, a) == ["n"]
    leave(server, a)
    ben.message(a.bare, "hello")
    n = service.notification(a)
    assert n.options["secret"] == "first"
    service.answer(n)


def test_registrations_are_their_owners(server):
    a, b = server.client("mine"), server.client("yours")
    enable(a, "n")
    for payload in (f"<enable xmlns='{PUSH}' jid='{SERVICE}' node='m'/>", f"<disable xmlns='{PUSH}' jid='{SERVICE}'/>"):
        assert b.error_of(b.iq("set", payload, to=a.bare)) == "service-unavailable"
    assert registered(server, a) == ["n"]


def test_the_last_options_are_valid(server, service):
    a, ben = server.client("latest"), server.client("benlast")
    for secret in ("first", "second"):
        assert enable(a, "n", options=options_form(secret=secret)) == ""
    assert registered(server, a) == ["n"]
    leave(server, a)
    ben.message(a.bare, "hello")
    n = service.notification(a)
    assert n.options == {"FORM_TYPE": f"{PUBSUB}#publish-options", "secret": "second"}
    service.answer(n)


def test_there_is_an_end_to_registrations(server, service):
    a, ben = server.client("many"), server.client("benmany")
    assert [enable(a, f"n{i}") for i in range(4)] == ["", "", "", "resource-constraint"]
    assert registered(server, a) == ["n0", "n1", "n2"]
    assert enable(a, "n1") == ""                     # known already
    disable(a, "n1")
    disable(a, "never")
    assert enable(a, "n3") == ""
    assert registered(server, a) == ["n0", "n2", "n3"]
    leave(server, a)
    ben.message(a.bare, "hello")
    told = [service.notification(a) for _ in range(3)]
    assert sorted(n.node for n in told) == ["n0", "n2", "n3"]
    for n in told:
        service.answer(n)
    a = server.client("many", register=False)
    a.expect_body("hello")
    disable(a)
    assert registered(server, a) == []


# ---- who is told

def test_a_message_that_reaches_nobody(server, service):
    a, ben = server.client("anna"), server.client("ben")
    assert enable(a, "n1", options=options_form(secret="s3cret")) == ""
    ben.message(a.bare, "awake")
    a.expect_body("awake")
    service.none(a)
    leave(server, a)
    ben.message(a.bare, "asleep")
    n = service.notification(a)
    assert (n.node, n.sender, n.options["secret"]) == ("n1", a.bare, "s3cret")
    assert n.summary == {"FORM_TYPE": "urn:xmpp:push:summary", "message-count": "1", "last-message-sender": ben.jid,
                         "last-message-body": "New message"}
    ben.message(a.bare, "two")
    ben.message(a.bare, "three")
    ben.ping()
    service.none(a)                                   # one at a time
    service.answer(n)
    assert (n := service.notification(a)).summary["message-count"] == "2"
    service.answer(n)
    said = [d for d in decisions(server, a)]
    assert ("not sent", "the client is awake") not in said      # nobody asks when everybody is awake
    assert ("sent", "no client is awake") in said and ("told with the next", "no client is awake") in said


def test_what_is_unimportant_is_not_pushed(server, service):
    a, ben = server.client("calm"), server.client("ben2")
    enable(a)
    leave(server, a)
    for extra in ("<composing xmlns='http://jabber.org/protocol/chatstates'/>",
                  "<received xmlns='urn:xmpp:receipts' id='1'/>",
                  "<body>x</body><no-store xmlns='urn:xmpp:hints'/>"):
        ben.write(f"<message to='{a.bare}' type='chat'>{extra}</message>")
    ben.write(f"<message to='{a.bare}' type='headline'><body>news</body></message>")
    ben.ping()
    service.none(a)


def test_another_client_that_is_awake_is_enough(server, service):
    a, desk, ben = server.client("pair", resource="phone"), server.client("pair", resource="desk"), server.client("ben3")
    enable(a)
    leave(server, a)
    ben.message(a.bare, "for the desk")
    desk.expect_body("for the desk")
    service.none(a)
    asleep(server, desk)
    ben.message(a.bare, "for nobody")
    service.answer(service.notification(a))


def test_a_client_that_sleeps_is_told_though_another_is_awake(server, service):
    a, desk, ben = server.client("both", resource="phone"), server.client("both", resource="desk"), server.client("ben4")
    enable(a)
    asleep(server, a)
    ben.message(a.bare, "for both")
    desk.expect_body("for both")
    service.answer(service.notification(a))
    assert ("sent", "the client sleeps") in decisions(server, a)
    a.write(f"<active xmlns='{CSI}'/>")
    a.ping()
    ben.message(a.bare, "awake again")
    service.none(a)


def test_a_session_that_hibernates(server, service):
    a, ben = managed(server, "hiber"), server.client("ben5")
    enable(a)
    a.ack()
    ben.message(a.bare, "unacknowledged")
    ben.ping()
    service.none(a)                                   # its socket looked alive
    a.drop()
    hibernates(server, a.jid)
    n = service.notification(a)
    assert n.summary["last-message-sender"] == ben.jid and n.summary["message-count"] == "1"
    service.answer(n)
    ben.message(a.bare, "while it sleeps")
    service.answer(service.notification(a))
    back = resume(server, a, "hiber")
    assert [back.expect("message").findtext("client:body", None, NS) for _ in range(2)] == \
        ["unacknowledged", "while it sleeps"]
    ben.message(a.bare, "awake")
    service.none(a)


def test_rooms_wake_who_is_in_them(server, service):
    room = f"push@muc.{server.domain}"
    a, ben = managed(server, "roomer"), server.client("ben6")
    enable(a)
    for client, nick in ((ben, "ben"), (a, "anna")):
        client.write(f"<presence to='{room}/{nick}'><x xmlns='{NS['muc']}'/></presence>")
        client.expect("message", lambda m: m.find("client:subject", NS) is not None)
        client.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='{DATA}' type='submit'/></query>", to=room)
    a.settle(0.2)
    a.ack()
    a.drop()
    hibernates(server, a.jid)
    ben.message(room, "hi all", kind="groupchat")
    n = service.notification(a)
    assert n.summary["last-message-sender"] == f"{room}/ben"
    service.answer(n)


# ---- errors

def test_errors_that_are_final_drop_the_registration(server, service):
    ben = server.client("ben7")
    for i, (kind, error) in enumerate((("cancel", "item-not-found"), ("cancel", "not-allowed"), ("auth", "forbidden"))):
        a = server.client(f"final{i}")
        enable(a, "one")
        leave(server, a)
        ben.message(a.bare, "hello")
        service.answer(service.notification(a), error, kind)
        wait_for(lambda: registered(server, a) == [], "the end of the registration")
        assert ("dropped", error) in decisions(server, a)
        ben.message(a.bare, "again")
        service.none(a, 0.3)


def test_errors_that_pass_are_tried_again(server, service):
    a, ben = server.client("patient"), server.client("ben8")
    enable(a, "one")
    leave(server, a)
    ben.message(a.bare, "hello")
    for kind, error in (("wait", "resource-constraint"), ("cancel", "internal-server-error")):
        n = service.notification(a)
        service.answer(n, error, kind)
        wait_for(lambda: ("failed", error) in decisions(server, a), "the failure")
        ben.message(a.bare, "more")
    n = service.notification(a)
    assert n.summary["message-count"] == "3"
    service.answer(n)
    said = decisions(server, a)
    assert ("sent", "tried again") in said and registered(server, a) == ["one"]


def test_a_service_that_is_away_is_tried_again(server):
    a, ben = server.client("away"), server.client("ben9")
    enable(a, "one")
    leave(server, a)
    ben.message(a.bare, "hello")
    wait_for(lambda: any(what == "failed" for what, _ in decisions(server, a)), "a failure")
    s = Service(server)
    s.answer(s.notification(a))
    wait_for(lambda: ("accepted", "by the service") in decisions(server, a), "the answer")
    s.c.close()


def test_only_the_service_can_answer(server, service):
    a, ben = server.client("guarded"), server.client("ben10")
    enable(a, "one")
    leave(server, a)
    ben.message(a.bare, "hello")
    n = service.notification(a)
    ben.write(f"<iq type='error' id='{n.id}' to='{a.bare}'><error type='cancel'>"
              f"<item-not-found xmlns='{NS['stanzas']}'/></error></iq>")
    ben.ping()
    assert registered(server, a) == ["one"]
    service.answer(n)


def test_registrations_outlive_sm_and_end_with_the_account(server, service):
    server.expect_warning("daemon_restarted")
    a, ben = server.client("lasting"), server.client("ben11")
    enable(a, "one")
    leave(server, a)
    for r in server.ctl_json("status"):
        if r["role"] == "sm":
            os.kill(r["pid"], signal.SIGKILL)
            wait_for(lambda: all(x["state"] == "running" and x["pid"] != r["pid"]
                                 for x in server.ctl_json("status", check=False)), "sm again")
    ben.message(a.bare, "hello")
    service.answer(service.notification(a))
    server.ctl("unregister", a.bare)
    server.register("lasting")
    assert server.ctl_json("push", a.bare) == [] or registered(server, a) == []


def test_the_verb_knows_accounts(server):
    server.ctl("push", f"nobody@{server.domain}", check=False)
    assert server.ctl_status == 1 and "not_found" in server.ctl_error


# ---- what is told

def test_the_body_is_told_when_the_operator_says_so():
    with Server("--set", "push_body=true") as server:
        s, a, ben = Service(server), server.client("anna"), server.client("ben")
        enable(a)
        leave(server, a)
        ben.message(a.bare, "Wherefore &amp; why?")
        n = s.notification(a)
        assert n.summary["last-message-body"] == "Wherefore & why?" and "last-message-sender" not in n.summary
        s.answer(n)
        ben.message(a.bare, "ü" * 600)               # 1,200 bytes
        n = s.notification(a)
        assert n.summary["last-message-body"] == "ü" * 500
        s.answer(n)
        ben.write(f"<message to='{a.bare}' type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/>"
                  "<body>You got an encrypted message</body></message>")
        n = s.notification(a)
        assert n.summary["last-message-body"] == "New message"
        s.answer(n)
        s.c.close()


# ---- a real service

@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("prosody") or not shutil.which("dnsmasq"),
                    reason="needs root, prosody and dnsmasq")
def test_a_pubsub_service_of_another_server():
    ours, theirs = "zubr.example", "peer.example"
    push = f"push.{theirs}"
    with two_servers(ours, theirs, parts=("push",)) as (server, peer):
        app = peer.client("pushadmin")
        config = (f"<x xmlns='{DATA}' type='submit'><field var='FORM_TYPE'><value>{PUBSUB}#node_config</value></field>"
                  "<field var='pubsub#publish_model'><value>open</value></field></x>")
        for payload in (f"<create node='device'/><configure>{config}</configure>",
                        f"<subscribe node='device' jid='{app.bare}'/>"):
            e = app.iq("set", f"<pubsub xmlns='{PUBSUB}'>{payload}</pubsub>", to=push)
            assert e.get("type") == "result", app.error_of(e)
        a, ben = server.client("anna"), server.client("ben")
        enable(a, "device", service=push)
        enable(a, "unknown", service=push)
        leave(server, a)
        ben.message(a.bare, "hello")
        event = app.expect("message", lambda m: m.get("from") == push)
        assert event.find(f".//{{{PUSH}}}notification") is not None
        wait_for(lambda: registered(server, a) == ["device"], "the unknown node being dropped")
        assert ("accepted", "by the service") in decisions(server, a)
