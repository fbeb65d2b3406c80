"""Login by XEP-0388 (SASL2) and XEP-0386 (Bind 2), with raw clients."""

import base64
import hashlib
import ssl
import xml.etree.ElementTree as ET

import lmdb
import pytest

from harness import NS, Server
from sasl2 import (BIND2, CARBONS, CSI, ID, NS2, SASL2, SM, Scram, agent, authenticate, b64, condition, identifier,
                   login, opened, plain, said, scram2)


@pytest.fixture
def user(server):
    server.ctl("register", f"u@{server.domain}", stdin="secret\n", check=False)
    return "u"


# ---- XEP-0388 2.1: the feature

def test_it_is_offered_inside_tls_only(server):
    c = server.stream()
    assert c.open().features().find("sasl2:authentication", NS2) is None
    c, features = opened(server)
    offered = features.find("sasl2:authentication", NS2)
    assert [m.text for m in offered.findall("sasl2:mechanism", NS2)] == \
        [m.text for m in features.findall("sasl:mechanisms/sasl:mechanism", NS)]
    assert offered.find("sasl2:inline/sm:sm", NS2) is not None
    assert [f.get("var") for f in offered.findall("sasl2:inline/bind2:bind/bind2:inline/bind2:feature", NS2)] == \
        [CARBONS, CSI, SM]


def test_before_tls_it_is_refused(server):
    c = server.stream().open()
    c.features()
    c.write(authenticate("PLAIN", plain("u", "secret")))
    assert condition(c.next()) == "encryption-required"


# ---- success without anything else

def test_success_is_followed_by_features_without_a_new_stream(server, user):
    c, success = login(server, user)
    assert c.jid == f"u@{server.domain}"
    assert success.find("sasl2:additional-data", NS2) is None
    features = c.features()
    assert features.find("bind:bind", NS) is not None and features.find("sasl2:authentication", NS2) is None
    assert c.bind("old") == f"u@{server.domain}/old"
    c.drop()


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
def test_scram(server, user, hash_name):
    c, _ = opened(server, user)
    e = said(scram2(c, Scram(user, "secret", hash_name), "SCRAM-" + hash_name), "success")
    assert e.find("sasl2:additional-data", NS2) is not None
    assert identifier(c, e) == f"u@{server.domain}"
    c.features()
    c.drop()


def test_bind_gives_a_full_jid_and_features_of_a_bound_stream(server, user):
    c, success = login(server, user, f"<bind xmlns='{BIND2}'><tag>Zoo</tag></bind>")
    assert c.jid.startswith(f"u@{server.domain}/Zoo/") and ID not in c.jid
    assert success.find("bind2:bound", NS2) is not None
    features = c.features()
    assert features.find("bind:bind", NS) is None
    c.write("<presence/>")
    c.expect("presence", lambda p: p.get("from") == c.jid)
    c.drop()


# ---- XEP-0386

def bind2(inner="", tag="Zoo"):
    return f"<bind xmlns='{BIND2}'>{f'<tag>{tag}</tag>' if tag else ''}{inner}</bind>"


OTHER = "00000000-0000-4000-8000-000000000001"
THIRD = "00000000-0000-4000-8000-000000000002"


def test_the_same_client_gets_the_same_resource_and_replaces_itself(server, user):
    one, _ = login(server, user, bind2())
    one.features()
    two, _ = login(server, user, bind2())
    assert two.jid == one.jid
    one.expect_stream_error("conflict")
    other, _ = login(server, user, bind2(), agent=agent(OTHER))
    assert other.jid != two.jid and other.jid.split("/")[1] == "Zoo"
    renamed, _ = login(server, user, bind2(tag="Park"))
    assert renamed.jid.startswith(f"{two.bare}/Park/")
    two.features()
    two.expect_stream_error("conflict")         # the same client under another name
    other.features()
    other.write("<presence/>")
    other.expect("presence", lambda p: p.get("from") == other.jid)
    renamed.drop(), other.drop()


def test_a_client_without_an_id_gets_a_new_resource_each_time(server, user):
    one, _ = login(server, user, bind2(), agent="")
    two, _ = login(server, user, bind2(), agent="<user-agent><software>x</software></user-agent>")
    assert one.jid != two.jid and two.jid.startswith(f"{one.bare}/Zoo/")
    one.features(), two.features()
    bare, _ = login(server, user, bind2(tag=""), agent="")
    assert bare.jid.count("/") == 1
    for c in (one, two, bare):
        c.drop()


@pytest.mark.parametrize("tag", ["x" * 256, "&#x2028;", "a\nb"])
def test_a_tag_that_no_resource_can_hold_is_left_out(server, user, tag):
    c, success = login(server, user, bind2(tag=tag))
    assert c.jid.count("/") == 1 and success.find("bind2:bound", NS2) is not None
    c.drop()


def test_bound_tells_where_the_archive_stands(server, user):
    server.ctl("register", f"archived@{server.domain}", stdin="secret\n", check=False)
    c, success = login(server, "archived", bind2())
    data = success.find("bind2:bound/mam:metadata", NS2)
    assert data is not None and len(data) == 0
    c.features()
    c.write(f"<message to='{c.bare}' type='chat'><body>one</body></message>"
            f"<message to='{c.bare}' type='chat'><body>two</body></message>")
    c.write("<presence/>")
    c.expect("presence", lambda p: p.get("from") == c.jid)
    again, success = login(server, "archived", bind2(), agent=agent(OTHER))
    data = success.find("bind2:bound/mam:metadata", NS2)
    start, end = data.find("mam:start", NS2), data.find("mam:end", NS2)
    assert start.get("id") != end.get("id") and start.get("timestamp") <= end.get("timestamp")
    c.drop(), again.drop()


def test_what_waits_offline_is_not_sent_to_a_client_that_reads_the_archive(server):
    sender = server.client("sender")
    server.ctl("register", f"away@{server.domain}", stdin="secret\n", check=False)
    sender.write(f"<message to='away@{server.domain}' type='chat'><body>while away</body></message>")
    sender.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    c, success = login(server, "away", bind2())
    assert success.find("bind2:bound/mam:metadata/mam:end", NS2) is not None
    c.features()
    c.write("<presence/>")
    c.expect("presence", lambda p: p.get("from") == c.jid)
    c.expect_none("message")
    c.drop()
    late = server.client("away")
    late.expect_none("message")
    late.drop(), sender.drop()


def test_carbons_are_on_from_the_first_stanza(server, user):
    peer = server.client("peer")
    wanted, _ = login(server, user, bind2(f"<enable xmlns='{CARBONS}'/>"))
    plainly, _ = login(server, user, bind2(), agent=agent(OTHER))
    third, _ = login(server, user, bind2(), agent=agent(THIRD))
    for c in (wanted, plainly, third):
        c.features()
        c.write("<presence/>")
        c.expect("presence", lambda p, c=c: p.get("from") == c.jid)
    peer.write(f"<message to='{third.jid}' type='chat'><body>hello</body></message>")
    assert third.expect("message").findtext("client:body", namespaces=NS) == "hello"
    copy = wanted.expect("message")
    assert copy.find("{%s}received" % CARBONS) is not None
    plainly.expect_none("message")
    for c in (peer, wanted, plainly, third):
        c.drop()


def enabled(success):
    return success.find("bind2:bound/sm:enabled", NS2)


def test_stream_management_is_enabled_in_bound(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' resume='true' max='60'/>"))
    e = enabled(success)
    assert e.get("resume") == "true" and e.get("id") and int(e.get("max")) <= 60
    c.features()
    c.write(f"<presence/><r xmlns='{SM}'/>")
    a = c.expect("a")
    assert a.get("h") == "1"
    c.write(f"<enable xmlns='{SM}'/>")          # at most once (XEP-0198 3)
    assert c.expect("failed").tag == f"{{{SM}}}failed"
    c.expect_stream_error("policy-violation")


def test_a_malformed_enable_fails_alone(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' max='many'/><enable xmlns='{CARBONS}'/>"))
    assert success.find("bind2:bound/sm:failed/stanzas:bad-request", NS2) is not None
    c.features()
    c.write(f"<enable xmlns='{SM}'/>")
    assert c.expect("enabled") is not None
    c.drop()


def test_unknown_things_are_left_alone(server, user):
    c, success = login(server, user, bind2("<x xmlns='urn:example:x'><y/></x>") + "<z xmlns='urn:example:z'/>")
    assert c.jid.count("/") == 2 and len(success.find("bind2:bound", NS2)) == 1
    c.features()
    c.drop()


def test_csi_states_are_taken(server, user):
    for state in ("inactive", "active"):
        c, success = login(server, user, bind2(f"<{state} xmlns='{CSI}'/>"))
        assert success.find("bind2:bound", NS2) is not None
        c.features()
        c.drop()


# ---- XEP-0198 10: resumption inside

def broken(c):
    """The socket goes without a close of the stream."""
    c.sock.close()


def test_a_session_is_resumed_in_success(server, user):
    peer = server.client("peer")
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' resume='true'/>"))
    c.features()
    c.write("<presence/>")
    c.expect("presence", lambda p: p.get("from") == c.jid)
    broken(c)
    peer.write(f"<message to='{c.jid}' type='chat'><body>waits</body></message>")
    peer.iq("get", "<ping xmlns='urn:xmpp:ping'/>")
    again, resumed = login(server, user, f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='1'/>" +
                           bind2(f"<enable xmlns='{SM}'/>"))
    e = resumed.find("sm:resumed", NS2)
    assert e.get("h") == "1" and e.get("previd") == enabled(success).get("id")
    assert resumed.find("bind2:bound", NS2) is None and again.jid == c.bare
    first = again.next()                        # no features: the stream goes on (XEP-0198 10.2)
    assert first.tag == "{jabber:client}message" and first.findtext("client:body", namespaces=NS) == "waits"
    assert first.get("to") == c.jid
    again.write(f"<r xmlns='{SM}'/>")
    assert again.expect("a").get("h") == "1"
    again.drop(), peer.drop()


@pytest.mark.parametrize("previd,h,why", [
    ("previd='nobody'", "h='0'", "item-not-found"), ("", "h='0'", "bad-request"),
    ("previd='nobody'", "", "bad-request"), (f"previd='{'x' * 200}'", "h='0'", "item-not-found"),
])
def test_a_failed_resumption_is_followed_by_bind(server, user, previd, h, why):
    c, success = login(server, user, f"<resume xmlns='{SM}' {previd} {h}/>" + bind2(f"<enable xmlns='{SM}'/>"))
    assert success.find(f"sm:failed/stanzas:{why}", NS2) is not None
    assert enabled(success) is not None and c.jid.count("/") == 2
    c.features()
    c.write("<presence/>")
    c.expect("presence", lambda p: p.get("from") == c.jid)
    c.drop()


def test_a_failed_resumption_without_bind_leaves_the_stream_unbound(server, user):
    c, success = login(server, user, f"<resume xmlns='{SM}' previd='nobody' h='0'/>")
    assert success.find("sm:failed", NS2) is not None and c.jid == f"u@{server.domain}"
    assert c.features().find("bind:bind", NS) is not None
    c.bind("late")
    c.drop()


def test_an_overstated_h_fails_the_resumption_and_not_the_login(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' resume='true'/>"))
    c.features()
    broken(c)
    again, e = login(server, user, f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='99'/>" + bind2())
    assert e.find("sm:failed/stanzas:bad-request", NS2) is not None
    assert e.find("bind2:bound", NS2) is not None
    again.features()
    again.drop()


def test_a_resumption_that_ended_tells_its_h(server, user):
    c, success = login(server, user, bind2(f"<enable xmlns='{SM}' resume='true'/>"))
    c.features()
    c.write("<presence/></stream:stream>")
    c.expect_end()
    again, e = login(server, user, f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='0'/>")
    assert e.find("sm:failed", NS2).get("h") == "1"
    again.drop()


# ---- XEP-0388 2.3 to 2.6: what goes wrong

def test_a_wrong_password_may_be_followed_by_the_right_one(server, user):
    c, _ = opened(server, user)
    c.write(authenticate("PLAIN", plain(user, "wrong"), bind2()))
    assert condition(c.next()) == "not-authorized"
    c.write(authenticate("PLAIN", plain(user, "secret")))
    e = said(c.next(), "success")
    assert e.find("bind2:bound", NS2) is None       # that was the first attempt's
    c.features()
    c.drop()


def test_abort(server, user):
    c, _ = opened(server, user)
    c.write(authenticate("SCRAM-SHA-256", Scram(user, "secret").first()))
    said(c.next(), "challenge")
    c.write(f"<abort xmlns='{SASL2}'><text>enough</text></abort>")
    assert condition(c.next()) == "aborted"
    e = scram2(c, Scram(user, "secret"), "SCRAM-SHA-256")
    said(e, "success")
    c.drop()


@pytest.mark.parametrize("other", [f"<response xmlns='{NS['sasl']}'>eA==</response>", "<presence/>",
                                   f"<authenticate xmlns='{SASL2}' mechanism='PLAIN'/>",
                                   f"<auth xmlns='{NS['sasl']}' mechanism='PLAIN'>AA==</auth>", "<x xmlns='urn:x'/>"])
def test_anything_else_during_the_exchange_ends_the_stream(server, user, other):
    c, _ = opened(server, user)
    c.write(authenticate("SCRAM-SHA-256", Scram(user, "secret").first()))
    said(c.next(), "challenge")
    c.write(other)
    c.expect("error", lambda e: e.tag == f"{{{NS['stream']}}}error")
    c.expect_end()


@pytest.mark.parametrize("what", ["next", "task-data"])
def test_a_task_that_nobody_asked_for_fails(server, user, what):
    c, _ = opened(server, user)
    c.write(authenticate("SCRAM-SHA-256", Scram(user, "secret").first()))
    said(c.next(), "challenge")
    c.write(f"<{what} xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>")
    assert condition(c.next()) == "malformed-request"
    c.drop()


@pytest.mark.parametrize("element,why", [
    (authenticate("DIGEST-MD5", "eA=="), "invalid-mechanism"),
    (f"<authenticate xmlns='{SASL2}'/>", "invalid-mechanism"),
    (authenticate("PLAIN", "not base64"), "incorrect-encoding"),
    (authenticate("PLAIN", ""), "malformed-request"),
    (authenticate("PLAIN", "="), "incorrect-encoding"),
    (authenticate("PLAIN", plain("u", "secret"), agent("no-uuid")), "malformed-request"),
    (authenticate("PLAIN", plain("u", "secret"), agent(ID + "0")), "malformed-request"),
    (authenticate("PLAIN", plain("u", "secret"), agent(device="x" * 1024)), "malformed-request"),
    (authenticate("PLAIN", plain("u", "secret", "other@example.org")), "invalid-authzid"),
])
def test_bad_requests_fail_and_the_stream_goes_on(server, user, element, why):
    c, _ = opened(server, user)
    c.write(element)
    assert condition(c.next()) == why
    c.write(authenticate("PLAIN", plain(user, "secret")))
    said(c.next(), "success")
    c.drop()


def test_an_authzid_must_be_the_one_of_from(server, user):
    server.ctl("register", f"v@{server.domain}", stdin="secret\n", check=False)
    c, _ = opened(server, "v")
    c.write(authenticate("PLAIN", plain(user, "secret", f"{user}@{server.domain}")))
    assert condition(c.next()) == "invalid-authzid"
    c.write(authenticate("PLAIN", plain(user, "secret")))      # an empty one says nothing
    assert identifier(c, said(c.next(), "success")) == f"u@{server.domain}"
    c.drop()


def test_too_many_failures_end_the_stream(server, user):
    c, _ = opened(server, user)
    for _ in range(4):
        c.write(authenticate("DIGEST-MD5"))
        condition(c.next())
    c.write(authenticate("DIGEST-MD5"))
    condition(c.next())
    c.expect_stream_error("policy-violation")


def test_an_authenticate_of_more_than_ten_kilobytes_ends_the_stream(server, user):
    c, _ = opened(server, user)
    c.write(authenticate("PLAIN", plain(user, "secret"), bind2(f"<x xmlns='urn:x'>{'y' * 11000}</x>")))
    c.expect_stream_error("policy-violation")


def test_after_success_another_login_ends_the_stream(server, user):
    c, _ = login(server, user)
    c.features()
    c.write(authenticate("PLAIN", plain(user, "secret")))
    c.expect_stream_error("not-authorized")


def test_what_is_pipelined_behind_authenticate_waits_for_its_turn(server, user):
    c, _ = opened(server, user)
    c.write(authenticate("PLAIN", plain(user, "secret"), bind2()) +
            "<presence/><iq type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>")
    identifier(c, said(c.next(), "success"))
    c.features()
    assert c.expect("iq", lambda e: e.get("id") == "p1").get("type") == "result"
    c.drop()


def test_white_space_around_base64_is_left_alone(server, user):
    c, _ = opened(server, user)
    c.write(authenticate("PLAIN", f"\n   {plain(user, 'secret')}\n "))
    said(c.next(), "success")
    c.drop()


def test_what_the_client_says_of_itself_reaches_nobody_else(server, user):
    c, _ = login(server, user, bind2(), agent=agent(software="SecretSoft", device="SecretPhone"))
    c.features()
    peer = server.client("peer")
    c.write(f"<presence to='{peer.jid}'/><message to='{peer.jid}' type='chat'><body>x</body></message>")
    peer.expect("message")
    for word in (b"SecretSoft", b"SecretPhone", ID.encode()):
        assert word not in peer.raw and word not in c.raw
    c.drop(), peer.drop()


# ---- XEP-0440, XEP-0474

def bindings(features):
    return [b.get("type") for b in features.findall("cb:sasl-channel-binding/cb:channel-binding", NS2)]


def end_point(c):
    """RFC 5929 4.1, of a certificate signed with SHA-256."""
    return hashlib.sha256(c.sock.getpeercert(binary_form=True)).digest()


def test_the_bindings_of_the_stream_are_listed_once(server):
    _, features = opened(server)
    assert bindings(features) == ["tls-exporter", "tls-server-end-point"]
    _, features = opened(server, version=ssl.TLSVersion.TLSv1_2)
    assert bindings(features) == ["tls-unique", "tls-server-end-point"]
    assert bindings(server.stream().open().features()) == []


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
def test_scram_binds_to_the_certificate(server, user, hash_name):
    c, _ = opened(server, user)
    e = scram2(c, Scram(user, "secret", hash_name, "p=tls-server-end-point", end_point(c)), f"SCRAM-{hash_name}-PLUS")
    identifier(c, said(e, "success"))
    c.drop()


def test_scram_binds_to_tls_unique(server, user):
    c, _ = opened(server, user, version=ssl.TLSVersion.TLSv1_2)
    scram = Scram(user, "secret", "SHA-256", "p=tls-unique", c.sock.get_channel_binding("tls-unique"))
    said(scram2(c, scram, "SCRAM-SHA-256-PLUS"), "success")
    c.drop()


@pytest.mark.parametrize("flag,mechanism,refused", [
    ("p=tls-server-end-point", "SCRAM-SHA-256-PLUS", "not-authorized"),
    ("p=tls-unique", "SCRAM-SHA-256-PLUS", "malformed-request"),       # not of TLS 1.3
    ("p=tls-other", "SCRAM-SHA-256-PLUS", "malformed-request"), ("n", "SCRAM-SHA-256-PLUS", "malformed-request"),
    ("y", "SCRAM-SHA-256", "malformed-request"), ("p=tls-server-end-point", "SCRAM-SHA-256", "malformed-request"),
])
def test_a_wrong_binding_or_flag_is_refused(server, user, flag, mechanism, refused):
    c, _ = opened(server, user)
    assert condition(scram2(c, Scram(user, "secret", "SHA-256", flag, b"x" * 32), mechanism)) == refused
    c.drop()


def downgrade_hash(features, mechanisms, hash_):
    """XEP-0474 4.1, of what the client saw."""
    text = "\x1e".join(sorted(m.text for m in mechanisms)) + "\x1f" + "\x1e".join(sorted(bindings(features)))
    return b64(hash_(text.encode()).digest())


@pytest.mark.parametrize("hash_name", ["SHA-1", "SHA-256"])
def test_the_challenge_tells_what_was_offered(server, user, hash_name):
    c, features = opened(server, user)
    scram = Scram(user, "secret", hash_name)
    said(scram2(c, scram, "SCRAM-" + hash_name), "success")
    offered = features.findall("sasl2:authentication/sasl2:mechanism", NS2)
    assert scram.fields["h"] == downgrade_hash(features, offered, scram.hash)
    c.drop()
    c, features = opened(server, user)
    scram = Scram(user, "secret", hash_name)
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='SCRAM-{hash_name}'>{scram.first()}</auth>")
    c.write(f"<response xmlns='{NS['sasl']}'>{scram.final(c.next().text)}</response>")
    assert c.next().tag == f"{{{NS['sasl']}}}success"
    assert scram.fields["h"] == downgrade_hash(features, features.findall("sasl:mechanisms/sasl:mechanism", NS),
                                               scram.hash)
    c.drop()


# ---- XEP-0480

def keep_only(server, jid, hash_number):
    """Of the account's stored keys (sm/credentials.h); the suite is stopped."""
    env = lmdb.open(str(server.dir / "data" / "accounts"), max_dbs=64)
    with env.begin(write=True) as txn:
        table = env.open_db(b"CREDENTIALS", txn)
        key, row = next((k, v) for k, v in txn.cursor(table) if k[2:] == jid.encode())
        at, entries = row.index(b"\x01\x02\x00"), {}
        head, at = row[:at], at + 2
        for _ in range(2):
            begin, n = at, at + 5
            for _ in range(3):
                n += 1 + row[n]
            entries[row[begin]], at = row[begin:n], n
        assert at == len(row)
        txn.put(key, head + b"\x01\x01" + entries[hash_number], db=table)
    env.close()


@pytest.fixture(scope="module")
def upgrading(options):
    """Accounts with the keys of one mechanism only: weak (SHA-1), new (SHA-256)."""
    with Server("--instances", "sm=2,c2sd=2") as s:
        names = {"weak": 0, "new": 1, "weak2": 0, "weak3": 0, "weak4": 0}
        for name in names:
            s.register(name)
        s.stop()
        for name, number in names.items():
            keep_only(s, f"{name}@{s.domain}", number)
        s.start()
        yield s


def upgrade(*tasks):
    return "".join(f"<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>{t}</upgrade>" for t in tasks)


def salted(e, password, hash_name):
    salt = said(e, "task-data").find("scram:salt", NS2)
    assert int(salt.get("iterations")) >= 4096
    return hashlib.pbkdf2_hmac(hash_name, password.encode(), base64.b64decode(salt.text), int(salt.get("iterations")))


def task_data(inner):
    return f"<task-data xmlns='{SASL2}'>{inner}</task-data>"


def new_hash(value):
    return task_data(f"<hash xmlns='urn:xmpp:scram-upgrade:0'>{b64(value)}</hash>")


def test_upgrades_are_offered(server):
    _, features = opened(server)
    assert [u.text for u in features.findall("sasl2:authentication/upgrade:upgrade", NS2)] == \
        ["UPGR-SCRAM-SHA-1", "UPGR-SCRAM-SHA-256"]


@pytest.mark.parametrize("user,old,hash_name", [("weak", "SHA-1", "SHA-256"), ("new", "SHA-256", "SHA-1")])
def test_an_account_gets_the_keys_it_lacks(upgrading, user, old, hash_name):
    server, task = upgrading, f"UPGR-SCRAM-{hash_name}"
    c, _ = opened(server, user)
    assert condition(scram2(c, Scram(user, "secret", hash_name), f"SCRAM-{hash_name}")) == "not-authorized"
    e = scram2(c, Scram(user, "secret", old), f"SCRAM-{old}", upgrade("UPGR-SCRAM-SHA-512", task) + bind2())
    said(e, "continue")
    assert [t.text for t in e.findall("sasl2:tasks/sasl2:task", NS2)] == [task]
    assert e.find("sasl2:additional-data", NS2) is not None
    c.write(f"<next xmlns='{SASL2}' task='{task}'/>")
    c.write(new_hash(salted(c.next(), "secret", hash_name.replace("-", "").lower())))
    e = said(c.next(), "success")
    assert e.find("sasl2:additional-data", NS2) is None and identifier(c, e).count("/") == 2
    c.features()
    c.drop()
    for name in (hash_name, old):
        c, _ = opened(server, user)
        said(scram2(c, Scram(user, "secret", name), "SCRAM-" + name, upgrade(task)), "success")
        c.drop()
    assert server.log_has("keys_upgraded", user)


def test_plain_logs_in_with_the_keys_of_any_mechanism(upgrading):
    c, _ = opened(upgrading, "weak2")
    c.write(authenticate("PLAIN", plain("weak2", "wrong"), upgrade("UPGR-SCRAM-SHA-256")))
    assert condition(c.next()) == "not-authorized"
    c.write(authenticate("PLAIN", plain("weak2", "secret")))
    said(c.next(), "success")
    c.drop()


def test_unknown_upgrades_and_needless_ones_are_left_alone(server, user):
    c, _ = opened(server, user)
    e = scram2(c, Scram(user, "secret"), "SCRAM-SHA-256",
               upgrade("UPGR-SCRAM-SHA-512", "UPGR-SCRAM-SHA-1", "UPGR-SCRAM-SHA-256", ""))
    said(e, "success")
    c.drop()


@pytest.mark.parametrize("steps", [
    [f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-512'/>"], [f"<next xmlns='{SASL2}'/>"],
    [f"<response xmlns='{SASL2}'>eA==</response>"], [new_hash(b"x" * 32)],
    [f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>", new_hash(b"x" * 31)],
    [f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>", task_data("")],
    [f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>",
     task_data("<hash xmlns='urn:xmpp:scram-upgrade:0'>not base64</hash>")],
    [f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>", f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>"],
    [f"<next xmlns='{SASL2}' task='{'x' * 256}'/>"],
])
def test_a_task_that_goes_wrong_fails_the_login_and_changes_nothing(upgrading, steps):
    c, _ = opened(upgrading, "weak3")
    said(scram2(c, Scram("weak3", "secret", "SHA-1"), "SCRAM-SHA-1", upgrade("UPGR-SCRAM-SHA-256")), "continue")
    for step in steps[:-1]:
        c.write(step)
        said(c.next(), "task-data")
    c.write(steps[-1])
    assert condition(c.next()) == "malformed-request"
    said(scram2(c, Scram("weak3", "secret", "SHA-1"), "SCRAM-SHA-1"), "success")
    c.drop()


def test_a_task_may_be_aborted(upgrading):
    c, _ = opened(upgrading, "weak4")
    said(scram2(c, Scram("weak4", "secret", "SHA-1"), "SCRAM-SHA-1", upgrade("UPGR-SCRAM-SHA-256")), "continue")
    c.write(f"<abort xmlns='{SASL2}'/>")
    assert condition(c.next()) == "aborted"
    c.write(f"<next xmlns='{SASL2}' task='UPGR-SCRAM-SHA-256'/>")
    c.expect_stream_error("not-authorized")


def test_another_authenticate_during_a_task_ends_the_stream(upgrading):
    c, _ = opened(upgrading, "weak4")
    said(scram2(c, Scram("weak4", "secret", "SHA-1"), "SCRAM-SHA-1", upgrade("UPGR-SCRAM-SHA-256")), "continue")
    c.write(authenticate("PLAIN", plain("weak4", "secret")))
    c.expect_stream_error("not-authorized")


# ---- several instances

@pytest.mark.parametrize("said_from", [True, False])
def test_a_session_is_resumed_whoever_answers(upgrading, said_from):
    """The exchange, the session and the two connections may all be at different instances."""
    server = upgrading
    for i in range(6):
        name = f"many{i}"
        server.ctl("register", f"{name}@{server.domain}", stdin="secret\n", check=False)
        success = None
        for inner in ("", "again"):
            c, _ = opened(server, name if said_from else None)
            resume = f"<resume xmlns='{SM}' previd='{enabled(success).get('id')}' h='0'/>" if inner else ""
            c.write(authenticate("PLAIN", plain(name, "secret"),
                                 agent() + resume + bind2(f"<enable xmlns='{SM}' resume='true'/>")))
            e = said(c.next(), "success")
            if inner:
                assert e.find("sm:resumed", NS2) is not None, ET.tostring(e)
            else:
                success = e
                c.features()
            broken(c)
