"""The tag of the list call: what versions of its passes a phone was told of, as short URL-safe text.

A clock would lose the second change within a second, a counter the transaction that commits late. A vector of
versions loses neither.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping

TAG_CHARACTERS_MAX = 4096
_FORM = 1
_CHECK_BYTES = 4
_NUMBER_MAX = 2**63 - 1


def encode_tag(versions: Mapping[int, int]) -> str:
    """Write {short id: version}; equal mappings give equal tags, of letters, digits, - and _.

    Raises: ValueError, for a number that is negative or beyond 63 bits.
    """
    body = bytearray((_FORM,))
    before = 0
    for short_id, version in sorted(versions.items()):
        if not (0 <= short_id <= _NUMBER_MAX and 0 <= version <= _NUMBER_MAX):
            raise ValueError(f"{short_id}: {version} cannot stand in a tag")
        _append(body, short_id - before)
        _append(body, version)
        before = short_id
    body += zlib.crc32(body).to_bytes(_CHECK_BYTES, "big")
    return base64.urlsafe_b64encode(bytes(body)).rstrip(b"=").decode()


def decode_tag(tag: str | None) -> dict[int, int] | None:
    """Read a tag; None, which means "list everything", for one that is missing, damaged or of another form."""
    if not tag or len(tag) > TAG_CHARACTERS_MAX:
        return None
    try:
        body = base64.b64decode(tag.encode("ascii") + b"=" * (-len(tag) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    content, check = body[:-_CHECK_BYTES], body[-_CHECK_BYTES:]
    if not content or content[0] != _FORM or zlib.crc32(content).to_bytes(_CHECK_BYTES, "big") != check:
        return None
    numbers = _numbers(content[1:])
    if numbers is None or len(numbers) % 2:
        return None
    versions, short_id = {}, 0
    for step, version in zip(numbers[::2], numbers[1::2], strict=True):
        short_id += step
        versions[short_id] = version
    return versions if _is_canonical(versions, tag) else None


def changed(current: Mapping[int, int], told: Mapping[int, int] | None) -> set[int]:
    """The short ids that a phone must be told of: those whose version differs from the tag's, or all without a tag."""
    if told is None:
        return set(current)
    return {short_id for short_id, version in current.items() if told.get(short_id) != version}


def _append(body: bytearray, number: int) -> None:
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)


def _numbers(data: bytes) -> list[int] | None:
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
            if shift > 63:
                return None
        else:
            numbers.append(number)
            number, shift = 0, 0
    return None if shift else numbers


def _is_canonical(versions: Mapping[int, int], tag: str) -> bool:
    return max((*versions, *versions.values()), default=0) <= _NUMBER_MAX and encode_tag(versions) == tag
