"""The small part of DER that a pass signature needs: writing, and reading without trust."""

from dataclasses import dataclass
from datetime import UTC, datetime

from passes.errors import VerificationError

INTEGER, BITS, OCTETS, NULL, OID, UTC_TIME, GENERALIZED_TIME = 0x02, 0x03, 0x04, 0x05, 0x06, 0x17, 0x18
SEQUENCE, SET, CONTEXT_0, CONTEXT_1 = 0x30, 0x31, 0xA0, 0xA1
CONTEXT_0_PLAIN = 0x80
_CHILDREN_MAX = 100
_OID_BYTES_MAX = 30


@dataclass(frozen=True, kw_only=True)
class Node:
    """One element: its tag, its content, and the bytes it came from."""

    tag: int
    content: bytes
    raw: bytes


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write an element from its content."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int) -> bytes:
    """Write a non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    content = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        content += bytes(reversed(septets))
    return tlv(OID, bytes(content))


def time(moment: datetime) -> bytes:
    """Write a Time as CMS wants it: UTCTime from 1950 to 2049, else GeneralizedTime."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    # Not strftime, which takes longer than all the rest of the structure.
    text = f"{utc.month:02}{utc.day:02}{utc.hour:02}{utc.minute:02}{utc.second:02}Z"
    if 1950 <= utc.year < 2050:
        return tlv(UTC_TIME, f"{utc.year % 100:02}{text}".encode())
    return tlv(GENERALIZED_TIME, f"{utc.year:04}{text}".encode())


def read(data: bytes) -> Node:
    """Read the one element that fills the data.

    Raises: VerificationError, as all readers here do, for anything that is not strict DER.
    """
    node, stop = _element(data, 0)
    if stop != len(data):
        raise VerificationError("bytes follow the end of the DER structure")
    return node


def children(node: Node, tag: int = SEQUENCE) -> list[Node]:
    """The elements inside a constructed element of a given tag."""
    if node.tag != tag:
        raise VerificationError(f"DER tag {tag:#04x} expected, {node.tag:#04x} found")
    found, at = [], 0
    while at < len(node.content):
        child, at = _element(node.content, at)
        found.append(child)
        if len(found) > _CHILDREN_MAX:
            raise VerificationError("too many elements in the DER structure")
    return found


def content(node: Node, tag: int) -> bytes:
    """The content of an element of a given tag."""
    if node.tag != tag:
        raise VerificationError(f"DER tag {tag:#04x} expected, {node.tag:#04x} found")
    return node.content


def to_int(node: Node) -> int:
    """Read a minimal INTEGER."""
    data = content(node, INTEGER)
    if not data or len(data) > 64 or (len(data) > 1 and data[0] in {0, 0xFF} and (data[0] ^ data[1]) < 0x80):
        raise VerificationError("a DER integer is empty, too long or not minimal")
    return int.from_bytes(data, "big", signed=True)


def to_oid(node: Node) -> str:
    """Read an OBJECT IDENTIFIER as dotted text."""
    data = content(node, OID)
    if not data or len(data) > _OID_BYTES_MAX or data[-1] & 0x80:
        raise VerificationError("a DER object identifier is damaged")
    arcs, arc = [], 0
    for byte in data:
        if arc == 0 and byte == 0x80:
            raise VerificationError("a DER object identifier is not minimal")
        arc = arc << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(part) for part in (first, arcs[0] - first * 40, *arcs[1:]))


def to_time(node: Node) -> datetime:
    """Read a UTCTime or GeneralizedTime that ends in Z."""
    text = node.content.decode("ascii", "replace")
    if node.tag == UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif node.tag != GENERALIZED_TIME:
        raise VerificationError("a DER time is damaged")
    try:
        if len(text) != 15 or not text[:14].isdecimal() or not text.isascii():
            raise ValueError
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise VerificationError("a DER time is damaged") from None


def _element(data: bytes, at: int) -> tuple[Node, int]:
    if at + 2 > len(data):
        raise VerificationError("the DER structure is cut short")
    tag, size, start = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise VerificationError("a DER tag of several bytes does not belong here")
    if size == 0x80:
        raise VerificationError("the structure is BER with an indefinite length, not DER")
    if size > 0x80:
        count = size & 0x7F
        length = data[start : start + count]
        size, start = int.from_bytes(length, "big"), start + count
        if count > 4 or len(length) != count or size < 0x80 or length[0] == 0:
            raise VerificationError("a DER length is damaged or not minimal")
    if start + size > len(data):
        raise VerificationError("the DER structure is cut short")
    return Node(tag=tag, content=data[start : start + size], raw=data[at : start + size]), start + size
