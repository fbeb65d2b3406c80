"""The installed suite under a real systemd: units, users, modes, restarts, control."""

import os
import re
import signal
import time

import pytest

from harness import wait_for
from machine import ROLES, UNITS

SCORE_MAX = 2.5


def chat(system, one="alice", other="bob"):
    a, b = system.client(one), system.client(other)
    a.message(b.bare, "hello over systemd")
    b.expect_body("hello over systemd", a.jid)
    return a, b


def test_every_daemon_runs_as_its_own_user(system):
    assert system.active("zubr.target", *UNITS)
    users = {}
    for unit in UNITS:
        pid = system.show(unit, "MainPID")
        users[unit] = system.run("ps", "-o", "user:32=", "-p", pid).stdout.strip()
    assert users == {unit: unit.split("@")[0].split(".")[0] for unit in UNITS}


def test_units_are_sound(system):
    found = system.run("systemd-analyze", "verify", *UNITS, "zubr.target", check=False)
    assert "zubr" not in found.stderr + found.stdout


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(system, unit):
    text = system.run("systemd-analyze", "security", "--no-pager", unit).stdout
    score = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", text).group(1))
    print(f"{unit} {score}")
    assert score <= SCORE_MAX, text


def test_daemons_hold_no_capability(system):
    for unit in UNITS:
        pid = system.show(unit, "MainPID")
        status = system.run("cat", f"/proc/{pid}/status").stdout
        for line in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert re.search(rf"^{line}:\t0+$", status, re.M), f"{unit}: {line}"
        assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status


def test_two_clients_chat(system):
    a, b = chat(system)
    rows = system.ctl_json("sessions")
    assert {row["jid"] for row in rows} >= {a.jid, b.jid}
    a.close()
    b.close()


def test_files_have_the_modes_of_their_owners(system):
    wanted = {
        "/run/zubr/router/sm.sock": "660 root zubr-sm", "/run/zubr/router/muc.sock": "660 root zubr-muc",
        "/run/zubr/router/c2sd.sock": "660 root zubr-c2sd", "/run/zubr/router/s2sd.sock": "660 root zubr-s2sd",
        "/run/zubr/ctl/sm-1.sock": "660 zubr-sm zubr-admin", "/run/zubr/ctl/routerd.sock": "660 zubr-routerd zubr-admin",
        "/run/zubr/ctl/c2sd-1.sock": "660 zubr-c2sd zubr-admin", "/var/lib/zubr/accounts": "700 zubr-sm zubr-sm",
        "/var/lib/zubr/rooms": "700 zubr-muc zubr-muc", "/etc/zubr/secrets": "750 root zubr-s2sd",
    }
    found = system.run("stat", "-c", "%n=%a %U %G", *wanted).stdout.splitlines()
    assert dict(line.split("=") for line in found) == wanted


def test_c2sd_sees_neither_store_nor_secrets(system):
    pid = system.show("zubr-c2sd@1.service", "MainPID")
    for path in ("/var/lib/zubr", "/etc/zubr/secrets", "/home", "/root"):
        done = system.run("ls", f"/proc/{pid}/root{path}", check=False)
        mode = system.run("stat", "-c", "%a", f"/proc/{pid}/root{path}").stdout.strip()
        assert mode == "0" or done.stdout == "", f"{path}: {mode} {done.stdout}"
    for role in ("routerd", "sm@1", "muc@1"):
        pid = system.show(f"zubr-{role}.service", "MainPID")
        assert len(system.run("cat", f"/proc/{pid}/net/dev").stdout.splitlines()) == 3, f"{role} has a network"


@pytest.mark.parametrize("unit", UNITS)
def test_restart_by_the_operator(system, unit):
    system.announced = ["link_lost"]
    before = system.show(unit, "MainPID")
    system.run("systemctl", "restart", unit)
    system.start_suite()
    assert system.show(unit, "MainPID") not in ("0", before)
    a, b = chat(system)
    a.close()
    b.close()


@pytest.mark.parametrize("unit", UNITS)
def test_a_killed_daemon_is_started_again(system, unit):
    system.announced = ["--systemd", "link_lost", "daemon_restarted"]     # systemd warns: killed
    before = system.show(unit, "MainPID")
    system.run("kill", "-KILL", before)
    wait_for(lambda: system.show(unit, "MainPID") not in ("0", before), f"{unit} to come back")
    system.start_suite()
    a, b = chat(system)
    a.close()
    b.close()


def sessions_survive(system, a, b, text):
    a.message(b.bare, text)
    b.expect_body(text)


def test_clients_do_not_notice_a_restart_of_routerd(system):
    system.announced = ["link_lost"]
    a, b = chat(system)
    system.run("systemctl", "restart", "zubr-routerd")
    sessions_survive(system, a, b, "after the restart")
    a.close()
    b.close()


def test_a_foreign_user_is_stopped_by_the_mode(system):
    for user, role in (("zubr-c2sd", "sm"), ("nobody", "c2sd"), ("zubr-routerd", "sm")):
        done = system.run_as(user, "socat", "-u", "/dev/null", f"UNIX-CONNECT:/run/zubr/router/{role}.sock", check=False)
        assert done.returncode != 0 and "Permission denied" in done.stderr, f"{user} {role}: {done.stderr}"


def test_a_foreign_user_is_refused_by_routerd_when_the_mode_is_loosened(system):
    system.announced = ["peer_refused"]
    uid = system.run("id", "-u", "zubr-c2sd").stdout.strip()
    system.run("chmod", "666", "/run/zubr/router/sm.sock")
    try:
        began = time.monotonic()
        done = system.run_as("zubr-c2sd", "socat", "-T5", "-u", "UNIX-CONNECT:/run/zubr/router/sm.sock", "-")
        assert done.stdout == "" and time.monotonic() - began < 4      # hung up on, not timed out
        # Root is nobody special here.
        system.run("socat", "-T5", "-u", "UNIX-CONNECT:/run/zubr/router/sm.sock", "-", check=False)
    finally:
        system.run("chmod", "660", "/run/zubr/router/sm.sock")
    lines = system.journal("ZUBR_EVENT=peer_refused")
    assert [(e["ZUBR_PEER"], e["ZUBR_FROM"], e["ZUBR_WHY"]) for e in lines] == \
        [("sm", uid, "wrong user"), ("sm", "0", "wrong user")]


def test_administrators_by_group(system):
    system.announced = ["ctl_refused"]
    for user in ("admin", "other"):
        if system.run("id", user, check=False).returncode:
            system.run("useradd", "-M", user)
    system.run("usermod", "-aG", "zubr-admin", "admin")
    done = system.run_as("admin", "zubrctl", "status")
    assert done.stdout.count("running") == 5
    done = system.run_as("other", "zubrctl", "status", check=False)
    assert done.returncode == 3 and "Permission denied" in done.stderr
    # A daemon's process has the group (to give its socket away), and may not ask all the same.
    done = system.run("setpriv", "--reuid", "zubr-c2sd", "--regid", "zubr-c2sd", "--groups", "zubr-admin", "--",
                      "zubrctl", "--instance", "sm-1", "users", check=False)
    assert done.returncode == 1 and "administrators" in done.stderr
    assert system.journal("ZUBR_EVENT=ctl_refused")


def test_passwords_are_not_in_the_journal(system):
    system.register("carol", "unlikely-word-4711")
    system.client("carol", "unlikely-word-4711", register=False).close()
    assert "4711" not in system.run("journalctl", "-q", "-o", "cat", "--no-pager").stdout


def test_a_second_instance(system):
    system.write_conf("instances { c2sd = 2 }\n")
    try:
        system.ctl("reload", "routerd")
        system.run("systemctl", "start", "zubr-c2sd@2")
        wait_for(lambda: system.running("c2sd-2"), "c2sd-2 to run")
        # The port is shared by the kernel; of twenty clients some come to the second.
        clients = [system.client(f"many{i}") for i in range(20)]
        held = {row["name"]: row["connections"] for row in system.ctl_json("status") if row["role"] == "c2sd"}
        assert held["c2sd-1"] + held["c2sd-2"] >= 20 and held["c2sd-2"] > 0, held
        clients[0].message(clients[-1].bare, "across")
        clients[-1].expect_body("across")
        for client in clients:
            client.close()
    finally:
        system.run("systemctl", "stop", "zubr-c2sd@2")
        system.write_conf()
        system.ctl("reload", "routerd", check=False)


def test_journal_lines_carry_fields(system):
    started = system.journal("ZUBR_EVENT=daemon_started", "-b")
    assert {e["ZUBR_INSTANCE"] for e in started} >= {"routerd", "sm-1", "muc-1", "c2sd-1", "s2sd-1"}
    for e in started:
        assert e["PRIORITY"] == "6" and e["_SYSTEMD_UNIT"].startswith("zubr-") and e["_TRANSPORT"] == "journal"
        assert e["MESSAGE"].startswith("daemon_started")


def test_reload_by_systemd(system):
    system.run("systemctl", "reload", *UNITS)
    wait_for(lambda: len({e["ZUBR_INSTANCE"] for e in system.journal("ZUBR_EVENT=daemon_reloaded")}) == 5,
             "five daemons to reload")
    assert system.active(*UNITS)


def test_a_faulty_configuration_is_not_tried_again(system):
    system.announced = ["--systemd", None]
    system.run("systemctl", "stop", "zubr-muc@1")
    system.write_conf("limitz { }\n")
    try:
        done = system.run("systemctl", "start", "zubr-muc@1", check=False)
        assert done.returncode != 0
        time.sleep(1)
        assert system.show("zubr-muc@1.service", "ActiveState") == "failed"
        assert system.show("zubr-muc@1.service", "ExecMainStatus") == "78"
        assert system.show("zubr-muc@1.service", "NRestarts") == "0"
    finally:
        system.write_conf()
        system.run("systemctl", "reset-failed")


def test_zubrctl_stop_of_one_daemon_leaves_it_stopped(system):
    system.ctl("stop", "muc-1")
    wait_for(lambda: system.show("zubr-muc@1.service", "ActiveState") == "inactive", "muc to stop")
    time.sleep(0.5)
    assert system.show("zubr-muc@1.service", "ActiveState") == "inactive"
    rows = {row["name"]: row["state"] for row in system.ctl_json("status", check=False)}
    assert rows["muc-1"] != "running" and rows["sm-1"] == "running"


def test_zubrctl_stop_leaves_all_units_stopped_and_warns_users(system):
    a, b = chat(system)
    system.ctl("stop", "--message", "back soon")
    a.expect_body("The server stops now.\nback soon")
    a.expect_stream_error("system-shutdown")
    wait_for(lambda: all(system.show(u, "ActiveState") == "inactive" for u in UNITS), "all units to stop")
    time.sleep(0.5)
    for unit in UNITS:
        assert (system.show(unit, "ActiveState"), system.show(unit, "Result")) == ("inactive", "success"), unit
    system.ctl("status", check=False)
    assert system.ctl_status == 3
    system.start_suite()                    # and one command brings everything back
    b2 = system.client("bob", register=False)
    b2.close()


def test_zubrctl_restart_ends_in_all_units_running_anew(system):
    system.announced = ["link_lost"]
    before = {u: system.show(u, "MainPID") for u in UNITS}
    a, b = chat(system)
    system.ctl("restart", "--in", "1", "--message", "a new version")
    for c in (a, b):
        c.expect_body("The server restarts in 1 second.\na new version")
        c.expect_stream_error("system-shutdown")
    wait_for(lambda: all(system.show(u, "ActiveState") == "active" and system.show(u, "MainPID") not in ("0", before[u])
                         for u in UNITS), "all units anew", 30)
    assert all(system.show(u, "Result") == "success" for u in UNITS)
    system.client("bob", register=False).close()


def test_stopping_the_target_stops_everything_and_accounts_stay(system):
    a, b = chat(system)
    system.run("systemctl", "stop", "zubr.target")
    # systemctl waits for the target alone; what is part of it stops meanwhile.
    for unit in (*UNITS, *(f"zubr-router-{role}.socket" for role in ROLES[1:])):
        wait_for(lambda: system.show(unit, "ActiveState") == "inactive", f"{unit} to stop")
    assert system.run("ls", "/run/zubr/router", "/run/zubr/ctl").stdout.count(".sock") == 0
    system.start_suite()
    system.client("alice", register=False).close()


def test_enabled_it_comes_back_after_a_boot(system):
    system.run("systemctl", "enable", "zubr.target")
    os.kill(system.leader, signal.SIGRTMIN + 4)       # systemd(1): power off
    system.container.wait(60)
    system.boot()
    wait_for(lambda: system.active(*UNITS), "the suite after a boot", 30)
    wait_for(lambda: system.running("routerd", "sm-1", "muc-1", "c2sd-1", "s2sd-1"), "all daemons")
    a = system.client("alice", register=False)
    b = system.client("bob", register=False)
    a.message(b.bare, "after the boot")
    b.expect_body("after the boot")
