"""Stream management (XEP-0198): acknowledgements, hibernation, resumption at any c2sd, what becomes of the rest."""

import asyncio
import os
import signal
import xml.etree.ElementTree as ET

import pytest

from clients import Bot, online
from harness import NS, Client, free_port, wait_for

SM = "urn:xmpp:sm:3"
OWN_PORT = free_port()          # of c2sd-2
OPTIONS = ["--instances", "c2sd=2", "--set", f"instance[c2sd-2].c2s={OWN_PORT}",
           "--set", "limits.resume_queue_stanzas=200", "--set", "limits.resume_seconds=300"]


class Managed(Client):
    """A raw client that counts what it was sent since <enabled/> and answers nothing by itself."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.handled, self.counting, self.requests, self.h = 0, False, 0, None

    def seen(self, e):
        if e is None:
            return
        space, name = e.tag[1:].split("}")
        if space == "jabber:client" and self.counting:
            self.handled += 1
        elif space == SM and name == "r":
            self.requests += 1
        elif space == SM and name == "a":
            self.h = int(e.get("h"))
        elif space == SM and name in ("enabled", "resumed"):
            self.counting = True

    def next(self, timeout=15.0):
        e = super().next(timeout)
        self.seen(e)
        return e

    def settle(self, seconds=0.3):
        found = super().settle(seconds)
        for e in found:
            self.seen(e)
        return found

    def authenticate(self, name, password="secret"):
        self.starttls()
        self.open().features()
        e = self.auth_plain(name, password)
        assert e.tag == f"{{{NS['sasl']}}}success", ET.tostring(e)
        self.open()
        return self.features()

    def enable(self, resume=True, maximum=None):
        attrs = (" resume='true'" if resume else "") + (f" max='{maximum}'" if maximum else "")
        self.write(f"<enable xmlns='{SM}'{attrs}/>")
        self.enabled = self.expect("enabled")
        self.id = self.enabled.get("id")
        return self

    def ask(self):
        """The server's h, after everything sent before."""
        self.write(f"<r xmlns='{SM}'/>")
        return int(self.expect("a", lambda e: e.tag == f"{{{SM}}}a").get("h"))

    def ask_until(self, h):
        wait_for(lambda: self.ask() == h, f"h={h}")

    def ack(self, h=None):
        self.write(f"<a xmlns='{SM}' h='{self.handled if h is None else h}'/>")

    def try_resume(self, previd, h):
        self.write(f"<resume xmlns='{SM}' previd='{previd}' h='{h}'/>")
        return self.expect()


def known(server, name):
    if not any(row["jid"] == f"{name}@{server.domain}" for row in server.ctl_json("users")):
        server.register(name)


def managed(server, name, resource="test", port=None, presence=True, **kwargs):
    known(server, name)
    c = Managed(server, server.domain, port=port)
    c.login(name, "secret", resource=resource, presence=presence)
    return c.enable(**kwargs)


def stream(server, name, port=None):
    c = Managed(server, server.domain, port=port)
    c.authenticate(name)
    return c


def resume(server, old, name, port=None):
    c = stream(server, name, port)
    e = c.try_resume(old.id, old.handled)
    assert e.tag == f"{{{SM}}}resumed", ET.tostring(e)
    assert e.get("previd") == old.id
    c.resumed_h = int(e.get("h"))
    c.handled, c.id, c.jid, c.bare = old.handled, old.id, old.jid, old.bare
    return c


def state_of(server, jid):
    return next((row["managed"] for row in server.ctl_json("sessions") if row["jid"] == jid), None)


def hibernates(server, jid):
    wait_for(lambda: state_of(server, jid) == "hibernating", f"{jid} hibernating")


def bodies(client, count):
    return [client.expect("message").findtext("client:body", None, NS) for _ in range(count)]


def no_more(client, seconds=0.4):
    client.expect_none("message", seconds=seconds)


def condition(e):
    return e[0].tag.split("}")[1]


# ---- enabling

def test_the_feature_is_announced_after_login_only(server):
    server.register("ann")
    c = Managed(server, server.domain)
    c.starttls()
    assert c.open().features().find(f"{{{SM}}}sm") is None
    c.auth_plain("ann", "secret")
    c.open()
    assert c.features().find(f"{{{SM}}}sm") is not None


def test_enabled_tells_id_and_max(server):
    a = managed(server, "alice", maximum=60)
    assert a.enabled.get("resume") == "true" and a.id and a.enabled.get("max") == "60"
    assert a.enabled.get("location") is None
    b = managed(server, "alice", resource="two", maximum=100000)
    assert b.enabled.get("max") == "300" and b.id != a.id
    c = managed(server, "alice", resource="three", resume=False)
    assert c.enabled.get("resume") is None and c.enabled.get("id") is None


def test_an_instance_with_a_port_of_its_own_names_it(server):
    a = managed(server, "alice", port=OWN_PORT)
    assert a.enabled.get("location") == f"127.0.0.1:{OWN_PORT}"


@pytest.mark.parametrize("element", ["<enable xmlns='urn:xmpp:sm:3'/>", "<r xmlns='urn:xmpp:sm:3'/>",
                                     "<a xmlns='urn:xmpp:sm:3' h='0'/>"])
def test_before_bind_it_is_refused_and_the_client_may_go_on(server, element):
    known(server, "early")
    c = stream(server, "early")
    c.write(element)
    e = c.expect("failed")
    assert condition(e) == "unexpected-request"
    c.bind()
    assert c.enable().id


def test_before_login_it_is_refused(server):
    c = Managed(server, server.domain)
    c.starttls()
    c.open().features()
    for element in ("<enable xmlns='urn:xmpp:sm:3'/>", "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>"):
        c.write(element)
        assert condition(c.expect("failed")) == "unexpected-request"


def test_enabling_twice_ends_the_stream(server):
    a = managed(server, "alice")
    a.write(f"<enable xmlns='{SM}'/>")
    assert condition(a.expect("failed")) == "unexpected-request"
    a.expect_stream_error("policy-violation")


def test_resume_after_bind_is_refused(server):
    a = managed(server, "alice")
    a.write(f"<resume xmlns='{SM}' previd='{a.id}' h='0'/>")
    assert condition(a.expect("failed")) == "unexpected-request"
    assert a.ask() == 0


@pytest.mark.parametrize("attributes", ["resume='perhaps'", "resume='true' max='soon'"])
def test_enable_with_nonsense_is_a_bad_request(server, attributes):
    c = server.client("alice", resource="bad")
    c.write(f"<enable xmlns='{SM}' {attributes}/>")
    e = c.expect("failed")
    assert condition(e) == "bad-request"


def test_unknown_attributes_are_ignored(server):
    c = server.client("alice", resource="strange")
    c.write(f"<enable xmlns='{SM}' resume='1' colour='blue'/>")
    assert c.expect("enabled").get("resume") == "true"


def test_without_enabling_acknowledgements_are_out_of_order(server):
    c = server.client("alice", resource="plain")
    c.write(f"<r xmlns='{SM}'/>")
    assert condition(c.expect("failed")) == "unexpected-request"
    c.ping()


# ---- acknowledgements

def test_every_stanza_counts(server):
    a = managed(server, "alice")
    b = server.client("bob")
    a.message(b.bare, "one")
    a.ping()
    a.write("<presence><show>away</show></presence>")
    a.message("carol@example.org", "nobody there")
    assert a.ask() in (3, 4)
    a.ask_until(4)


def test_what_is_answered_at_the_edge_counts_on_both_sides(server):
    a = managed(server, "alice")
    a.write("<iq type='what' id='x1'><a xmlns='u'/></iq>")
    assert a.error_of(a.expect("iq")) == "bad-request"
    a.message("a@b@c/@", "to nowhere")
    assert a.error_of(a.expect("message")) == "jid-malformed"
    a.iq("set", f"<session xmlns='{NS['session']}'/>")
    a.write(f"<iq type='set' id='x2'><bind xmlns='{NS['bind']}'/></iq>")
    assert a.error_of(a.expect("iq")) == "not-allowed"
    a.write("<iq type='result'/>")
    a.ask_until(5)
    a.ack()
    a.ping()
    a.ack()
    assert a.ask() == 6
    wait_for(lambda: next(r["queued"] for r in server.ctl_json("sessions") if r["jid"] == a.jid) == 0, "an empty queue")


def test_the_server_asks_and_forgets_what_is_acknowledged(server):
    a, b = server.client("alice"), managed(server, "bob")
    a.message(b.bare, "one")
    b.expect_body("one")
    b.expect("r")
    for i in range(5):
        a.message(b.bare, f"more {i}")
    bodies(b, 5)
    b.settle(0.3)
    assert b.requests == 1                       # one is outstanding
    b.ack()
    b.expect("r")                                # for what came since
    b.ack()
    wait_for(lambda: next(r["queued"] for r in server.ctl_json("sessions") if r["jid"] == b.jid) == 0, "an empty queue")


def test_acknowledging_too_much_ends_the_stream(server):
    a = managed(server, "alice")
    a.ping()
    a.ack(99)
    e = a.expect_stream_error("undefined-condition")
    high = e.find(f"{{{SM}}}handled-count-too-high")
    assert high.get("h") == "99" and high.get("send-count") == "1"
    c = stream(server, "alice")
    assert condition(c.try_resume(a.id, 1)) == "item-not-found"


@pytest.mark.parametrize("h", ["", "h='many'", "h='-1'"])
def test_an_acknowledgement_without_a_number_ends_the_stream(server, h):
    a = managed(server, "alice")
    a.write(f"<a xmlns='{SM}' {h}/>")
    a.expect_stream_error("policy-violation")


# ---- resumption

def test_a_lost_client_resumes_and_misses_nothing(server):
    a, b = server.client("alice"), managed(server, "bob")
    a.befriend(b)
    a.message(b.bare, "seen")
    b.expect_body("seen")
    b.drop()
    hibernates(server, b.jid)
    a.expect_none("presence", lambda p: p.get("type") == "unavailable")
    for i in range(20):
        a.message(b.bare, f"m{i}")
    a.message(b.jid, "full")
    b2 = resume(server, b, "bob")
    assert bodies(b2, 21) == [f"m{i}" for i in range(20)] + ["full"]
    no_more(b2)
    b2.ack()
    a.message(b2.jid, "live")
    b2.expect_body("live")
    b2.message(a.jid, "back")
    assert a.expect_body("back").get("from") == b2.jid


def test_what_was_written_and_not_acknowledged_comes_again_once_and_stamped(server):
    a, b = server.client("alice"), managed(server, "bob")
    a.message(b.bare, "first")
    b.expect_body("first")
    handled = b.handled
    a.message(b.bare, "second")
    b.expect_body("second")
    b.handled = handled                          # lost on the way
    b.drop()
    b2 = resume(server, b, "bob")
    m = b2.expect("message")
    assert m.findtext("client:body", None, NS) == "second"
    assert m.find("delay:delay", NS).get("stamp").endswith("Z")
    no_more(b2)


def test_the_server_tells_what_it_has_of_the_client(server):
    a, b = server.client("alice"), managed(server, "bob")
    for i in range(7):
        b.message(a.bare, f"up {i}")
    bodies(a, 7)
    b.drop()
    b2 = resume(server, b, "bob")
    assert b2.resumed_h == 7
    b2.message(a.bare, "eighth")
    assert b2.ask() == 8


@pytest.mark.parametrize("lost", [True, False])
def test_at_another_instance(server, lost):
    a, b = server.client("alice"), managed(server, "bob", port=OWN_PORT)
    if lost:
        b.drop()
        hibernates(server, b.jid)
    a.message(b.bare, "wherever you are")
    b2 = resume(server, b, "bob", port=None if lost else server.c2s)
    if not lost:
        b.expect_stream_error("conflict")
    b2.expect_body("wherever you are")
    a.message(b2.jid, "there")
    b2.expect_body("there")


def test_while_the_old_socket_looks_alive(server):
    a, b = server.client("alice"), managed(server, "bob")
    b2 = resume(server, b, "bob")
    b.expect_stream_error("conflict")
    a.message(b2.jid, "to the new one")
    b2.expect_body("to the new one")
    assert len([r for r in server.ctl_json("sessions") if r["jid"] == b2.jid]) == 1


def test_again_and_again(server):
    a, b = server.client("alice"), managed(server, "bob")
    for i in range(5):
        b.drop()
        a.message(b.bare, f"round {i}")
        b = resume(server, b, "bob")
        b.expect_body(f"round {i}")
        no_more(b, 0.1)


def test_a_failed_resume_lets_the_client_bind(server):
    b = managed(server, "bob")
    for i in range(3):
        b.ping()
    b.close()
    c = stream(server, "bob")
    e = c.try_resume(b.id, b.handled)
    assert condition(e) == "item-not-found" and e.get("h") == "3"
    e = c.try_resume("no-such-id", 0)
    assert condition(e) == "item-not-found" and e.get("h") is None
    c.bind("test")
    c.enable()
    c.ping()


@pytest.mark.parametrize("attributes", ["previd='x'", "h='0'", "previd='x' h='one'", "previd='x' h='-1'"])
def test_a_resume_without_its_attributes_is_a_bad_request(server, attributes):
    known(server, "bob")
    c = stream(server, "bob")
    c.write(f"<resume xmlns='{SM}' {attributes}/>")
    assert condition(c.expect("failed")) == "bad-request"
    c.bind("other")


def test_endless_attempts_to_resume_have_an_end(server):
    c = stream(server, "bob")
    for i in range(11):
        c.write(f"<resume xmlns='{SM}' previd='guess{i}' h='0'/>")
    for i in range(11):
        c.expect("failed")
    c.expect_stream_error("policy-violation")


def test_nobody_resumes_the_session_of_another(server):
    b = managed(server, "bob")
    b.drop()
    hibernates(server, b.jid)
    server.register("eve")
    c = stream(server, "eve")
    e = c.try_resume(b.id, b.handled)
    assert condition(e) == "item-not-found" and e.get("h") is None
    resume(server, b, "bob")


def test_a_wrong_h_does_not_resume(server):
    a, b = server.client("alice"), managed(server, "bob")
    a.message(b.bare, "x")
    b.expect_body("x")
    b.ack()
    b.ping()
    b.drop()
    c = stream(server, "bob")
    c.write(f"<resume xmlns='{SM}' previd='{b.id}' h='1000'/>")
    e = c.expect_stream_error("undefined-condition")
    assert e.find(f"{{{SM}}}handled-count-too-high") is not None
    c = stream(server, "bob")
    assert condition(c.try_resume(b.id, b.handled - 2)) == "item-not-found"
    resume(server, b, "bob")


def test_without_resume_the_session_ends_and_its_messages_wait(server):
    a, b = server.client("alice"), managed(server, "dora", resume=False)
    b.drop()
    wait_for(lambda: state_of(server, b.jid) is None, "the end of the session")
    a.message(b.bare, "later")
    a.ping()
    server.client("dora", register=False).expect_body("later")


def test_a_session_closed_by_its_client_is_over(server):
    a, b = server.client("kate"), managed(server, "liam")
    a.befriend(b)
    b.close()
    a.expect("presence", lambda p: p.get("type") == "unavailable" and p.get("from") == b.jid)


# ---- the end

def test_unacknowledged_messages_become_offline_messages_once(server):
    a = server.client("alice")
    b = managed(server, "erin", maximum=1)
    a.message(b.bare, "to the account")
    a.message(b.jid, "to the resource")
    bodies(b, 2)
    b.drop()
    a.message(b.bare, "meanwhile")
    wait_for(lambda: state_of(server, b.jid) is None, "the end of the hibernation")
    c = server.client("erin", register=False)
    assert sorted(bodies(c, 3)) == ["meanwhile", "to the account", "to the resource"]
    no_more(c)
    c.close()
    no_more(server.client("erin", register=False))


def test_an_unanswered_iq_is_answered_when_the_session_ends(server):
    a, b = server.client("alice"), managed(server, "erin", maximum=1)
    b.write(f"<presence to='{a.jid}'/>")            # who may ask a resource: RFC 6121 8.5.3.1
    a.expect("presence", lambda p: p.get("from") == b.jid)
    a.write(f"<iq type='get' id='q7' to='{b.jid}'><q xmlns='urn:q'/></iq>")
    b.expect("iq")
    b.drop()
    assert a.error_of(a.expect("iq", lambda e: e.get("id") == "q7")) == "service-unavailable"


def test_another_resource_that_has_it_is_enough(server):
    a = server.client("alice")
    b, other = managed(server, "fred", maximum=1), server.client("fred", resource="other", register=False)
    a.message(b.bare, "both")
    other.expect_body("both")
    b.drop()
    wait_for(lambda: state_of(server, b.jid) is None, "the end of the hibernation")
    no_more(other)
    other.close()
    no_more(server.client("fred", resource="third", register=False))


def test_a_new_session_of_the_same_resource_gets_what_the_old_one_had(server):
    a, b = server.client("alice"), managed(server, "gina")
    b.drop()
    hibernates(server, b.jid)
    a.message(b.bare, "left over")
    a.ping()
    c = server.client("gina", register=False)
    c.expect_body("left over")
    no_more(c)


def test_who_never_acknowledges_is_cut_and_loses_nothing(server):
    a, b = server.client("alice"), managed(server, "hank")
    for i in range(210):
        a.message(b.bare, f"h{i}")
    b.expect_stream_error("resource-constraint")
    c = stream(server, "hank")
    assert condition(c.try_resume(b.id, 0)) == "item-not-found"
    c.bind("again")
    c.write("<presence/>")
    got = set(bodies(c, 210))
    assert got == {f"h{i}" for i in range(210)}


def test_a_sleeper_over_the_limit_ends_and_loses_nothing(server):
    a, b = server.client("alice"), managed(server, "ivan")
    b.drop()
    hibernates(server, b.jid)
    for i in range(210):
        a.message(b.bare, f"i{i}")
    wait_for(lambda: state_of(server, b.jid) is None, "the end of the session")
    assert set(bodies(server.client("ivan", register=False), 210)) == {f"i{i}" for i in range(210)}


def test_who_was_thrown_out_cannot_resume(server):
    b = managed(server, "bob")
    server.ctl("kick", b.jid)
    b.expect_stream_error("policy-violation")
    c = stream(server, "bob")
    assert condition(c.try_resume(b.id, b.handled)) == "item-not-found"


def test_who_was_closed_at_the_edge_cannot_resume(server):
    b = managed(server, "bob")
    server.ctl("close", b.jid)
    b.expect_stream_error("policy-violation")
    c = stream(server, "bob")
    assert condition(c.try_resume(b.id, b.handled)) == "item-not-found"


def test_a_sleeper_can_be_thrown_out(server):
    a, b = server.client("mary"), managed(server, "nick")
    a.befriend(b)
    b.drop()
    hibernates(server, b.jid)
    server.ctl("kick", b.jid)
    a.expect("presence", lambda p: p.get("type") == "unavailable")
    c = stream(server, "nick")
    assert condition(c.try_resume(b.id, b.handled)) == "item-not-found"


def test_an_account_is_removed_with_its_sleepers(server):
    b = managed(server, "jane")
    b.drop()
    hibernates(server, b.jid)
    server.ctl("unregister", b.bare)
    assert state_of(server, b.jid) is None


def test_an_occupant_stays_in_the_room(server):
    room = f"keep@muc.{server.domain}"
    b = managed(server, "bob")
    b.write(f"<presence to='{room}/bob'><x xmlns='{NS['muc']}'/></presence>")
    b.expect("presence", lambda p: p.get("from") == f"{room}/bob")
    b.expect("message")
    b.iq("set", f"<query xmlns='{NS['muc_owner']}'><x xmlns='jabber:x:data' type='submit'/></query>", to=room)
    a = server.client("alice")
    a.write(f"<presence to='{room}/alice'><x xmlns='{NS['muc']}'/></presence>")
    a.expect("presence", lambda p: p.get("from") == f"{room}/alice")
    b.drop()
    hibernates(server, b.jid)
    a.message(room, "said meanwhile", kind="groupchat")
    a.expect_body("said meanwhile")
    a.expect_none("presence", lambda p: p.get("type") == "unavailable")
    b2 = resume(server, b, "bob")
    b2.expect_body("said meanwhile")


def test_offline_messages_wait_until_they_are_acknowledged(server):
    a = server.client("alice")
    known(server, "pete")
    a.message(f"pete@{server.domain}", "patience")
    a.ping()
    for i in range(2):
        b = managed(server, "pete", presence=False, maximum=1)
        b.write("<presence/>")
        b.expect_body("patience")
        if i:
            b.ack()
            b.ping()
        b.drop()
        wait_for(lambda: state_of(server, b.jid) is None, "the end of the session")
    no_more(server.client("pete", register=False))


# ---- death of daemons

def kill(server, instance):
    pid = server.pid_of(instance)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: any(r["name"] == instance and r["state"] == "running" and r["pid"] != pid
                         for r in server.ctl_json("status", check=False)), f"a new {instance}", 20)


def test_clients_of_a_c2sd_that_dies_resume(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    a, b = server.client("alice"), managed(server, "bob", port=OWN_PORT)
    # alice is wherever the kernel put her: what she sends before the kill is acknowledged
    a.message(b.bare, "before")
    b.expect_body("before")
    kill(server, "c2sd-2")
    b.expect_end()
    hibernates(server, b.jid)
    a.message(b.bare, "after")
    b2 = resume(server, b, "bob", port=server.c2s)
    b2.expect_body("after")
    no_more(b2)


@pytest.mark.parametrize("instance", ["routerd", "sm-1"])
def test_a_death_inside_is_not_noticed(server, instance):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    a, b = managed(server, "alice"), managed(server, "bob")
    for i in range(5):
        a.message(b.bare, f"before {i}")
    kill(server, instance)
    for i in range(5):
        a.message(b.bare, f"after {i}")
    assert bodies(b, 10) == [f"before {i}" for i in range(5)] + [f"after {i}" for i in range(5)]
    a.ask_until(10)
    b.ack()
    no_more(b)
    wait_for(lambda: next(r["queued"] for r in server.ctl_json("sessions") if r["jid"] == b.jid) == 0, "an empty queue")


def test_a_queue_survives_the_death_of_sm(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    a, b = server.client("alice"), managed(server, "bob")
    a.message(b.bare, "written")
    b.expect_body("written")
    b.handled -= 1                               # lost on the way
    b.drop()
    hibernates(server, b.jid)
    a.message(b.bare, "kept")
    a.ping()
    kill(server, "sm-1")
    assert state_of(server, b.jid) == "hibernating"
    a.message(b.bare, "later")
    b2 = resume(server, b, "bob")
    assert bodies(b2, 3) == ["written", "kept", "later"]
    no_more(b2)
    b2.ack()
    wait_for(lambda: next(r["queued"] for r in server.ctl_json("sessions") if r["jid"] == b.jid) == 0, "an empty queue")


def test_a_resumed_stream_outlives_sm(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    a, b = server.client("alice"), managed(server, "bob")
    b.drop()
    b2 = resume(server, b, "bob")
    kill(server, "sm-1")
    a.message(b2.jid, "to the same stream")
    b2.expect_body("to the same stream")
    b2.message(a.bare, "from it")
    a.expect_body("from it")


def test_what_the_server_has_of_the_client_survives_the_death_of_sm(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    known(server, "olga")
    b = managed(server, "bob")
    for i in range(8):
        b.message(f"olga@{server.domain}", f"stored {i}")
    b.ask_until(8)
    b.drop()
    kill(server, "sm-1")
    b2 = resume(server, b, "bob")
    assert b2.resumed_h == 8
    assert sorted(bodies(server.client("olga", register=False), 8)) == [f"stored {i}" for i in range(8)]


def test_who_comes_too_late_is_told_h_after_a_restart(server):
    server.expect_warning("daemon_restarted")
    server.expect_warning("link_lost")
    b = managed(server, "bob")
    b.ping()
    b.close()
    wait_for(lambda: state_of(server, b.jid) is None, "the end of the session")
    kill(server, "sm-1")
    e = stream(server, "bob").try_resume(b.id, b.handled)
    assert condition(e) == "item-not-found" and e.get("h") == "1"


# ---- a real client

class Sleeper(Bot):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        self.register_plugin("xep_0198")
        self.resumed, self.got = asyncio.Event(), []
        self.add_event_handler("session_resumed", lambda _: self.resumed.set())
        self.add_event_handler("message", lambda m: self.got.append(m["body"]))

    async def has(self, *wanted):
        for _ in range(300):
            if self.got == list(wanted):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"wanted {wanted}, got {self.got}")


def test_slixmpp_resumes(server):
    server.register("slix")
    a = server.client("alice")

    async def script():
        bot = await online(server, "slix", Sleeper)
        a.message(bot.boundjid.bare, "one")
        await bot.has("one")
        bot.abort()
        await asyncio.wait_for(bot.disconnected, 10)
        await asyncio.get_running_loop().run_in_executor(None, hibernates, server, bot.boundjid.full)
        a.message(bot.boundjid.bare, "two")
        bot.connect(("127.0.0.1", server.c2s))
        await asyncio.wait_for(bot.resumed.wait(), 20)
        await bot.has("one", "two")
        bot.disconnect()
        await asyncio.wait_for(bot.disconnected, 10)

    asyncio.run(script())


# ---- the last one: c2sd-2 does not come back

def test_clients_of_a_c2sd_that_drains_resume_elsewhere(server):
    b = managed(server, "bob", port=OWN_PORT)
    server.ctl("drain", "c2sd-2", check=False)
    b.expect_stream_error("system-shutdown")
    hibernates(server, b.jid)
    b2 = resume(server, b, "bob", port=server.c2s)
    a2 = server.client("alice", resource="after")
    a2.message(b.bare, "still there")
    b2.expect_body("still there")
