"""./dev run itself: options, what it refuses, what it leaves behind."""

import os
import pty
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from harness import BUILD, ROOT, Server, free_port, wait_for


def dev(*args, cwd="/", **kwargs):
    return subprocess.run([str(ROOT / "dev"), *args], capture_output=True, text=True, timeout=60, cwd=cwd,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, ZUBR_BUILD=BUILD), **kwargs)


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="zubr-dev-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def ports():
    return [word for name in ("c2s", "c2s-tls", "s2s", "component") for word in (f"--{name}", str(free_port()))]


@pytest.mark.parametrize("args", [
    ["--c2s", "x"], ["--c2s", "65536"], ["--c2s"], ["--nonsense", "1"], ["stray"], ["--archive", "maybe"],
    ["--instances", "web=2"], ["--instances", "sm=x"], ["--set", "novalue"], ["--set", "a b=1"],
    ["--domain", "../../etc"], ["--domain", 'a"b'], ["--domain", ""], ["--listen", "here"],
])
def test_bad_options_are_told_and_nothing_is_made(place, args):
    done = dev("run", "--dir", str(place / "var"), *args)
    assert done.returncode == 2 and done.stderr.startswith("dev: ") and done.stderr.count("\n") == 1
    assert not (place / "var").exists()


def test_a_long_directory_is_refused(place):
    done = dev("run", "--dir", str(place / ("x" * 100)), *ports())
    assert done.returncode == 1 and "too long" in done.stderr


def test_an_unknown_setting_ends_the_start(place):
    done = dev("run", "--dir", str(place), *ports(), "--set", "limits.no_such=1")
    assert done.returncode == 78 and "no_such" in done.stderr


def test_a_port_in_use_is_told(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = dev("run", "--dir", str(place), *ports(), "--c2s", str(port))
    assert done.returncode == 1 and f"port {port} of 127.0.0.1 is taken" in done.stderr


def test_a_daemon_that_cannot_start_is_given_up(place):
    done = dev("run", "--dir", str(place), *ports(), "--listen", "192.0.2.1")
    assert done.returncode == 1 and "five times" in done.stderr and "listen_failed" in done.stderr


def daemons_of(place):
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "cwd") == str(place) and "zubr-" in (path / "comm").read_text():
                found.append(int(path.name))
        except OSError:
            pass
    return found


def test_killed_it_leaves_no_daemon_behind():
    with Server("--instances", "sm=1") as server:
        wait_for(lambda: len(daemons_of(server.dir)) == 5, "five daemons")
        server.process.kill()
        server.process.wait()
        server.stopped = True
        wait_for(lambda: not daemons_of(server.dir), "the daemons to end")


def test_daemons_that_die_close_together_all_come_back():
    with Server("--instances", "sm=1") as server:
        wait_for(lambda: len(daemons_of(server.dir)) == 5, "five daemons")
        for round_ in range(6):
            dead = daemons_of(server.dir)
            for n, pid in enumerate(dead):
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.001 * n * round_)
            wait_for(lambda: len(set(daemons_of(server.dir)) - set(dead)) == 5, f"all five again, round {round_}")
        server.announced += ["daemon_restarted", "link_lost", "peer_lost", "link_refused"]


def test_foreign_files_stay_as_they_are(place):
    (place / "notes").write_text("mine")
    os.chmod(place / "notes", 0o640)
    os.chown(place / "notes", 4711, 4711) if os.geteuid() == 0 else None
    before = os.stat(place / "notes")
    with Server(keep_dir=place) as server:
        server.client("alice").close()
        server.stop()
        after = os.stat(place / "notes")
        assert (before.st_mode, before.st_uid, before.st_mtime_ns) == (after.st_mode, after.st_uid, after.st_mtime_ns)
    place.mkdir(exist_ok=True)


def test_settings_of_every_form(place):
    with Server("--set", "domain[example.org].registration=closed", "--set", "limits.nick_max=99",
                "--set", "domain[example.org].admins=a@example.org,b@example.org", "--set", "log=debug",
                "--set", "rooms[rooms.example.org].history=3", "--instances", "c2sd=2") as server:
        text = (server.dir / "zubr.conf").read_text()
        for line in ('registration = "closed"', "nick_max = 99", 'admins = {"a@example.org", "b@example.org"}',
                     'log = "debug"', 'rooms "rooms.example.org" {', "c2sd = 2"):
            assert line in text
        assert server.pid_of("c2sd-2")


def test_ctrl_c_ends_with_status_0(place):
    main, inner = pty.openpty()
    process = subprocess.Popen([str(ROOT / "dev"), "run", "--dir", str(place), *ports()], stdin=inner, stdout=inner,
                               stderr=inner, start_new_session=True, env=dict(os.environ, ZUBR_BUILD=BUILD),
                               preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0))      # TIOCSCTTY
    os.close(inner)
    seen = b""
    while b"ready:" not in seen:
        seen += os.read(main, 65536)
    os.write(main, b"\x03")
    try:
        while os.read(main, 65536):
            pass
    except OSError:
        pass
    assert process.wait(20) == 0
    assert not daemons_of(place)
