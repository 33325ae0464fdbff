"""How cards look: refused by field when wrong, and never unreadable."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cards import design
from app.cards.design import Design
from app.errors import Unprocessable

COLORS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
        ("#123456", "#123456", 1.0),
        ("#ff0000", "#ffffff", 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert design.contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert design.contrast(other, one) == design.contrast(one, other)


@given(COLORS, COLORS)
def test_any_wish_becomes_readable(background: str, wanted: str) -> None:
    assert design.contrast(design.readable_on(background, wanted), background) >= design.READABLE


@given(COLORS, COLORS)
def test_a_readable_wish_stays_as_it_is(background: str, wanted: str) -> None:
    if design.contrast(wanted, background) >= design.READABLE:
        assert design.readable_on(background, wanted) == wanted


def test_the_design_given_to_new_programmes_is_readable_and_reads_back() -> None:
    assert Design().unreadable() == {}
    assert Design.parse(Design().as_json()) == Design()
    assert Design.parse({}) == Design()


def test_texts_and_colours_are_tidied() -> None:
    made = Design.parse(
        {
            "background_color": " #1F3A5F ",
            "points_label": {"tr": " Puan ", "en": "  "},
            "website": "https://shop.example ",
        }
    )

    assert made.background_color == "#1f3a5f"
    assert made.points_label == {"tr": "Puan"}
    assert made.website == "https://shop.example"


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ({"background_color": "red"}, ["background_color"]),
        ({"background_color": "#12345"}, ["background_color"]),
        ({"background_color": "#12345g"}, ["background_color"]),
        ({"background_color": None}, ["background_color"]),
        ({"background_color": 123456}, ["background_color"]),
        ({"background_color": "url(javascript:alert(1))"}, ["background_color"]),
        ({"background_color": "#ffffff"}, ["foreground_color", "label_color"]),
        ({"foreground_color": "#1f3a60"}, ["foreground_color"]),
        ({"points_label": "Points"}, ["points_label"]),
        ({"points_label": {"en": 5}}, ["points_label"]),
        ({"points_label": ["en"]}, ["points_label"]),
        ({"terms": None}, ["terms"]),
        ({"website": "javascript:alert(1)"}, ["website"]),
        ({"website": "https://" + "x" * 300}, ["website"]),
        ({"website": None}, ["website"]),
        ({"website": ["https://shop.example"]}, ["website"]),
        ({"contact": "x" * 201}, ["contact"]),
        ({"contact": {"a": 1}}, ["contact"]),
        ({"contact": None}, ["contact"]),
        ({"contact": "0216\x00"}, ["contact"]),
        ({"terms": {"en": "One.\nTwo.", "tr": "Bir.\x00"}}, ["terms"]),
        ({"nonsense": 1}, ["nonsense"]),
        ({"__class__": 1}, ["__class__"]),
        ({"parse": "x", "background_color": "x"}, ["background_color", "parse"]),
    ],
)
def test_what_will_not_do_is_refused_by_field(raw: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(Unprocessable) as refusal:
        Design.parse(raw)

    assert refusal.value.code == "invalid_design"
    assert sorted(refusal.value.errors) == fields
