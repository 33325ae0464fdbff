"""Many calls in one: a multipart body whose parts are whole HTTP requests, and the answer taken apart again.

Source: https://cloud.google.com/compute/docs/api/how-tos/batch (the form that all of Google's REST APIs share) and the
Wallet guide to batching, https://developers.google.com/wallet/retail/loyalty-cards/resources/performance-tips.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import urlencode

from passes.google.api import Request

PATH = "/batch"
CALLS_MAX = 50
_ITEM = re.compile(r"<?(?:response-)?item-(\d+)>?")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})[^\r\n]*\r?\n")


@dataclass(frozen=True, kw_only=True)
class Part:
    """The answer to one call of a batch."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def encode(requests: Sequence[Request], *, boundary: str) -> bytes:
    """The body of a batch; it is sent to PATH as `multipart/mixed; boundary=…`.

    Args:
        requests: at most CALLS_MAX, and never two about one resource: their order is not promised.
        boundary: letters and digits that no body contains.

    Raises: ValueError, if there are too many or none.
    """
    if not 0 < len(requests) <= CALLS_MAX:
        raise ValueError(f"a batch holds 1 to {CALLS_MAX} calls, not {len(requests)}")
    parts = [_part(number, request) for number, request in enumerate(requests)]
    mark = f"--{boundary}\r\n".encode()
    return b"".join(mark + part for part in parts) + f"--{boundary}--\r\n".encode()


def decode(content_type: str, content: bytes) -> dict[int, Part]:
    """The answers by the number of their call, whatever their order; those that cannot be read are absent."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + content)
    found: dict[int, Part] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        item = _ITEM.fullmatch(str(part.get("Content-ID", "")).strip())
        inner = part.get_payload(decode=True)
        answer = _answer(inner) if isinstance(inner, bytes) else None
        if item is not None and answer is not None:
            found[int(item.group(1))] = answer
    return found


def _part(number: int, request: Request) -> bytes:
    query = f"?{urlencode(request.query)}" if request.query else ""
    content = request.content or b""
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: <item-{number}>",
        "",
        f"{request.method} {request.path}{query}",
        "Content-Type: application/json; charset=UTF-8",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content + b"\r\n"


def _answer(inner: bytes) -> Part | None:
    status = _STATUS.match(inner.lstrip())
    if status is None:
        return None
    message = BytesParser(policy=HTTP).parsebytes(inner.lstrip()[status.end() :])
    content = message.get_payload(decode=True)
    return Part(
        status=int(status.group(1)),
        headers={name: str(value) for name, value in message.items()},
        content=content if isinstance(content, bytes) else b"",
    )
