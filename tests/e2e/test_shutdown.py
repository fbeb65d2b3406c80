"""The end of the whole suite and its restart, by an operator and by an administrator (XEP-0133 4.29, 4.30): users are
warned and stopped in order, and nothing is lost."""

import os
import signal

import pytest

from commands import ADMIN, admin, boss, command, done, fields_of, form, of
from harness import NS, Server, wait_for
from test_resume import managed, resume
from test_rooms import enter

DOMAINS = ("example.org", "example.net")
OPTIONS = ["--instances", "sm=2,muc=2,c2sd=2", "--set", "domain[example.org].admins=admin@example.org,part@example.org",
           "--set", "domain[example.net].admins=admin@example.org"]
NAMES = [f"user{i}" for i in range(4)]         # some in each sm


def pids(server):
    return {row["name"]: row["pid"] for row in server.ctl_json("status", check=False) if row["state"] == "running"}


def all_new(server, before):
    def look():
        now = pids(server)
        return now.keys() == before.keys() and all(now[name] != before[name] for name in now)
    wait_for(look, "all daemons anew", 40)


def planned(server):
    row, = server.ctl_json("shutdown")
    return row["kind"]


def refuses(server, code, *args):
    server.ctl("shutdown", *args, check=False)
    return server.ctl_status == 1 and f"({code})" in server.ctl_error


def said_in(client, room, body):
    client.message(room, body, kind="groupchat")
    client.expect("message", lambda m: m.get("type") == "groupchat" and m.findtext("client:body", "", NS) == body)


def test_it_is_planned_shown_and_called_off(server):
    clients = [server.client(name) for name in NAMES] + [server.client("else@example.net")]
    assert planned(server) == "none"
    row, = server.ctl_json("shutdown", "stop", "7200", "Tea & cake")
    assert (row["kind"], row["text"]) == ("stop", "Tea & cake") and 7190 <= row["seconds"] <= 7200
    for c in clients:
        c.expect_body("The server stops in 2 hours.\nTea & cake", c.domain)
    assert planned(server) == "stop"
    assert refuses(server, "conflict", "restart", "5")
    server.ctl("shutdown", "cancel")
    for c in clients:
        c.expect_body("The server does not stop after all.", c.domain)
    assert planned(server) == "none"
    assert refuses(server, "not_found", "cancel")
    for words in (["stop"], ["halt", "5"], ["stop", "1.5"], ["stop", ""], ["stop", "soon"], ["stop", "86401"], ["restart", "5x"], ["cancel", "5"]):
        assert refuses(server, "bad_request", *words), words
    assert refuses(server, "not_acceptable", "stop", "5", "x" * 4097)
    for c in clients:
        assert c.settle() == []
        c.close()


def test_users_are_warned_again(server):
    c = server.client("again")
    server.ctl("shutdown", "restart", "20")
    c.expect_body("The server restarts in 20 seconds.", "example.org")
    late = server.client("late")
    for one in (c, late):
        one.expect_body("The server restarts in 10 seconds.", "example.org")
    server.ctl("shutdown", "cancel")
    for one in (c, late):
        one.expect_body("The server does not restart after all.", "example.org")
        one.close()


def test_only_who_administers_all_domains_may(server, boss):
    part = server.client("part")
    assert done(admin(part, "get-registered-users-num"))
    for node in (f"{ADMIN}#restart", f"{ADMIN}#shutdown", "cancel-shutdown"):
        assert part.error_of(command(part, node, "example.org")) == "forbidden"
    listed = part.iq("get", f"<query xmlns='{NS['disco_items']}' node='http://jabber.org/protocol/commands'/>", "example.org")
    found = {i.get("node") for i in listed.iter(f"{{{NS['disco_items']}}}item")}
    assert f"{ADMIN}#announce" in found and not found & {f"{ADMIN}#restart", f"{ADMIN}#shutdown", "cancel-shutdown"}
    part.close()


def test_an_administrator_plans_and_calls_off(server, boss):
    node = f"{ADMIN}#shutdown"
    asked = of(command(boss, node, "example.org"))
    assert fields_of(asked)["delay"] == ["60"] and fields_of(asked)["announcement"] == []
    for delay in ("soon", "-1", "86401"):
        reply = command(boss, node, "example.org", asked.get("sessionid"), payload=form({"delay": delay}))
        assert boss.error_of(reply) == "bad-request"
    reply = command(boss, node, "example.org", asked.get("sessionid"),
                    payload=form({"delay": "300", "announcement": ["Down at noon", "& up at one"]}))
    done(reply)
    boss.expect_body("The server stops in 5 minutes.\nDown at noon\n& up at one", "example.org")
    assert boss.error_of(admin(boss, "restart", delay="60")) == "conflict"
    done(command(boss, "cancel-shutdown", "example.org"))
    boss.expect_body("The server does not stop after all.", "example.org")
    assert boss.error_of(command(boss, "cancel-shutdown", "example.org")) == "item-not-found"
    # Without a delay it is the usual one.
    done(admin(boss, "restart", announcement=""))
    boss.expect_body("The server restarts in 1 minute.", "example.org")
    done(command(boss, "cancel-shutdown", "example.org"))


@pytest.mark.parametrize("by", ["operator", "administrator"])
def test_after_a_restart_everybody_goes_on(server, by):
    server.announced = ["link_lost"]
    boss, plain = server.client("admin"), server.client(NAMES[0])
    phones = [managed(server, name, f"phone-{by}") for name in NAMES]
    before, room = pids(server), f"{by}@muc.example.org"
    for c in phones:
        enter(c, room, c.bare.split("@")[0])
    said_in(phones[0], room, "before")
    for c in phones:
        c.settle()
        c.ack()
        c.ping()
    for c in phones:
        plain.message(c.jid, "not acknowledged")
    for c in phones:
        c.expect_body("not acknowledged", plain.jid)
    if by == "operator":
        server.ctl("restart", "--in", "1", "--message", "a new version")
        warning = "The server restarts in 1 second.\na new version"
    else:
        done(admin(boss, "restart", delay="1", announcement="a new version"))
        warning = "The server restarts in 1 second.\na new version"
    for c in phones + [plain, boss]:
        c.expect_body(warning, "example.org")
        c.expect_stream_error("system-shutdown")
    all_new(server, before)
    boss = server.client("admin", register=False)
    boss.message(f"{NAMES[0]}@example.org", "while away")
    again = []
    for c, name in zip(phones, NAMES):
        c.handled -= 2                         # neither the message nor the warning was seen, he says
        again.append(resume(server, c, name))
    for c in again:
        c.expect_body("not acknowledged", plain.jid)
        c.expect_body(warning, "example.org")
    again[0].expect_body("while away")
    for c in again:
        said_in(c, room, f"after by {c.bare}")
    for c in again + [boss]:
        c.close()
    assert planned(server) == "none"


def test_an_administrator_stops_it():
    with Server("--set", "domain[example.org].admins=admin@example.org") as server:
        boss, c = server.client("admin"), server.client("user")
        done(admin(boss, "shutdown", delay="0", announcement="Good night"))
        c.expect_body("The server stops now.\nGood night", "example.org")
        for one in (boss, c):
            one.expect_stream_error("system-shutdown")
        assert server.process.wait(40) == 0
        server.stopped = True
        server.check_log()
        assert server.log_has("shutdown_begins", "kind=stop")


def test_one_who_was_away_when_it_stopped_is_told():
    """A daemon that died just then is started again and must not stay behind."""
    with Server("--instances", "muc=1") as server:
        server.announced = ["daemon_restarted", "link_lost", "peer_lost"]
        client = server.client("user")
        server.ctl("shutdown", "stop", "1")
        client.expect_body("The server stops in 1 second.", "example.org")
        import os, signal
        os.kill(server.pid_of("muc-1"), signal.SIGKILL)
        assert server.process.wait(40) == 0
        server.stopped = True
