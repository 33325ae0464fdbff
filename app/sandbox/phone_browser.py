"""The browser inside a phone: a proxy to the product, and to Google's save page in the sandbox, and to nothing else."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import requests
from markupsafe import Markup, escape
from werkzeug.wrappers import Request, Response

from app.sandbox.http_server import LocalServer

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Mobile/15E148 Safari/604.1"
)
ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36"
)
PKPASS = "application/vnd.apple.pkpass"
GOOGLE_SAVE = "https://pay.google.com/gp/v/save/"
SAVE_PATH = "/gp/v/save/"
OWN_STYLE = "/.phone/browser.css"
REQUEST_BYTES_MAX = 10 * 1024 * 1024
PAGE_BYTES_MAX = 5 * 1024 * 1024
FILE_BYTES_MAX = 25 * 1024 * 1024
TIMEOUT_S = 30
SENT_ON = ("Accept", "Content-Type", "Range", "If-None-Match", "If-Modified-Since", "X-Requested-With", "X-CSRFToken")
NOT_SENT_BACK = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "set-cookie", "date"}
    | {"server", "x-frame-options", "strict-transport-security", "content-security-policy", "location"}
)


class BrowsingPhone(Protocol):
    """What the browser must know of the phone around it; `take_pass` answers the words of the sheet."""

    user_agent: str

    @property
    def language(self) -> str: ...

    @property
    def airplane(self) -> bool: ...

    def take_pass(self, pkpass: bytes) -> "Sheet": ...


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What the phone says about a pass that the browser met."""

    title: str
    lines: list[str]
    good: bool


class PhoneBrowser:
    """Serves on its own port, so that the product's own paths work as they are."""

    def __init__(self, phone: BrowsingPhone, product_url: str, save_url: str, *, port: int = 0) -> None:
        """save_url: where the sandbox answers save links (…/gp/v/save), "" without."""
        self._phone = phone
        self._product = _origin(product_url)
        self._google = _origin(save_url)
        self._save_url = save_url.rstrip("/") + "/" if save_url else ""
        self._session = requests.Session()
        self._session.trust_env = False
        self._lock = threading.Lock()
        self._watchers: list[Callable[[], None]] = []
        self.location = ""
        self._server = LocalServer(self, port)
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self._session.close()

    def watch(self, on_change: Callable[[], None]) -> None:
        self._watchers.append(on_change)

    def __call__(self, environ: dict[str, object], start_response: Callable[..., object]) -> Iterator[bytes]:
        answer = self._answer(Request(environ))
        return iter(answer(environ, start_response))  # type: ignore[arg-type]  # werkzeug's narrower WSGI types

    def _answer(self, request: Request) -> Response:
        if request.host != _netloc(self.url):
            return Response("This address belongs to another server.", 421)
        if request.path == OWN_STYLE:
            return Response(STYLE, content_type="text/css; charset=utf-8")
        if self._phone.airplane:
            return _page("You are offline", ["Turn off airplane mode to open this page."], 503)
        if (request.content_length or 0) > REQUEST_BYTES_MAX:
            return _page("Too large", [f"The phone sends at most {REQUEST_BYTES_MAX // 1024 // 1024} MB."], 413)
        base = self._google if request.path.startswith("/gp/") and self._google else self._product
        try:
            return self._hand_over(request, self._forward(request, base), base)
        except requests.RequestException:
            lines = [f"Nothing answers at {base or 'an unknown address'}.", "Start the product, then try again."]
            return _page("The shop cannot be reached", lines, 502)

    def _forward(self, request: Request, base: str) -> requests.Response:
        headers = {name: request.headers[name] for name in SENT_ON if name in request.headers}
        headers |= {"User-Agent": self._phone.user_agent, "Accept-Language": self._phone.language}
        headers["Accept-Encoding"] = "identity"
        if "Origin" in request.headers:
            headers["Origin"] = base
        if "Referer" in request.headers:
            headers["Referer"] = base + (urlsplit(request.headers["Referer"]).path or "/")
        for name in ("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"):
            if name in request.headers:
                headers[name] = "document" if request.headers[name] == "iframe" else request.headers[name]
        query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
        path = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path + query
        return self._session.request(
            request.method,
            base + "/" + str(path).lstrip("/"),
            headers=headers,
            data=request.get_data() or None,
            allow_redirects=False,
            stream=True,
            timeout=TIMEOUT_S,
        )

    def _hand_over(self, request: Request, answer: requests.Response, base: str) -> Response:
        media = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if answer.status_code == 200 and media == PKPASS:
            return self._take_pass(request, answer)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in NOT_SENT_BACK}
        if "Content-Security-Policy" in answer.headers:
            headers["Content-Security-Policy"] = _frameable(answer.headers["Content-Security-Policy"])
        if "Location" in answer.headers:
            target = self._own_address(answer.headers["Location"])
            if target is None:
                answer.close()
                return _page("This leaves the sandbox", [answer.headers["Location"][:300]], 200, back=_back(request))
            headers["Location"] = target
        if media == "text/html":
            self._note_location(request, answer.status_code)
            content = _bounded(answer, PAGE_BYTES_MAX)
            if content is None:
                return _page("Too large", ["The page is too large for this phone."], 502)
            return Response(self._own_links(content, base), answer.status_code, headers)
        body: Iterator[bytes] = _stream(answer, FILE_BYTES_MAX)
        return Response(body, answer.status_code, headers, direct_passthrough=True)

    def _take_pass(self, request: Request, answer: requests.Response) -> Response:
        content = _bounded(answer, FILE_BYTES_MAX)
        if content is None or request.method == "HEAD":
            return _page("Safari cannot download this file", ["It is too large."], 200, back=_back(request))
        sheet = self._phone.take_pass(content)
        return _page(sheet.title, sheet.lines, 200, back=_back(request), good=sheet.good)

    def _own_address(self, location: str) -> str | None:
        """Where a redirect leads within this browser; None if it leads out of the sandbox."""
        for prefix in (self._save_url, GOOGLE_SAVE):
            if prefix and location.startswith(prefix):
                return SAVE_PATH + location.removeprefix(prefix)
        if _is_under(location, self._product):
            return self.url + location.removeprefix(self._product)
        if not urlsplit(location).netloc and not urlsplit(location).scheme:
            return location
        return None

    def _own_links(self, content: bytes, base: str) -> bytes:
        """Absolute addresses of the product in attributes lead through this browser; words stay as they are."""
        pattern = rb'(=\s*["\'])' + re.escape(base.encode()) + rb'(?=[/"\'?#])'
        return re.sub(pattern, lambda match: bytes(match[1]) + self.url.encode(), content)

    def _note_location(self, request: Request, status: int) -> None:
        if request.headers.get("Sec-Fetch-Dest") not in ("iframe", "document", None) or status in range(300, 400):
            return
        self.location = request.full_path.rstrip("?")
        for watcher in self._watchers:
            watcher()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _netloc(url: str) -> str:
    return urlsplit(url).netloc


def _is_under(location: str, origin: str) -> bool:
    return bool(origin) and (location == origin or location.startswith((f"{origin}/", f"{origin}?")))


def _back(request: Request) -> str:
    referrer = urlsplit(request.headers.get("Referer", ""))
    return referrer.path if referrer.path.startswith("/") and not referrer.path.startswith("//") else "/"


def _frameable(policy: str) -> str:
    kept = [part for part in policy.split(";") if not part.strip().lower().startswith("frame-ancestors")]
    return ";".join(kept)


def _bounded(answer: requests.Response, limit: int) -> bytes | None:
    content = bytearray()
    with answer:
        for chunk in answer.iter_content(65536):
            content += chunk
            if len(content) > limit:
                return None
    return bytes(content)


def _stream(answer: requests.Response, limit: int) -> Iterator[bytes]:
    sent = 0
    with answer:
        for chunk in answer.iter_content(16384):
            sent += len(chunk)
            if sent > limit:
                return
            yield chunk


def _page(title: str, lines: list[str], status: int, *, back: str = "", good: bool | None = None) -> Response:
    mark = (
        ""
        if good is None
        else Markup('<p class="mark {}">{}</p>').format("good" if good else "bad", "✓" if good else "!")
    )
    words = Markup("").join(Markup("<p>{}</p>").format(line) for line in lines)
    link = Markup('<p><a class="button" href="{}">{}</a></p>').format(back, "Done" if good else "Back") if back else ""
    html = Markup(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="{}"></head>'
        "<body><main>{}<h1>{}</h1>{}{}</main></body></html>"
    ).format(escape(title), OWN_STYLE, mark, title, words, link)
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'self'", "Cache-Control": "no-store"}
    return Response(html, status, headers, content_type="text/html; charset=utf-8")


STYLE = """
:root { color-scheme: light dark; font: 16px/1.45 -apple-system, system-ui, "Segoe UI", Roboto, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: Canvas; color: CanvasText; }
main { width: min(20rem, 100% - 3rem); text-align: center; }
h1 { font-size: 1.3rem; margin: .4rem 0; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
.mark { width: 3.5rem; height: 3.5rem; margin: 0 auto; border-radius: 50%; display: grid; place-items: center;
  font-size: 1.8rem; font-weight: 700; color: #fff; }
.good { background: #15803d; } .bad { background: #b91c1c; }
.button { display: inline-block; margin-top: 1rem; padding: .7rem 2rem; border-radius: 2rem; font-weight: 600;
  text-decoration: none; background: #1d4ed8; color: #fff; }
.button:focus-visible { outline: 3px solid #60a5fa; outline-offset: 3px; }
"""
