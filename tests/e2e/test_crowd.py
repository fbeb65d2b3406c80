"""More strangers at once than may be logging in."""

from harness import Client, wait_for

OPTIONS = ["--instances", "c2sd=1", "--set", "limits.logins_max=10"]     # the limit of one instance


def test_who_takes_long_to_log_in_makes_room_for_who_waits(server):
    bystander = server.client("bystander")
    silent = [Client(server, server.domain) for _ in range(10)]
    wait_for(lambda: server.log_has("logins_crowded"), "the crowd")
    late = [Client(server, server.domain) for _ in range(3)]       # the kernel takes them
    for c in late:
        c.open()
    assert bystander.ping().get("type") == "result"
    assert sum(row.get("connections", 0) for row in server.ctl_json("status")) == 11
    for c in late:
        assert c.features().tag.endswith("features")
    for c in silent[:3]:
        c.expect_stream_error("resource-constraint")
    assert bystander.ping().get("type") == "result"
    for c in silent + late:
        c.drop()
    server.client("newcomer").close()                             # and all is as before
    bystander.close()


def test_many_who_are_quick_get_in(server):
    """Far more than the limit, one after the other and at once: nobody is refused."""
    server.register("quick")
    streams = [server.stream() for _ in range(18)]
    for c in streams[:9]:
        c.starttls().open().features()
    for c in streams[:9]:
        assert c.auth_plain("quick", "secret").tag.endswith("success")
        c.open().features()
        c.bind(None)
    for c in streams[9:]:
        c.starttls().open().features()
    for c in streams:
        c.drop()
