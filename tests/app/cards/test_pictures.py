"""Uploaded pictures: clean PNG out, or a sentence that says what the slot wants."""

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from app.cards import pictures
from app.errors import Unprocessable
from tests.passes.apple.samples import png


def encoded(kind: str, size: tuple[int, int], mode: str = "RGB", **options: object) -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size, 1).save(sink, kind, **options)
    return sink.getvalue()


def refused(slot: str, content: bytes) -> str:
    with pytest.raises(Unprocessable) as refusal:
        pictures.checked(slot, content)
    assert refusal.value.code == "invalid_picture"
    assert list(refusal.value.errors) == [slot]
    return refusal.value.public


@pytest.mark.parametrize(
    ("slot", "content", "size"),
    [
        ("icon", encoded("PNG", (87, 87)), (87, 87)),
        ("logo", encoded("JPEG", (660, 660)), (660, 660)),
        ("strip", encoded("PNG", (1125, 432), "RGBA"), (1125, 432)),
        ("hero", encoded("PNG", (1032, 336), "P"), (1032, 336)),
        ("icon", encoded("PNG", (90, 90), "L"), (90, 90)),
        ("icon", encoded("PNG", (90, 90), "1"), (90, 90)),
        ("icon", encoded("PNG", (90, 90), "I;16"), (90, 90)),
        ("icon", encoded("JPEG", (90, 90), "CMYK"), (90, 90)),
    ],
)
def test_a_picture_becomes_a_png_of_its_size(slot: str, content: bytes, size: tuple[int, int]) -> None:
    made = pictures.checked(slot, content)

    with Image.open(io.BytesIO(made.content)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGBA", size)
    assert (made.width, made.height) == size
    assert pictures.checked(slot, content).sha256 == made.sha256


def test_what_a_camera_wrote_beside_the_picture_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home, 41.0082 N"
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "taken at home")

    for content in (encoded("JPEG", (90, 90), exif=exif), encoded("PNG", (90, 90), pnginfo=notes)):
        assert b"taken at home" in content
        assert b"taken at home" not in pictures.checked("icon", content).content


def test_a_phone_held_upright_gives_an_upright_picture() -> None:
    """Cameras turn by a note beside the picture; the note goes, so the picture itself must be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    sink = io.BytesIO()
    sideways = Image.new("RGB", (400, 1200), (255, 0, 0))
    sideways.paste((0, 0, 255), (0, 0, 400, 600))
    sideways.save(sink, "JPEG", exif=exif, quality=95)

    made = pictures.checked("hero", sink.getvalue())

    assert (made.width, made.height) == (1200, 400)
    with Image.open(io.BytesIO(made.content)) as image:
        left, right = image.getpixel((10, 200)), image.getpixel((1190, 200))
    assert left[0] > 200  # type: ignore[index]
    assert right[2] > 200  # type: ignore[index]


@pytest.mark.parametrize(
    ("slot", "size", "said"),
    [
        ("icon", (86, 86), "this one is 86 × 86"),
        ("icon", (90, 91), "a square of at least 87 × 87"),
        ("logo", (659, 659), "at least 660 × 660"),
        ("strip", (1124, 432), "at least 1125 × 432"),
        ("hero", (1032, 335), "at least 1032 × 336"),
        ("hero", (4001, 1000), "at most 4 million pixels"),
    ],
)
def test_a_wrong_size_is_said_with_the_right_one(slot: str, size: tuple[int, int], said: str) -> None:
    assert said in refused(slot, png(*size))


def test_a_place_that_is_not_there_is_refused() -> None:
    assert "icon, logo, strip, hero" in refused("background", png(90, 90))


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked() -> None:
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")

    assert len(bomb) < 2000
    assert refused("icon", bomb)


GOOD = encoded("PNG", (90, 90))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\x89PNG\r\n\x1a\n",
        GOOD[:60],
        GOOD[:33] + b"\x00\x00\x00\x05IDAT" + b"\xff" * 9 + GOOD[46:],
        png(90, 90).replace(b"IHDR", b"IHDX"),
        encoded("GIF", (90, 90), "P"),
        encoded("BMP", (90, 90)),
        encoded("TIFF", (90, 90)),
        encoded("JPEG", (90, 90))[:200],
        b"\xff\xd8\xff\xe0" + b"\0" * 500,
    ],
)
def test_what_is_no_whole_picture_is_refused(content: bytes) -> None:
    assert refused("icon", content) == "This is not a PNG or JPEG picture, or it is damaged."


def test_a_file_that_is_too_large_is_refused_unread() -> None:
    assert "at most 2 MB" in refused("icon", b"\0" * (pictures.LARGEST_BYTES + 1))


def test_text_chunks_that_unpack_to_megabytes_are_refused() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    zipped = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 80_000_000))
    at = GOOD.index(b"IDAT") - 4

    assert refused("icon", GOOD[:at] + zipped + GOOD[at:])
