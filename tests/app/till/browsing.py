"""A real browser at a real server, and a scanner's keys on any keyboard layout."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import quote_plus
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from flask import Flask
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests import factories
from tests.ports import free_port

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_MS = 30_000  # generous: a machine may be busy with something else
expect.set_options(timeout=WITHIN_MS)

# What the keys of a US keyboard give on other layouts, plain and with Shift. A scanner presses keys, not characters.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LAYOUTS: dict[str, dict[str, tuple[str, str]]] = {
    "us": {},
    "turkish_q": {"KeyI": ("ı", "I"), "Quote": ("i", "İ"), "Semicolon": ("ş", "Ş"), "BracketRight": ("ü", "Ü")},
    "turkish_f": {
        f"Key{key.upper()}": (plain, shifted)
        for key, plain, shifted in zip(LETTERS, "uçveğaütnkmlszhpfıiorcgödj", "UÇVEĞAÜTNKMLSZHPFIİORCGÖDJ", strict=True)
    }
    | {"Semicolon": ("y", "Y"), "BracketRight": ("w", "W")},
    "azerty": {
        **{f"Digit{n}": (sign, n) for n, sign in zip("1234567890", "&é\"'(-è_çà", strict=True)},
        "KeyQ": ("a", "A"),
        "KeyA": ("q", "Q"),
        "KeyW": ("z", "Z"),
        "KeyZ": ("w", "W"),
        "Semicolon": ("m", "M"),
        "KeyM": (",", "?"),
        "BracketRight": ("$", "£"),
    },
    "german": {"KeyY": ("z", "Z"), "KeyZ": ("y", "Y"), "Semicolon": ("ö", "Ö"), "BracketRight": ("+", "*")},
}
SHIFTED = {":": "Semicolon", ")": "Digit0"}
PLAIN = {"-": "Minus", "]": "BracketRight", ";": "Semicolon"}
SHIFT = 8


class Threaded(ThreadingMixIn, WSGIServer):
    """Browsers open connections ahead of need; one of them must not keep the others waiting."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server:
    """The application at an address of its own, which can go away and come back."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        self._server = make_server("127.0.0.1", self.port, self.app, server_class=Threaded, handler_class=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def serving(app: Flask) -> Iterator[Server]:
    server = Server(app)
    yield server
    server.stop()


@contextmanager
def faultless(page: Page) -> Iterator[Page]:
    """A page on which no script fails and nothing offends the content policy."""
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
    yield page
    assert faults == []


def sign_in(page: Page, who: str = "cashier") -> None:
    page.goto("/login?next=/till")
    page.locator("input[type=email]").fill(f"{who}@example.com")
    page.locator("input[type=password]").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("html[data-till=ready]", timeout=WITHIN_MS)


def installed(page: Page) -> None:
    """Wait until the page has what it needs to open without a connection."""
    page.wait_for_selector("html[data-offline=ready]", timeout=WITHIN_MS)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null", timeout=WITHIN_MS)


def key_of(symbol: str) -> tuple[str, bool]:
    """The key of a US keyboard, and whether Shift is held."""
    if symbol.isdigit():
        return f"Digit{symbol}", False
    if symbol.isalpha():
        return f"Key{symbol.upper()}", symbol.isupper()
    return (SHIFTED[symbol], True) if symbol in SHIFTED else (PLAIN[symbol], False)


class Scanner:
    """Presses keys as a wedge scanner does, through the browser's own input: what no page takes goes into the field.

    Each event says itself when it happened, so that a busy machine does not turn a scan into slow typing.
    """

    def __init__(self, context: BrowserContext, page: Page, layout: str = "us", *, capitals: bool = False) -> None:
        self.cdp: CDPSession = context.new_cdp_session(page)
        self.page = page
        self.layout = LAYOUTS[layout]
        self.capitals = capitals  # CapsLock is on

    def scan(self, text: str, *, gap_ms: float = 8, end: str | None = "Enter", late_from: int | None = None) -> None:
        """*late_from*: the page hears of the keys from that one on half a second late, as on a machine that is busy."""
        at = float(self.page.evaluate("() => Date.now() / 1000")) - gap_ms * len(text) / 1000
        self.events: list[dict[str, Any]] = []
        for number, symbol in enumerate(text):
            if number == late_from:
                self._flush()
                self.page.wait_for_timeout(500)
            self._press(symbol, at)
            at += gap_ms / 1000
        if end is not None:
            self._end(end, at)
        self._flush()

    def _flush(self) -> None:
        """All keys leave at once and in order: waiting for each answer would make pauses that no scanner makes."""
        channel, events = self.cdp._impl_obj, self.events
        self.events = []

        async def press() -> None:
            sent = [channel.send("Input.dispatchKeyEvent", event, timeout=0) for event in events]
            await asyncio.gather(*sent)

        self.cdp._sync(press())

    def _press(self, symbol: str, at: float) -> None:
        code, shift = key_of(symbol)
        plain, shifted = self.layout.get(code, _us(code))
        upper = shift != self.capitals if code.startswith("Key") else shift
        character = shifted if upper else plain
        if shift:
            self._send("rawKeyDown", at, code="ShiftLeft", key="Shift", modifiers=SHIFT)
        more: dict[str, Any] = {"code": code, "key": character, "modifiers": SHIFT if shift else 0}
        self._send("keyDown", at, **more, text=character)
        self._send("keyUp", at, **more)
        if shift:
            self._send("keyUp", at, code="ShiftLeft", key="Shift", modifiers=0)

    def _end(self, end: str, at: float) -> None:
        windows_code = {"Enter": 13, "Tab": 9}[end]
        more: dict[str, Any] = {"code": end, "key": end, "windowsVirtualKeyCode": windows_code}
        self._send("keyDown", at, **more, text="\r" if end == "Enter" else "")
        self._send("keyUp", at, **more)

    def _send(self, kind: str, at: float, **event: Any) -> None:
        self.events.append({"type": kind, "timestamp": at, **event})


def scan(page: Page, text: str) -> None:
    """Scan, and wait for the answer to the whole of it; a busy machine may have asked for a part of it before."""
    said = quote_plus(text)
    with page.expect_response(lambda answer: said in (answer.request.post_data or ""), timeout=WITHIN_MS):
        Scanner(page.context, page).scan(text)


def _us(code: str) -> tuple[str, str]:
    if code.startswith("Key"):
        return code[3].lower(), code[3]
    if code.startswith("Digit"):
        return code[5], ")!@#$%^&*("[int(code[5])]
    return {"Semicolon": (";", ":"), "Minus": ("-", "_"), "BracketRight": ("]", "}")}[code]
