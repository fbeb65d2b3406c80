"""What the owner of an account may do as ad-hoc commands (XEP-0050): the password, the clients, the end."""

import pytest

from commands import COMMANDS, DATA, command, fields_of, form, notes_of, of
from harness import NS
from test_commands import condition, nodes
from test_register import may_log_in

CAM, REGISTER = "urn:xmpp:cam:0", NS["register"]
ALL = {"change-password", "list-clients", "revoke-client", "delete-account"}


def begin(client, node):
    """The session of a form, and its fields."""
    asked = of(command(client, node, client.bare))
    assert asked.get("status") == "executing"
    return asked.get("sessionid"), asked


def submit(client, node, session, form_type, /, **fields):
    given = {var.replace("_", "-"): value for var, value in fields.items()}
    return command(client, node, client.bare, session, payload=form(given, form_type))


def clients_of(client):
    found = of(command(client, "list-clients", client.bare))
    assert found.get("status") == "completed"
    reported = [f.get("var") for f in found.findall(f"{{{DATA}}}x/{{{DATA}}}reported/{{{DATA}}}field")]
    items = [{f.get("var"): f.findtext(f"{{{DATA}}}value") for f in item} for item in found.iter(f"{{{DATA}}}item")]
    assert all(list(item) == reported for item in items)
    return items


@pytest.fixture
def pair(server, request):
    name = request.node.name.replace("test_", "").replace("_", "-")
    one, two = server.client(name, resource="one"), server.client(name, resource="two")
    yield one, two
    for c in (one, two):
        c.drop()


def test_they_are_listed_to_the_owner_only(server, pair):
    one, _ = pair
    assert ALL <= set(nodes(one, one.bare))
    assert not ALL & set(nodes(one, server.domain))
    other = server.client("other")
    for node in ALL:
        assert other.error_of(command(other, node, one.bare)) in ("service-unavailable", "forbidden")
        assert other.error_of(command(other, node, server.domain)) == "item-not-found"
    other.close()


def test_the_password_is_changed(server, pair):
    one, two = pair
    name = one.bare.split("@")[0]
    session, _ = begin(one, "change-password")
    for fields in ({}, {"password": "new"}, {"password": "new", "password_verify": "newer"}, {"password": "", "password_verify": ""}):
        assert condition(one, submit(one, "change-password", session, REGISTER, **fields)) == ("bad-request", "bad-payload")
    assert may_log_in(server, name, "secret")
    done = of(submit(one, "change-password", session, REGISTER, password="new", password_verify="new"))
    assert done.get("status") == "completed" and notes_of(done, "info")
    two.expect_stream_error("reset")
    one.ping()
    assert may_log_in(server, name, "new") and not may_log_in(server, name, "secret")
    # One that no profile allows (RFC 8265) changes nothing.
    session, _ = begin(one, "change-password")
    reply = submit(one, "change-password", session, REGISTER, password="\u0378", password_verify="\u0378")
    assert one.error_of(reply) in ("not-acceptable", "bad-request")
    assert may_log_in(server, name, "new")


def test_clients_are_listed_and_logged_out(server, pair):
    one, two = pair
    found = clients_of(one)
    assert len(found) == 2 and all(c["connected"] == "true" and c["first-seen"].endswith("Z") for c in found)
    session, asked = begin(one, "revoke-client")
    options = {o.findtext(f"{{{DATA}}}value") for o in asked.iter(f"{{{DATA}}}option")}
    assert options == {c["client"] for c in found}
    assert condition(one, submit(one, "revoke-client", session, CAM)) == ("bad-request", "bad-payload")
    assert one.error_of(submit(one, "revoke-client", session, CAM, client="nonsense")) == "item-not-found"
    # Which is which only the operator sees; one of the two is oneself, and hears of it before it goes.
    session, _ = begin(one, "revoke-client")
    done = of(submit(one, "revoke-client", session, CAM, client=found[0]["client"]))
    assert done.get("status") == "completed" and notes_of(done, "info")
    left, = server.ctl_json("sessions", one.bare)
    (two if left["resource"] == "one" else one).expect_stream_error("not-authorized")
    (one if left["resource"] == "one" else two).ping()


def test_the_account_is_deleted(server, pair):
    one, two = pair
    session, _ = begin(one, "delete-account")
    for fields in ({}, {"confirm": "false"}, {"confirm": "perhaps"}):
        assert condition(one, submit(one, "delete-account", session, REGISTER, **fields)) == ("bad-request", "bad-payload")
    done = of(submit(one, "delete-account", session, REGISTER, confirm="true"))
    assert done.get("status") == "completed" and notes_of(done, "info")
    for c in (one, two):
        c.expect_stream_error("not-authorized")
    assert not may_log_in(server, one.bare.split("@")[0], "secret")
    assert server.ctl("user", one.bare, check=False) == "" and server.ctl_status == 1


def test_a_form_may_be_left(server, pair):
    one, _ = pair
    for node in ALL - {"list-clients"}:
        session, asked = begin(one, node)
        assert fields_of(asked)["FORM_TYPE"] == [CAM if node == "revoke-client" else REGISTER]
        assert of(command(one, node, one.bare, session, "cancel")).get("status") == "canceled"
        assert condition(one, submit(one, node, session, REGISTER)) == ("not-allowed", "session-expired")
