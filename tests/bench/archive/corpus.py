#!/usr/bin/python3
"""Messages as clients write them: what the archive's dictionary is trained on and measured with. Words come from the
texts of this repository (English) and from the lists below; the two sets share clients, and neither words in a row
nor names.

    corpus.py train NUMBER DIRECTORY    one record a file, as proto/ledger_record.c packs it
    corpus.py eval NUMBER               one message a line: id, TAB, content
"""

import base64
import random
import re
import struct
import sys
import uuid
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[3]
SLAVIC = """прывітанне як справы добры дзень дзякуй вялікі калі ласка сёння заўтра сустрэнемся вечарам кава дома праца
ужо ведаю думаю трэба паглядзець напішы мне потым добра так не можа быць цікава навіны глядзеў учора відэа сервер зноў
працуе абнавіў привет как дела нормально спасибо пожалуйста завтра встреча вечером работа дом уже знаю думаю надо
посмотреть напиши мне потом хорошо да нет может быть интересно новости смотрел вчера видео опять работает обновил кто
будет где когда почему что это было сделал проверю ссылку отправил файл получил жду ответа звонил занят дети школа
магазин купить хлеб молоко деньги cześć jak się masz dzięki proszę jutro spotkanie wieczorem praca już wiem myślę
trzeba zobaczyć napisz potem dobrze może ciekawe wiadomości wczoraj""".split()
SMILES = ["", "", "", "", "", " :)", " 🙂", " 👍", " 😂", " ;-)", " ❤️"]


class Writer:
    def __init__(self, kind, seed):
        self.r = random.Random(f"{kind}{seed}")
        words = re.findall(r"[A-Za-z][a-z'-]*[,.]?", " ".join(
            (ROOT / name).read_text(errors="replace") for name in ("LICENSE", "README.md", "docs/design.md")))
        half = len(words) // 2
        self.words = words[:half] if kind == "train" else words[half:]
        self.slavic = SLAVIC[::2] if kind == "train" else SLAVIC[1::2]
        self.domains = (["jabber.example", "im.example.net", "chat.example.org"] if kind == "train" else
                        ["xmpp.example.by", "talk.example.eu", "conversations.example.im"])

    # ---- parts

    def hex(self, n):
        return "".join(self.r.choice("0123456789abcdef") for _ in range(n))

    def uuid(self):
        return str(uuid.UUID(int=self.r.getrandbits(128), version=4))

    def b64(self, n, pad=True):
        text = base64.b64encode(self.r.randbytes(n)).decode()
        return text if pad else text.rstrip("=")

    def short(self):
        return base64.urlsafe_b64encode(self.r.randbytes(12)).decode()

    def text(self):
        n = min(60, max(1, int(self.r.lognormvariate(2.0, 0.9))))
        if self.r.random() < 0.5:
            at = self.r.randrange(len(self.words) - n)
            text = " ".join(self.words[at:at + n])
        else:
            text = " ".join(self.r.choice(self.slavic) for _ in range(n))
        if self.r.random() < 0.06:
            text += f" https://www.{self.hex(8)}.org/{self.hex(5)}/{self.r.randrange(10**6)}?v={self.short()}"
        return escape(text + self.r.choice(SMILES))

    def jid(self):
        return f"{self.hex(6)}@{self.r.choice(self.domains)}"

    # ---- what clients write

    def conversations(self):
        return (f"<body>{self.text()}</body><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/>"
                f"<origin-id id='{self.id}' xmlns='urn:xmpp:sid:0'/>")

    def gajim(self):
        return (f'<body>{self.text()}</body><origin-id xmlns="urn:xmpp:sid:0" id="{self.id}" />'
                f'<request xmlns="urn:xmpp:receipts" /><active xmlns="http://jabber.org/protocol/chatstates" />'
                f'<thread>{self.uuid()}</thread><markable xmlns="urn:xmpp:chat-markers:0" />')

    def dino(self):
        return (f'<body>{self.text()}</body><active xmlns="http://jabber.org/protocol/chatstates"></active>'
                f'<request xmlns="urn:xmpp:receipts"></request><markable xmlns="urn:xmpp:chat-markers:0"></markable>')

    def psi(self):
        text = self.text()
        return (f'<body>{text}</body><html xmlns="http://jabber.org/protocol/xhtml-im"><body '
                f'xmlns="http://www.w3.org/1999/xhtml"><p>{text}</p></body></html><active '
                f'xmlns="http://jabber.org/protocol/chatstates"/><nick xmlns="http://jabber.org/protocol/nick">{self.hex(5)}</nick>')

    def pidgin(self):
        return f"<active xmlns='http://jabber.org/protocol/chatstates'/><body>{self.text()}</body>"

    def plain(self):
        return f"<body>{self.text()}</body>"

    def monal(self):
        return (f'<body>{self.text()}</body><origin-id xmlns="urn:xmpp:sid:0" id="{self.id}"/>'
                f'<request xmlns="urn:xmpp:receipts"/><markable xmlns="urn:xmpp:chat-markers:0"/><store xmlns="urn:xmpp:hints"/>')

    def omemo(self):
        keys = "".join(f"<key rid='{self.r.getrandbits(31)}'{self.r.choice(['', '', '', ' prekey=' + chr(39) + 'true' + chr(39)])}>"
                       f"{self.b64(self.r.choice([82, 98, 130]))}</key>" for _ in range(self.r.randint(1, 6)))
        return (f"<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='{self.r.getrandbits(31)}'>{keys}"
                f"<iv>{self.b64(12)}</iv></header><payload>{self.b64(self.r.randint(5, 120))}</payload></encrypted>"
                f"<encryption xmlns='urn:xmpp:eme:0' name='OMEMO' namespace='eu.siacs.conversations.axolotl'/>"
                f"<body>I sent you an OMEMO encrypted message but your client doesn’t seem to support that. Find more "
                f"information on https://conversations.im/omemo</body><request xmlns='urn:xmpp:receipts'/>"
                f"<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='{self.id}'/>"
                f"<store xmlns='urn:xmpp:hints'/>")

    def receipt(self):
        return f"<received xmlns='urn:xmpp:receipts' id='{self.uuid()}'/><store xmlns='urn:xmpp:hints'/>"

    def displayed(self):
        return (f"<displayed xmlns='urn:xmpp:chat-markers:0' id='{self.uuid()}'/><store xmlns='urn:xmpp:hints'/>")

    def upload(self):
        url = f"https://upload.{self.r.choice(self.domains)}/{self.uuid()}/{self.short()}.{self.r.choice(['jpg', 'png', 'webp', 'm4a', 'mp4'])}"
        return (f"<body>{url}</body><x xmlns='jabber:x:oob'><url>{url}</url></x><request xmlns='urn:xmpp:receipts'/>"
                f"<markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='{self.id}'/>")

    def correction(self):
        return (f"<body>{self.text()}</body><replace xmlns='urn:xmpp:message-correct:0' id='{self.uuid()}'/>"
                f"<request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='{self.id}'/>")

    def reaction(self):
        return (f"<reactions xmlns='urn:xmpp:reactions:0' id='{self.uuid()}'><reaction>{self.r.choice(['👍', '❤', '😂'])}"
                f"</reaction></reactions><store xmlns='urn:xmpp:hints'/>")

    def reply(self):
        quote = self.text()
        return (f"<body>&gt; {quote}\n{self.text()}</body><reply xmlns='urn:xmpp:reply:0' to='{self.jid()}' id='{self.uuid()}'/>"
                f"<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='{len(quote) + 3}'/></fallback>"
                f"<origin-id xmlns='urn:xmpp:sid:0' id='{self.id}'/>").replace("\n", "&#10;")

    def call(self):
        return (f"<propose xmlns='urn:xmpp:jingle-message:0' id='{self.short()}'><description "
                f"xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose><store xmlns='urn:xmpp:hints'/>")

    def invite(self):
        return (f"<x xmlns='http://jabber.org/protocol/muc#user'><invite from='{self.jid()}'/></x>"
                f"<x xmlns='jabber:x:conference' jid='{self.hex(7)}@conference.{self.r.choice(self.domains)}'/>")

    KINDS = {"conversations": 20, "gajim": 10, "dino": 9, "psi": 4, "pidgin": 8, "plain": 10, "monal": 4, "omemo": 14,
             "receipt": 6, "displayed": 6, "upload": 3, "correction": 1, "reaction": 2, "reply": 2, "call": 0.5,
             "invite": 0.5}

    RESOURCES = ["Conversations.", "gajim.", "dino.", "Psi+", "Monal-iOS.", "phone", "profanity.", "Pidgin", ""]

    def full(self, bare):
        return f"{bare}/{self.r.choice(self.RESOURCES)}{self.hex(4)}"

    def message(self):
        self.id = self.uuid()
        kind = self.r.choices(list(self.KINDS), self.KINDS.values())[0]
        return self.id, getattr(self, kind)()

    def record(self, contacts):
        """The packed part of a record (proto/ledger.h): peer, perhaps the own resource, id, content."""
        ident, content = self.message()
        peer, sized = self.r.choice(contacts), lambda text, form: struct.pack(form, len(text)) + text
        names = [peer, self.full(f"somebody@{self.domains[0]}")] if self.r.random() < 0.5 else [self.full(peer)]
        return b"".join(sized(part.encode(), "<H") for part in names + [ident]) + sized(content.encode(), "<I")


if __name__ == "__main__":
    writer = Writer(sys.argv[1], 1)
    people = [writer.jid() for _ in range(3000)]
    for n in range(int(sys.argv[2])):
        if sys.argv[1] == "eval":
            print("\t".join(writer.message()))
        else:
            Path(sys.argv[3], f"{n:06}").write_bytes(writer.record(people))
