"""Rules and reasons as people read them."""

from typing import Any

import pytest

from app.earning import reading, words
from app.earning.sentences import Speaker

WINDOW = {"weekdays": [2], "from": "17:00", "to": "19:00", "last_on": "2026-12-31"}


def said(rule: dict[str, Any], language: str = "en") -> str:
    [found] = reading.read({"rules": [{"name": "x", **rule}]}, "TRY").rules
    return Speaker(language, "TRY", {"sto_1": "Kadıköy", "club:wine": "Wine friends"}).rule(found)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"kind": "amount", "points": 1, "per": "10.00"}, "1 point for every TRY\u00a010.00"),
        (
            {"kind": "multiplier", "factor": "2", "when": {"windows": [WINDOW], "stores": ["sto_1"]}},
            "2× on Tuesdays 17:00–19:00 in Kadıköy until 31 Dec 2026",
        ),
        (
            {"kind": "multiplier", "factor": "2", "no_end": True, "when": {"segments": ["club:wine", "staff"]}},
            "2× for members of Wine friends or staff",
        ),
        ({"kind": "exclusion", "only": {"categories": ["Tobacco"]}}, "Tobacco earns nothing"),
        (
            {"kind": "unit", "points": 2, "per": 3, "only": {"products": ["latte"]}},
            "2 points for every 3 pieces for latte",
        ),
        ({"kind": "cap", "points": 500, "per": "day"}, "At most 500 points a day"),
        ({"kind": "cap", "points": 9000, "per": "budget"}, "At most 9,000 points for all members together"),
        (
            {"kind": "visit", "points": 5, "when": {"occasions": ["birthday"], "tiers": ["Gold"]}},
            "5 points for each purchase for tier Gold on the birthday",
        ),
        (
            {"kind": "discount", "bands": [{"from": "0", "percent": "0"}, {"from": "1000.00", "percent": "2.5"}]},
            "2.5 % off from TRY\u00a01,000.00 spent",
        ),
        (
            {"kind": "bonus_money", "percent": "5", "expires_days": 90},
            "5 % as money for later, up to 30 % of a later purchase, within 90 days",
        ),
    ],
)  # fmt: skip
def test_a_rule_reads_as_a_sentence(rule: dict[str, Any], sentence: str) -> None:
    assert said(rule) == sentence


@pytest.mark.parametrize("language", ["tr", "id"])
def test_every_kind_of_rule_is_said_in_every_language(language: str) -> None:
    rules: list[dict[str, Any]] = [
        {"kind": "amount", "points": 2, "per": "10.00"},
        {"kind": "unit", "points": 2},
        {"kind": "visit", "points": 2},
        {"kind": "event", "points": 2, "event": "yorum"},
        {"kind": "bonus", "points": 2, "minimum": "5.00", "when": {"windows": [WINDOW]}},
        {"kind": "exclusion", "only": {"categories": ["kahve"]}},
        {"kind": "cap", "points": 500, "per": "week"},
        {"kind": "discount", "bands": [{"from": "0", "percent": "5"}]},
        {"kind": "bonus_money", "percent": "5"},
    ]

    assert all(said(rule, language) != said(rule) for rule in rules)


@pytest.mark.parametrize(
    ("reason", "text", "sentence"),
    [
        ({"code": "base"}, "base", "Points for the purchase"),
        ({"code": "multiplier", "name": "Tuesday", "factor": "2"}, "x2 Tuesday", "2× points: Tuesday"),
        ({"code": "excluded", "name": "tobacco"}, "excluded: tobacco", "Earns nothing: tobacco"),
        (
            {"code": "cap", "name": "c", "points": 500, "period": "day"},
            "cap: 500/day",
            "At most 500 points in a day",
        ),
        (
            {"code": "minimum", "needs_minor": 5_000, "has_minor": 1_200},
            "minimum: 50.00",
            "Points begin at TRY\u00a050.00; TRY\u00a012.00 counted",
        ),
        ({"code": "time"}, "time: server", "The till's clock was wrong, so the time of arrival counted"),
        ("x1.5 Gold", "x1.5 Gold", "1.5× points: Gold"),
        ("time: server", "time: server", "The till's clock was wrong, so the time of arrival counted"),
        ({"code": "of_a_later_release", "name": "Moon"}, "of_a_later_release: Moon", "of_a_later_release: Moon"),
        ({"code": "cap"}, "cap", "cap"),
    ],
)
def test_a_reason_is_a_stable_text_and_a_sentence(reason: Any, text: str, sentence: str) -> None:
    assert words.text(reason, "TRY") == text
    assert words.sentence(reason, "en", "TRY") == sentence


def test_a_customer_reads_the_reasons_in_their_language() -> None:
    reason = {"code": "multiplier", "name": "Salı", "factor": "1.5"}

    assert words.sentence(reason, "tr", "TRY").startswith("1,5")
    assert words.sentence({"code": "base"}, "id", "TRY") != words.sentence({"code": "base"}, "en", "TRY")


def test_bonus_money_says_for_which_products_it_is() -> None:
    rule = {"kind": "bonus_money", "percent": "5", "only": {"categories": ["beans"]}, "expires_days": 90}

    assert said(rule).endswith("within 90 days (beans)")
