"""The card designer: preview, publish, pictures, and what is refused."""

import io
import json
import struct
import zlib
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import func, select

from app.admin.look import forms, preview, subject
from app.admin.look.preview import Choice
from app.cards import programmes
from app.cards.design import Design
from app.cards.models import Asset, Expansion
from tests.app.admin.conftest import Browser, Office, install_certificate

LOOK = "/admin/programmes/kahve/look"


def picture(width: int = 700, height: int = 700, kind: str = "PNG") -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (width, height), "#775533").save(sink, kind)
    return sink.getvalue()


def bomb(side: int) -> bytes:
    """A PNG that says it is *side* pixels square and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def fields(office: Office, **over: str) -> dict[str, str]:
    """The form as the page shows it, changed in places."""
    published = office.fresh()
    shown = forms.typed(programmes.design_of(published))
    return {**shown, "published": str(published.design_version), **over}


def expansions(office: Office) -> int:
    with office.world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Expansion)) or 0


def test_a_preview_shows_the_new_colours_and_keeps_nothing(operator: Browser, certified: Office) -> None:
    before = certified.fresh().design

    answer = operator.send(LOOK, **fields(certified, background_color="#123456"), do="preview")

    assert answer.status_code == 200
    assert "rgb(18,52,86)" in answer.text.replace(" ", "")
    assert "nothing has been saved" in answer.text
    assert certified.fresh().design == before
    assert expansions(certified) == 0


def test_publishing_keeps_the_design_and_sends_it_to_every_card(operator: Browser, certified: Office) -> None:
    typed = fields(certified, background_color="#123456", **{"points_label-tr": "Puan", "about-en": "Show it."})

    page = operator.follow(operator.send(LOOK, **typed, do="publish"))

    programme = certified.fresh()
    assert "Published" in page
    assert programme.design["background_color"] == "#123456"
    assert programme.design["points_label"] == {"tr": "Puan"}
    assert programme.design_version == 2
    assert expansions(certified) == 1
    [event] = certified.events("look_published")
    assert event.actor == f"staff:{certified.operator.public_id}"
    assert event.after is not None
    assert event.after["background_color"] == "#123456"
    assert event.before is not None
    assert event.before["background_color"] == Design().background_color
    assert "website" not in event.after


def test_texts_of_languages_without_a_field_stay(operator: Browser, certified: Office) -> None:
    with certified.world.database.unit_of_work() as session:
        row = session.merge(certified.programme)
        row.design = Design(about={"de": "Zeigen", "en": "Show"}).as_json()

    operator.send(LOOK, **fields(certified, **{"about-en": "Show it"}), do="publish")

    assert certified.fresh().design["about"] == {"de": "Zeigen", "en": "Show it"}


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"foreground_color": "#1f3a60"}, "Contrast with the background"),
        ({"label_color": "red"}, "Write the colour as #rrggbb"),
        ({"background_color": "#12345"}, "Write the colour as #rrggbb"),
        ({"website": "javascript:alert(1)"}, "Write the whole address"),
        ({"contact": "x" * 201}, "at most 200 characters"),
        ({"points_label-en": "x" * 31}, "at most 30 characters"),
        ({"terms-id": "x" * 2001}, "at most 2000 characters"),
        ({"benefit-tr": "bell\x07"}, "phones cannot show"),
        ({"about-en": "private \ue000"}, "phones cannot show"),
    ],
)
@pytest.mark.parametrize("do", ["preview", "publish"])
def test_a_faulty_design_is_refused_beside_its_field_with_the_input_kept(
    operator: Browser, certified: Office, over: dict[str, str], sentence: str, do: str
) -> None:
    answer = operator.send(LOOK, **fields(certified, **{"website": "https://kept.example", **over}), do=do)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f'id="e-{next(iter(over))}"' in answer.text
    assert "website" in over or "https://kept.example" in answer.text
    assert certified.fresh().design_version == 1


def test_every_fault_is_said_at_once(operator: Browser, certified: Office) -> None:
    answer = operator.send(LOOK, **fields(certified, background_color="#eeeeee", website="nope"), do="publish")

    for field in ("foreground_color", "label_color", "website"):
        assert f'id="e-{field}"' in answer.text


def test_markup_in_a_text_stays_text(operator: Browser, certified: Office) -> None:
    answer = operator.send(LOOK, **fields(certified, **{"about-tr": "<script>alert(1)</script>"}), do="preview")

    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_somebody_else_s_look_is_not_overwritten(operator: Browser, certified: Office) -> None:
    stale = fields(certified, background_color="#222222")
    operator.send(LOOK, **fields(certified, background_color="#111111"), do="publish")

    answer = operator.send(LOOK, **stale, do="publish")

    assert answer.status_code == 409
    assert "Somebody published another look" in answer.text
    assert certified.fresh().design["background_color"] == "#111111"


def test_without_a_certificate_nothing_is_published(operator: Browser, office: Office) -> None:
    answer = operator.send(LOOK, **fields(office, background_color="#123456"), do="publish")

    assert answer.status_code == 503
    assert "Nothing was published" in answer.text
    assert "certificate.pem and key.pem is missing" in answer.text
    assert "tessera certs csr" in answer.text
    assert office.fresh().design_version == 1


def test_with_another_team_s_certificate_nothing_is_published(operator: Browser, office: Office) -> None:
    install_certificate(office.world, team="OTHERTEAM1")

    answer = operator.send(LOOK, **fields(office), do="publish")

    assert answer.status_code == 503
    assert "OTHERTEAM1" in answer.text
    assert office.fresh().design_version == 1


def test_with_an_expired_certificate_neither_look_nor_picture_is_published(operator: Browser, office: Office) -> None:
    install_certificate(office.world, ends_in=timedelta(days=-3))

    assert operator.send(LOOK, **fields(office), do="publish").status_code == 503
    answer = operator.upload(f"{LOOK}/pictures/logo", picture())

    assert answer.status_code == 503
    assert "The till goes on" in answer.text
    assert office.fresh().design_version == 1


@pytest.mark.parametrize(
    ("slot", "width", "height", "kind"),
    [("logo", 660, 660, "PNG"), ("icon", 87, 87, "JPEG"), ("strip", 1125, 432, "PNG"), ("hero", 1032, 336, "JPEG")],
)
def test_a_good_picture_is_put_in_place_on_every_card(
    operator: Browser, certified: Office, slot: str, width: int, height: int, kind: str
) -> None:
    page = operator.follow(operator.upload(f"{LOOK}/pictures/{slot}", picture(width, height, kind)))

    assert f"now {width} × {height}" in page
    assert expansions(certified) == 1
    assert len(certified.events("look_published")) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Choose a picture first"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "not a PNG or JPEG"),
        (picture()[:-200], "not a PNG or JPEG"),
        (bomb(3_000), "at most 4 million pixels"),
        (bomb(60_000), "not a PNG or JPEG"),
        (picture(600, 600), "660 × 660"),
        (picture(700, 660), "700 × 660"),
        (b"x" * (2 * 1024 * 1024 + 1), "at most 2 MB"),
    ],
    ids=["nothing", "svg", "damaged", "cut", "large", "bomb", "too-small", "not-square", "too-heavy"],
)
def test_a_hostile_picture_is_refused_where_it_was_chosen(
    operator: Browser, certified: Office, content: bytes, sentence: str
) -> None:
    answer = operator.upload(f"{LOOK}/pictures/logo", content)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'id="e-logo"' in answer.text
    with certified.world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Asset)) == 0


def test_a_picture_of_five_megabytes_is_refused_before_it_is_read(operator: Browser, certified: Office) -> None:
    answer = operator.upload(f"{LOOK}/pictures/strip", bytes(5_000_000))

    assert answer.status_code == 413
    assert "at most 2 MB" in answer.text
    assert 'id="e-strip"' in answer.text


def test_there_is_no_place_for_a_picture_of_another_name(operator: Browser, certified: Office) -> None:
    answer = operator.upload(f"{LOOK}/pictures/background", picture())

    assert answer.status_code == 422


def test_both_faces_come_from_the_wallets_own_json_in_each_language(certified: Office) -> None:
    world, design = certified.world, Design(points_label={"en": "Beans", "tr": "Çekirdek"})
    with world.database.reading() as session:
        shown = subject.read(session, certified.programme, now=world.clock())

    drawn = {
        language: preview.draw(world, shown, design, Choice(language=language, tier=None)) for language in ("en", "tr")
    }

    for language, label in (("en", "Beans"), ("tr", "Çekirdek")):
        apple, google = drawn[language].apple, drawn[language].google_object
        assert apple is not None
        assert google is not None
        assert apple["storeCard"]["headerFields"][0]["label"] == label
        assert label in json.dumps(google["loyaltyPoints"], ensure_ascii=False)


def test_long_texts_missing_pictures_and_tiers_are_remarked_on(operator: Browser, certified: Office) -> None:
    with certified.world.database.unit_of_work() as session:
        session.merge(certified.programme).name = "The Long Coffee House of Kadıköy"

    text = operator.send(LOOK, **fields(certified, **{"about-en": "word " * 110}), do="preview").text

    assert "has 32 characters; cards show 20" in text
    assert "has 549 characters; cards show 500" in text
    assert "There is no logo" in text
    assert "the address leads to this machine only" in text.lower()


def test_a_programme_without_members_is_shown_on_a_made_up_card(operator: Browser, certified: Office) -> None:
    with certified.world.database.unit_of_work() as session:
        session.merge(certified.card).status = "voided"

    text = operator.get(LOOK).text

    assert "A made-up card" in text
    assert "7K3M 9QX2 TDS" in text
    assert "Publish to 0 cards" in text


def test_the_preview_can_be_had_in_another_tier_and_language(operator: Browser, certified: Office) -> None:
    gold = certified.programme.tiers[1]

    text = operator.get(f"{LOOK}?shown_in=id&shown_tier={gold.id}").text

    assert "rgb(92,67,0)" in text.replace(" ", "")
    assert operator.get(f"{LOOK}?shown_in=xx&shown_tier=99999999999999999999").status_code == 200
