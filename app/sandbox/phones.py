"""The two phones of a sandbox, each with its browser, started and stopped together."""

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from app.sandbox.apple_phone import ApplePhone
from app.sandbox.google_phone import GooglePhone
from app.sandbox.phone_browser import ANDROID, IPHONE, PhoneBrowser, Sheet

if TYPE_CHECKING:
    from app.sandbox.sandbox import Sandbox

APPLE, GOOGLE = "apple", "google"
JOIN_LINK = re.compile(r"""href=["'](?:https?://[^/"']+)?(/join/[A-Za-z0-9._-]+)["']""")
PAGE_CHARACTERS_MAX = 500_000


@dataclass
class IPhone:
    """The iPhone as its browser sees it: passes go to Wallet."""

    phone: ApplePhone
    user_agent: str = IPHONE

    @property
    def language(self) -> str:
        return self.phone.device.language

    @property
    def airplane(self) -> bool:
        return self.phone.device.airplane

    def take_pass(self, pkpass: bytes) -> Sheet:
        verdict = self.phone.add(pkpass)
        if verdict.accepted and verdict.apple_pass is not None:
            name = str(verdict.apple_pass.content["organizationName"])
            return Sheet(title="Added to Wallet", lines=[f"{name} is now among your cards."], good=True)
        return Sheet(title="Wallet cannot add this pass", lines=verdict.reasons[:5], good=False)


@dataclass
class AndroidPhone:
    """The Android phone as its browser sees it."""

    phone: GooglePhone
    user_agent: str = ANDROID

    @property
    def language(self) -> str:
        return self.phone.language

    @property
    def airplane(self) -> bool:
        return self.phone.airplane

    def take_pass(self, pkpass: bytes) -> Sheet:
        lines = [f"This phone has no app for an Apple pass of {len(pkpass):,} bytes.", "Use Add to Google Wallet."]
        return Sheet(title="Cannot open this file", lines=lines, good=False)


class Phones:
    """`version` rises with every visible change; `wait_for_change` is what live pages sit in."""

    def __init__(self, sandbox: "Sandbox") -> None:
        folder = sandbox.folder
        self.product_url = sandbox.product_url.rstrip("/")
        self.apple = ApplePhone(sandbox.hub, folder / "iphone", root_pem=sandbox.ca_file.read_bytes())
        self.google = GooglePhone(sandbox.google, folder / "android")
        self.version = 0
        self._changed = threading.Condition()
        self._closed = False
        product, save = sandbox.product_url, sandbox.save_url_prefix
        self.browsers = {
            APPLE: PhoneBrowser(IPhone(self.apple), product, save),
            GOOGLE: PhoneBrowser(AndroidPhone(self.google), product, save),
        }
        self.apple.watch(self._note_change)
        self.google.watch(self._note_change)
        for browser in self.browsers.values():
            browser.watch(self._note_change)
            browser.start()

    def wait_for_change(self, after: int, timeout_s: float) -> int:
        """The version, as soon as it differs from *after* or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.version != after or self._closed, timeout_s)
            return self.version

    def poster_path(self) -> str:
        """What the poster leads to: the product's join page, or its first page where there are several."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                page = session.get(f"{self.product_url}/", timeout=5, headers={"User-Agent": IPHONE}).text
            except requests.RequestException:
                return "/"
        found = sorted(set(JOIN_LINK.findall(page[:PAGE_CHARACTERS_MAX])))
        return str(found[0]) if len(found) == 1 else "/"

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for browser in self.browsers.values():
            browser.stop()
        self.apple.close()
        self.google.close()

    def _note_change(self) -> None:
        with self._changed:
            self.version += 1
            self._changed.notify_all()
