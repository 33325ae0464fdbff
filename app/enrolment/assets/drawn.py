"""Pictures for programmes that have uploaded none, and small copies of those that have."""

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from app.cards.design import readable_on
from app.wallets.apple.artwork import initial

LOGO_PX = 660
HERO_PX = (1032, 336)
SMALL_PX = 120
LARGER = 2  # drawn larger and brought down, so that edges are smooth


@lru_cache(maxsize=64)
def logo(name: str, background: str, foreground: str) -> bytes:
    """A square PNG with the programme's initial on its colour; Google crops it to a circle."""
    side = LOGO_PX * LARGER
    picture = Image.new("RGB", (side, side), background)
    draw = ImageDraw.Draw(picture)
    draw.text(
        (side / 2, side / 2),
        initial(name),
        font=ImageFont.load_default(size=int(side * 0.46)),
        fill=readable_on(background, foreground),
        anchor="mm",
    )
    return png(picture.resize((LOGO_PX, LOGO_PX), Image.Resampling.LANCZOS))


@lru_cache(maxsize=64)
def hero(background: str, foreground: str) -> bytes:
    """A wide PNG of tiles in shades of the background, denser toward the far end."""
    width, height = HERO_PX
    picture = Image.new("RGB", HERO_PX, background)
    draw = ImageDraw.Draw(picture)
    tile, gap = 72, 12
    for column, left in enumerate(range(gap, width, tile + gap)):
        for row, top in enumerate(range(gap, height, tile + gap)):
            strength = (column * 7 + row * 5 + column * row) % 6
            share = strength / 5 * 0.22 * (left / width)
            draw.rectangle((left, top, left + tile, top + tile), fill=mixed(background, foreground, share))
    return png(picture)


@lru_cache(maxsize=256)
def small(sha256: str, content: bytes) -> bytes:  # noqa: ARG001  # the digest is what the cache is asked by
    """A copy that fits a phone's join page: at most 120 pixels high and 360 wide."""
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        copy = image.convert("RGBA")
    copy.thumbnail((SMALL_PX * 3, SMALL_PX), Image.Resampling.LANCZOS)
    return png(copy)


def mixed(color: str, other: str, share: float) -> str:
    """*color* with a share of *other* in it."""
    one, two = (bytes.fromhex(text.removeprefix("#")) for text in (color, other))
    return "#" + bytes(round(a + (b - a) * share) for a, b in zip(one, two, strict=True)).hex()


def png(picture: Image.Image) -> bytes:
    """The picture as PNG bytes, without metadata."""
    sink = io.BytesIO()
    picture.save(sink, "PNG", optimize=True)
    return sink.getvalue()
