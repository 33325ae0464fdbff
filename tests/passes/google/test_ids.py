import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.errors import InvalidPass
from passes.google.ids import Kind, ResourceId

SUFFIX = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=64)
ISSUER = st.text(string.digits, min_size=1, max_size=20)


@given(ISSUER, SUFFIX)
def test_an_id_survives_writing_and_reading_even_with_dots_in_its_suffix(issuer: str, suffix: str) -> None:
    made = ResourceId(issuer=issuer, suffix=suffix)

    assert ResourceId.parse(str(made)) == made


@given(st.text(max_size=90))
def test_any_text_is_an_id_or_is_refused_with_a_reason(text: str) -> None:
    try:
        parsed = str(ResourceId.parse(text))
    except InvalidPass:
        parsed = text

    assert parsed == text


@pytest.mark.parametrize("text", ["", "338", "338.", ".gold", "33a.gold", "338.gö", "338.a b", "338.a\n", "٣٣٨.gold"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(InvalidPass):
        ResourceId.parse(text)


def test_the_issuer_ends_at_the_first_dot() -> None:
    assert ResourceId.parse("338.a.b.c") == ResourceId(issuer="338", suffix="a.b.c")


def test_every_problem_of_an_id_is_named_at_once() -> None:
    with pytest.raises(InvalidPass) as refused:
        ResourceId(issuer="bean", suffix="ç" * 65)

    assert len(refused.value.problems) == 3


@pytest.mark.parametrize(
    ("kind", "schema", "is_class", "class_kind"),
    [
        (Kind.LOYALTY_CLASS, "LoyaltyClass", True, Kind.LOYALTY_CLASS),
        (Kind.LOYALTY_OBJECT, "LoyaltyObject", False, Kind.LOYALTY_CLASS),
        (Kind.OFFER_CLASS, "OfferClass", True, Kind.OFFER_CLASS),
        (Kind.OFFER_OBJECT, "OfferObject", False, Kind.OFFER_CLASS),
    ],
)
def test_a_kind_knows_its_type_and_its_class(kind: Kind, schema: str, is_class: bool, class_kind: Kind) -> None:
    assert (kind.schema, kind.is_class, kind.class_kind) == (schema, is_class, class_kind)
