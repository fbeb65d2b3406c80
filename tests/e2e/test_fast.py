"""Tokens for logins (XEP-0484) and the clients that have access (XEP-0494), with raw clients."""

import base64
import hashlib
import hmac
import ssl
import time
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta, timezone

import lmdb
import pytest

from harness import NS, Server, StreamError
from sasl2 import BIND2, ID, NS2, SM, agent, authenticate, condition, identifier, login, opened, said

OPTIONS = ["--set", "limits.token_rotate_hours=1", "--set", "limits.clients_per_account=3",
           "--set", "limits.login_failures_max=1000", "--set", "limits.login_failures_per_address=1000"]
FAST, CAM = "urn:xmpp:fast:0", "urn:xmpp:cam:0"
NS3 = dict(NS2, fast=FAST, cam=CAM)
NONE = "HT-SHA-256-NONE"
OTHER = "00000000-4d72-4749-b3d3-740edbf87770"


def token_of(success):
    e = success.find("fast:token", NS3)
    return None if e is None else e.get("token")


def request(mechanism=NONE):
    return f"<request-token xmlns='{FAST}' mechanism='{mechanism}'/>"


def issued(server, user, mechanism=NONE, client=ID):
    """A token, by a login with the password."""
    server.ctl("register", f"{user}@{server.domain}", stdin="secret\n", check=False)
    c, success = login(server, user, request(mechanism), agent=agent(client))
    c.drop()
    return token_of(success)


def proof(token, side, binding=b""):
    return hmac.new(token.encode(), side + binding, hashlib.sha256).digest()


def initial(user, token, binding=b""):
    return base64.b64encode(user.encode() + b"\0" + proof(token, b"Initiator", binding)).decode()


def try_token(server, user, token, mechanism=NONE, client=ID, fast="", inner="", binding=b"", opened_stream=None):
    """Sends it; returns the client and the element that answers."""
    c = opened_stream or opened(server, user)[0]
    c.write(authenticate(mechanism, initial(user, token, binding), agent(client) + f"<fast xmlns='{FAST}'{fast}/>" + inner))
    return c, c.next()


def by_token(server, user, token, **kwargs):
    c, e = try_token(server, user, token, **kwargs)
    said(e, "success")
    assert base64.b64decode(e.findtext("sasl2:additional-data", "", NS2)) == \
        proof(token, b"Responder", kwargs.get("binding", b""))
    identifier(c, e)
    return c, e


def refused(server, user, token, wanted, **kwargs):
    c, e = try_token(server, user, token, **kwargs)
    assert condition(e) == wanted
    return c


# ---- XEP-0484 3.1: the feature

def test_it_is_offered_inside_sasl2_and_only_there(server):
    _, features = opened(server)
    inline = features.find("sasl2:authentication/sasl2:inline", NS2)
    offered = [m.text for m in inline.findall("fast:fast/fast:mechanism", NS3)]
    assert offered == ["HT-SHA-256-EXPR", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"]
    assert inline.find("fast:fast", NS3).get("tls-0rtt") is None
    plain = [m.text for m in features.iter() if m.tag.endswith("}mechanism")]
    assert sum(m.startswith("HT-") for m in plain) == len(offered)
    _, features = opened(server, version=ssl.TLSVersion.TLSv1_2)
    offered = [m.text for m in features.findall("sasl2:authentication/sasl2:inline/fast:fast/fast:mechanism", NS3)]
    assert offered == ["HT-SHA-256-UNIQ", "HT-SHA-256-ENDP", "HT-SHA-256-NONE"]


def test_rfc_6120_s_profile_takes_no_tokens(server):
    token = issued(server, "juliet")
    c, _ = opened(server, "juliet")
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='{NONE}'>{initial('juliet', token)}</auth>")
    e = c.next()
    assert e[0].tag.split("}")[1] == "invalid-mechanism"


# ---- 3.3: a token for who asks

def test_a_token_is_given_with_its_expiry(server):
    server.ctl("register", f"juliet@{server.domain}", stdin="secret\n", check=False)
    c, success = login(server, "juliet", request())
    e = success.find("fast:token", NS3)
    expiry = datetime.fromisoformat(e.get("expiry").replace("Z", "+00:00"))
    assert timedelta(days=29) < expiry - datetime.now(timezone.utc) <= timedelta(days=30)
    assert len(base64.b64decode(e.get("token"))) == 32
    c.drop()


@pytest.mark.parametrize("inner,client", [
    ("", agent()), (request(), ""), (request("HT-SHA-512-NONE"), agent()), (request("PLAIN"), agent()),
    (request("HT-SHA-256-UNIQ"), agent()), (f"<request-token xmlns='{FAST}'/>", agent()),
])
def test_no_token_for_who_does_not_ask_or_has_no_id_or_cannot_use_it(server, inner, client):
    server.ctl("register", f"juliet@{server.domain}", stdin="secret\n", check=False)
    c, success = login(server, "juliet", inner, agent=client)
    assert token_of(success) is None
    c.drop()


def test_no_token_without_the_password(server):
    server.ctl("register", f"juliet@{server.domain}", stdin="secret\n", check=False)
    c, _ = opened(server, "juliet")
    c.write(authenticate("PLAIN", base64.b64encode(b"\0juliet\0wrong").decode(), agent() + request()))
    e = c.next()
    assert condition(e) == "not-authorized" and "token" not in ET.tostring(e, encoding="unicode")


# ---- 3.4: a login by token

def test_one_round_trip_brings_login_and_bind(server):
    token = issued(server, "juliet")
    c, success = by_token(server, "juliet", token,
                          inner=f"<bind xmlns='{BIND2}'><tag>T</tag></bind>")
    assert c.jid.startswith(f"juliet@{server.domain}/T")
    assert success.find("bind2:bound", NS2) is not None
    assert token_of(success) is None
    c.features()
    c.ping()
    c.drop()
    by_token(server, "juliet", token)[0].drop()           # good until it is replaced or expires


def test_wrong_ones_are_refused_and_other_means_are_open(server):
    token = issued(server, "juliet")
    c = refused(server, "juliet", token[:-2] + "A=", "not-authorized")
    c.write(authenticate("PLAIN", base64.b64encode(b"\0juliet\0secret").decode(), agent()))
    said(c.next(), "success")
    c.drop()
    refused(server, "juliet", token, "credentials-expired", client=OTHER)         # bound to its client
    refused(server, "juliet", token, "invalid-authzid",
            opened_stream=opened(server, "somebody-else")[0])


def test_it_is_bound_to_its_mechanism(server):
    token = issued(server, "endp", "HT-SHA-256-ENDP")
    refused(server, "endp", token, "not-authorized")       # by -NONE
    c, _ = opened(server, "endp")
    binding = hashlib.sha256(c.sock.getpeercert(True)).digest()
    by_token(server, "endp", token, mechanism="HT-SHA-256-ENDP", binding=binding, opened_stream=c)[0].drop()
    refused(server, "endp", token, "not-authorized", mechanism="HT-SHA-256-ENDP", binding=bytes(32))


def test_tls_unique_binds_to_the_connection(server):
    server.ctl("register", f"uniq@{server.domain}", stdin="secret\n", check=False)
    c, _ = opened(server, "uniq", ssl.TLSVersion.TLSv1_2)
    c.write(authenticate("PLAIN", base64.b64encode(b"\0uniq\0secret").decode(), agent() + request("HT-SHA-256-UNIQ")))
    token = token_of(said(c.next(), "success"))
    old_binding = c.sock.get_channel_binding("tls-unique")
    c.drop()
    c, _ = opened(server, "uniq", ssl.TLSVersion.TLSv1_2)
    by_token(server, "uniq", token, mechanism="HT-SHA-256-UNIQ", opened_stream=c,
             binding=c.sock.get_channel_binding("tls-unique"))[0].drop()
    refused(server, "uniq", token, "not-authorized", mechanism="HT-SHA-256-UNIQ", binding=old_binding,
            opened_stream=opened(server, "uniq", ssl.TLSVersion.TLSv1_2)[0])


def test_an_unknown_account_looks_like_a_lost_token(server):
    token = issued(server, "juliet")
    server.register("tokenless")
    refused(server, "tokenless", token, "credentials-expired")
    refused(server, "nobody-at-all", token, "credentials-expired")


def test_a_disabled_or_removed_account_gets_in_by_no_token(server):
    token = issued(server, "gone")
    server.ctl("unregister", f"gone@{server.domain}")
    refused(server, "gone", token, "credentials-expired")
    server.register("gone")
    refused(server, "gone", token, "credentials-expired")


@pytest.mark.parametrize("message,inner,user", [
    (b"juliet", f"<fast xmlns='{FAST}'/>", "juliet"),
    (b"juliet\0short", f"<fast xmlns='{FAST}'/>", "juliet"),
    (b"\0" + bytes(32), f"<fast xmlns='{FAST}'/>", "juliet"),
    (b"", f"<fast xmlns='{FAST}'/>", "juliet"),
    (b"juliet\0" + bytes(32), "", "juliet"),
    (b"juliet\0" + bytes(32), f"<fast xmlns='{FAST}'/>", None),
    (b"juliet\0" + bytes(32), f"<fast xmlns='{FAST}' count='0'/>", "juliet"),
    (b"juliet\0" + bytes(32), f"<fast xmlns='{FAST}' count='-1'/>", "juliet"),
    (b"juliet\0" + bytes(32), f"<fast xmlns='{FAST}' count='99999999999999999999999'/>", "juliet"),
    (b"juliet\0" + bytes(32), f"<fast xmlns='{FAST}' invalidate='perhaps'/>", "juliet"),
])
def test_malformed_ones(server, message, inner, user):
    issued(server, "juliet")
    c, _ = opened(server, user)
    c.write(authenticate(NONE, base64.b64encode(message).decode(), agent() + inner))
    assert condition(c.next()) == "malformed-request"
    c.drop()


def test_without_an_id_no_token_is_taken(server):
    token = issued(server, "juliet")
    c, _ = opened(server, "juliet")
    c.write(authenticate(NONE, initial("juliet", token), f"<fast xmlns='{FAST}'/>"))
    assert condition(c.next()) == "malformed-request"


def test_a_count_is_taken_once(server):
    token = issued(server, "count")
    by_token(server, "count", token, fast=" count='5'")[0].drop()
    refused(server, "count", token, "not-authorized", fast=" count='5'")
    refused(server, "count", token, "not-authorized", fast=" count='4'")
    by_token(server, "count", token, fast=" count='6'")[0].drop()


# ---- 3.5: rotation; 3.6: invalidation

def test_asking_again_leaves_the_old_one_until_the_new_one_is_used(server):
    old = issued(server, "rotate")
    by_token(server, "rotate", old)[0].drop()
    new = issued(server, "rotate")
    by_token(server, "rotate", old)[0].drop()
    by_token(server, "rotate", new)[0].drop()
    refused(server, "rotate", old, "not-authorized")
    by_token(server, "rotate", new)[0].drop()


def test_one_that_was_told_and_never_used_goes_when_another_is_told(server):
    first = issued(server, "lost")
    by_token(server, "lost", first)[0].drop()
    lost, found = issued(server, "lost"), issued(server, "lost")
    refused(server, "lost", lost, "not-authorized")
    by_token(server, "lost", found)[0].drop()


@pytest.mark.parametrize("word", ["true", "1"])
def test_invalidated_it_lets_in_once_more_and_never_again(server, word):
    token = issued(server, "logout")
    c, success = by_token(server, "logout", token, fast=f" invalidate='{word}'")
    assert token_of(success) is None
    c.drop()
    refused(server, "logout", token, "credentials-expired")


def test_a_new_one_with_invalidation_only_for_who_asks(server):
    token = issued(server, "logout")
    c, success = by_token(server, "logout", token, fast=" invalidate='true'", inner=request())
    c.drop()
    refused(server, "logout", token, "not-authorized")
    by_token(server, "logout", token_of(success))[0].drop()


def test_a_changed_password_ends_all_tokens(server):
    token = issued(server, "changer")
    c = server.client("changer", register=False)
    c.iq("set", f"<query xmlns='{NS['register']}'><username>changer</username><password>other</password></query>")
    refused(server, "changer", token, "credentials-expired")
    c.close()


def test_tokens_survive_a_restart(server):
    token = issued(server, "lasting")
    server.restart("sm-1")
    by_token(server, "lasting", token)[0].drop()


# ---- XEP-0494

def clients(c):
    e = c.iq("get", f"<list xmlns='{CAM}'/>")
    return {x.findtext("cam:user-agent/cam:device", "", NS3): x for x in e.findall("cam:clients/cam:client", NS3)}


def bound(server, user, client, device, inner=""):
    c, _ = login(server, user, inner + f"<bind xmlns='{BIND2}'><enable xmlns='{SM}' resume='true'/></bind>",
                 agent=agent(client, "Soft&lt;ware", device))
    c.features()
    return c


def test_clients_are_listed(server):
    server.register("lister")
    phone, desk = bound(server, "lister", ID, "Phone", request()), bound(server, "lister", OTHER, "Desk")
    listed = clients(desk)
    assert set(listed) == {"Phone", "Desk"}
    e = listed["Phone"]
    assert e.get("connected") == "true" and e.get("type") == "session" and ID not in ET.tostring(e, encoding="unicode")
    assert e.find("cam:auth/cam:password", NS3) is not None and e.find("cam:auth/cam:fast", NS3) is not None
    assert listed["Desk"].find("cam:auth/cam:fast", NS3) is None
    assert e.find("cam:permission", NS3).get("status") == "unrestricted"
    assert e.findtext("cam:user-agent/cam:software", "", NS3) == "Soft<ware"
    assert e.findtext("cam:first-seen", "", NS3) <= e.findtext("cam:last-seen", "", NS3)
    phone.close()
    assert clients(desk)["Phone"].get("connected") == "false"
    # Bare sessions are access as well.
    old = server.client("lister", register=False, resource="old")
    assert [x.get("connected") for x in clients(desk).values()].count("true") == 2
    assert len(server.ctl_json("clients", f"lister@{server.domain}")) == 3
    old.close()
    desk.close()


def test_a_stranger_sees_nothing(server):
    server.ctl("register", f"lister@{server.domain}", stdin="secret\n", check=False)
    c = server.client("stranger")
    for payload, kind in ((f"<list xmlns='{CAM}'/>", "get"), (f"<revoke xmlns='{CAM}' id='x'/>", "set")):
        assert c.iq(kind, payload, to=f"lister@{server.domain}").get("type") == "error"


def test_revoking_ends_session_and_tokens_and_says_that_the_password_is_known(server):
    server.register("revoker")
    phone, desk = bound(server, "revoker", ID, "Phone", request()), bound(server, "revoker", OTHER, "Desk")
    ref = clients(desk)["Phone"].get("id")
    e = desk.iq("set", f"<revoke xmlns='{CAM}' id='{ref}'/>")
    assert desk.error_of(e) == "service-unavailable"
    assert e.find("client:error/cam:password-reset-required", NS3) is not None
    phone.expect_stream_error("not-authorized")
    assert clients(desk)["Phone"].find("cam:auth/cam:fast", NS3) is None
    assert clients(desk)["Phone"].get("connected") == "false"
    desk.close()


def test_the_operator_revokes_a_client_and_sees_that_it_knows_the_password(server):
    server.register("tokens")
    desk = bound(server, "tokens", OTHER, "Desk")
    desk.iq("set", f"<query xmlns='{NS['register']}'><username>tokens</username><password>secret2</password></query>")
    c, success = login(server, "tokens", request(), password="secret2", agent=agent(ID, "S", "Phone"))
    c.drop()
    row = next(r for r in server.ctl_json("clients", f"tokens@{server.domain}") if r["device"] == "Phone")
    assert row["password"] and row["token"]
    done = server.ctl_json("revoke", f"tokens@{server.domain}", row["client"])
    assert [{k: r[k] for k in ("client", "sessions", "password")} for r in done] == \
        [{"client": row["client"], "sessions": 0, "password": True}]
    refused(server, "tokens", token_of(success), "credentials-expired")
    desk.close()


@pytest.mark.parametrize("payload,wanted", [("id='c0123456789abcdef'", "item-not-found"), ("", "bad-request"),
                                            ("id=''", "bad-request")])
def test_revoking_nobody(server, payload, wanted):
    c = server.client("nobodys")
    assert c.error_of(c.iq("set", f"<revoke xmlns='{CAM}' {payload}/>")) == wanted
    c.close()


def test_a_client_may_revoke_itself(server):
    server.register("self")
    c = bound(server, "self", ID, "Phone")
    e = c.iq("set", f"<revoke xmlns='{CAM}' id='{clients(c)['Phone'].get('id')}'/>")
    assert e.get("type") == "error"
    c.expect_stream_error("not-authorized")


def test_only_so_many_are_remembered_the_latest(server):
    server.register("many")
    ids = [f"0000000{i}-4d72-4749-b3d3-740edbf87770" for i in range(5)]
    tokens = []
    for i, client in enumerate(ids):
        c, success = login(server, "many", request(), agent=agent(client, "S", f"D{i}"))
        tokens.append(token_of(success))
        c.close()
        time.sleep(0.01)
    rows = server.ctl_json("clients", f"many@{server.domain}")
    assert {r["device"] for r in rows} == {"D2", "D3", "D4"}
    refused(server, "many", tokens[0], "credentials-expired", client=ids[0])
    by_token(server, "many", tokens[4], client=ids[4])[0].drop()


def test_verbs_refuse_what_is_not_there(server):
    for args in (("clients", "nobody@example.org"), ("revoke", "nobody@example.org", "c1"), ("clients", "@")):
        server.ctl(*args, check=False)
        assert server.ctl_status == 1


# ---- time

def make_older(server, hours):
    """All stored tokens (sm/tokens.h); the suite is stopped."""
    env = lmdb.open(str(server.dir / "data" / "accounts"), max_dbs=64)
    with env.begin(write=True) as txn:
        table = env.open_db(b"TOKEN", txn)
        for key, row in list(txn.cursor(table)):
            row, at = bytearray(row), 1
            for _ in range(2):
                at += 4 + int.from_bytes(row[at:at + 4], "little")
                for field in range(2):
                    us = int.from_bytes(row[at:at + 8], "little")
                    row[at:at + 8] = max(us - hours * 3600 * 10**6, 0).to_bytes(8, "little")
                    at += 8
                at += 8
                at += 4 + int.from_bytes(row[at:at + 4], "little")
            assert at == len(row)
            txn.put(key, bytes(row), db=table)
    env.close()


def test_time_rotates_and_expires():
    """After token_rotate_hours a token brings a new one unasked, and both are good until the new one is used; after
    token_days it is refused, and the password is asked for."""
    with Server("--set", "limits.token_rotate_hours=24", "--set", "limits.token_days=3") as server:
        old = issued(server, "timely")
        c, success = by_token(server, "timely", old)
        assert token_of(success) is None
        c.drop()
        server.stop()
        make_older(server, 25)
        server.start()
        c, success = by_token(server, "timely", old)
        new = token_of(success)
        expiry = datetime.fromisoformat(success.find("fast:token", NS3).get("expiry").replace("Z", "+00:00"))
        assert new and expiry - datetime.now(timezone.utc) > timedelta(days=2, hours=23)
        c.drop()
        by_token(server, "timely", old)[0].drop()
        by_token(server, "timely", token_of(by_token(server, "timely", old)[1]))[0].drop()
        refused(server, "timely", old, "not-authorized")
        last = issued(server, "timely")
        server.stop()
        make_older(server, 73)
        server.start()
        c = refused(server, "timely", last, "credentials-expired")
        c.write(authenticate("PLAIN", base64.b64encode(b"\0timely\0secret").decode(), agent() + request()))
        assert token_of(said(c.next(), "success"))
        c.drop()


def test_a_replay_is_refused_whoever_sends_it():
    """XEP-0484 3.4: with a count, the same bytes are good once, also after a restart and with other inlines."""
    with Server() as server:
        token = issued(server, "replay")
        first = authenticate(NONE, initial("replay", token), agent() + f"<fast xmlns='{FAST}' count='7'/>")
        c, _ = opened(server, "replay")
        c.write(first)
        said(c.next(), "success")
        c.drop()
        for again in range(2):
            c, _ = opened(server, "replay")
            c.write(first)
            assert condition(c.next()) == "not-authorized"
            c.drop()
            server.stop()
            server.start()
        refused(server, "replay", token, "not-authorized", fast=" count='7' invalidate='true'")
        by_token(server, "replay", token, fast=" count='8'")[0].drop()


def test_at_each_use_a_new_one():
    with Server("--set", "limits.token_rotate_hours=0") as server:
        old = issued(server, "timely")
        c, success = by_token(server, "timely", old)
        new = token_of(success)
        assert new and new != old
        c.drop()
        c, again = by_token(server, "timely", old)      # the first answer was lost: the old one is still good
        c.drop()
        refused(server, "timely", new, "not-authorized")
        by_token(server, "timely", token_of(again))[0].drop()
        refused(server, "timely", old, "not-authorized")
