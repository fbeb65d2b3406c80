"""Login by a certificate: SASL EXTERNAL as XEP-0178 2 has it, in both profiles, with raw clients."""

import ssl
import subprocess
import xml.etree.ElementTree as ET

import pytest

from harness import NS, Client, Server, wait_for
from sasl2 import (BIND2, NS2, SASL2, Scram, agent, authenticate, b64, condition, identifier, opened, plain, said,
                   scram2)
from test_throttle import regex

DOMAINS = ("example.org", "open.example")
XMPP_ADDR = "1.3.6.1.5.5.7.8.5"

CONFIG = """
[ca]
default_ca = here
[here]
database = {dir}/index
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = optional
"""


class Authority:
    """A certification authority (openssl ca)."""

    def __init__(self, where, name="Test CA"):
        self.dir = where
        where.mkdir(exist_ok=True)
        self.config = where / "config"
        self.config.write_text(CONFIG.format(dir=where))
        (where / "index").write_text("")
        (where / "serial").write_text("01\n")
        (where / "crlnumber").write_text("01\n")
        self.pem, self.crl, self.count = where / "ca.pem", where / "crl.pem", 0
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                     "-subj", f"/CN={name}", "-keyout", where / "ca.key", "-out", self.pem)
        self.openssl("ca", "-config", self.config, "-gencrl", "-out", self.crl)

    @staticmethod
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def issue(self, *addresses, purpose="clientAuth", begin=None, end=None, also=(), key="ec"):
        """A PEM file with key and certificate, naming these xmppAddr."""
        self.count += 1
        base = self.dir / f"client{self.count}"
        out, ext = base.with_suffix(".pem"), base.with_suffix(".ext")
        names = [f"otherName.{i} = {XMPP_ADDR};UTF8:{a}" for i, a in enumerate(addresses)] + list(also)
        ext.write_text("basicConstraints = CA:FALSE\n" + (f"extendedKeyUsage = {purpose}\n" if purpose else "") +
                       ("subjectAltName = @names\n[names]\n" + "\n".join(names) + "\n" if names else ""))
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["rsa:2048"]
        self.openssl("req", "-newkey", *kind, "-nodes", "-subj", "/CN=somebody", "-keyout", base.with_suffix(".key"),
                     "-out", base.with_suffix(".csr"))
        dates = (["-startdate", begin] if begin else []) + (["-enddate", end] if end else [])
        self.openssl("ca", "-batch", "-notext", "-config", self.config, "-extfile", ext, *dates, "-in",
                     base.with_suffix(".csr"), "-out", base.with_suffix(".crt"))
        out.write_text(base.with_suffix(".key").read_text() + base.with_suffix(".crt").read_text())
        return out

    def revoke(self, certificate):
        self.openssl("ca", "-config", self.config, "-revoke", certificate.with_suffix(".crt"))
        self.openssl("ca", "-config", self.config, "-gencrl", "-out", self.crl)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    where = tmp_path_factory.mktemp("authority")
    for part in (where, *where.parents):
        if part.stat().st_mode & 0o005 != 0o005 and str(part) != "/":
            part.chmod(0o755)              # the daemons run as somebody else
    return Authority(where / "ca")


@pytest.fixture(scope="module")
def suite(authority):
    with Server("--instances", "sm=2", "--set", f"domain[example.org].client_certificates={authority.pem}", "--set",
                f"domain[example.org].client_revocations={authority.crl}", "--set", "limits.auth_failures_max=20",
                domains=DOMAINS) as server:
        for name in ("juliet", "nurse"):
            server.register(name)
        yield server


def mechanisms(features):
    one = [m.text for m in features.findall("sasl:mechanisms/sasl:mechanism", NS)]
    assert one == [m.text for m in features.findall("sasl2:authentication/sasl2:mechanism", NS2)]
    return one


def external(c, initial):
    """In the profile of RFC 6120; returns the element that answers."""
    text = "" if initial is None else initial
    c.write(f"<auth xmlns='{NS['sasl']}' mechanism='EXTERNAL'>{text}</auth>")
    e = c.next()
    if initial is None and e.tag.endswith("challenge"):
        assert not e.text
        c.write(f"<response xmlns='{NS['sasl']}'/>")
        e = c.next()
    return e


def succeeded(c, e, jid="juliet@example.org"):
    assert e.tag == f"{{{NS['sasl']}}}success", ET.tostring(e)
    c.open().features()
    assert c.bind("here") == f"{jid}/here"
    c.drop()


def failed(e, why):
    assert e.tag == f"{{{NS['sasl']}}}failure" and e[0].tag == f"{{{NS['sasl']}}}{why}", ET.tostring(e)


# ---- who is offered it

@pytest.mark.parametrize("version", [None, ssl.TLSVersion.TLSv1_2])
def test_it_is_offered_first_to_who_shows_a_good_certificate(server, authority, version):
    c, features = opened(server, version=version, certificate=authority.issue("juliet@example.org"))
    assert mechanisms(features)[:2] == ["EXTERNAL", "SCRAM-SHA-256-PLUS"]
    c.drop()


def test_without_a_certificate_all_is_as_ever(server):
    c, features = opened(server)
    assert "EXTERNAL" not in mechanisms(features)
    c.write(authenticate("EXTERNAL", ""))
    assert condition(c.next()) == "invalid-mechanism"
    failed(external(c, "="), "invalid-mechanism")
    c.write(authenticate("PLAIN", plain("juliet", "secret")))
    said(c.next(), "success")
    c.drop()


def test_a_domain_that_takes_none_asks_for_none(server, authority):
    server.register("juliet@open.example")
    c, features = opened(server, domain="open.example", certificate=authority.issue("juliet@open.example"))
    assert "EXTERNAL" not in mechanisms(features)
    c.drop()


FUTURE, PAST = "20990101000000Z", "20200101000000Z"
BAD = {
    "expired": dict(begin=PAST, end="20210101000000Z"),
    "not valid yet": dict(begin=FUTURE, end="20990201000000Z"),
    "not for clients": dict(purpose="serverAuth"),
}


def stays_usable(server, certificate):
    """It is no way in, and none of the other ways is shut."""
    for tls in (False, True):
        if tls:
            c = Client(server, "example.org", tls=True, certificate=certificate).open()
            features = c.features()
        else:
            c, features = opened(server, certificate=certificate)
        assert "EXTERNAL" not in mechanisms(features)
        failed(external(c, "="), "invalid-mechanism")
        c.write(authenticate("PLAIN", plain("juliet", "secret")))
        said(c.next(), "success")
        c.drop()


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_certificate_lets_nobody_in_and_keeps_nobody_out(server, authority, fault):
    stays_usable(server, authority.issue("juliet@example.org", **BAD[fault]))
    assert server.log_has("client_certificate", fault.replace(" ", "\\x20")) or server.log_has("client_certificate", fault)


def test_one_of_another_authority_is_none(server, tmp_path):
    stays_usable(server, Authority(tmp_path / "other").issue("juliet@example.org"))


def test_the_authority_itself_is_no_client(server, authority, tmp_path):
    own = tmp_path / "own.pem"
    own.write_text((authority.dir / "ca.key").read_text() + authority.pem.read_text())
    stays_usable(server, own)


@pytest.mark.parametrize("addresses,also", [
    ((), ("email.1 = juliet@example.org",)), (("juliet@open.example",), ()), (("example.org",), ()),
    (("juliet@example.org/balcony",), ()), (("ju liet@example.org",), ()), (("",), ()),
    ((), ("URI.1 = xmpp:juliet@example.org", "DNS.1 = example.org")),
])
def test_one_that_names_no_account_of_the_domain_is_none(server, authority, addresses, also):
    stays_usable(server, authority.issue(*addresses, also=also))


# ---- step 11

@pytest.mark.parametrize("initial", ["=", None, b64("juliet@example.org"), b64("Juliet@EXAMPLE.org")])
def test_the_only_address_needs_no_authzid(server, authority, initial):
    c, _ = opened(server, certificate=authority.issue("juliet@example.org", key="rsa"))
    succeeded(c, external(c, initial))


@pytest.mark.parametrize("initial", ["", None, b64("juliet@example.org")])
def test_the_same_in_sasl2_with_bind(server, authority, initial):
    c, _ = opened(server, certificate=authority.issue("Juliet@Example.ORG"))
    c.write(authenticate("EXTERNAL", initial, agent() + f"<bind xmlns='{BIND2}'><tag>Zoo</tag></bind>"))
    e = c.next()
    if initial is None:
        said(e, "challenge")
        c.write(f"<response xmlns='{SASL2}'/>")
        e = c.next()
    assert identifier(c, said(e, "success")).startswith("juliet@example.org/Zoo/")
    assert e.find("sasl2:additional-data", NS2) is None
    c.features()
    c.drop()


def test_direct_tls(server, authority):
    c = Client(server, "example.org", tls=True, certificate=authority.issue("juliet@example.org")).open()
    assert mechanisms(c.features())[0] == "EXTERNAL"
    succeeded(c, external(c, "="))


def test_of_several_one_must_be_named(server, authority):
    both = authority.issue("juliet@example.org", "nurse@example.org", "other@open.example")
    for jid in ("juliet@example.org", "nurse@example.org"):
        c, _ = opened(server, certificate=both)
        succeeded(c, external(c, b64(jid)), jid)
    c, _ = opened(server, certificate=both)
    failed(external(c, "="), "invalid-authzid")
    c.expect_end()
    c, _ = opened(server, certificate=both)
    c.write(authenticate("EXTERNAL", ""))
    assert condition(c.next()) == "invalid-authzid"
    c.expect_end()


def test_one_of_each_domain_leaves_no_doubt(server, authority):
    c, _ = opened(server, certificate=authority.issue("other@open.example", "nurse@example.org", "nurse@example.org"))
    succeeded(c, external(c, "="), "nurse@example.org")


@pytest.mark.parametrize("authzid", ["nurse@example.org", "juliet@open.example", "juliet@example.org/balcony",
                                     "example.org", "@", "juliet"])
def test_an_authzid_that_is_not_in_it(server, authority, authzid):
    server.ctl("register", "juliet@open.example", stdin="secret\n", check=False)
    c, _ = opened(server, certificate=authority.issue("juliet@example.org"))
    failed(external(c, b64(authzid)), "invalid-authzid")
    c.expect_end()


def test_an_authzid_beside_another_from(server, authority):
    """XEP-0388 2.3"""
    c, _ = opened(server, "nurse", certificate=authority.issue("juliet@example.org"))
    c.write(authenticate("EXTERNAL", b64("juliet@example.org")))
    assert condition(c.next()) == "invalid-authzid"
    c.expect_end()


@pytest.mark.parametrize("initial,why", [(b64("juliet@example.org\0"), "malformed-request"), ("?", "incorrect-encoding"),
                                         (b64(b"\xff\xfe"), "malformed-request")])
def test_nonsense_fails_and_the_stream_goes_on(server, authority, initial, why):
    c, _ = opened(server, certificate=authority.issue("juliet@example.org"))
    failed(external(c, initial), why)
    succeeded(c, external(c, "="))


def test_an_account_that_is_not_there(server, authority):
    c, features = opened(server, certificate=authority.issue("nobody@example.org"))
    assert mechanisms(features)[0] == "EXTERNAL"
    failed(external(c, "="), "not-authorized")
    c.expect_end()
    wait_for(lambda: server.log_has("auth_failed", "kind=EXTERNAL", "why=not-authorized"), "the line of the failure")


def attempt(server, certificate, source, profile):
    """The condition of a login by EXTERNAL that fails."""
    c, _ = opened(server, certificate=certificate, source=source)
    if profile == 2:
        c.write(authenticate("EXTERNAL", ""))
        why = condition(c.next())
    else:
        why = external(c, "=")[0].tag.split("}")[1]
    c.drop()
    return why


def test_certificates_of_nobody_are_counted_until_the_address_is_refused(authority, tmp_path):
    """docs/logins.md: as wrong passwords are, in both profiles, with the line that fail2ban reads; a right certificate
    gets in all the same. One of another domain names nobody here who could be guessed: it is no guess."""
    with Server("--instances", "sm=1", "--set", f"domain[example.org].client_certificates={authority.pem}",
                "--set", "limits.login_failures_max=4", "--set", "limits.login_failures_per_address=6") as server:
        server.register("juliet")
        nobody, another, strange = [authority.issue(jid) for jid in
                                    ("nobody@example.org", "another@example.org", "juliet@open.example")]
        whys = [attempt(server, nobody, "127.0.8.1", profile) for profile in (1, 2, 1, 2, 1, 2)]
        assert whys == ["not-authorized"] * 4 + ["temporary-auth-failure"] * 2
        assert attempt(server, nobody, "127.0.8.2", 1) == "not-authorized"              # from there, and nowhere else
        assert [attempt(server, another, "127.0.8.1", 1) for _ in range(3)] == ["not-authorized"] * 2 + \
            ["temporary-auth-failure"]                                                  # six from one address
        c, _ = opened(server, source="127.0.8.1")
        failed(c.auth_plain("juliet", "secret"), "temporary-auth-failure")
        c, _ = opened(server, certificate=authority.issue("juliet@example.org"), source="127.0.8.1")
        succeeded(c, external(c, "="))
        assert [attempt(server, strange, "127.0.8.3", profile) for profile in (1, 2) * 4] == ["invalid-mechanism"] * 8
        assert attempt(server, nobody, "127.0.8.3", 2) == "not-authorized"
        found = lambda: [line for line in server.lines if "auth_failed" in line]
        wait_for(lambda: len(found()) == 20, "a line of each failure")
        assert regex(tmp_path, found()) == ["127.0.8.1"] * 4 + ["127.0.8.2"] + ["127.0.8.1"] * 2 + ["127.0.8.3"]


def test_a_disabled_account(server, authority):
    server.register("paused")
    server.ctl("disable", "paused@example.org")
    certificate = authority.issue("paused@example.org")
    c, _ = opened(server, certificate=certificate)
    failed(external(c, "="), "account-disabled")
    server.ctl("enable", "paused@example.org")
    succeeded(c, external(c, "="), "paused@example.org")


# ---- beside other things

def test_a_password_still_serves_who_has_a_certificate(server, authority):
    c, features = opened(server, certificate=authority.issue("juliet@example.org"))
    scram = Scram("nurse", "secret")
    assert identifier(c, said(scram2(c, scram, "SCRAM-SHA-256"), "success")) == "nurse@example.org"
    c.drop()


def test_the_list_that_scram_protects_holds_it(server, authority):
    """XEP-0474 4.1"""
    c, features = opened(server, certificate=authority.issue("juliet@example.org"))
    scram = Scram("juliet", "secret")
    said(scram2(c, scram, "SCRAM-SHA-256"), "success")
    bindings = [b.get("type") for b in features.findall("cb:sasl-channel-binding/cb:channel-binding", NS2)]
    text = "\x1e".join(sorted(mechanisms(features))) + "\x1f" + "\x1e".join(sorted(bindings))
    assert scram.fields["h"] == b64(scram.hash(text.encode()).digest())
    c.drop()


def test_the_client_is_listed_as_certified(server, authority):
    server.register("listed")
    c, _ = opened(server, "listed", certificate=authority.issue("listed@example.org"))
    c.write(authenticate("EXTERNAL", "", agent()))
    said(c.next(), "success")
    c.features()
    row, = server.ctl_json("clients", "listed@example.org")
    assert row["certificate"] and not row["password"]
    c.drop()


def test_a_revoked_one_is_none_after_a_reload(server, authority):
    lost = authority.issue("juliet@example.org")
    c, features = opened(server, certificate=lost)
    assert mechanisms(features)[0] == "EXTERNAL"
    c.drop()
    authority.revoke(lost)
    server.ctl("reload")
    stays_usable(server, lost)
    c, _ = opened(server, certificate=authority.issue("juliet@example.org"))
    succeeded(c, external(c, "="))


def test_a_file_that_cannot_be_read_leaves_the_others_in_force(server, authority):
    kept = authority.pem.read_text()
    authority.pem.write_text("nonsense")
    server.expect_warning("client_authorities_refused")
    answer = server.ctl("reload", check=False)
    authority.pem.write_text(kept)
    assert "client_certificates" in answer
    c, _ = opened(server, certificate=authority.issue("juliet@example.org"))
    succeeded(c, external(c, "="))


def test_without_its_file_a_suite_starts_and_passwords_serve(authority, tmp_path):
    with Server("--set", f"domain[example.org].client_certificates={tmp_path}/none") as server:
        server.expect_warning("client_authorities_refused")
        server.register("juliet")
        stays_usable(server, authority.issue("juliet@example.org"))
