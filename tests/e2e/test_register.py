"""XEP-0077: registration before login; after it password change, removal of the account; what ends with them."""

import xml.etree.ElementTree as ET

import pytest

from harness import NS, StreamError, wait_for
from test_login import condition

R = NS["register"]


DOMAINS = ("example.org", "closed.example")
OPTIONS = ["--set", "domain[closed.example].registration=closed"]


def register(c, inner, kind="set", to=None):
    return c.iq(kind, f"<query xmlns='{R}'>{inner}</query>", to=to)


def who(name, password="secret"):
    return f"<username>{name}</username><password>{password}</password>"


def change(c, username, password, to=True):
    return c.iq("set", f"<query xmlns='{R}'><username>{username}</username><password>{password}</password></query>",
                to=c.domain if to else None)


def may_log_in(server, user, password):
    c = server.stream().starttls().open()
    c.features()
    e = c.auth_plain(user, password)
    return e.tag.endswith("success")


def test_before_login_there_is_a_form_and_every_mistake_has_its_error(server):
    c = server.stream().starttls().open()
    c.features()
    form = register(c, "", "get").find(f"{{{R}}}query")
    assert {child.tag.split("}")[1] for child in form} == {"instructions", "username", "password"}
    for inner, wanted in [("", "not-acceptable"), ("<username>x</username>", "not-acceptable"),
                          ("<password>x</password>", "not-acceptable"), (who("", ""), "not-acceptable"),
                          (who("with space"), "not-acceptable"), (who("a@b"), "not-acceptable"),
                          (who("x" * 1024), "not-acceptable"), (who("\u0378"), "not-acceptable"),
                          (who("fine", "\u0378"), "not-acceptable"), ("<remove/>", "not-allowed")]:
        assert c.error_of(register(c, inner)) == wanted, inner
    assert register(c, who("Fine")).get("type") == "result"
    assert c.error_of(register(c, who("fine", "other"))) == "conflict"       # the same name (RFC 7622 3.3)
    c.drop()
    assert may_log_in(server, "fine", "secret") and not may_log_in(server, "fine", "other")
    assert {row["jid"] for row in server.ctl_json("users")} >= {"fine@example.org"}


def test_a_closed_domain_admits_nobody(server):
    c = server.stream("closed.example").starttls().open()
    assert c.features().find("{http://jabber.org/features/iq-register}register") is None
    for kind, inner in (("get", ""), ("set", who("sneaky"))):
        assert c.error_of(register(c, inner, kind)) == "service-unavailable"
    e = c.auth_plain("nobody", "secret")                # and the stream is as good as before
    assert e.tag.endswith("failure")
    c.drop()
    # Nor by another door.
    c = server.stream().starttls().open()
    c.features()
    with pytest.raises(StreamError) as error:
        register(c, who("sneaky"), to="closed.example")
    assert error.value.condition == "not-authorized"
    assert server.ctl_json("users", "closed.example") == []


def test_the_form_says_who_is_registered(server):
    c = server.client("form")
    e = c.iq("get", f"<query xmlns='{R}'/>", to=server.domain)
    assert e.find("register:query/register:registered", NS) is not None
    assert e.findtext("register:query/register:username", None, NS) == "form"


def test_the_new_password_counts_and_the_old_does_not(server):
    c = server.client("change", "old-secret")
    assert change(c, "change", "new-secret").get("type") == "result"
    assert may_log_in(server, "change", "new-secret")
    assert not may_log_in(server, "change", "old-secret")
    assert change(c, "change", "newer-secret", to=False).get("type") == "result"
    assert may_log_in(server, "change", "newer-secret")


def test_other_sessions_end_and_the_own_goes_on(server):
    here, there = server.client("leaver", resource="here"), server.client("leaver", resource="there")
    there.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
    there.expect("enabled")
    assert change(here, "leaver", "another").get("type") == "result"
    with pytest.raises(StreamError) as error:
        there.ping()
    assert error.value.condition == "reset"
    assert here.ping().get("type") == "result"
    assert [row["resource"] for row in server.ctl_json("sessions", f"leaver@{server.domain}")] == ["here"]


def test_the_operator_s_change_ends_all_sessions(server):
    c = server.client("forgetful")
    server.ctl("passwd", f"forgetful@{server.domain}", stdin="fresh\n")
    c.expect_stream_error("reset")
    assert may_log_in(server, "forgetful", "fresh")


@pytest.mark.parametrize("payload,wanted", [
    ("<username>keeper</username><password/>", "bad-request"),
    ("<username>keeper</username>", "bad-request"),
    ("<password>unwritten-secret</password>", "bad-request"),
    ("<username/><password>unwritten-secret</password>", "bad-request"),
    ("<username>someone-else</username><password>unwritten-secret</password>", "not-allowed"),
    ("<username>a@b</username><password>unwritten-secret</password>", "bad-request"),
    ("<username>keeper</username><password>\u0378unwritten-secret</password>", "not-acceptable"),
])
def test_a_refused_change_changes_nothing_and_repeats_nothing(server, payload, wanted):
    c = server.client("keeper", "kept-secret")
    e = c.iq("set", f"<query xmlns='{R}'>{payload}</query>", to=server.domain)
    assert c.error_of(e) == wanted
    assert "unwritten-secret" not in ET.tostring(e, encoding="unicode")
    assert may_log_in(server, "keeper", "kept-secret")


def test_nobody_changes_the_password_of_another_account(server):
    server.register("victim")
    c = server.client("attacker")
    e = c.iq("set", f"<query xmlns='{R}'><username>victim</username><password>x</password></query>",
             to=f"victim@{server.domain}")
    assert e.get("type") == "error"
    assert may_log_in(server, "victim", "secret")


def test_remove_must_stand_alone(server):
    c = server.client("undecided")
    for payload in ("<remove/><username>undecided</username>", "<username>undecided</username><remove/>"):
        assert c.error_of(c.iq("set", f"<query xmlns='{R}'>{payload}</query>")) == "bad-request"
    assert may_log_in(server, "undecided", "secret")


def test_removal_is_answered_then_all_streams_end_and_contacts_are_told(server):
    c, second, friend = server.client("leaving"), server.client("leaving", resource="second"), server.client("friend")
    c.befriend(friend)
    assert c.iq("set", f"<query xmlns='{R}'><remove/></query>").get("type") == "result"
    c.expect_stream_error("not-authorized")
    second.expect_stream_error("not-authorized")
    friend.expect("presence", lambda p: p.get("type") == "unsubscribed" and p.get("from") == c.bare)
    d = server.stream().starttls().open()
    d.features()
    assert condition(d.auth_plain("leaving", "secret")) == "not-authorized"
    wait_for(lambda: f"leaving@{server.domain}" not in [row["jid"] for row in server.ctl_json("users")], "its end")
