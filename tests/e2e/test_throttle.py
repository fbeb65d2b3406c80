"""Failed logins: who is refused, who is not, and the line that fail2ban reads (docs/logins.md)."""

import re
import shutil
import subprocess
import time

import pytest

from harness import NS, ROOT, Client, Server
from sasl2 import condition as condition2
from test_fast import by_token, issued, try_token
from test_login import condition, scram

OPTIONS = ["--instances", "sm=1", "--listen", "127.0.0.1", "--listen", "::1", "--set", "limits.login_failures_max=4",
           "--set", "limits.login_failures_per_address=8", "--set", "limits.login_failures_per_account=5",
           "--set", "limits.login_refuse_seconds=2", "--set", "limits.login_refuse_max=8", "--set", "limits.login_delay_max=2",
           "--set", "limits.auth_failures_max=100"]


def stream(server, source, sender=None):
    c = Client(server, server.domain, source=source).starttls()
    c.open(f"<stream:stream to='{server.domain}' version='1.0' from='{sender}' xmlns='jabber:client' "
           f"xmlns:stream='{NS['stream']}'>" if sender else None)
    c.features()
    return c


def guess(c, user, times, password="guess"):
    return [condition(c.auth_plain(user, password)) for _ in range(times)]


def let_in(c, user, password="secret"):
    return c.auth_plain(user, password).tag.endswith("success")


def test_an_account_is_refused_from_the_address_that_guessed_and_from_no_other(server):
    server.register("juliet")
    stranger = stream(server, "127.0.1.1")
    assert guess(stranger, "juliet", 4) == ["not-authorized"] * 4
    # Even the right password is told nothing now, and by any mechanism.
    e = stranger.auth_plain("juliet", "secret")
    assert condition(e) == "temporary-auth-failure"
    assert "Too many failed logins" in e.findtext("sasl:text", "", NS)
    assert condition(scram(stream(server, "127.0.1.1"), "juliet", "secret")) == "temporary-auth-failure"
    assert let_in(stream(server, "127.0.1.2"), "juliet")
    server.register("other")
    assert let_in(stream(server, "127.0.1.1"), "other")
    time.sleep(2.2)
    assert let_in(stream(server, "127.0.1.1"), "juliet")


def test_a_name_that_does_not_exist_is_counted_the_same(server):
    c = stream(server, "127.0.2.1")
    assert guess(c, "nobody-at-all", 5) == ["not-authorized"] * 4 + ["temporary-auth-failure"]


def test_a_binding_that_the_stream_has_not_is_no_guess(server):
    """Clients that know tls-unique only ask for it on TLS 1.3 too, at each login, before they try the next mechanism."""
    server.register("bot")
    c = stream(server, "127.0.2.2")
    for _ in range(10):
        assert condition(scram(c, "bot", "secret", "SHA-256", "p=tls-unique,,", binding=b"x" * 12,
                               mechanism="SCRAM-SHA-256-PLUS")) == "malformed-request"
    assert scram(c, "bot", "secret", "SHA-256").tag.endswith("success")
    assert not server.log_has("auth_failed", "peer=127.0.2.2", "why=not-authorized")


def test_an_address_is_refused_but_not_to_who_uses_it(server):
    server.register("resident")
    server.register("visitor")
    assert let_in(stream(server, "127.0.3.1"), "resident")
    c = stream(server, "127.0.3.1")
    for i in range(4):
        assert guess(c, f"name{i}", 2) == ["not-authorized"] * 2
    assert condition(c.auth_plain("visitor", "secret")) == "temporary-auth-failure"
    assert let_in(stream(server, "127.0.3.1"), "resident")
    assert let_in(stream(server, "127.0.3.2"), "visitor")


def test_guessing_from_everywhere_does_not_lock_the_owner_out(server):
    server.register("target")
    assert let_in(stream(server, "127.0.4.1"), "target")
    for i in range(4):
        guess(stream(server, f"127.0.5.{i + 1}"), "target", 3)
    begin = time.monotonic()
    assert let_in(stream(server, "127.0.4.1"), "target")        # where the account is used: at once
    at_home = time.monotonic() - begin
    new_place = stream(server, "127.0.4.2")
    begin = time.monotonic()
    assert let_in(new_place, "target")                          # anywhere else: a little later
    assert time.monotonic() - begin >= 1.9
    assert at_home < 1.9
    begin = time.monotonic()                                    # and a wrong guess as late as the right one
    assert guess(stream(server, "127.0.4.3"), "target", 1) == ["not-authorized"]
    assert time.monotonic() - begin >= 1.9


def test_a_client_that_leaves_while_its_answer_is_held_back_does_no_harm(server):
    server.register("target2")
    for i in range(4):
        guess(stream(server, f"127.0.6.{i + 1}"), "target2", 2)
    c = stream(server, "127.0.6.9")
    c.write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AHRhcmdldDIAc2VjcmV0</auth>")
    c.drop()
    time.sleep(2.5)
    assert let_in(stream(server, "127.0.6.10"), "target2")


def test_wrong_tokens_are_counted_and_a_right_one_gets_in(server):
    """XEP-0484: what nobody can guess is not refused, but who tries is counted, by any mechanism."""
    server.register("tokens")
    good = issued(server, "tokens")
    for _ in range(4):
        assert condition2(try_token(server, "tokens", "wrong")[1]) == "not-authorized"
    assert condition2(try_token(server, "tokens", "wrong")[1]) == "temporary-auth-failure"
    assert condition(stream(server, "127.0.0.1").auth_plain("tokens", "secret")) == "temporary-auth-failure"
    by_token(server, "tokens", good)[0].drop()
    assert let_in(stream(server, "127.0.10.1"), "tokens")


def test_several_instances_count_as_one():
    """One sm counts for an address that does not say who it is; an account's owner for one that does; and of what an
    address may do wrong altogether, each instance allows its part."""
    with Server("--instances", "sm=2,c2sd=2", "--set", "limits.login_failures_max=4",
                "--set", "limits.login_failures_per_address=12") as s:
        s.register("juliet")
        guesses = [guess(stream(s, "127.0.1.1"), "juliet", 1)[0] for _ in range(8)]
        assert guesses == ["not-authorized"] * 4 + ["temporary-auth-failure"] * 4
        s.register("romeo")
        hinted = [guess(stream(s, "127.0.1.2", f"romeo@{s.domain}"), "romeo", 1)[0] for _ in range(8)]
        assert hinted == ["not-authorized"] * 4 + ["temporary-auth-failure"] * 4
        many = [guess(stream(s, "127.0.1.3", f"n{i}@{s.domain}"), f"n{i}", 1)[0] for i in range(24)]
        assert 6 <= many.count("not-authorized") <= 12


# ---- fail2ban

FILTER = ROOT / "systemd/fail2ban/filter.conf"


def regex(tmp_path, lines):
    """Addresses that the shipped filter finds, by the real fail2ban-regex."""
    if not shutil.which("fail2ban-regex"):
        pytest.skip("fail2ban is not installed")
    where = tmp_path / "filter.d"
    where.mkdir(exist_ok=True)
    shutil.copy(FILTER, where / "zubr.conf")
    shutil.copy("/etc/fail2ban/filter.d/common.conf", where)
    log = tmp_path / "log"
    log.write_text("".join(lines))
    done = subprocess.run(["fail2ban-regex", "-o", "ip", str(log), str(where / "zubr.conf")], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split()


def test_the_filter_finds_each_guess_and_nothing_else(server, tmp_path):
    server.register("banned")
    guess(stream(server, "127.0.7.1", f"banned@{server.domain}"), "banned", 3)
    assert condition(scram(stream(server, "127.0.7.2"), "banned", "guess", "SHA-256")) == "not-authorized"
    six = Client(server, server.domain, address="::1").starttls().open()
    six.features()
    guess(six, "banned", 1)
    # Not guesses: success, an aborted exchange, nonsense.
    assert let_in(stream(server, "127.0.7.3"), "banned")
    c = stream(server, "127.0.7.4")
    c.write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AAAA</auth>")
    assert condition(c.next()) == "malformed-request"
    c.write("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='X'/>")
    assert condition(c.next()) == "invalid-mechanism"
    lines = [line for line in server.lines if "127.0.7." in line or "peer=::1" in line]
    assert regex(tmp_path, lines) == ["127.0.7.1"] * 3 + ["127.0.7.2", "::1"]


def test_the_line_has_its_fixed_form(server):
    guess(stream(server, "127.0.8.1", f"someone@{server.domain}"), "someone", 1)
    line = next(line for line in server.lines if "auth_failed" in line and "peer=127.0.8.1 " in line)
    assert re.search(rf" info c2sd-\d+ auth_failed conn=[0-9a-f]+ peer=127\.0\.8\.1 domain={re.escape(server.domain)} "
                     rf"jid=someone@{re.escape(server.domain)} kind=\S+ why=not-authorized$", line)


def test_a_client_cannot_make_a_line_that_accuses_another(server, tmp_path):
    forged = "auth_failed=conn=1=peer=192.0.2.66=why=not-authorized"
    guess(stream(server, "127.0.9.1", f"{forged}@{server.domain}"), forged, 1)
    lines = [line for line in server.lines if "127.0.9.1" in line or "192.0.2.66" in line]
    assert regex(tmp_path, lines) == ["127.0.9.1"]


def test_the_filter_reads_the_journal_as_well(tmp_path):
    head = "2026-01-02T03:04:05.000000+00:00 host zubr-c2sd[77]: auth_failed conn=1f peer="
    tail = " domain=example.org jid=- kind=PLAIN why=not-authorized\n"
    assert regex(tmp_path, [head + "192.0.2.7" + tail, head + "2001:db8::1" + tail,
                            head.replace("zubr-c2sd", "other") + "192.0.2.9" + tail]) == ["192.0.2.7", "2001:db8::1"]
