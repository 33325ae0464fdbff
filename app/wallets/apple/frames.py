"""HTTP/2 as far as a client of APNs speaks it: the bytes of frames, and of one push.

Source: RFC 9113 (HTTP/2), RFC 7541 (HPACK).
"""

import struct
from collections.abc import Iterable
from enum import IntEnum

from hpack import Encoder, NeverIndexedHeaderTuple

from passes.apple.push import PUSH_BODY, push_path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
FRAME_BYTES_MAX = 16_384
WINDOW = 65_535
WINDOW_MAX = (1 << 31) - 1
STREAM_ID_MAX = (1 << 31) - 1
END_STREAM, END_HEADERS, PADDED, PRIORITISED, ACK = 0x1, 0x4, 0x8, 0x20, 0x1
WHOLE = END_STREAM | END_HEADERS
STATUS_200 = 0x88  # the header block of a plain success begins with this entry of HPACK's static table


class Kind(IntEnum):
    """Kinds of frames."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Setting(IntEnum):
    """What a peer says of itself."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4


class Code(IntEnum):
    """Why a stream or a connection ended."""

    NO_ERROR = 0
    REFUSED_STREAM = 7
    CANCEL = 8


class ProtocolFault(Exception):
    """The other side does not keep to HTTP/2."""


def frame(kind: Kind, body: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """One frame. *body* must be shorter than `FRAME_BYTES_MAX`."""
    return len(body).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + body


def settings(values: dict[Setting, int]) -> bytes:
    """What we say of ourselves."""
    return frame(Kind.SETTINGS, b"".join(struct.pack("!HI", *pair) for pair in values.items()))


def read_settings(body: bytes) -> dict[int, int]:
    """What the other side says of itself; the last word on each counts.

    Raises: ProtocolFault.
    """
    if len(body) % 6:
        raise ProtocolFault("a SETTINGS frame of a wrong length")
    return dict(struct.iter_unpack("!HI", body))


def number(body: bytes, at: int = 0) -> int:
    """Four bytes without the reserved bit.

    Raises: ProtocolFault, if there are fewer.
    """
    if len(body) < at + 4:
        raise ProtocolFault("a frame that is too short")
    return int.from_bytes(body[at : at + 4]) & WINDOW_MAX


def without_padding(body: bytes, flags: int) -> bytes:
    """What HEADERS or DATA carry between padding and priorities.

    Raises: ProtocolFault, if the padding is longer than the frame.
    """
    first, last = 0, len(body)
    if flags & PADDED:
        first, last = 1, len(body) - (body[0] if body else 0)
    if flags & PRIORITISED:
        first += 5
    if first > last:
        raise ProtocolFault("a frame with more padding than bytes")
    return body[first:last]


class Form:
    """What pushes with the same headers share, so that one of a million costs the joining of a few bytes.

    No header enters HPACK's dynamic table: the server keeps no state of ours, whatever the size of table it grants.
    """

    def __init__(self, authority: str, headers: Iterable[tuple[str, str]]) -> None:
        self._before = _block((":method", "POST"), (":scheme", "https"), (":authority", authority))
        sizes = ("content-length", str(len(PUSH_BODY))), ("content-type", "application/json")
        self._after = _block(*headers, *sizes)

    def push(self, push_token: str, stream: int) -> bytes:
        """The two frames of a push on a stream of its own.

        Source: Apple, User Notifications, "Sending notification requests to APNs".
        """
        path = push_path(push_token).encode("ascii")
        size = len(path)
        length = bytes((size,)) if size < 127 else bytes((127, size - 127))
        block = b"%b\x14%b%b%b" % (self._before, length, path, self._after)
        on = stream.to_bytes(4)
        return b"%b\x01\x04%b%b%b%b%b" % (len(block).to_bytes(3), on, block, _DATA_HEAD, on, PUSH_BODY)


_DATA_HEAD = len(PUSH_BODY).to_bytes(3) + bytes((Kind.DATA, END_STREAM))


def _block(*headers: tuple[str, str]) -> bytes:
    return Encoder().encode([NeverIndexedHeaderTuple(name, value) for name, value in headers])
