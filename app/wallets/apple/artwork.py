"""The pictures of a programme's passes: what was uploaded, fitted to Apple's sizes, or drawn from its colours."""

import hashlib
import io
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

from passes.apple.bundle import Artwork
from passes.apple.images import SLOTS

SCALES = (1, 2, 3)
KEPT_MAX = 64
UPLOADABLE = ("icon", "logo", "strip")


@dataclass(frozen=True, kw_only=True)
class Look:
    """Everything the pictures depend on. `uploads` are clean PNGs by slot; colours are `#rrggbb`."""

    name: str
    background_color: str
    foreground_color: str
    uploads: Mapping[str, bytes]

    @property
    def key(self) -> str:
        """Equal for looks that draw equal pictures."""
        digest = hashlib.sha256("\0".join((self.name, self.background_color, self.foreground_color)).encode())
        for slot in sorted(self.uploads):
            digest.update(slot.encode() + hashlib.sha256(self.uploads[slot]).digest())
        return digest.hexdigest()


class ArtworkCache:
    """Finished artwork by look; the least recently used goes first. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Artwork] = OrderedDict()

    def get(self, key: Hashable, look: Callable[[], Look]) -> Artwork:
        """The artwork under *key*; `look` is asked only where it has to be made."""
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
        made = Artwork.prepare(pictures(look()))
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return made


def pictures(look: Look) -> dict[str, bytes]:
    """Icon, logo and strip in every scale, by their names in the archive."""
    icon = look.uploads.get("icon") or look.uploads.get("logo")
    sources = {"icon": icon, "logo": look.uploads.get("logo"), "strip": look.uploads.get("strip")}
    drawn = {"icon": _monogram, "logo": _badge, "strip": _ribbon}
    found: dict[str, bytes] = {}
    for slot in UPLOADABLE:
        width, height = SLOTS[slot].width_pt, SLOTS[slot].height_pt
        source = sources[slot]
        for scale in SCALES:
            size = (width * scale, height * scale)
            picture = _fitted(source, size, cover=SLOTS[slot].exact) if source else drawn[slot](look, size)
            found[f"{slot}{'' if scale == 1 else f'@{scale}x'}.png"] = _png(picture)
    return found


def _fitted(source: bytes, size: tuple[int, int], *, cover: bool) -> Image.Image:
    """An upload brought to a slot's size: cropped where the size is exact, else made to fit inside."""
    with Image.open(io.BytesIO(source), formats=("PNG",)) as image:
        whole = image.convert("RGBA")
    if cover:
        return ImageOps.fit(whole, size, Image.Resampling.LANCZOS)
    return ImageOps.contain(whole, size, Image.Resampling.LANCZOS)


def _monogram(look: Look, size: tuple[int, int]) -> Image.Image:
    picture = Image.new("RGB", size, look.background_color)
    _write(picture, look, 0.6)
    return picture


def _badge(look: Look, size: tuple[int, int]) -> Image.Image:
    """A round badge of the slot's height: the name stands beside it as the pass's own text."""
    side = size[1]
    mask = Image.new("L", (side * 4, side * 4))
    ImageDraw.Draw(mask).ellipse((0, 0, side * 4 - 1, side * 4 - 1), fill=255)
    face = Image.new("RGB", (side, side), look.foreground_color)
    _write(face, look, 0.55, color=look.background_color)
    picture = Image.new("RGBA", (side, side))
    picture.paste(face, (0, 0), mask.resize((side, side), Image.Resampling.LANCZOS))
    return picture


def _ribbon(look: Look, size: tuple[int, int]) -> Image.Image:
    """Broad slanting bands in two shades of the background: calm under large text, and a few kilobytes as PNG."""
    picture = Image.new("RGB", size, _mixed(look.background_color, look.foreground_color, 0.06))
    draw = ImageDraw.Draw(picture)
    width, height = size
    for number, share in enumerate((0.10, 0.14, 0.18)):
        left = int(width * (0.46 + 0.18 * number))
        shade = _mixed(look.background_color, look.foreground_color, share)
        draw.polygon([(left, 0), (width, 0), (width, height), (left - height // 2, height)], fill=shade)
    return picture


def _write(picture: Image.Image, look: Look, share: float, color: str | None = None) -> None:
    font = ImageFont.load_default(size=max(8, int(picture.height * share)))
    middle = (picture.width / 2, picture.height / 2)
    ImageDraw.Draw(picture).text(
        middle, initial(look.name), font=font, fill=color or look.foreground_color, anchor="mm"
    )


def initial(name: str) -> str:
    """The first letter of a name as the drawing font can write it: without accents, a dot where there is no letter."""
    for symbol in unicodedata.normalize("NFKD", name):
        if symbol.isascii() and symbol.isalnum():
            return symbol.upper()
    return "•"


def _mixed(color: str, other: str, share: float) -> str:
    one, two = (bytes.fromhex(text.removeprefix("#")) for text in (color, other))
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(one, two, strict=True)).hex()


def _png(picture: Image.Image) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, "PNG", optimize=True)
    return sink.getvalue()
