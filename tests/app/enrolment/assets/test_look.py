"""A programme's colours can always be read, whatever was chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cards.design import Design, contrast
from app.enrolment.assets import look

COLORS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


@given(COLORS)
def test_an_accent_can_be_read_on_every_ground_and_its_own_text_on_it(color: str) -> None:
    for grounds in (
        (look.LIGHT_GROUND, look.LIGHT_SURFACE, "#f5f5f2"),
        (look.DARK_GROUND, look.DARK_SURFACE, "#121416"),
    ):
        accent = look.toned(color, grounds[0])
        assert all(contrast(accent, ground) >= 4.5 for ground in grounds)
        assert contrast(look.ink_on(accent), accent) >= 4.5


def test_a_readable_accent_is_left_as_it_is() -> None:
    assert look.toned("#4a2c1d", look.LIGHT_GROUND) == "#4a2c1d"


@pytest.mark.parametrize(
    ("background", "foreground", "accent"),
    [("#4a2c1d", "#ffffff", "#4a2c1d"), ("#f4f1ea", "#7a0019", "#7a0019"), ("#ffffff", "#222222", look.NEUTRAL_ACCENT)],
)
def test_the_accent_is_the_colour_that_has_a_hue(background: str, foreground: str, accent: str) -> None:
    assert look.accent_of(Design(background_color=background, foreground_color=foreground)) == accent
