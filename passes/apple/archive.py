"""The ZIP container, both ways: writing finished entries, reading without trust.

Written entries are stored, carry their sizes in the local header and a fixed time, so equal files give equal bytes.
"""

import itertools
import struct
import zlib
from collections import Counter
from dataclasses import dataclass

from passes.errors import BundleError

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_NEW_YEAR_1980 = 0x21
_VERSION = 20
_STORED, _DEFLATED = 0, 8
# The constant and the changing parts of what is written: stored, dated 1980-01-01, without extras.
_LOCAL_HEAD = struct.pack("<4s5H", b"PK\3\4", _VERSION, 0, 0, 0, _NEW_YEAR_1980)
_CENTRAL_HEAD = struct.pack("<4s6H", b"PK\1\2", _VERSION, _VERSION, 0, 0, 0, _NEW_YEAR_1980)
_SIZES = struct.Struct("<3L2H")
_TAIL = struct.Struct("<10xL")
_ENCRYPTED, _DESCRIPTOR = 0x1, 0x8
_UNIX, _LINK_MODE, _TYPE_MASK = 3, 0o120000, 0o170000
_RATIO_FREE_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much an archive may hold before it is refused unread."""

    archive_bytes: int = 16 * 1024 * 1024
    entries: int = 300
    file_bytes: int = 8 * 1024 * 1024
    total_bytes: int = 16 * 1024 * 1024
    ratio: int = 200
    name_bytes: int = 200


PASS_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of an archive with what its headers say; `data` is unpacked and its checksum holds."""

    name: str
    data: bytes
    stored: bool
    has_descriptor: bool
    is_folder: bool
    is_link: bool


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where the central directory says that an entry lies."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    file_bytes: int
    offset: int
    is_link: bool


def headers(name: str, data: bytes, offset: int) -> tuple[bytes, bytes]:
    """The local header, which the data must follow, and the central header of a file that starts at an offset."""
    raw, size = name.encode("ascii"), len(data)
    sizes = _SIZES.pack(zlib.crc32(data), size, size, len(raw), 0)
    return b"".join((_LOCAL_HEAD, sizes, raw)), b"".join((_CENTRAL_HEAD, sizes, _TAIL.pack(offset), raw))


def end(entries: int, central_bytes: int, central_offset: int) -> bytes:
    """The record that closes an archive."""
    return _END.pack(b"PK\5\6", 0, 0, entries, entries, central_bytes, central_offset, 0)


def scan(data: bytes, limits: Limits = PASS_LIMITS) -> tuple[Entry, ...]:
    """Unpack every entry, whatever its name; duplicates, links and folders are reported, not refused.

    Raises: BundleError, if the bytes are no whole archive, contradict themselves, or pass a limit.
    """
    if len(data) > limits.archive_bytes:
        raise BundleError(f"the archive has {len(data):,} bytes; at most {limits.archive_bytes:,} are read")
    places = _directory(data, limits)
    total = sum(place.file_bytes for place in places)
    if total > limits.total_bytes:
        raise BundleError(f"the archive unpacks to {total:,} bytes; at most {limits.total_bytes:,} are accepted")
    spans = [_span(data, place) for place in places]
    _refuse_overlap(spans)
    return tuple(
        Entry(
            name=place.name,
            data=_unpack(data[start:stop], place, limits),
            stored=place.method == _STORED,
            has_descriptor=bool(place.flags & _DESCRIPTOR),
            is_folder=place.name.endswith("/"),
            is_link=place.is_link,
        )
        for place, (_, start, stop) in zip(places, spans, strict=True)
    )


def duplicate_names(entries: tuple[Entry, ...]) -> list[str]:
    """Names that stand in the archive more than once."""
    return [name for name, count in Counter(item.name for item in entries).items() if count > 1]


def _directory(data: bytes, limits: Limits) -> list[_Place]:
    at = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - 0xFFFF))
    if at < 0 or at + _END.size > len(data):
        raise BundleError("this is no ZIP archive, or it was cut short; download or build it again")
    _, disk, first_disk, here, entries, size, offset, comment = _END.unpack_from(data, at)
    if disk or first_disk or here != entries or 0xFFFF in {here, size >> 16, offset >> 16}:
        raise BundleError("the archive is split or in ZIP64; make a plain ZIP of one part")
    if at + _END.size + comment != len(data) or offset + size != at:
        raise BundleError("there are bytes before or after the archive; make it again from its files")
    if entries > limits.entries:
        raise BundleError(f"the archive has {entries} entries; at most {limits.entries} are read")
    places, start = [], offset
    for _ in range(entries):
        place, start = _place(data, start, at, limits)
        places.append(place)
    if start != at:
        raise BundleError("the archive's directory holds more than it counts; make it again")
    return places


def _place(data: bytes, start: int, stop: int, limits: Limits) -> tuple[_Place, int]:
    if start + _CENTRAL.size > stop or data[start : start + 4] != b"PK\1\2":
        raise BundleError("the archive's directory is damaged; make it again")
    parts = _CENTRAL.unpack_from(data, start)
    made_by, flags, method = parts[1], parts[3], parts[4]
    crc, packed, size = parts[7:10]
    name_bytes, extra_bytes, comment_bytes, disk = parts[10:14]
    attributes, offset = parts[15:17]
    following = start + _CENTRAL.size + name_bytes + extra_bytes + comment_bytes
    if following > stop or disk:
        raise BundleError("the archive's directory is damaged; make it again")
    if not 0 < name_bytes <= limits.name_bytes:
        raise BundleError(f"a name of {name_bytes} bytes is in the archive; 1 to {limits.name_bytes} are accepted")
    raw = data[start + _CENTRAL.size : start + _CENTRAL.size + name_bytes]
    place = _Place(
        name=raw.decode("utf-8", "backslashreplace"),
        raw_name=raw,
        flags=flags,
        method=method,
        crc=crc,
        packed_bytes=packed,
        file_bytes=size,
        offset=offset,
        is_link=made_by >> 8 == _UNIX and attributes >> 16 & _TYPE_MASK == _LINK_MODE,
    )
    _refuse_size(place, limits)
    return place, following


def _refuse_size(place: _Place, limits: Limits) -> None:
    if place.flags & _ENCRYPTED:
        raise BundleError(f"{place.name!r} is encrypted; a pass must not be")
    if place.method not in {_STORED, _DEFLATED}:
        raise BundleError(f"{place.name!r} is packed by method {place.method}; only stored and deflate are accepted")
    if place.file_bytes > limits.file_bytes:
        raise BundleError(f"{place.name!r} unpacks to {place.file_bytes:,} bytes; at most {limits.file_bytes:,}")
    if place.file_bytes > max(_RATIO_FREE_BYTES, place.packed_bytes * limits.ratio):
        raise BundleError(f"{place.name!r} unpacks to more than {limits.ratio} times its size")
    if place.method == _STORED and place.packed_bytes != place.file_bytes:
        raise BundleError(f"{place.name!r} gives two sizes; make the archive again")


def _span(data: bytes, place: _Place) -> tuple[int, int, int]:
    """Start of the local header, start and end of the data."""
    if place.offset + _LOCAL.size > len(data) or data[place.offset : place.offset + 4] != b"PK\3\4":
        raise BundleError(f"{place.name!r} is not where the directory says; make the archive again")
    parts = _LOCAL.unpack_from(data, place.offset)
    name_start = place.offset + _LOCAL.size
    start = name_start + parts[9] + parts[10]
    if data[name_start : name_start + parts[9]] != place.raw_name:
        raise BundleError(f"{place.name!r} has another name in its own header; make the archive again")
    sizes = (parts[7], parts[8])
    agreed = sizes == (place.packed_bytes, place.file_bytes) and parts[6] == place.crc
    if parts[2] != place.flags or parts[3] != place.method or not (agreed or place.flags & _DESCRIPTOR):
        raise BundleError(f"{place.name!r} contradicts the directory; make the archive again")
    if start + place.packed_bytes > len(data):
        raise BundleError(f"{place.name!r} is cut short; download or build the archive again")
    return place.offset, start, start + place.packed_bytes


def _refuse_overlap(spans: list[tuple[int, int, int]]) -> None:
    """Entries that share bytes are how a small archive unpacks to a huge one."""
    ordered = sorted(spans)
    if any(before[2] > after[0] for before, after in itertools.pairwise(ordered)):
        raise BundleError("entries of the archive overlap; make it again")


def _unpack(packed: bytes, place: _Place, limits: Limits) -> bytes:
    data = packed
    if place.method == _DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(packed, min(place.file_bytes, limits.file_bytes) + 1)
        except zlib.error:
            raise BundleError(f"{place.name!r} cannot be unpacked; make the archive again") from None
    if len(data) != place.file_bytes or zlib.crc32(data) != place.crc:
        raise BundleError(f"{place.name!r} does not match its checksum; download or build the archive again")
    return data
