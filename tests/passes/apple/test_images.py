import pytest

from passes.apple import images
from passes.errors import InvalidPass
from tests.passes.apple.samples import png


def test_the_header_of_a_png_is_read() -> None:
    header = images.read_png(png(38, 76))

    assert (header.width_px, header.height_px, header.bit_depth, header.colour_type) == (38, 76, 8, 2)
    assert not header.interlaced


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not a PNG"),
        (b"GIF89a", "is not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "no PNG header"),
        (png(10, 10)[:-12], "is cut short"),
        (png(10, 10).replace(b"\0\0\0\x0a\0\0\0\x0a", b"\0\1\0\0\0\1\0\0"), "65536 x 65536 pixels"),
        (png(10, 10).replace(b"\0\0\0\x0a\0\0\0\x0a", b"\0\0\0\0\0\0\0\1"), "0 x 1 pixels"),
        (png(10, 10, extra=bytes(2_100_000)), "at most 2097152"),
    ],
)
def test_a_file_that_is_no_usable_png_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(InvalidPass, match=told):
        images.read_png(data)


@pytest.mark.parametrize(
    ("name", "size", "fits"),
    [
        ("icon.png", (38, 38), True),
        ("icon@2x.png", (58, 58), True),
        ("icon@3x.png", (100, 100), False),
        ("logo@2x.png", (320, 100), True),
        ("logo@2x.png", (100, 100), True),
        ("logo@2x.png", (321, 100), False),
        ("strip@3x.png", (1125, 432), True),
        ("strip@3x.png", (1125, 369), False),
    ],
)
def test_an_image_fits_its_slot_or_not(name: str, size: tuple[int, int], fits: bool) -> None:
    found = images.slot_and_scale(name)
    assert found is not None

    problem = images.size_problem(*found, images.read_png(png(*size)))

    assert (problem is None) is fits


@pytest.mark.parametrize("name", ["Icon.png", "icon@4x.png", "icon@2X.png", "icon.jpg", "hero.png", "icon@2x@3x.png"])
def test_unknown_names_have_no_slot(name: str) -> None:
    assert images.slot_and_scale(name) is None
