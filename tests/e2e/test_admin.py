"""XEP-0133: what administrators do from their clients is what zubrctl does, wherever the accounts live."""

from commands import ADMIN, COMMANDS, DATA, admin, boss, command, done, fields_of, notes_of, of
from harness import NS, Server, wait_for

DOMAINS = ("example.org", "example.net")
OPTIONS = ["--instances", "sm=2", "--set", "domain[example.org].admins=admin@example.org",
           "--set", "limits.notice_max=100"]
USERS = [f"user{i}" for i in range(6)]         # some in each sm


def users_of(server, instance):
    return {row["jid"] for row in server.ctl_json("users", "example.org", "--instance", instance)}


def refused(server, name, password="secret"):
    c = server.stream().starttls()
    c.open().features()
    e = c.auth_plain(name, password)
    c.drop()
    return e.tag.endswith("failure")


def test_accounts_in_every_instance(server, boss):
    for name in USERS:
        done(admin(boss, "add-user", accountjid=f"{name}@example.org", password="secret", password_verify="secret"))
    for instance in ("sm-1", "sm-2"):
        assert any(f"{name}@example.org" in users_of(server, instance) for name in USERS)
    assert boss.error_of(admin(boss, "add-user", accountjid="user0@example.org", password="x")) == "conflict"
    clients = [server.client(name, register=False) for name in USERS]
    jids = [f"{name}@example.org" for name in USERS]

    # Statistics.
    for c in clients:
        found = done(admin(boss, "user-stats", accountjid=c.bare))
        assert (found["ipaddresses"], found["onlineresources"], found["rostersize"]) == (["127.0.0.1"], ["test"], ["0"])
    logins = done(admin(boss, "get-user-lastlogin", accountjids=jids))
    assert sorted(logins["accountjids"]) == jids and len(logins["lastlogin"]) == len(USERS)
    assert all(when.endswith("Z") for when in logins["lastlogin"])
    assert int(done(admin(boss, "get-online-users-num"))["onlineusersnum"][0]) == len(USERS) + 1
    assert sorted(done(admin(boss, "get-online-users-list", max_items="none"))["onlineuserjids"]) == \
        sorted(jids + [boss.bare])
    assert sorted(done(admin(boss, "get-active-users", max_items="50"))["activeuserjids"]) == sorted(jids + [boss.bare])
    # Who looks at none of his clients is idle (XEP-0352).
    clients[0].write("<inactive xmlns='urn:xmpp:csi:0'/>")
    wait_for(lambda: done(admin(boss, "get-idle-users-num"))["idleusersnum"] == ["1"], "one who is idle")
    assert done(admin(boss, "get-idle-users"))["activeuserjids"] == [jids[0]]
    assert sorted(done(admin(boss, "get-active-users"))["activeuserjids"]) == sorted(jids[1:] + [boss.bare])
    shown = of(admin(boss, "get-registered-users-list", max_items="2"))
    assert len(fields_of(shown)["registereduserjids"]) == 2 and notes_of(shown, "warn")

    # Kicked: one session, then all of several accounts.
    done(admin(boss, "end-user-session", accountjids=clients[0].jid))
    clients[0].expect_stream_error("policy-violation")
    done(admin(boss, "end-user-session", accountjids=jids[1:3]))
    for c in clients[1:3]:
        c.expect_stream_error("policy-violation")
    assert boss.error_of(admin(boss, "end-user-session", accountjids=jids[0])) == "item-not-found"
    partly = of(admin(boss, "end-user-session", accountjids=[jids[0], jids[3]]))
    assert [n.split(":")[0] for n in notes_of(partly, "error")] == [jids[0]]
    clients[3].expect_stream_error("policy-violation")

    # Disabled: sessions end, nobody logs in, nothing is lost; then in again.
    done(admin(boss, "disable-user", accountjids=jids[4:]))
    for c, name in zip(clients[4:], USERS[4:]):
        c.expect_stream_error("not-authorized")
        assert refused(server, name)
    assert done(admin(boss, "get-disabled-users-num"))["disabledusersnum"] == ["2"]
    assert sorted(done(admin(boss, "get-disabled-users-list"))["disableduserjids"]) == jids[4:]
    done(admin(boss, "reenable-user", accountjids=jids[4:]))
    assert done(admin(boss, "get-disabled-users-num"))["disabledusersnum"] == ["0"]

    # Passwords.
    for name in USERS[4:]:
        done(admin(boss, "change-user-password", accountjid=f"{name}@example.org", password="other"))
        assert refused(server, name)
        server.client(name, "other", register=False).close()

    # Who is not there: when he was.
    for name in USERS[4:]:
        c = server.client(name, "other", register=False)
        came, = done(admin(boss, "get-user-lastlogin", accountjids=c.bare))["lastlogin"]
        c.close()
        went, = wait_for(lambda: [when for when in done(admin(boss, "get-user-lastlogin",
                                                              accountjids=f"{name}@example.org"))["lastlogin"]
                                  if server.ctl_json("user", f"{name}@example.org")[0]["sessions"] == 0], "his leaving")
        assert went >= came and server.ctl_json("user", f"{name}@example.org")[0]["login"] == went

    done(admin(boss, "delete-user", accountjids=jids))
    assert all(refused(server, name, "other") for name in USERS)
    assert boss.error_of(admin(boss, "delete-user", accountjids=jids[0])) == "item-not-found"
    assert done(admin(boss, "get-registered-users-num"))["registeredusersnum"] == ["1"]


def test_the_same_as_the_control_verbs(server, boss):
    for name in ("one", "two", "three"):
        server.register(name)
    counted = server.ctl_json("counts", "example.org")
    for field, result in (("registered", "registered"), ("disabled", "disabled"), ("online", "online"),
                          ("active", "active"), ("idle", "idle")):
        num = done(admin(boss, f"get-{field}-users-num"))[f"{result}usersnum"]
        assert int(num[0]) == sum(row[field] for row in counted)
    server.ctl("disable", "one@example.org")
    assert done(admin(boss, "get-disabled-users-list"))["disableduserjids"] == ["one@example.org"]
    done(admin(boss, "reenable-user", accountjids="one@example.org"))
    assert not any(row["disabled"] for row in server.ctl_json("users", "example.org"))
    row, = server.ctl_json("user", "one@example.org")
    assert (row["jid"], row["disabled"], row["roster"], row["login"]) == ("one@example.org", False, 0, "")
    server.ctl("disable", "nobody@example.org", check=False)
    assert server.ctl_status == 1
    done(admin(boss, "delete-user", accountjids=["one@example.org", "two@example.org", "three@example.org"]))


def test_who_administers(server, boss):
    assert done(admin(boss, "get-admins"))["adminjids"] == [boss.bare]
    assert [(r["domain"], r["jid"]) for r in server.ctl_json("admins")] == [("example.org", boss.bare)]
    assert server.ctl_json("admins", "example.net") == []
    server.ctl("admins", "example.com", check=False)
    assert server.ctl_status == 1


def test_the_roster_of_a_user(server, boss):
    a, b = server.client("roster-a"), server.client("roster-b")
    a.befriend(b)
    a.iq("set", f"<query xmlns='jabber:iq:roster'><item jid='{b.bare}' name='Bee'><group>G, 1</group><group>H</group>"
                "</item></query>")
    reply = admin(boss, "get-user-roster", accountjids=a.bare)
    item, = of(reply).iter(f"{{{NS['roster']}}}item")
    assert (item.get("jid"), item.get("name"), item.get("subscription")) == (b.bare, "Bee", "both")
    assert [g.text for g in item] == ["G, 1", "H"]
    contact, = server.ctl_json("roster", a.bare)
    assert (contact["jid"], contact["name"], contact["groups"]) == (b.bare, "Bee", "G, 1\nH")
    for c in (a, b):
        c.close()


def test_an_announcement_reaches_the_domain_in_every_instance(server, boss):
    clients = [server.client(name) for name in USERS]
    stranger = server.client("stranger@example.net")
    done(admin(boss, "announce", announcement=["Down at noon", "& up at one"]))
    for c in clients:
        c.expect_body("Down at noon\n& up at one", "example.org")
    stranger.expect_none("message")
    for c in clients + [stranger]:
        c.close()


def texts(client):
    """The bodies of all messages that came or come now."""
    ident, found = client.new_id(), []
    client.write(f"<iq type='get' id='{ident}' to='{client.domain}'><ping xmlns='urn:xmpp:ping'/></iq>")
    while (e := client.next()).get("id") != ident:
        found.append(e)
    return [m.findtext("client:body", None, NS) for m in found + client.settle(0.3) if m.tag.endswith("message")]


def test_message_of_the_day(server, boss):
    online = [server.client(name) for name in USERS]
    done(admin(boss, "set-motd", motd=["Be kind", "to the cat"]))
    # Who is online hears of it at once, whichever sm has him; the others at their next login; each once.
    for c in online:
        c.expect_body("Be kind\nto the cat", "example.org")
    for c in online:
        assert texts(c) == []
        c.close()
    for name in USERS:
        c = server.client(name)
        assert texts(c) == []
        c.close()
    late = server.client("late", presence=False)
    assert texts(late) == []
    late.write("<presence><priority>-1</priority></presence>")
    assert texts(late) == []
    late.write("<presence/>")
    late.expect_body("Be kind\nto the cat", "example.org")
    second = server.client("late", resource="second")
    assert texts(second) == []
    row, = server.ctl_json("motd", "example.org")
    assert row["text"] == "Be kind\nto the cat"
    # The form to edit it has it; changed, everybody gets it once more.
    form = fields_of(of(command(boss, f"{ADMIN}#edit-motd", "example.org")))
    assert form["motd"] == ["Be kind", "to the cat"]
    done(admin(boss, "edit-motd", motd="Be kinder"))
    bodies = wait_for(lambda: texts(late) + texts(second), "the changed text")
    assert bodies + texts(late) + texts(second) == ["Be kinder"]
    c = server.client(USERS[0])
    c.expect_body("Be kinder", "example.org")
    # Deleted, nobody.
    done(admin(boss, "delete-motd"))
    other = server.client("afterwards")
    assert texts(other) == []
    server.ctl("motd", "example.org", check=False)
    assert server.ctl_status == 1
    # As an operator, and too long.
    server.ctl("motd", "example.org", "Tea at five")
    other.expect_body("Tea at five", "example.org")
    assert boss.error_of(admin(boss, "set-motd", motd="x" * 101)) == "not-acceptable"
    assert server.ctl_json("motd", "example.org")[0]["text"] == "Tea at five"
    server.ctl("motd-delete", "example.org")
    for one in (late, second, c, other):
        one.close()


def test_welcome(server, boss):
    server.register("before")
    done(admin(boss, "set-welcome", welcome="Hello!"))
    assert fields_of(of(command(boss, f"{ADMIN}#set-welcome", "example.org")))["welcome"] == ["Hello!"]
    old = server.client("before")
    assert texts(old) == []
    for name in USERS:
        new = server.client(f"new-{name}")
        new.expect_body("Hello!", "example.org")
        again = server.client(f"new-{name}", resource="again")
        assert texts(again) == []
        again.close()
        new.close()
    # Changing the text welcomes nobody twice.
    server.ctl("welcome", "example.org", "Good day!")
    c = server.client("new-user0")
    assert texts(c) == []
    c.close()
    c = server.client("newest")
    c.expect_body("Good day!", "example.org")
    c.close()
    done(admin(boss, "delete-welcome"))
    c = server.client("unwelcome")
    assert texts(c) == []
    # An account of the same name made anew is a new one.
    done(admin(boss, "set-welcome", welcome="Hi"))
    server.ctl("unregister", "newest@example.org")
    again = server.client("newest")
    again.expect_body("Hi", "example.org")
    for one in (old, c, again):
        one.close()
    done(admin(boss, "delete-welcome"))


def test_notices_outlive_a_restart():
    with Server("--instances", "sm=1") as server:
        server.ctl("motd", "example.org", "Be kind")
        a = server.client("a")
        a.expect_body("Be kind", "example.org")
        a.close()
        server.restart("sm-1")
        a, b = server.client("a"), server.client("b")
        b.expect_body("Be kind", "example.org")
        assert texts(a) == []
        for c in (a, b):
            c.close()


def test_an_instance_that_is_away_is_told_of():
    with Server("--instances", "sm=2", "--set", "domain[example.org].admins=admin@example.org") as server:
        for name in USERS + ["admin"]:
            server.register(name)
        home = {jid: instance for instance in ("sm-1", "sm-2") for jid in users_of(server, instance)}
        boss = server.client("admin", register=False)
        other = next(i for i in ("sm-1", "sm-2") if i != home[boss.bare])
        server.ctl("stop", other)
        wait_for(lambda: any(r["name"] == other and r["state"] == "down" for r in
                             server.ctl_json("status", check=False)), f"the end of {other}", 20)
        victim = next(jid for jid, at in home.items() if at == other)
        reply = admin(boss, "delete-user", accountjids=victim)
        assert boss.error_of(reply) == "recipient-unavailable"
        counted = of(admin(boss, "get-registered-users-num"))
        assert [n.split(":")[0] for n in notes_of(counted, "error")] == [other]
        boss.close()
