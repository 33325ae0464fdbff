"""The pictures inside a pass: Apple's sizes, whatever was uploaded."""

import io

import pytest
from PIL import Image

from app.wallets.apple.artwork import ArtworkCache, Look, initial, pictures
from passes.apple.bundle import Artwork
from passes.apple.images import read_png, size_problem, slot_and_scale

PLAIN = Look(name="Kahve Durağı", background_color="#1f3a5f", foreground_color="#ffffff", uploads={})


def picture(width: int, height: int, color: str = "#cc0000") -> bytes:
    sink = io.BytesIO()
    Image.new("RGBA", (width, height), color).save(sink, "PNG")
    return sink.getvalue()


@pytest.mark.parametrize(
    "uploads",
    [
        {},
        {"logo": picture(660, 660)},
        {"icon": picture(87, 87), "strip": picture(1200, 1000)},
        {"logo": picture(900, 900), "icon": picture(200, 200), "strip": picture(1125, 432)},
    ],
)
def test_every_picture_has_a_size_that_wallet_takes(uploads: dict[str, bytes]) -> None:
    look = Look(name="K", background_color="#102030", foreground_color="#ffffff", uploads=uploads)

    found = pictures(look)

    assert len(found) == 9
    for name, data in found.items():
        known = slot_and_scale(name)
        assert known is not None
        assert size_problem(*known, read_png(data)) is None
    assert sum(len(data) for data in found.values()) < 300_000
    assert Artwork.prepare(found).files.keys() == found.keys()


def test_the_drawn_pictures_are_in_the_programmes_colours() -> None:
    with Image.open(io.BytesIO(pictures(PLAIN)["icon@3x.png"])) as icon:
        assert icon.convert("RGB").getpixel((0, 0)) == (0x1F, 0x3A, 0x5F)


def test_an_uploaded_logo_serves_as_icon_too() -> None:
    found = pictures(
        Look(name="K", background_color="#000000", foreground_color="#ffffff", uploads={"logo": picture(660, 660)})
    )

    with Image.open(io.BytesIO(found["icon@2x.png"])) as icon:
        assert icon.convert("RGB").getpixel((5, 5)) == (0xCC, 0, 0)


@pytest.mark.parametrize(("name", "letter"), [("Şok", "S"), ("  7 Mavi", "7"), ("İnci", "I"), ("☕", "•"), ("", "•")])
def test_the_initial_is_one_that_the_font_can_write(name: str, letter: str) -> None:
    assert initial(name) == letter


def test_artwork_is_made_once_for_a_look() -> None:
    cache = ArtworkCache()
    asked: list[int] = []

    def look() -> Look:
        asked.append(1)
        return PLAIN

    first, second = cache.get("one", look), cache.get("one", look)

    assert first is second
    assert len(asked) == 1
