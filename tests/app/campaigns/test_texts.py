"""The words of a campaign, and what is each member's own in them."""

import pytest

from app.campaigns import texts

WORDS = {
    "title": "Hello {first_name|friend}",
    "body": "{points} points, {expires_on}",
    "texts": {"tr": {"title": "Merhaba {first_name|dostum}", "body": "{points} puan, {expires_on}"}},
}


def test_places_are_filled_by_the_language_of_the_member() -> None:
    numbers = {"first_name": "Ayşe", "points": 12_500, "expires_on": "2026-12-31"}

    assert texts.filled(WORDS, "en", numbers) == ("Hello Ayşe", "12,500 points, 31 December")
    assert texts.filled(WORDS, "tr-TR", numbers) == ("Merhaba Ayşe", "12.500 puan, 31 Aralık")
    assert texts.filled(WORDS, "id", numbers)[0] == "Hello Ayşe"


def test_a_fallback_stands_where_there_is_nothing_to_say() -> None:
    assert texts.filled(WORDS, "en", {"points": 0})[0] == "Hello friend"
    assert texts.unfilled(WORDS, "en", {"points": 0}) == {"expires_on"}
    assert texts.unfilled(WORDS, "en", {"points": 0, "expires_on": "2026-12-31"}) == set()


def test_an_empty_fallback_is_none() -> None:
    assert texts.unfilled({"title": "Hi {first_name|}"}, "en", {}) == {"first_name"}


def test_the_fields_of_all_languages_are_known() -> None:
    assert texts.fields_of(WORDS) == {"first_name", "points", "expires_on"}


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({}, "message.title"),
        ({"title": "  "}, "message.title"),
        ({"title": "x" * 61}, "message.title"),
        ({"title": "Hi {firstname}"}, "message.title"),
        ({"title": "Hi {first_name"}, "message.title"),
        ({"title": "Hi } there"}, "message.title"),
        ({"title": "Hi", "body": "a\u0000b"}, "message.body"),
        ({"title": "Hi", "body": "{first_name|" + "x" * 41 + "}"}, "message.body"),
        ({"title": "Hi", "texts": {"tr": {"title": "{x}"}}}, "message.texts.tr.title"),
        ({"title": "Hi", "texts": ["Merhaba"]}, "message.texts"),
        ({"title": "Hi", "colour": "red"}, "message.colour"),
    ],
)
def test_faulty_words_are_named(words: dict[str, object], field: str) -> None:
    assert field in texts.problems(words)


def test_right_words_have_no_faults() -> None:
    assert texts.problems(WORDS) == {}
