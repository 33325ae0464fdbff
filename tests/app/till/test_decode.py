"""Camera frames: read what is there, refuse what is no picture, and never fall over."""

import io
import struct
import zlib

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from app.cards import codes
from app.errors import Unprocessable
from app.till.decode import code_in
from tests.app.pages import csrf_of
from tests.app.till.conftest import Till

MESSAGE = "LY1:7K3M9QX2TDS"


def frame(message: str = MESSAGE, *, kind: str = "JPEG", turned: float = 7, blur: float = 0.8) -> bytes:
    """A photograph of a phone's screen, as a camera might send it: grey, turned, a little out of focus."""
    png = io.BytesIO()
    segno.make(message, error="m").save(png, kind="png", scale=6, border=4)
    picture = Image.new("RGB", (640, 480), (90, 92, 96))
    card = Image.open(png).convert("RGB").rotate(turned, expand=True, fillcolor=(90, 92, 96))
    picture.paste(card, (150, 90))
    out = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(blur)).save(out, kind, **({"quality": 70} if kind == "JPEG" else {}))
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turned", [0, 7, 45, 180])
def test_the_card_s_code_is_read(kind: str, turned: float) -> None:
    assert code_in(frame(kind=kind, turned=turned)) == MESSAGE


def test_a_frame_without_a_code_says_so() -> None:
    out = io.BytesIO()
    Image.new("L", (640, 480), 128).save(out, "JPEG")

    assert code_in(out.getvalue()) is None


def test_a_code_that_is_far_too_long_for_a_card_is_none() -> None:
    assert code_in(frame("https://example.com/" + "x" * 80, turned=0, blur=0)) is None


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; there are no pixels behind it."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"", "not_a_picture"),
        (b"hello", "not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_a_picture"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not_a_picture"),
        (frame()[:500], "not_a_picture"),
        (png_of_size(40, 40), "not_a_picture"),
        (png_of_size(2001, 2000), "picture_too_large"),
        (png_of_size(60_000, 60_000), "picture_too_large"),
        (b"\xff\xd8" + b"\x00" * 300 * 1024, "picture_too_large"),
    ],
)
def test_hostile_pictures_are_refused(picture: bytes, code: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        code_in(picture)

    # Pillow itself refuses the largest headers as bombs before we see their size.
    assert refusal.value.code in {code, "not_a_picture"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([frame(), frame(kind="PNG")]),
    st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=30),
)
def test_damaged_pictures_never_fall_over(picture: bytes, damage: list[tuple[int, int]]) -> None:
    broken = bytearray(picture)
    for place, value in damage:
        broken[place % len(broken)] = value

    try:
        found = code_in(bytes(broken))
    except Unprocessable:
        return

    assert found is None or len(found) <= 64


def send(till: Till, body: bytes) -> tuple[int, object]:
    headers = {"X-CSRFToken": csrf_of(till.client, "/account"), "Accept": "application/json"}
    answer = till.client.post("/till/decode", data=body, content_type="image/jpeg", headers=headers)
    return answer.status_code, answer.get_json()


def test_the_camera_s_frame_opens_the_card_that_it_shows(till: Till, shop) -> None:
    status, answer = send(till, frame(codes.barcode_message(shop.card.number)))

    assert (status, answer) == (200, {"code": codes.barcode_message(shop.card.number)})
    assert till.scan(answer["code"]).status_code == 303


@pytest.mark.parametrize("body", [b"", b"no picture", b"\xff\xd8\xff" * 1000, b"x" * 400_000])
def test_no_body_makes_the_till_fail(till: Till, body: bytes) -> None:
    assert send(till, body)[0] == 422


def test_frames_are_read_for_staff_only(client) -> None:
    token = csrf_of(client, "/login")

    answer = client.post("/till/decode", data=frame(), headers={"X-CSRFToken": token, "X-Requested-With": "fetch"})

    assert answer.status_code == 401
