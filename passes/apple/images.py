"""Images of a pass: reading a PNG's header, and the slots in which Wallet looks for them."""

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from passes.errors import InvalidPass

IMAGE_BYTES_MAX = 2 * 1024 * 1024
IMAGE_PIXELS_MAX = 4_000_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_NAME = re.compile(r"(?P<slot>[A-Za-z]+)(?:@(?P<scale>[23])x)?\.png")


@dataclass(frozen=True, kw_only=True)
class PngHeader:
    """What a PNG says of itself in its first chunk."""

    width_px: int
    height_px: int
    bit_depth: int
    colour_type: int
    interlaced: bool


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place for an image; sizes in points, pixels = points x scale.

    `exact` slots are cropped or scaled if the size differs, others may be smaller than the size.
    """

    name: str
    width_pt: int
    height_pt: int
    exact: bool
    styles: frozenset[str]


_ALL = frozenset({"storeCard", "coupon", "generic", "eventTicket", "boardingPass", "posterGeneric"})
_STRIP = frozenset({"storeCard", "coupon", "eventTicket"})
SLOTS: Mapping[str, Slot] = {
    slot.name: slot
    for slot in (
        Slot(name="icon", width_pt=38, height_pt=38, exact=True, styles=_ALL),
        Slot(name="logo", width_pt=160, height_pt=50, exact=False, styles=_ALL),
        Slot(name="strip", width_pt=375, height_pt=144, exact=True, styles=_STRIP),
        Slot(name="thumbnail", width_pt=90, height_pt=90, exact=False, styles=frozenset({"generic", "eventTicket"})),
        Slot(name="background", width_pt=345, height_pt=505, exact=True, styles=frozenset({"eventTicket"})),
        Slot(name="footer", width_pt=286, height_pt=15, exact=False, styles=frozenset({"boardingPass"})),
        Slot(name="artwork", width_pt=358, height_pt=448, exact=True, styles=frozenset({"posterGeneric"})),
        Slot(name="primaryLogo", width_pt=126, height_pt=30, exact=False, styles=frozenset({"posterGeneric"})),
        Slot(name="secondaryLogo", width_pt=135, height_pt=12, exact=False, styles=frozenset({"eventTicket"})),
        Slot(name="personalizationLogo", width_pt=150, height_pt=40, exact=False, styles=frozenset({"storeCard"})),
    )
}  # fmt: skip
# The older guide's icon, still met in the field.
OLD_ICON_PT = 29


def read_png(data: bytes) -> PngHeader:
    """Read a PNG's header and see that the file is whole.

    Raises: InvalidPass, if it is no PNG, is cut short, or is larger than a pass may carry.
    """
    if data[:8] != _SIGNATURE:
        raise InvalidPass("is not a PNG; save it as PNG, renaming is not enough")
    if len(data) > IMAGE_BYTES_MAX:
        raise InvalidPass(f"has {len(data)} bytes; at most {IMAGE_BYTES_MAX} are accepted")
    if len(data) < 45 or data[12:16] != b"IHDR" or data[8:12] != b"\0\0\0\r":
        raise InvalidPass("has no PNG header; save it again")
    if _END not in data:
        raise InvalidPass("is cut short; upload it again")
    width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    if not width or not height or width * height > IMAGE_PIXELS_MAX:
        raise InvalidPass(f"is {width} x {height} pixels; at most {IMAGE_PIXELS_MAX:,} pixels are accepted")
    return PngHeader(width_px=width, height_px=height, bit_depth=depth, colour_type=colour, interlaced=bool(interlace))


def slot_and_scale(name: str) -> tuple[Slot, int] | None:
    """The slot and scale that an image's file name (without folder) stands for; None if Wallet knows no such slot."""
    match = _NAME.fullmatch(name)
    if match is None or match["slot"] not in SLOTS:
        return None
    return SLOTS[match["slot"]], int(match["scale"] or 1)


def size_problem(slot: Slot, scale: int, header: PngHeader) -> str | None:
    """Say how an image's size differs from its slot; None if it fits."""
    width, height = slot.width_pt * scale, slot.height_pt * scale
    if slot.name == "icon" and header.width_px == header.height_px == OLD_ICON_PT * scale:
        return None
    if slot.exact and (header.width_px, header.height_px) != (width, height):
        return f"is {header.width_px} x {header.height_px} pixels; {slot.name} at @{scale}x is {width} x {height}"
    if header.width_px > width or header.height_px > height:
        return (
            f"is {header.width_px} x {header.height_px} pixels; {slot.name} at @{scale}x is at most {width} x {height}"
        )
    return None


def problems(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Say what must be mended before these images go into a pass.

    Keys are names in the archive; files that are not .png are skipped.
    """
    found = []
    for name, data in files.items():
        if not name.endswith(".png"):
            continue
        if slot_and_scale(name.rpartition("/")[2]) is None:
            found.append(f"{name}: Wallet knows no such image; use icon, logo or strip, with @2x or @3x")
            continue
        try:
            read_png(data)
        except InvalidPass as error:
            found.append(f"{name}: {error}")
    if not has_icon(files):
        found.append("icon.png: is missing, and Wallet refuses a pass without it; add icon@2x.png and icon@3x.png")
    return tuple(found)


def has_icon(names: Iterable[str]) -> bool:
    """Whether an icon stands where every device finds it: at the top level, in any scale."""
    return any(name in {"icon.png", "icon@2x.png", "icon@3x.png"} for name in names)
