"""Login by XEP-0388 (SASL2) and XEP-0386 (Bind 2), with raw clients."""

import xml.etree.ElementTree as ET

import pytest

from harness import NS
from sasl2 import (BIND2, CARBONS, CSI, ID, NS2, SASL2, SM, Scram, agent, authenticate, condition, identifier, login,
                   opened, plain, said, scram2)


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
