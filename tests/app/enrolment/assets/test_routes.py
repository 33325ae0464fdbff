"""Public pictures: right, small, cached, and nothing else is to be had there."""

import io

import pytest
from PIL import Image

from app.cards import programmes
from app.cards.models import Programme
from app.world import World
from tests.app.enrolment.visitor import Visitor


def logo(size: int = 700) -> bytes:
    sink = io.BytesIO()
    Image.effect_noise((size, size), 80).convert("RGB").save(sink, "PNG")
    return sink.getvalue()


@pytest.mark.parametrize(("name", "size"), [("kahve-logo.png", (660, 660)), ("kahve-hero.png", (1032, 336))])
def test_a_programme_without_pictures_gets_drawn_ones_in_googles_sizes(
    visitor: Visitor, name: str, size: tuple[int, int]
) -> None:
    answer = visitor.open(f"/assets/default/{name}")

    with Image.open(io.BytesIO(answer.data)) as picture:
        assert (picture.format, picture.size) == ("PNG", size)
    assert "public" in answer.headers["Cache-Control"]


def test_an_uploaded_logo_is_served_for_ever_and_small_on_our_own_pages(
    visitor: Visitor, world: World, kahve: Programme
) -> None:
    with world.database.unit_of_work() as session:
        programme = session.get_one(Programme, kahve.id)
        asset = programmes.put_picture(session, programme, "logo", logo(), now=world.clock())

    large = visitor.open(f"/assets/{asset.sha256}.png")
    small = visitor.open(f"/assets/small/{asset.sha256}.png")
    again = visitor.client.get(f"/assets/{asset.sha256}.png", headers={"If-None-Match": large.headers["ETag"]})

    assert large.data == asset.content
    assert "immutable" in large.headers["Cache-Control"]
    assert len(small.data) < 60_000 < len(large.data)
    assert again.status_code == 304
    assert f"/assets/small/{asset.sha256}.png" in visitor.open("/join/kahve").text


@pytest.mark.parametrize(
    "path",
    [
        "/assets/" + "0" * 64 + ".png",
        "/assets/x.png",
        "/assets/small/%00.png",
        "/assets/default/nope-logo.png",
        "/assets/default/%00-hero.png",
        "/assets/look/nope.css",
        "/assets/look/%00.css",
    ],
)
def test_there_is_nothing_at_other_addresses(visitor: Visitor, path: str) -> None:
    assert visitor.open(path).status_code == 404


def test_the_colours_of_a_programme_are_a_stylesheet(visitor: Visitor) -> None:
    answer = visitor.open("/assets/look/kahve.css")

    assert answer.mimetype == "text/css"
    assert "--card-bg:#1f3a5f" in answer.text
    assert ".tier-1{--card-bg:#5c4300" in answer.text
