"""Ad-hoc commands (XEP-0050) as an administrator's client executes them."""

import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest

COMMANDS = "http://jabber.org/protocol/commands"
ADMIN = "http://jabber.org/protocol/admin"
DATA = "jabber:x:data"


@pytest.fixture
def boss(server):
    client = server.client("admin")
    yield client
    client.close()


def command(client, node, to, session=None, action=None, payload="", timeout=30):
    """Sends one <command/>; the reply stanza."""
    extra = (f" sessionid='{session}'" if session else "") + (f" action='{action}'" if action else "")
    return client.iq("set", f"<command xmlns='{COMMANDS}' node='{node}'{extra}>{payload}</command>", to=to,
                     timeout=timeout)


def form(fields, form_type=ADMIN):
    """A submitted form; a value may be a list."""
    def one(var, value):
        values = value if isinstance(value, (list, tuple)) else [value]
        return f"<field var='{var}'>" + "".join(f"<value>{escape(v)}</value>" for v in values) + "</field>"
    return (f"<x xmlns='{DATA}' type='submit'>" + one("FORM_TYPE", form_type) +
            "".join(one(var, value) for var, value in fields.items()) + "</x>")


def of(reply):
    """The <command/> of a result."""
    assert reply.get("type") == "result", ET.tostring(reply, encoding="unicode")
    found = reply.find(f"{{{COMMANDS}}}command")
    assert found.get("sessionid")
    return found


def fields_of(found):
    return {f.get("var"): [v.text or "" for v in f.findall(f"{{{DATA}}}value")]
            for f in found.findall(f"{{{DATA}}}x/{{{DATA}}}field")}


def notes_of(found, kind):
    return [n.text for n in found.findall(f"{{{COMMANDS}}}note") if n.get("type") == kind]


def admin(client, what, /, to=None, **fields):
    """Executes an administration command to its end: the last reply. Names have _ for -."""
    node, to = f"{ADMIN}#{what}", to or client.domain
    reply = command(client, node, to)
    if reply.get("type") != "result" or of(reply).get("status") == "completed":
        return reply
    given = {var.replace("_", "-") if var == "password_verify" else var: value for var, value in fields.items()}
    return command(client, node, to, session=of(reply).get("sessionid"), payload=form(given))


def done(reply):
    """The fields of a completed command without failures."""
    found = of(reply)
    assert found.get("status") == "completed" and not notes_of(found, "error"), ET.tostring(found, encoding="unicode")
    return fields_of(found)
