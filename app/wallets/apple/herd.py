"""The two calls that all phones make at once after a campaign: what changed, and the pass itself.

They are answered before Flask. A signature takes 260 µs of a processor; Flask's own way with a request, hooks
included, took 135 µs more, which alone put the goal of 0.6 of the signing rate out of reach. What Flask's pages share
(the trace, the counted requests, the headers, how refusals are said) comes from `app.web`.
"""

import json
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import Counter, Histogram

from app import trace, web
from app.errors import AppError, TooManyRequests
from app.wallets.apple import access, changes
from app.wallets.apple.add import issue
from app.wallets.apple.issuer import issuer
from app.wallets.apple.limits import Limit
from app.world import World
from passes.apple.addresses import PASS_TYPE
from passes.apple.bundle import MEDIA_TYPE
from passes.apple.webservice import DEVICE_ID, is_unmodified, last_modified, serials_answer

Answer = tuple[str, list[tuple[str, str]], bytes]
METHODS = ("GET", "HEAD")
_NOTHING: Answer = ("204 No Content", [], b"")
# some clients write `//v1`, which must not become a redirect
_PATH = re.compile(
    r"/+apple/+v1/+(?:passes/+(?P<pass_type>[^/]+)/+(?P<serial>[^/]+)"
    r"|devices/+(?P<device>[^/]+)/+registrations/+(?P<held>[^/]+))/*"
)


class _NotTaken(AppError):
    status = 405


class Herd:
    """Answers the two calls and hands every other request on."""

    def __init__(self, inner: WSGIApplication, world: World) -> None:
        self._inner = inner
        self._world = world
        # no limit by address for phones that are known: thousands may share the address of a network or a proxy
        self._lists = Limit("list", 300, timedelta(minutes=1), block=30)
        self._strangers = Limit("stranger", 120, timedelta(minutes=1), block=10)
        self._kept = issuer(world)
        self._meters: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._headers = [*web.standard_headers(world.settings), ("Cache-Control", "no-store")]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        part = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if part is None:
            return self._inner(environ, start_response)
        name = "apple.fetch" if part["serial"] else "apple.changed"
        method = environ["REQUEST_METHOD"]
        request_id, began = trace.begin(), time.perf_counter()
        try:
            status, headers, body = self._answer(environ, part)
        except Exception as fault:
            status, headers, body = _refused(fault, f"{method} {environ['PATH_INFO']}", request_id)
        self._count(method, name, status, time.perf_counter() - began)
        start_response(status, [*self._headers, *headers, ("X-Request-Id", request_id)])
        return [body] if body and method != "HEAD" else []

    def _count(self, method: str, name: str, status: str, took_s: float) -> None:
        key = (method if method in METHODS else "OTHER", name, status)
        kept = self._meters.get(key)
        if kept is None:  # looking them up by their labels costs more than counting
            kept = web.REQUESTS.labels(key[0], name, status[:3]), web.REQUEST_SECONDS.labels(name)
            self._meters[key] = kept
        kept[0].inc()
        kept[1].observe(took_s)

    def _answer(self, environ: WSGIEnvironment, part: re.Match[str]) -> Answer:
        if environ["REQUEST_METHOD"] not in METHODS:
            raise _NotTaken(*web.HTTP_REFUSALS[405])
        with self._kept.places:
            if part["serial"]:
                return self._fetch(environ, part["pass_type"], part["serial"])
            return self._changed(environ, part["device"], part["held"])

    def _fetch(self, environ: WSGIEnvironment, pass_type: str, serial: str) -> Answer:
        row, token = access.authorised(self._world, environ, pass_type, serial)
        modified_at = row.modified_at
        changed_at = ("Last-Modified", last_modified(modified_at))
        if is_unmodified(environ.get("HTTP_IF_MODIFIED_SINCE"), modified_at):
            self._kept.fetched.note(row.card_id, row.version)
            return "304 Not Modified", [changed_at], b""
        signed = issue(self._world, row, token)
        if environ["REQUEST_METHOD"] == "GET":
            self._kept.fetched.note(row.card_id, row.version, signed.signed_with)
        headers = [
            changed_at,
            ("Content-Type", MEDIA_TYPE),
            ("Content-Length", str(len(signed.content))),
            ("Content-Disposition", f'attachment; filename="{pass_type}.pkpass"'),
        ]
        return "200 OK", headers, signed.content

    def _changed(self, environ: WSGIEnvironment, device: str, pass_type: str) -> Answer:
        """Phones send no Authorization here: the device library identifier is the secret."""
        if not DEVICE_ID.fullmatch(device) or not PASS_TYPE.fullmatch(pass_type):
            return _NOTHING
        asked = parse_qs(environ.get("QUERY_STRING", "")).get("passesUpdatedSince", [None])[0]
        found = changes.changes(
            self._world.database, device=device, pass_type=pass_type, tag=asked, now=self._world.clock()
        )
        limit, key = (self._lists, device) if found.is_known else (self._strangers, environ.get("REMOTE_ADDR", ""))
        if not limit.take(self._world, key):
            raise TooManyRequests("too_many_lists", "This device asks too often.", retry_after_s=60)
        if not found.serials:
            return _NOTHING
        body = serials_answer(found.serials, found.tag)
        return "200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


def _refused(fault: Exception, where: str, request_id: str) -> Answer:
    error = web.refusal_of(fault, where, request_id)
    body = json.dumps(web.problem_of(error, request_id)).encode()
    headers = [("Content-Type", web.PROBLEM_TYPE), ("Content-Length", str(len(body)))]
    if error.retry_after_s is not None:
        headers.append(("Retry-After", str(error.retry_after_s)))
    if error.status == 405:
        headers.append(("Allow", ", ".join(METHODS)))
    return f"{error.status} {HTTPStatus(error.status).phrase}", headers, body
