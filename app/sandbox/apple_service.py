"""The device's half of Apple's pass web service: what it asks, and which answers it takes for success."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from app.sandbox.apple_archive import ARCHIVE_BYTES_MAX
from app.sandbox.phone_time import utc_now

TIMEOUT_S = 30
PASSD = "passd/1.0 CFNetwork/1568.300.101 Darwin/24.2.0"
JSON_BYTES_MAX = 1024 * 1024


class ServiceFault(Exception):
    """An answer (or none) that the device takes for failure; `final` faults are not tried again."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


@dataclass(frozen=True, kw_only=True)
class Target:
    """One pass at one web service, as one device knows it."""

    url: str
    device: str
    pass_type: str
    serial: str = ""
    token: str = ""

    @property
    def registration_path(self) -> str:
        return f"/v1/devices/{_part(self.device)}/registrations/{_part(self.pass_type)}"

    @property
    def pass_path(self) -> str:
        return f"/v1/passes/{_part(self.pass_type)}/{_part(self.serial)}"


@dataclass(frozen=True, kw_only=True)
class Listing:
    serials: list[str]
    tag: str | None


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """content is None when the service said that the card is unchanged."""

    content: bytes | None
    last_modified: str | None
    media_type: str = ""


def _part(text: str) -> str:
    return quote(text, safe="")


class PassService:
    """Calls web services as the device does: no cookies, no redirects, no proxy."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.clear()

    def register(self, target: Target, push_token: str) -> int:
        """200 or 201, else ServiceFault."""
        path = f"{target.registration_path}/{_part(target.serial)}"
        answer = self._call("POST", target, path, {200, 201}, body={"pushToken": push_token})
        return answer.status_code

    def unregister(self, target: Target) -> int:
        path = f"{target.registration_path}/{_part(target.serial)}"
        return self._call("DELETE", target, path, {200, 201}).status_code

    def list_changed(self, target: Target, tag: str | None) -> Listing:
        """The serials that changed since the tag; the call carries no Authorization."""
        query = "" if tag is None else f"?passesUpdatedSince={quote(tag, safe='')}"
        answer = self._call("GET", target, f"{target.registration_path}{query}", {200, 204}, authorized=False)
        if answer.status_code == 204:
            return Listing(serials=[], tag=None)
        try:
            content: Any = answer.json()
        except ValueError as error:
            raise ServiceFault("Received malformed response: it is no JSON", final=True) from error
        if not isinstance(content, dict):
            raise ServiceFault("Received malformed response: the top level is no object", final=True)
        serials, new_tag = content.get("serialNumbers"), content.get("lastUpdated")
        if not isinstance(serials, list) or not all(isinstance(serial, str) for serial in serials):
            raise ServiceFault("Received malformed response: serialNumbers is no array of strings", final=True)
        if not isinstance(new_tag, str):
            raise ServiceFault(f"Received malformed response: lastUpdated {new_tag!r} is no string", final=True)
        return Listing(serials=serials, tag=new_tag)

    def fetch(self, target: Target, last_modified: str | None) -> Fetched:
        headers = {"If-Modified-Since": last_modified} if last_modified is not None else {}
        answer = self._call("GET", target, target.pass_path, {200, 304}, headers=headers)
        stamp = answer.headers.get("Last-Modified")
        if answer.status_code == 304:
            return Fetched(content=None, last_modified=stamp)
        return Fetched(content=answer.content, last_modified=stamp, media_type=answer.headers.get("Content-Type", ""))

    def tell(self, url: str, lines: list[str]) -> int:
        """Post log lines; the status, since the device does not care."""
        answer = self._send("POST", f"{url}/v1/log", {}, {"logs": lines})
        return answer.status_code

    def close(self) -> None:
        self._session.close()

    def _call(
        self,
        method: str,
        target: Target,
        path: str,
        success: set[int],
        *,
        authorized: bool = True,
        body: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        sent = dict(headers or {})
        if authorized:
            sent["Authorization"] = f"ApplePass {target.token}"
        answer = self._send(method, target.url.rstrip("/") + path, sent, body)
        if answer.status_code == 401:
            raise ServiceFault("Authentication failure", final=True)
        if answer.status_code not in success:
            raise ServiceFault(f"Unexpected response code {answer.status_code}")
        return answer

    def _send(self, method: str, url: str, headers: dict[str, str], body: Any) -> requests.Response:
        sent = {"User-Agent": PASSD, "Accept": "*/*", **headers}
        try:
            answer = self._session.request(
                method, url, headers=sent, json=body, timeout=TIMEOUT_S, allow_redirects=False, stream=True
            )
            with answer:
                _read(answer, ARCHIVE_BYTES_MAX if answer.status_code == 200 else JSON_BYTES_MAX)
        except requests.RequestException as error:
            raise ServiceFault(f"Could not connect to the server ({type(error).__name__})") from error
        self._session.cookies.clear()
        return answer


def _read(answer: requests.Response, limit: int) -> None:
    content = bytearray()
    for chunk in answer.iter_content(65536):
        content += chunk
        if len(content) > limit:
            raise ServiceFault(f"Received more than {limit:,} bytes", final=True)
    answer._content = bytes(content)


def log_line(task: str, target: Target, fault: str, detail: str = "") -> str:
    """A line as the device posts it."""
    at = utc_now().astimezone()
    who = f"device {target.device}, " if task != "Get pass task" else ""
    serial = f", serial number {target.serial}" if target.serial else ""
    return (
        f"[{at:%Y-%m-%d %H:%M:%S %z}] {task} (for {who}pass type {target.pass_type}{serial}{detail}; "
        f"with web service url {target.url}) encountered error: {fault}"
    )
