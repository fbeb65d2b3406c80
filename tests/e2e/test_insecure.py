"""./dev run --insecure --no-limits: what benchmarks and conformance suites use."""

from harness import NS

OPTIONS = ["--insecure", "--no-limits"]


def test_login_and_registration_in_clear(server):
    c = server.stream().open()
    features = c.features()
    assert features.find("tls:starttls", NS) is not None and features.find("tls:starttls/tls:required", NS) is None
    assert "PLAIN" in [m.text for m in features.findall("sasl:mechanisms/sasl:mechanism", NS)]
    done = c.iq("set", "<query xmlns='jabber:iq:register'><username>clear</username><password>secret</password></query>")
    assert done.get("type") == "result"
    c.drop()
    a = server.client("clear", register=False, tls=False)
    a.ping()
    b = server.client("clear", register=False, resource="other")      # TLS is still there for who wants it
    a.message(b.jid, "x")
    b.expect_body("x")


def test_many_connections_at_once(server):
    server.register("many")
    for _ in range(150):
        server.client("many", register=False, tls=False, resource="").ping()
