"""The batch endpoint: a multipart body of whole requests, each judged as if it had come alone."""

import io
import re
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import unquote, urlsplit

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from app.sandbox.google.refusal import invalid

PARTS_MAX = 1000
REQUEST_LINE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S*)(?: HTTP/1\.1)?")
BOUNDARY = "batch_sandbox"


def requests_of(request: Request, data: bytes) -> list[tuple[str, Request, bytes]]:
    """The calls of a batch: the name of each part, the request, its body. Raises Refusal where it is malformed."""
    content_type = request.headers.get("Content-Type", "")
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + data, policy=HTTP)
    if message.get_content_type() != "multipart/mixed" or not message.is_multipart() or message.defects:
        raise invalid("Failed to parse batch request, error: the body is not multipart/mixed with its boundary")
    parts = list(message.iter_parts())
    if not 0 < len(parts) <= PARTS_MAX:
        raise invalid(f"The batch holds {len(parts)} calls; 1 to {PARTS_MAX} are allowed")
    found = [
        _request_of(part.get("Content-ID", ""), part.get_content_type(), _bytes_of(part), request) for part in parts
    ]
    names = [name for name, _, _ in found]
    if len(set(names)) != len(names):
        raise invalid("Two parts of the batch have the same Content-ID")
    written = [one.path for _, one, _ in found if one.method not in {"GET", "POST"}]
    if len(set(written)) != len(written):
        raise invalid("Two calls of the batch write the same resource; their order is not defined")
    return found


def answer(parts: list[tuple[str, Response | None]]) -> Response:
    """All answers as one, the last call's first: whoever relies on the order learns it here."""
    lines = [_answer_part(name, response) for name, response in reversed(parts) if response is not None]
    body = b"".join(f"--{BOUNDARY}\r\n".encode() + line for line in lines) + f"--{BOUNDARY}--\r\n".encode()
    return Response(body, 200, content_type=f"multipart/mixed; boundary={BOUNDARY}")


def _request_of(name: str, kind: str, inner: bytes, outer: Request) -> tuple[str, Request, bytes]:
    head, blank, rest = inner.partition(b"\r\n\r\n")
    line, _, fields = head.decode("utf-8", "replace").partition("\r\n")
    asked = REQUEST_LINE.fullmatch(line)
    if kind != "application/http" or not name or asked is None or not blank:
        raise invalid("A part of the batch is no HTTP request with a Content-ID")
    headers = message_from_bytes(fields.encode() + b"\r\n\r\n", policy=HTTP)
    length = headers.get("Content-Length", "0")
    body = rest[: int(length)] if str(length).isdigit() else rest
    parts = urlsplit(asked[2])
    builder = EnvironBuilder(
        method=asked[1],
        path=unquote(parts.path),
        query_string=parts.query,
        headers=[("Authorization", outer.headers.get("Authorization", ""))],
        input_stream=io.BytesIO(body),
        content_type=headers.get("Content-Type", ""),
    )
    return name.strip("<>"), Request(builder.get_environ()), body


def _bytes_of(part: object) -> bytes:
    payload = part.get_payload(decode=True)  # type: ignore[attr-defined]  # the email package types its parts loosely
    return payload if isinstance(payload, bytes) else b""


def _answer_part(name: str, response: Response) -> bytes:
    inner = [f"HTTP/1.1 {response.status}", *(f"{key}: {value}" for key, value in response.headers.items())]
    lines = ["Content-Type: application/http", f"Content-ID: <response-{name}>", "", *inner, "", ""]
    return "\r\n".join(lines).encode() + response.get_data() + b"\r\n"
