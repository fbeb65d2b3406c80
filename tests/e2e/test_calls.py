"""Jingle message initiation (XEP-0353): a call rings on all devices, those that sleep included, and only its
<propose/> wakes anybody."""

import xml.etree.ElementTree as ET

import pytest
from test_archive import Page
from test_carbons import copy_in, device, messages, quiet
from test_push import Service, asleep, enable, leave

CALL, RTP, HINTS = "urn:xmpp:jingle-message:0", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:hints"
STEPS = ("ringing", "proceed", "accept", "reject", "retract", "finish")
OPTIONS = ["--set", "limits.resume_seconds=300"]


@pytest.fixture
def service(server):
    s = Service(server)
    yield s
    s.c.close()


def step(client, to, name, first="", sid="call-1"):
    """One message of a call; `first`: what stands before it."""
    inside = f"<description xmlns='{RTP}' media='audio'/>" if name == "propose" else ""
    client.write(f"<message to='{to}' type='chat'>{first}<{name} xmlns='{CALL}' id='{sid}'>{inside}</{name}>"
                 f"<store xmlns='{HINTS}'/></message>")


def name_in(message):
    """Of the step; None: it is no message of a call."""
    return next((c.tag.split("}")[1] for c in message if c.tag.startswith(f"{{{CALL}}}")), None)


def rings(client, sender):
    return client.expect("message", lambda m: name_in(m) == "propose" and m.get("from") == sender.jid)


def test_a_call_rings_everywhere_and_all_devices_learn_what_became_of_it(server):
    romeo, romeos = device(server, "romeo", "orchard"), device(server, "romeo", "desk")
    phone, desk = device(server, "juliet", "phone"), device(server, "juliet", "desk")
    silent = device(server, "juliet", "silent", priority=-1)
    quiet(romeo, romeos, phone, desk, silent)
    step(romeo, phone.bare, "propose")
    for c in (phone, desk):
        rings(c, romeo)
    assert name_in(copy_in(silent.expect("message"), "received")) == "propose"
    assert name_in(copy_in(romeos.expect("message"), "sent")) == "propose"
    for name in ("ringing", "proceed"):
        step(phone, romeo.jid, name)
        assert name_in(romeo.expect("message")) == name
        assert name_in(copy_in(romeos.expect("message"), "received")) == name
        for c in (desk, silent):
            assert name_in(copy_in(c.expect("message"), "sent")) == name
    step(romeo, phone.jid, "finish")
    assert name_in(phone.expect("message")) == "finish"
    for c in (desk, silent):
        assert name_in(copy_in(c.expect("message"), "received")) == "finish"
    assert not messages(phone, 0.2)
    said = ["propose", "ringing", "proceed", "finish"]
    for c in (romeo, phone):
        assert [name_in(m) for m in Page(c).messages()] == said


def test_a_device_that_was_away_finds_the_call(server):
    caller, tablet = server.client("caller"), server.client("tablet")
    leave(server, tablet)
    step(caller, tablet.bare, "propose")
    step(caller, tablet.bare, "retract")
    caller.ping()
    back = server.client("tablet", register=False)
    assert [name_in(back.expect("message")) for _ in range(2)] == ["propose", "retract"]


@pytest.mark.parametrize("first", ["", f"<no-copy xmlns='{HINTS}'/>"])
def test_only_what_rings_wakes_a_phone(server, service, first):
    name = "sleeper1" if first else "sleeper"
    caller, a = server.client("caller2"), server.client(name)
    assert enable(a) == ""
    asleep(server, a)
    for what in STEPS:
        step(caller, a.bare, what, first)
    caller.ping()
    service.none(a)
    step(caller, a.bare, "propose", first)
    n = service.notification(a)
    assert n.summary["message-count"] == "1" and n.summary["last-message-body"] == "New message"
    service.answer(n)
    for what in STEPS:                               # at once: it rings on that device
        step(caller, a.bare, what, first)
    assert [name_in(a.expect("message")) for _ in range(13)] == [*STEPS, "propose", *STEPS]
    service.none(a)


def test_steps_of_a_call_wait_for_who_is_gone_without_waking_him(server, service):
    caller, a = server.client("caller3"), server.client("gone")
    assert enable(a) == ""
    leave(server, a)
    step(caller, a.bare, "propose")
    service.answer(service.notification(a))
    step(caller, a.bare, "retract")
    caller.ping()
    service.none(a)
    back = server.client("gone", register=False)
    seen = [back.expect("message") for _ in range(2)]
    assert [name_in(m) for m in seen] == ["propose", "retract"], [ET.tostring(m) for m in seen]
    assert all(m.find("{urn:xmpp:delay}delay") is not None for m in seen)
