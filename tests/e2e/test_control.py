"""zubrctl and the control sockets: the lab hour of the student, and what an operator asks."""

import os
import socket
import subprocess
import time

from harness import NS, instances


def test_the_lab_hour(server):
    server.ctl("register", "student", server.domain, "pw")
    assert "warning" in server.ctl_error.lower() or server.ctl_error
    s = server.client("student", "pw", register=False)
    t = server.client("teacher")
    s.message(t.bare, "done")
    t.expect_body("done")
    server.ctl("announce", "the server goes down at noon")
    for c in (s, t):
        m = c.expect("message", lambda m: "noon" in (m.findtext("client:body", "", NS)))
        assert m.get("from") == server.domain
    server.ctl("announce", server.domain, "the server goes down", check=False)      # the wrong way round
    assert server.ctl_status == 1 and "the server goes down is no domain of accounts here" in server.ctl_error
    server.ctl("kick", s.jid, "go home")
    e = s.expect_stream_error("policy-violation")
    assert e.findtext("streams:text", "", NS) == "go home"
    t.ping()


def test_register_passwd_unregister(server):
    server.register("operator-made")
    server.ctl("register", f"operator-made@{server.domain}", stdin="x\n", check=False)
    assert server.ctl_status == 1 and "conflict" in server.ctl_error
    server.ctl("passwd", f"operator-made@{server.domain}", stdin="changed\n")
    c = server.client("operator-made", "changed", register=False)
    server.ctl("unregister", f"operator-made@{server.domain}")
    c.expect_end()
    server.ctl("unregister", f"operator-made@{server.domain}", check=False)
    assert server.ctl_status == 1 and "not_found" in server.ctl_error
    server.ctl("register", "x@not-served.example", stdin="x\n", check=False)
    assert server.ctl_status == 1
    server.ctl("register", f"@{server.domain}", stdin="x\n", check=False)
    assert server.ctl_status in (1, 2)


def test_users_and_sessions(server):
    c = server.client("seen", resource="desk")
    users = {u["jid"]: u for u in server.ctl_json("users")}
    assert users[c.bare]["sessions"] == 1
    rows = server.ctl_json("sessions", c.bare)
    assert [r["resource"] for r in rows] == ["desk"]
    assert server.ctl("sessions")


def test_status_lists_all_daemons(server):
    rows = {r["name"]: r for r in server.ctl_json("status")}
    assert set(rows) == {"routerd"}.union(*(instances(role) for role in ("sm", "muc", "c2sd", "s2sd")))
    for row in rows.values():
        assert row["state"] == "running" and row["pid"] > 0 and row["role"]


def test_stats_and_log_level(server):
    assert server.ctl("stats")
    server.ctl("log", "debug")
    a = server.client("traced")
    a.ping()
    server.ctl("log", "info")
    assert server.log_has("debug", "trace=")


def test_help_and_usage(server):
    assert "announce" in server.ctl("help")
    server.ctl("no-such-verb", check=False)
    assert server.ctl_status == 2
    server.ctl("kick", check=False)
    assert server.ctl_status == 2


def control(server, instance):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(str(server.dir / "run" / "ctl" / f"{instance}.sock"))
    return s


def test_the_socket_speaks_lines(server):
    s = control(server, "sm-1")
    s.sendall(b"status\nno_such\n")
    data = b""
    while data.count(b"\n") < 3:
        data += s.recv(4096)
    lines = data.decode().splitlines()
    assert "ok" in lines and lines[-1].startswith("error ")


def test_junk_on_a_control_socket(server):
    for junk in (b"\0" * 100 + b"\n", b"x" * 100000, b'kick "unclosed\n', b"\xff\xfe\n"):
        s = control(server, "sm-1")
        try:
            s.sendall(junk)
            s.settimeout(2)
            answer = s.recv(4096)
            assert answer == b"" or b"error" in answer
        except (ConnectionError, socket.timeout, BrokenPipeError):
            pass
    server.ctl("status")


def test_new_certificates_serve_new_streams_and_end_none(server):
    old = server.client("careful")
    before = old.sock.getpeercert(True)
    certs = server.dir / "certs" / server.domain
    owner = (certs / "privkey.pem").stat()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "30", "-keyout", certs / "privkey.pem", "-out", certs / "fullchain.pem", "-subj", "/CN=new",
                    "-addext", f"subjectAltName=DNS:{server.domain}"], check=True, capture_output=True)
    os.chown(certs / "privkey.pem", owner.st_uid, owner.st_gid)
    server.ctl("reload")
    assert server.stream().starttls().sock.getpeercert(True) != before
    old.ping()
    # A key that does not belong to the chain is never used.
    good = server.stream().starttls().sock.getpeercert(True)
    server.expect_warning("certificate_refused")
    server.expect_warning("certificates_missing")
    server.expect_warning("reload_refused")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                    certs / "privkey.pem"], check=True, capture_output=True)
    os.chown(certs / "privkey.pem", owner.st_uid, owner.st_gid)
    server.ctl("reload", check=False)
    assert server.stream().starttls().sock.getpeercert(True) == good
    old.ping()


def test_routes(server):
    domains = {r["domain"]: r for r in server.ctl_json("routes")}
    assert server.domain in domains and f"muc.{server.domain}" in domains


def test_one_daemon_stopped_is_not_started_again(server):
    server.ctl("stop", "muc-1")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        rows = {r["name"]: r for r in server.ctl_json("status", check=False)}
        if rows.get("muc-1", {}).get("state") == "down":
            break
        time.sleep(0.1)
    assert rows["muc-1"]["state"] == "down"
    time.sleep(0.5)
    assert not any(r["state"] == "running" for r in server.ctl_json("status", check=False) if r["name"] == "muc-1")


def test_stop_warns_the_users_and_ends_everything(server):
    c = server.client("warned")
    server.ctl("stop", "--in", "1", "--message", "back at five")
    c.expect_body("The server stops in 1 second.\nback at five", "example.org")
    c.expect_stream_error("system-shutdown")
    assert server.process.wait(20) == 0
    server.stopped = True
