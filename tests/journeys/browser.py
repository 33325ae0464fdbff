"""A visitor's Chromium, a camera that films a picture, and `tessera demo` as a newcomer starts it."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from tests.journeys.stage import READY_WITHIN_S, wait_for
from tests.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
in_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]
PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}
FILM = (640, 480)
CODE_SIDE = 360
FRAMES = 5
STOPS_WITHIN_S = 60
expect.set_options(timeout=30_000)


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A running demo: where its pages are, and the passwords it printed by e-mail address."""

    base: str
    sandbox: str
    passwords: dict[str, str]

    def state(self) -> dict[str, Any]:
        """What both phones hold and show."""
        found: dict[str, Any] = requests.get(f"{self.sandbox}/sandbox/state", timeout=10).json()
        return found

    def phone_browser(self, phone: str) -> str:
        """Where the browser inside a phone ("apple" or "google") answers."""
        return str(self.state()[phone]["browser"])

    def card(self, phone: str) -> dict[str, Any]:
        """The newest card of a phone."""
        found: dict[str, Any] = self.state()[phone]["cards"][0]
        return found

    def sign_in(self, page: Page, who: str, room: str) -> None:
        """Sign in with the keyboard, as the terminal says."""
        page.goto(f"{self.base}/login?next=/{room}")
        page.get_by_label("E-mail address").fill(f"{who}@demo.example")
        page.get_by_label("Password").fill(self.passwords[f"{who}@demo.example"])
        page.keyboard.press("Enter")
        page.wait_for_url(f"{self.base}/{room}")


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    """`tessera demo` in a process of its own, until the block ends."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ,
        "TESSERA_VAR_DIR": str(folder / "var"),
        "TESSERA_BASE_URL": base,
        "TESSERA_LISTEN": f"127.0.0.1:{port}",
    }
    with (folder / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "demo"], env=environ, cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: process.poll() is not None or _answers(base), READY_WITHIN_S)
        assert process.poll() is None, (folder / "demo.log").read_text()
        inside = folder / "var" / "demo"
        addresses = json.loads((inside / "sandbox" / "sandbox.json").read_text())
        logins = json.loads((inside / "logins.json").read_text())
        yield Demo(base=base, sandbox=addresses["pages_url"], passwords=logins)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOPS_WITHIN_S)


def _answers(base: str) -> bool:
    try:
        return requests.get(f"{base}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


@contextmanager
def chromium(playwright: Playwright, *more: str) -> Iterator[Browser]:
    """A fresh Chromium with a profile of its own."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
    yield browser
    browser.close()


def camera_on(film: Path) -> tuple[str, ...]:
    """The arguments of a Chromium whose camera shows a film and whose owner has allowed it."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


def film_of(picture: bytes, file: Path) -> None:
    """A short film (YUV4MPEG2) of a picture held before a camera: centred, a little small, on a grey ground."""
    shown = Image.open(io.BytesIO(picture)).convert("RGB").resize((CODE_SIDE, CODE_SIDE), Image.Resampling.BILINEAR)
    ground = Image.new("RGB", FILM, (118, 116, 112))
    ground.paste(shown, ((FILM[0] - CODE_SIDE) // 2, (FILM[1] - CODE_SIDE) // 2))
    luma, *colour = ground.convert("YCbCr").split()
    half = (FILM[0] // 2, FILM[1] // 2)
    frame = luma.tobytes() + b"".join(plane.resize(half).tobytes() for plane in colour)
    head = f"YUV4MPEG2 W{FILM[0]} H{FILM[1]} F10:1 Ip A1:1 C420jpeg\n".encode()
    file.write_bytes(head + (b"FRAME\n" + frame) * FRAMES)


def visitor(browser: Browser, **options: Any) -> BrowserContext:
    """A visitor who reads English; pages fail the test by what they throw or what their policy forbids."""
    return browser.new_context(**{"viewport": DESK, "locale": "en-GB", **options})


def faults_of(context: BrowserContext) -> list[str]:
    """Everything that any page of this visitor complains of from now on."""
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda line: faults.append(f"{line.text} {line.location}") if line.type == "error" else None)
    return faults
