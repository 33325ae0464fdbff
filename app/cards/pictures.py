"""Uploaded pictures: limited before they are decoded, decoded, stripped of metadata and encoded again as PNG."""

import hashlib
import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from app.errors import Unprocessable

LARGEST_BYTES = 2 * 1024 * 1024
LARGEST_PIXELS = 4_000_000
# slot: (least width, least height, what the wallets draw)
SLOTS = {
    "icon": (87, 87, "a square of at least 87 × 87 pixels"),
    "logo": (660, 660, "a square of at least 660 × 660 pixels"),
    "strip": (1125, 432, "a picture of at least 1125 × 432 pixels"),
    "hero": (1032, 336, "a picture of at least 1032 × 336 pixels"),
}
SQUARE = {"icon", "logo"}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A clean PNG."""

    content: bytes
    sha256: str
    width: int
    height: int


def checked(slot: str, content: bytes) -> Picture:
    """Turn an upload into a clean PNG for its slot.

    Raises: Unprocessable `invalid_picture`, saying what the slot wants.
    """
    if slot not in SLOTS:
        raise _refusal(slot, f"There is no place named {slot}; there are {', '.join(SLOTS)}.")
    if len(content) > LARGEST_BYTES:
        raise _refusal(slot, "A picture has at most 2 MB; save it smaller.")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > LARGEST_PIXELS:
                raise _refusal(slot, "A picture has at most 4 million pixels; save it smaller.")
            # a camera notes how it was held; the note is not kept, so the picture itself is turned
            clean = ImageOps.exif_transpose(image).convert("RGBA")
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        struct.error,
        Image.DecompressionBombError,
    ) as problem:
        raise _refusal(slot, "This is not a PNG or JPEG picture, or it is damaged.") from problem
    _check_size(slot, clean.width, clean.height)
    sink = io.BytesIO()
    clean.save(sink, "PNG", optimize=True)
    data = sink.getvalue()
    return Picture(content=data, sha256=hashlib.sha256(data).hexdigest(), width=clean.width, height=clean.height)


def _check_size(slot: str, width: int, height: int) -> None:
    least_width, least_height, wanted = SLOTS[slot]
    if width < least_width or height < least_height or (slot in SQUARE and width != height):
        raise _refusal(slot, f"The {slot} is {wanted}; this one is {width} × {height}.")


def _refusal(slot: str, text: str) -> Unprocessable:
    return Unprocessable("invalid_picture", text, errors={slot: text})
