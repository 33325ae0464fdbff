"""A pass made by hand and a PassKit web service of a few lines, independent of the product."""

import hashlib
import io
import json
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from tests.authority import PassCertificate

TOKEN = "a-token-of-more-than-16-characters"


def png(width: int, height: int, colour: tuple[int, int, int] = (200, 80, 40)) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\x00" + bytes(colour) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def card_json(identity: PassCertificate, serial: str = "card-1", **changes: Any) -> dict[str, Any]:
    balance = changes.pop("balance", 40)
    message = changes.pop("message", "Welcome")
    content: dict[str, Any] = {
        "formatVersion": 1,
        "passTypeIdentifier": identity.pass_type,
        "teamIdentifier": identity.team,
        "serialNumber": serial,
        "organizationName": "Corner Coffee",
        "description": "Corner Coffee loyalty card",
        "backgroundColor": "rgb(24,60,52)",
        "foregroundColor": "rgb(255,255,255)",
        "labelColor": "rgb(190,215,205)",
        "logoText": "Corner Coffee",
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": f"CC-{serial}",
                "messageEncoding": "iso-8859-1",
                "altText": f"CC {serial}",
            }
        ],
        "storeCard": {
            "headerFields": [
                {"key": "balance", "label": "POINTS", "value": balance, "changeMessage": "You now have %@ points"}
            ],
            "secondaryFields": [
                {"key": "member", "label": "MEMBER", "value": "Ayşe Yılmaz"},
                {"key": "tier", "label": "TIER", "value": "Gold"},
            ],
            "auxiliaryFields": [],
            "backFields": [{"key": "latest", "label": "Latest", "value": message, "changeMessage": "%@"}],
        },
    }
    return content | changes


def pack(
    content: dict[str, Any] | bytes,
    identity: PassCertificate,
    *,
    extra: dict[str, bytes] | None = None,
    icon: bool = True,
) -> bytes:
    files = {"pass.json": content if isinstance(content, bytes) else json.dumps(content).encode()}
    if icon:
        files["icon@2x.png"] = png(76, 76)
        files["icon@3x.png"] = png(114, 114)
    files |= extra or {}
    manifest = json.dumps({name: hashlib.sha1(data).hexdigest() for name, data in files.items()}, indent=1).encode()
    return zip_of(files | {"manifest.json": manifest, "signature": sign(manifest, identity)})


def sign(manifest: bytes, identity: PassCertificate, *, options: list[PKCS7Options] | None = None) -> bytes:
    builder = PKCS7SignatureBuilder().set_data(manifest)
    builder = builder.add_signer(identity.certificate, identity.key, SHA256()).add_certificate(identity.intermediate)
    return builder.sign(Encoding.DER, options or [PKCS7Options.DetachedSignature, PKCS7Options.Binary])


def zip_of(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class PassKit:
    """Cards by serial; every request is recorded; `answers` overrules the right answer for a method and path part."""

    identity: PassCertificate
    url: str = ""
    passes: dict[str, bytes] = field(default_factory=dict)
    version: int = 1
    stamp: str = "Sun, 06 Nov 1994 08:49:37 GMT"
    registrations: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)

    def issue(self, serial: str = "card-1", **changes: Any) -> bytes:
        extra = changes.pop("extra", None)
        content = card_json(self.identity, serial, **changes)
        content |= {"webServiceURL": self.url, "authenticationToken": TOKEN}
        self.passes[serial] = pack(content, self.identity, extra=extra)
        return self.passes[serial]

    def change(self, serial: str = "card-1", **changes: Any) -> None:
        self.version += 1
        self.stamp = f"Sun, 06 Nov 1994 08:{self.version:02d}:37 GMT"
        self.issue(serial, **changes)

    def calls(self, method: str, part: str) -> list[tuple[str, dict[str, str], bytes]]:
        return [(path, headers, body) for name, path, headers, body in self.requests if name == method and part in path]

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        for (wanted, part), answer in self.answers.items():
            if wanted == method and part in path:
                return answer
        if path == "/v1/log":
            self.logs += json.loads(body)["logs"]
            return Answer(200)
        if method == "GET" and path.startswith("/v1/devices/"):
            return self._list(path)
        return self._authorized(method, path, headers, body)

    def _authorized(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("Authorization") != f"ApplePass {TOKEN}":
            return Answer(401)
        if method == "GET":
            return self._fetch(path, headers)
        device, serial = path.split("/")[3], path.split("/")[6]
        if method == "DELETE":
            self.registrations.pop((device, serial), None)
            return Answer(200)
        known = (device, serial) in self.registrations
        self.registrations[(device, serial)] = json.loads(body)["pushToken"]
        return Answer(200 if known else 201)

    def _list(self, path: str) -> Answer:
        tag = path.partition("passesUpdatedSince=")[2]
        if tag == f"v{self.version}" or not self.registrations:
            return Answer(204)
        content = {"serialNumbers": sorted(self.passes), "lastUpdated": f"v{self.version}"}
        return Answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _fetch(self, path: str, headers: dict[str, str]) -> Answer:
        if headers.get("If-Modified-Since") == self.stamp:
            return Answer(304, headers={"Last-Modified": self.stamp})
        media = {"Content-Type": "application/vnd.apple.pkpass", "Last-Modified": self.stamp}
        return Answer(200, self.passes[path.split("/")[4]], media)


@contextmanager
def serve_passkit(identity: PassCertificate) -> Iterator[PassKit]:
    passkit = PassKit(identity)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            passkit.requests.append((self.command, self.path, dict(self.headers), body))
            answer = passkit.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    passkit.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield passkit
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Shop:
    """A product of a few pages: join, the card, the pass, and the way to Google."""

    url: str = ""
    pkpass: bytes = b""
    save_link: str = ""
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        if method == "POST" and path == "/join/coffee":
            return Answer(303, headers={"Location": f"{self.url}/c/abc", "Set-Cookie": "member=7; Path=/; HttpOnly"})
        if path == "/c/abc.pkpass":
            return Answer(200, self.pkpass, {"Content-Type": "application/vnd.apple.pkpass"})
        if path == "/google":
            return Answer(302, headers={"Location": self.save_link})
        if path == "/away":
            return Answer(302, headers={"Location": "https://elsewhere.example/"})
        page = {"/": LANDING, "/join/coffee": JOIN, "/c/abc": CARD}.get(path)
        if page is None:
            return Answer(404, b"<p>No such page</p>", {"Content-Type": "text/html"})
        policy = "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        guard = {
            "X-Frame-Options": "DENY",
            "Content-Security-Policy": policy,
            "Content-Type": "text/html; charset=utf-8",
        }
        return Answer(200, page.replace("BASE", self.url).encode(), guard)


STYLE = "<style>body{font:17px/1.5 system-ui;margin:24px;color-scheme:light dark}a{display:block;padding:14px}</style>"
JOIN = (
    f"<!doctype html><title>Join</title>{STYLE}<h1>Corner Coffee Club</h1><form method=post action='BASE/join/coffee'>"
    "<label>Your name <input name=name></label><button>Get the card</button></form><p>We live at BASE/join/coffee</p>"
)
LANDING = f"<!doctype html><title>Shop</title>{STYLE}<a href='/join/coffee'>Join Corner Coffee Club</a>"
CARD = (
    f"<!doctype html><title>Your card</title>{STYLE}<h1>Your card is ready</h1>"
    '<a href="BASE/c/abc.pkpass">Add to Apple Wallet</a><a href="/google">Add to Google Wallet</a>'
)


@contextmanager
def serve_shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            shop.requests.append((self.command, self.path, dict(self.headers), body))
            answer = shop.answer(self.command, self.path, dict(self.headers))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield shop
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
