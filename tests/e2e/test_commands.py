"""XEP-0050: the list of commands, their sessions and errors. XEP-0133 gives the commands."""

from commands import ADMIN, COMMANDS, DATA, boss, command, done, admin, fields_of, form, of
from harness import NS, wait_for

OPTIONS = ["--set", "domain[example.org].admins=admin@example.org", "--set", "limits.command_seconds=2",
           "--set", "limits.commands_per_session=3", "--set", "limits.commands_max=5"]
ADD, CANCEL = f"{ADMIN}#add-user", "cancel-shutdown"


def condition(client, reply):
    """(the condition of RFC 6120, the one of XEP-0050)"""
    error = reply.find("client:error", NS)
    own = [child.tag.split("}")[1] for child in error if child.tag.startswith("{" + COMMANDS)]
    return client.error_of(reply), own[0] if own else None


def disco(client, what, node, to):
    return client.iq("get", f"<query xmlns='{NS[what]}' node='{node}'/>", to=to)


def nodes(client, to):
    found = disco(client, "disco_items", COMMANDS, to)
    return {i.get("node"): i.get("name") for i in found.iter(f"{{{NS['disco_items']}}}item")}


def test_an_admin_sees_the_commands_and_nobody_else(server, boss):
    assert ADD in nodes(boss, server.domain)
    assert len(nodes(boss, server.domain)) == 29
    user = server.client("user")
    assert nodes(user, server.domain) == {}
    # His own archive, XEP-0441 2.2; who wants to subscribe to his nodes, XEP-0060 8.7.
    assert set(nodes(user, user.bare)) == {"urn:xmpp:mam#configure", "http://jabber.org/protocol/pubsub#get-pending",
                                           "change-password", "list-clients", "revoke-client", "delete-account"}
    for to in (server.domain, user.bare):
        info = user.iq("get", f"<query xmlns='{NS['disco_info']}'/>", to=to)
        assert COMMANDS in {f.get("var") for f in info.iter(f"{{{NS['disco_info']}}}feature")}
    info = disco(boss, "disco_info", COMMANDS, server.domain).find("disco_info:query", NS)
    assert {(i.get("category"), i.get("type")) for i in info.findall("disco_info:identity", NS)} == \
        {("automation", "command-list")}
    info = disco(boss, "disco_info", ADD, server.domain).find("disco_info:query", NS)
    identity = info.find("disco_info:identity", NS)
    assert (identity.get("category"), identity.get("type")) == ("automation", "command-node")
    assert {COMMANDS, DATA} <= {f.get("var") for f in info.findall("disco_info:feature", NS)}
    assert user.error_of(disco(user, "disco_info", ADD, server.domain)) == "forbidden"
    user.close()


def test_every_command_that_is_listed_answers(server, boss):
    assert condition(boss, command(boss, CANCEL, server.domain)) == ("item-not-found", None)      # nothing is planned
    for node in nodes(boss, server.domain).keys() - {CANCEL}:
        found = of(command(boss, node, server.domain))
        assert found.get("node") == node
        if found.get("status") == "executing":
            assert fields_of(found)["FORM_TYPE"] == [ADMIN]
            actions = found.find(f"{{{COMMANDS}}}actions")
            assert actions.get("execute") == "complete" and [a.tag for a in actions] == [f"{{{COMMANDS}}}complete"]
            assert of(command(boss, node, server.domain, found.get("sessionid"), "cancel")).get("status") == "canceled"


def test_who_may_not_is_refused(server, boss):
    user = server.client("user")
    assert condition(user, command(user, ADD, server.domain)) == ("forbidden", None)
    # A session of the admin is of no use to others.
    session = of(command(boss, ADD, server.domain)).get("sessionid")
    assert condition(user, command(user, ADD, server.domain, session, payload=form({}))) == ("forbidden", None)
    other = server.client("admin", resource="other", presence=False)
    assert condition(other, command(other, ADD, server.domain, session, "cancel")) == ("bad-request", "bad-sessionid")
    assert of(command(boss, ADD, server.domain, session, "cancel")).get("status") == "canceled"
    other.close()
    user.close()


def test_nodes_that_are_none(server, boss):
    assert condition(boss, command(boss, "nonsense", server.domain)) == ("item-not-found", None)
    assert condition(boss, command(boss, f"{ADMIN}#edit-blacklist", server.domain)) == ("feature-not-implemented", None)
    assert condition(boss, command(boss, f"{ADMIN}#get-user-password", server.domain)) == ("feature-not-implemented", None)
    assert condition(boss, command(boss, ADD, boss.bare)) == ("item-not-found", None)
    reply = boss.iq("set", f"<command xmlns='{COMMANDS}'/>", to=server.domain)
    assert boss.error_of(reply) == "bad-request"


def test_actions(server, boss):
    assert condition(boss, command(boss, ADD, server.domain, action="dance")) == ("bad-request", "malformed-action")
    for action in ("complete", "next", "prev", "cancel"):
        assert condition(boss, command(boss, ADD, server.domain, action=action)) == ("bad-request", "bad-action")
    session = of(command(boss, ADD, server.domain, action="execute")).get("sessionid")
    for action in ("next", "prev"):
        assert condition(boss, command(boss, ADD, server.domain, session, action)) == ("bad-request", "bad-action")
    for action in ("execute", "complete"):
        session = of(command(boss, ADD, server.domain)).get("sessionid")
        fields = {"accountjid": f"by-{action}@example.org", "password": "x", "password-verify": "x"}
        assert of(command(boss, ADD, server.domain, session, action, form(fields))).get("status") == "completed"


def test_a_bad_form_may_be_submitted_again(server, boss):
    session = of(command(boss, ADD, server.domain)).get("sessionid")
    bad = ["", form({}), form({"accountjid": "x@example.org"}), form({"accountjid": "@", "password": "x"}),
           form({"accountjid": "x@example.org/full", "password": "x"}),
           form({"accountjid": "x@example.org", "password": "x", "password-verify": "y"}),
           form({"accountjid": "x@example.org", "password": "x"}, form_type="urn:other"),
           f"<x xmlns='{DATA}' type='cancel'/>", f"<x xmlns='{DATA}' type='nonsense'/>"]
    for payload in bad:
        reply = command(boss, ADD, server.domain, session, payload=payload)
        assert condition(boss, reply) == ("bad-request", "bad-payload"), payload
    payload = form({"accountjid": "again@example.org", "password": "x"})
    assert of(command(boss, ADD, server.domain, session, payload=payload)).get("status") == "completed"
    # A session that has ended is told from one that never was.
    assert condition(boss, command(boss, ADD, server.domain, session, payload=payload)) == \
        ("not-allowed", "session-expired")
    assert condition(boss, command(boss, ADD, server.domain, "made-up", payload=payload)) == \
        ("bad-request", "bad-sessionid")


def test_a_session_belongs_to_its_command(server, boss):
    session = of(command(boss, ADD, server.domain)).get("sessionid")
    reply = command(boss, f"{ADMIN}#delete-user", server.domain, session, payload=form({"accountjids": boss.bare}))
    assert condition(boss, reply) == ("bad-request", "bad-sessionid")


def test_sessions_are_timed(server, boss):
    session = of(command(boss, ADD, server.domain)).get("sessionid")
    payload = form({"accountjid": "late@example.org"})         # not filled in: the session stays as it is

    def expired():
        reply = command(boss, ADD, server.domain, session, payload=payload)
        return condition(boss, reply) == ("not-allowed", "session-expired")
    wait_for(expired, "the end of a session", 10)


def test_sessions_are_bounded(server):
    first, second = server.client("admin", resource="one"), server.client("admin", resource="two")
    for _ in range(3):
        of(command(first, ADD, server.domain))
    assert condition(first, command(first, ADD, server.domain)) == ("not-allowed", None)
    for _ in range(2):
        of(command(second, ADD, server.domain))
    assert condition(second, command(second, ADD, server.domain)) == ("resource-constraint", None)
    # They end with the stream of who had them.
    first.close()
    wait_for(lambda: command(second, ADD, server.domain).get("type") == "result", "room for a session", 5)
    second.close()


def test_the_administrator_of_one_domain_only(server, boss):
    assert done(admin(boss, "get-registered-users-num"))["registeredusersnum"]
    assert condition(boss, admin(boss, "delete-user", accountjids="somebody@elsewhere.org")) == ("forbidden", None)
